// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server on real sockets with a host in memory, and raw requests to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::host::{NOW, TestHost};
use crate::auth::{Scope, TokenRecord, secret_hash, secret_text};
use crate::id::TokenId;
use crate::place;
use crate::server::{Port, Server, ServerConfig};
use crate::time::Timestamp;

pub(super) const SEND: &str = "/v1/personas/main/threads/thr_1/messages";

pub(super) struct World {
    pub(super) host: Arc<TestHost>,
    pub(super) dir: TempDir,
    pub(super) port: u16,
    pub(super) socket: PathBuf,
    pub(super) token: String,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

pub(super) fn config(dir: &Path, start: u8) -> ServerConfig {
    ServerConfig {
        home: dir.join("home"),
        runtime_dir: None,
        temp_dir: dir.to_owned(),
        port: Port::Free,
        token: [start; 32],
        random: [start; 8],
    }
}

impl World {
    pub(super) async fn start() -> Self {
        Self::start_with(TestHost::new()).await
    }

    pub(super) async fn start_with(host: TestHost) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let token = String::new();
        let mut world = Self {
            host: Arc::new(host),
            dir,
            port: 0,
            socket: PathBuf::new(),
            token,
            running: None,
        };
        world.open(1).await;
        world
    }

    /// Starts the server on the same home and host; `start` tells one start's token from another's.
    pub(super) async fn open(&mut self, start: u8) {
        let server = Server::bind(&config(self.dir.path(), start)).await.unwrap();
        (self.port, self.socket) = (server.port().unwrap(), server.socket().to_owned());
        self.token = place::read_token(&self.home()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let host = self.host.clone();
        let task = tokio::spawn(server.run(host, async { drop(stopped.await) }));
        self.running = Some((stop, task));
    }

    pub(super) async fn close(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Sends raw bytes over TCP and reads the answer.
    pub(super) async fn tcp(&self, request: &str) -> Reply {
        exchange(
            TcpStream::connect(("127.0.0.1", self.port)).await.unwrap(),
            request.as_bytes(),
        )
        .await
    }

    /// Sends raw bytes over the unix socket and reads the answer.
    pub(super) async fn unix(&self, request: &str) -> Reply {
        exchange(
            UnixStream::connect(&self.socket).await.unwrap(),
            request.as_bytes(),
        )
        .await
    }

    /// Sends a well-formed request with the CLI's token over the unix socket.
    pub(super) async fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        self.call_as(&self.token, method, path, headers, body).await
    }

    pub(super) async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Reply {
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        let length = body.len();
        self.unix(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{kind}{headers}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await
    }
}

/// A token record and its secret; `number` tells them apart.
pub(super) fn named(number: u8, scopes: &[Scope], persona: Option<&str>) -> (TokenRecord, String) {
    // Far from the bytes the starts take for the token of the CLI.
    let secret = secret_text(&[number | 0x80; 32]);
    let record = TokenRecord {
        id: TokenId::from_body(number).unwrap(),
        name: format!("token {number}"),
        hash: secret_hash(&secret),
        scopes: scopes.to_vec(),
        persona: persona.map(|name| name.parse().unwrap()),
        created: Timestamp::from_ms(NOW),
        expires: None,
    };
    (record, secret)
}

#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(super) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> Reply {
    // A server that refuses by the head may close before it has read the body.
    let _ = stream.write_all(request).await;
    read_reply(&mut stream).await
}

/// Reads one answer: up to its end as its length says, or to the end of the stream.
pub(super) async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(reply) = whole(&bytes) {
            return reply;
        }
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut chunk)).await;
        match read.expect("the server answers within 20 s") {
            Ok(0) | Err(_) => return parse(&bytes),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn whole(bytes: &[u8]) -> Option<Reply> {
    let reply = parse(bytes);
    if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        return None;
    }
    let length: usize = reply.header("content-length")?.parse().ok()?;
    (reply.body.len() >= length).then_some(reply)
}

fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Reply {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
