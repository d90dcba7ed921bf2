// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event log: read by long poll or as a stream, and the places of its named readers.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stream;
use crate::app::Api;
use crate::auth::Caller;
use crate::dto::{Consumer, ConsumerMark, Event, EventList, EventQuery, limit_of};
use crate::extract::{Asked, Given, Ids};
use crate::host::{ConsumerRecord, EventPage};
use crate::id::{ConsumerName, PersonaName};
use crate::problem::{Code, Problem};

/// A long poll waits at most a minute, less than most proxies do.
const WAIT_S_MAX: u32 = 60;
/// Pages read for one answer when nothing on them is of the types asked for: 20 × 500 events cost some tens of
/// milliseconds. After that the caller gets an empty page and the place to go on from.
const PAGES_MAX: u32 = 20;
/// Events read from the host at once.
const SCAN_LIMIT: u32 = 500;
/// Types named in one query at most.
const TYPES_MAX: usize = 32;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(consumer, set_consumer))
}

/// Read events, or wait for them
///
/// With `Accept: text/event-stream` the events come as a stream without end: `id` is the number, `Last-Event-ID`
/// goes on after it. 410 `cursor_expired` when events after the cursor are no longer kept.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "list_events",
    params(EventQuery, ("Last-Event-ID" = Option<u64>, Header, description = "For streams: the last number seen; stands over `after`")),
    responses((status = 200, description = "Events", content((EventList = "application/json"), (String = "text/event-stream")))),
    security(("token" = ["events:read"])))]
async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = Wanted::new(&query, &caller)?;
    let streams = headers.get_all(header::ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.to_ascii_lowercase().contains("text/event-stream"))
    });
    if streams {
        let start = match headers.get("last-event-id") {
            Some(last) => Start::parse(last.to_str().unwrap_or(""), "Last-Event-ID")?,
            None => Start::from_query(&query)?,
        };
        return stream::open(api, wanted, start).await;
    }
    let wait_s = query.wait.unwrap_or(0).min(WAIT_S_MAX);
    let mut reader = Reader::new(
        api,
        wanted,
        Start::from_query(&query)?,
        limit_of(query.limit),
    );
    let list = reader
        .wait(Instant::now() + Duration::from_secs(wait_s.into()))
        .await?;
    Ok(Json(list).into_response())
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Oldest,
    Latest,
    After(u64),
}

impl Start {
    fn from_query(query: &EventQuery) -> Result<Self, Problem> {
        query
            .after
            .as_deref()
            .map_or(Ok(Self::Oldest), |after| Self::parse(after, "after"))
    }

    fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        match text {
            "latest" => Ok(Self::Latest),
            number => number
                .parse()
                .map(Self::After)
                .map_err(|_| Problem::invalid(field, "a number, or latest")),
        }
    }
}

/// Which events the caller wants and may see.
#[derive(Debug)]
pub(super) struct Wanted {
    types: Vec<String>,
    persona: Option<PersonaName>,
}

impl Wanted {
    fn new(query: &EventQuery, caller: &Caller) -> Result<Self, Problem> {
        let persona = match (caller.persona(), &query.persona) {
            (Some(bound), Some(asked)) if bound != asked => {
                return Err(Problem::new(
                    Code::PersonaForbidden,
                    format!("the token is for {bound} alone"),
                ));
            }
            (bound, asked) => bound.or(asked.as_ref()).cloned(),
        };
        let types = query
            .types
            .as_deref()
            .unwrap_or("")
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty());
        let types: Vec<String> = types.map(str::to_owned).collect();
        if types.len() > TYPES_MAX {
            return Err(Problem::invalid("types", format!("at most {TYPES_MAX}")));
        }
        Ok(Self { types, persona })
    }

    fn wants(&self, event: &Event) -> bool {
        let of_type = |kind: &String| {
            *kind == event.kind || (kind.ends_with('.') && event.kind.starts_with(kind.as_str()))
        };
        (self.types.is_empty() || self.types.iter().any(of_type))
            && self
                .persona
                .as_ref()
                .is_none_or(|persona| event.persona.as_ref() == Some(persona))
    }
}

/// Reads the log forward, page by page, and waits at its end.
pub(super) struct Reader {
    api: Api,
    wanted: Wanted,
    newest: tokio::sync::watch::Receiver<u64>,
    /// `None` until the first page: the oldest kept is not known before.
    place: Option<u64>,
    limit: u32,
}

impl Reader {
    pub(super) fn new(api: Api, wanted: Wanted, start: Start, limit: u32) -> Self {
        let newest = api.host.newest_event();
        let place = match start {
            Start::Oldest => None,
            Start::Latest => Some(*newest.borrow()),
            Start::After(after) => Some(after),
        };
        Self {
            api,
            wanted,
            newest,
            place,
            limit,
        }
    }

    /// Reads what is there, without waiting.
    pub(super) async fn read(&mut self) -> Result<EventList, Problem> {
        // Marked as seen before reading: what is written while we read wakes the next wait.
        self.newest.mark_unchanged();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut data = Vec::new();
        for _ in 0..PAGES_MAX {
            let EventPage {
                events,
                oldest_kept,
            } = self
                .api
                .host
                .events(self.place.unwrap_or(0), SCAN_LIMIT)
                .await?;
            let place = self.begin(oldest_kept)?;
            let full = events.len() >= SCAN_LIMIT as usize;
            self.place = Some(events.last().map_or(place, |event| event.seq));
            let mut events = events.into_iter().filter(|event| self.wanted.wants(event));
            data.extend(events.by_ref().take(limit - data.len()));
            if events.next().is_some() {
                // The page holds more than was asked for: the next one begins after the last that was taken.
                let next = data.last().map_or(place, |event: &Event| event.seq);
                self.place = Some(next);
                return Ok(EventList {
                    data,
                    has_more: true,
                    next,
                });
            }
            if !full {
                return Ok(self.list(data, false));
            }
        }
        Ok(self.list(data, true))
    }

    /// Finds where the page just read began, and refuses to pass over what is no longer kept.
    fn begin(&self, oldest_kept: u64) -> Result<u64, Problem> {
        let before_oldest = oldest_kept.saturating_sub(1);
        match self.place {
            None => Ok(before_oldest),
            Some(place) if place < before_oldest => Err(Problem::new(
                Code::CursorExpired,
                format!(
                    "events up to {before_oldest} are gone; read /v1/personas/{{persona}}/threads afresh, \
                     then go on with after={before_oldest}"
                ),
            )),
            Some(place) => Ok(place),
        }
    }

    fn list(&self, data: Vec<Event>, has_more: bool) -> EventList {
        EventList {
            data,
            has_more,
            next: self.place.unwrap_or(0),
        }
    }

    /// Reads what is there, or waits for something until `deadline`, or until the server stops.
    pub(super) async fn wait(&mut self, deadline: Instant) -> Result<EventList, Problem> {
        loop {
            let list = self.read().await?;
            if !list.data.is_empty() || list.has_more || Instant::now() >= deadline {
                return Ok(list);
            }
            let mut stopping = self.api.stopping.clone();
            let news = async {
                tokio::select! {
                    changed = self.newest.changed() => changed.is_ok(),
                    _ = stopping.wait_for(|stopping| *stopping) => false,
                }
            };
            if !timeout_at(deadline, news).await.unwrap_or(false) {
                return Ok(list);
            }
        }
    }

    /// The number up to which everything was looked at.
    pub(super) fn place(&self) -> u64 {
        self.place.unwrap_or(0)
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        *self.api.stopping.borrow()
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfConsumer {
    /// The reader's name.
    #[param(value_type = String)]
    name: ConsumerName,
}

/// Read the place of a named reader
#[utoipa::path(get, path = "/v1/consumers/{name}", tag = "events", operation_id = "get_consumer", params(OfConsumer),
    responses((status = 200, description = "Its place", body = Consumer)),
    security(("token" = ["events:read"])))]
async fn consumer(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Ids(of): Ids<OfConsumer>,
) -> Result<Json<Consumer>, Problem> {
    let record = api.host.consumer(host_name(&caller, &of.name)).await?;
    Ok(Json(of.named(record)))
}

/// Store the place of a named reader
///
/// Events it has not passed are kept. Write the place together with the effect of the events, and each has its
/// effect exactly once.
#[utoipa::path(put, path = "/v1/consumers/{name}", tag = "events", operation_id = "set_consumer", params(OfConsumer),
    request_body = ConsumerMark,
    responses((status = 200, description = "Its place", body = Consumer)),
    security(("token" = ["events:write"])))]
async fn set_consumer(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Ids(of): Ids<OfConsumer>,
    given: Given<ConsumerMark>,
) -> Result<Json<Consumer>, Problem> {
    let newest = *api.host.newest_event().borrow();
    if given.body.seq > newest {
        // A place ahead of the log would let events go unseen.
        return Err(Problem::invalid(
            "seq",
            format!("the newest event is {newest}"),
        ));
    }
    let record = api
        .host
        .set_consumer(host_name(&caller, &of.name), given.body.seq)
        .await?;
    Ok(Json(of.named(record)))
}

impl OfConsumer {
    fn named(self, record: ConsumerRecord) -> Consumer {
        Consumer {
            name: self.name,
            seq: record.seq,
            updated: record.updated,
        }
    }
}

/// A bound token's readers are its persona's own: it must not move the place of another program.
fn host_name(caller: &Caller, name: &ConsumerName) -> String {
    match caller.persona() {
        Some(persona) => format!("{persona}/{name}"),
        None => name.to_string(),
    }
}
