// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event stream of the client: it connects again by itself, loses nothing and doubles nothing.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use reqwest::header;
use tokio::time::{Instant, sleep, timeout};

use super::sse::{Frame, Parser};
use super::{Client, ClientError, refuse, with_causes};
use crate::dto::{Event, EventQuery};
use crate::place;
use crate::problem::ProblemBody;

/// The daemon says something every 15 s; three times that without a byte is a dead connection.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Between attempts: 100 ms, doubled up to 5 s.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long a daemon may be away before the stream says so. Asked again after that, it tries again.
const PATIENCE: Duration = Duration::from_secs(30);

type Bytes = Pin<Box<dyn Stream<Item = Result<Vec<u8>, ClientError>> + Send>>;

/// Events, one after the other. Dropping it at any await loses nothing: the place moves on with what was returned.
pub struct EventStream {
    client: Client,
    query: EventQuery,
    /// The last number returned, or passed because it was not asked for.
    place: Option<u64>,
    bytes: Option<Bytes>,
    parser: Parser,
    retry: Duration,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(client: Client, query: EventQuery) -> Self {
        Self {
            client,
            query,
            place: None,
            bytes: None,
            parser: Parser::default(),
            retry: RETRY_MIN,
        }
    }

    /// The number to go on after, for whoever wants to keep it.
    #[must_use]
    pub fn place(&self) -> Option<u64> {
        self.place
    }

    /// Waits for the next event. A broken connection is mended; [`ClientError::DaemonDown`] comes when that did not
    /// succeed for 30 s, and any refusal of the daemon at once. Cancel-safe.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        let mut down_since = None;
        loop {
            match self.step().await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => down_since = None,
                Err(error) if !mends(&error) => return Err(error),
                Err(error) => {
                    self.bytes = None;
                    if down_since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                        return Err(error);
                    }
                    sleep(self.retry).await;
                    self.retry = (self.retry * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// Takes one event out, or some bytes in.
    async fn step(&mut self) -> Result<Option<Event>, ClientError> {
        while let Some(frame) = self.parser.pop() {
            if let Some(event) = self.read(&frame)? {
                return Ok(Some(event));
            }
        }
        if self.bytes.is_none() {
            self.bytes = Some(self.connect().await?);
            self.parser = Parser::default();
        }
        let Some(bytes) = &mut self.bytes else {
            return Ok(None);
        };
        let silent = |_| ClientError::Interrupted("the daemon fell silent".to_owned());
        let chunk = timeout(SILENCE_MAX, bytes.next()).await.map_err(silent)?;
        let chunk = chunk
            .ok_or_else(|| ClientError::Interrupted("the daemon closed the stream".to_owned()))??;
        self.parser
            .push(&chunk)
            .map_err(|_| ClientError::BadAnswer("an event of more than 1 MiB".to_owned()))?;
        self.retry = RETRY_MIN;
        Ok(None)
    }

    fn read(&mut self, frame: &Frame) -> Result<Option<Event>, ClientError> {
        let bad = |error: serde_json::Error| ClientError::BadAnswer(error.to_string());
        if frame.event == "problem" {
            let problem: ProblemBody = serde_json::from_str(&frame.data).map_err(bad)?;
            self.bytes = None;
            return Err(ClientError::Problem(Box::new(problem)));
        }
        if frame.data.is_empty() {
            self.place = self.place.max(frame.id);
            return Ok(None);
        }
        let event: Event = serde_json::from_str(&frame.data).map_err(bad)?;
        // Seen already: the daemon was asked from a place before it.
        if self.place.is_some_and(|place| event.seq <= place) {
            return Ok(None);
        }
        self.place = Some(event.seq);
        Ok(Some(event))
    }

    async fn connect(&mut self) -> Result<Bytes, ClientError> {
        self.client.follow_home()?;
        let path = self.query_path()?;
        let used = self.client.token();
        let response = self.client.open_stream(&used, &path).await?;
        let response = if response.status() == reqwest::StatusCode::UNAUTHORIZED
            && self.client.renew_token(&used)
        {
            self.client.open_stream(&self.client.token(), &path).await?
        } else {
            response
        };
        let stream = refuse(response).await?.bytes_stream();
        let stream = stream.map(|chunk| match chunk {
            Ok(chunk) => Ok(chunk.to_vec()),
            Err(error) => Err(ClientError::Interrupted(with_causes(&error))),
        });
        Ok(Box::pin(stream))
    }

    fn query_path(&self) -> Result<String, ClientError> {
        let mut query = self.query.clone();
        (query.wait, query.limit) = (None, None);
        if let Some(place) = self.place {
            query.after = Some(place.to_string());
        }
        super::calls::events_path(&query)
    }
}

/// Whether trying again can help.
fn mends(error: &ClientError) -> bool {
    use crate::problem::Code;
    match error {
        ClientError::DaemonDown { .. } | ClientError::Interrupted(_) | ClientError::Timeout => true,
        ClientError::Problem(_) => matches!(
            error.code(),
            Some(Code::NotReady | Code::Stopping | Code::TooMany)
        ),
        // A full server closes with a bare 503.
        ClientError::NotOurs { status } => *status == 503,
        ClientError::BadAnswer(_) | ClientError::Internal(_) => false,
    }
}

impl Client {
    async fn open_stream(&self, token: &str, path: &str) -> Result<reqwest::Response, ClientError> {
        let request = self.http.get(format!("{}{path}", super::BASE));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(header::ACCEPT, "text/event-stream");
        request.send().await.map_err(|error| self.failed(&error))
    }

    /// A daemon started again may listen elsewhere: reads the socket of the home anew.
    fn follow_home(&mut self) -> Result<(), ClientError> {
        let Some(socket) = self.home.as_deref().and_then(place::read_socket) else {
            return Ok(());
        };
        if *socket == *self.socket {
            return Ok(());
        }
        let fresh = Client::unix(socket, self.token())?;
        (self.http, self.socket) = (fresh.http, fresh.socket);
        Ok(())
    }
}
