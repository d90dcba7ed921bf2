// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client: one method a route, over the daemon's unix socket.
//!
//! A port on loopback can be taken by another user before the daemon starts; a path in a 0700 folder cannot. So the
//! client speaks to the socket alone, and whoever squats the port is never shown a token.

mod calls;
mod error;
mod events;
mod sse;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::error::{ClientError, Exit};
pub use self::events::EventStream;
use crate::idempotency::KEY_HEADER;
use crate::place;
use crate::problem::ProblemBody;

/// The host of every URL. The socket decides where a request goes; this is only what `Host` says.
const BASE: &str = "http://localhost";
/// An answer has 90 s: a long poll waits up to 60.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);
/// A connection rests at most 5 s: the daemon closes one after 10, and a request that meets the closing is lost.
const REST_MAX: Duration = Duration::from_secs(5);
/// An answer is at most 64 MiB: 500 messages of 16 KiB, each byte escaped to six, are 48 MiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one daemon. Cloning is cheap; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    socket: Arc<Path>,
    token: Arc<Mutex<String>>,
    /// Where to read a newer token when the daemon was started again.
    home: Option<Arc<Path>>,
    key: Option<Arc<str>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            http: _,
            socket,
            token: _,
            home,
            key: _,
        } = self;
        f.debug_struct("Client")
            .field("socket", socket)
            .field("home", home)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client of the daemon on `socket`, with a token. Nothing is sent yet.
    pub fn unix(socket: impl Into<PathBuf>, token: impl Into<String>) -> Result<Self, ClientError> {
        let socket: PathBuf = socket.into();
        let http = reqwest::Client::builder()
            .unix_socket(socket.as_path())
            .no_proxy()
            .pool_idle_timeout(REST_MAX)
            .build();
        Ok(Self {
            http: http.map_err(|error| ClientError::Internal(error.to_string()))?,
            socket: socket.into(),
            token: Arc::new(Mutex::new(token.into())),
            home: None,
            key: None,
        })
    }

    /// Makes a client of the daemon of `home`, with the CLI's own token. [`ClientError::DaemonDown`] when none left
    /// its files there. The token is read anew when the daemon was started again meanwhile.
    pub fn open(home: &Path) -> Result<Self, ClientError> {
        let down = || ClientError::DaemonDown {
            place: place::socket_file(home),
            cause: "no daemon has left its socket there".into(),
        };
        let socket = place::read_socket(home).ok_or_else(down)?;
        let token = place::read_token(home).ok_or_else(down)?;
        let mut client = Self::unix(socket, token)?;
        client.home = Some(home.into());
        Ok(client)
    }

    /// Returns a client whose POSTs carry this idempotency key: repeated, they have their effect once.
    #[must_use]
    pub fn once(&self, key: &str) -> Self {
        Self {
            key: Some(key.into()),
            ..self.clone()
        }
    }

    /// The socket it speaks to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        json(self.send::<()>(Method::GET, path, None).await?).await
    }

    async fn give<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        json(self.send(method, path, Some(body)).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        json(self.send::<()>(Method::POST, path, None).await?).await
    }

    /// Sends a request and turns a problem into an error. On 401 it looks once for the token of a newer start.
    async fn send<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Response, ClientError> {
        let used = self.token();
        let response = self.send_with(&used, method.clone(), path, body).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.renew_token(&used) {
            return refuse(self.send_with(&self.token(), method, path, body).await?).await;
        }
        refuse(response).await
    }

    async fn send_with<B: Serialize + Sync>(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Response, ClientError> {
        let mut request = self
            .http
            .request(method.clone(), format!("{BASE}{path}"))
            .timeout(ANSWER_TIME_MAX);
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key) = self.key.as_deref().filter(|_| method == Method::POST) {
            request = request.header(KEY_HEADER, key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| self.failed(&error))
    }

    fn token(&self) -> String {
        self.token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the token of the home again; false when it is the one already used.
    fn renew_token(&self, used: &str) -> bool {
        let Some(token) = self
            .home
            .as_deref()
            .and_then(place::read_token)
            .filter(|token| token != used)
        else {
            return false;
        };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        true
    }

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        if error.is_timeout() {
            ClientError::Timeout
        } else if error.is_connect() {
            ClientError::DaemonDown {
                place: self.socket.to_path_buf(),
                cause: first_cause(error),
            }
        } else {
            ClientError::Interrupted(with_causes(error))
        }
    }
}

/// The error and what lies under it: reqwest's own text stops at "error sending request".
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What lies at the bottom: for a socket nobody listens on, the system's own word.
fn first_cause(error: &dyn std::error::Error) -> String {
    let mut bottom = error;
    while let Some(cause) = bottom.source() {
        bottom = cause;
    }
    bottom.to_string()
}

/// Lets a good answer through; reads the problem of any other.
async fn refuse(response: Response) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = read(response).await?;
    match serde_json::from_slice::<ProblemBody>(&bytes) {
        Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
        Err(_) => Err(ClientError::NotOurs {
            status: status.as_u16(),
        }),
    }
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let bytes = read(response).await?;
    // An answer without body reads as `null`, which `()` takes.
    let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| ClientError::BadAnswer(error.to_string()))
}

async fn read(response: Response) -> Result<Vec<u8>, ClientError> {
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| ClientError::Interrupted(with_causes(&error)))?;
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ClientError::BadAnswer(format!(
                "more than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
