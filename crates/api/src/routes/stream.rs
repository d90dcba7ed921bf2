// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event stream: server-sent events whose `id` is the event's number.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::time::Instant;

use super::events::{Reader, Start, Wanted};
use crate::app::Api;
use crate::dto::{Event, PAGE_LIMIT_MAX};
use crate::problem::{Language, Problem};

/// An idle stream says something every 15 s, so that both ends notice a dead connection.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// What a browser waits before it connects again.
const RETRY_MS: u32 = 1000;

struct Open {
    reader: Reader,
    ready: VecDeque<Bytes>,
    ended: bool,
}

/// Opens a stream. The first page is read before the head goes out, so that a cursor that has expired is a 410 and
/// not a stream that breaks.
pub(super) async fn open(api: Api, wanted: Wanted, start: Start) -> Result<Response, Problem> {
    let mut reader = Reader::new(api, wanted, start, PAGE_LIMIT_MAX);
    let first = reader.read().await?;
    // The place is said at once: a stream from `latest` that breaks before its first event goes on from there.
    let begun = first
        .data
        .first()
        .map_or(reader.place(), |event| event.seq.saturating_sub(1));
    let mut ready = VecDeque::from([Bytes::from(format!("retry: {RETRY_MS}\nid: {begun}\n\n"))]);
    ready.extend(first.data.iter().map(write));
    let open = Open {
        reader,
        ready,
        ended: false,
    };
    let body = Body::from_stream(stream::unfold(open, |mut open| async move {
        let chunk = open.next().await?;
        Some((Ok::<_, Infallible>(chunk), open))
    }));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

impl Open {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if self.ended || self.reader.is_stopping() {
                return None;
            }
            match self.reader.wait(Instant::now() + KEEPALIVE).await {
                Ok(list) => {
                    self.ready.extend(list.data.iter().map(write));
                    if self.ready.is_empty() {
                        // The id alone fires nothing, and moves the reader past events it did not ask for.
                        self.ready
                            .push_back(format!(": alive\nid: {}\n\n", self.reader.place()).into());
                    }
                }
                Err(problem) => {
                    self.ready.push_back(write_problem(&problem));
                    self.ended = true;
                }
            }
        }
    }
}

/// JSON has no raw line ends, so one `data:` line holds the event whole.
fn write(event: &Event) -> Bytes {
    let data = serde_json::to_string(event).unwrap_or_default();
    format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        event.seq,
        one_line(&event.kind)
    )
    .into()
}

fn write_problem(problem: &Problem) -> Bytes {
    let body = problem.body(Language::English, "/v1/events", "");
    format!(
        "event: problem\ndata: {}\n\n",
        serde_json::to_string(&body).unwrap_or_default()
    )
    .into()
}

fn one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
