// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server: the unix socket, loopback TCP, and the limits of a connection.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::App;
use crate::auth::{secret_hash, secret_text};
use crate::guard::Listener;
use crate::host::Host;
use crate::place::{
    SocketChoice, port_file, private_dir, run_dir, socket_file, token_file, write_private,
};

/// Connections at once on each listener. Counted apart, so that a web page which opens all it can on loopback leaves
/// the CLI its socket. Full: the new one gets 503 and is closed.
pub const CONNECTIONS_MAX: usize = 64;
/// A head has 10 s to arrive, on a kept connection too.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// A head has at most 16 KiB in 64 headers; ours have 1 KiB in 10.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// What still runs when the server stops has 5 s to finish.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// Which TCP port to listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Port {
    /// None: the unix socket alone.
    None,
    /// A free one, written to `run/api.port`.
    #[default]
    Free,
    /// This one. When another program has it the server starts without, and says so.
    Fixed(u16),
}

/// What a server needs besides its host.
#[derive(Clone)]
pub struct ServerConfig {
    /// The node's home; `run` in it is made when missing.
    pub home: PathBuf,
    /// `XDG_RUNTIME_DIR`, when the system gives one.
    pub runtime_dir: Option<PathBuf>,
    /// The system's folder for temporary files.
    pub temp_dir: PathBuf,
    /// Which TCP port to listen on.
    pub port: Port,
    /// 32 random bytes, new at each start: the CLI's own token.
    pub token: [u8; 32],
    /// 8 random bytes, new at each start: a name nobody can foresee.
    pub random: [u8; 8],
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            home,
            runtime_dir,
            temp_dir,
            port,
            token: _,
            random: _,
        } = self;
        f.debug_struct("ServerConfig")
            .field("home", home)
            .field("runtime_dir", runtime_dir)
            .field("temp_dir", temp_dir)
            .field("port", port)
            .finish_non_exhaustive()
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The folder `run` in the home cannot be made private.
    #[error("cannot make {} a private folder: {cause}", dir.display())]
    RunDir {
        /// Which folder.
        dir: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No unix socket can be made.
    #[error("cannot listen on a unix socket: {0}")]
    Socket(io::Error),
    /// Another daemon answers on the socket.
    #[error("another daemon listens on {}; stop it first", .0.display())]
    InUse(PathBuf),
    /// Token, port or the socket's path cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// A server that listens and does not answer yet. Dropped, it takes its files away.
#[derive(Debug)]
pub struct Server {
    unix: UnixListener,
    tcp: Option<(TcpListener, u16)>,
    tcp_error: Option<io::Error>,
    files: RunFiles,
    token_hash: [u8; 32],
}

/// The files of a running server, removed on drop.
#[derive(Debug)]
struct RunFiles {
    socket: PathBuf,
    written: Vec<PathBuf>,
}

impl Drop for RunFiles {
    fn drop(&mut self) {
        for path in self.written.iter().rev().chain([&self.socket]) {
            // Nothing can be done about a file that stays; the next start writes it anew.
            let _ = fs::remove_file(path);
        }
        // Only a folder made for this socket alone is empty now; one that others use refuses to go.
        if let Some(dir) = self.socket.parent().filter(|dir| is_ours_alone(dir)) {
            let _ = fs::remove_dir(dir);
        }
    }
}

fn is_ours_alone(dir: &Path) -> bool {
    dir.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with("cptr-"))
}

impl Server {
    /// Listens, and writes token, socket path and port into the home. The caller holds the lock of the home: two
    /// servers on one home would write over each other's token.
    pub async fn bind(config: &ServerConfig) -> Result<Self, ServerError> {
        let dir = run_dir(&config.home);
        private_dir(&dir).map_err(|cause| ServerError::RunDir { dir, cause })?;
        let choice = SocketChoice {
            home: &config.home,
            runtime_dir: config.runtime_dir.as_deref(),
            temp_dir: &config.temp_dir,
            random: config.random,
        };
        let socket = choice.decide().map_err(ServerError::Socket)?;
        let unix = listen_unix(&socket)?;
        let mut files = RunFiles {
            socket: socket.clone(),
            written: Vec::new(),
        };
        let (tcp, tcp_error) = listen_tcp(config.port).await;
        let secret = secret_text(&config.token);
        files.write(token_file(&config.home), &secret)?;
        if let Some((_, port)) = &tcp {
            files.write(port_file(&config.home), &port.to_string())?;
        }
        // Last: whoever finds the path finds the token beside it.
        files.write(socket_file(&config.home), &socket.to_string_lossy())?;
        Ok(Self {
            unix,
            tcp,
            tcp_error,
            files,
            token_hash: secret_hash(&secret),
        })
    }

    /// The path of the unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.files.socket
    }

    /// The TCP port on loopback, if it listens on one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.tcp.as_ref().map(|(_, port)| *port)
    }

    /// Why there is no TCP port although one was wanted. The unix socket works all the same.
    #[must_use]
    pub fn tcp_error(&self) -> Option<&io::Error> {
        self.tcp_error.as_ref()
    }

    /// Answers until `stop` is ready, then lets what runs finish for at most 5 s, and removes its files.
    pub async fn run(self, host: Arc<dyn Host>, stop: impl Future<Output = ()> + Send) {
        let Self {
            unix,
            tcp,
            tcp_error: _,
            files,
            token_hash,
        } = self;
        let (stopping, stopped) = watch::channel(false);
        let app = App::new(host, token_hash, stopped.clone());
        let mut listeners = JoinSet::new();
        listeners.spawn(serve_unix(unix, app.clone(), stopped.clone()));
        if let Some((listener, port)) = tcp {
            listeners.spawn(serve_tcp(listener, port, app, stopped));
        }
        stop.await;
        // The files go first: a client that comes now finds no daemon instead of one that will not answer.
        drop(files);
        stopping.send_replace(true);
        let finished = tokio::time::timeout(STOP_TIME_MAX, async {
            while listeners.join_next().await.is_some() {}
        });
        if finished.await.is_err() {
            tracing::warn!("requests still ran when the API stopped");
        }
    }
}

impl RunFiles {
    fn write(&mut self, path: PathBuf, text: &str) -> Result<(), ServerError> {
        self.written.push(path.clone());
        write_private(&path, &format!("{text}\n"))
            .map_err(|cause| ServerError::Write { path, cause })
    }
}

/// Listens on a path. A socket that a killed daemon left is replaced; one that somebody answers on is not.
fn listen_unix(path: &Path) -> Result<UnixListener, ServerError> {
    if path.symlink_metadata().is_ok() {
        if BlockingUnixStream::connect(path).is_ok() {
            return Err(ServerError::InUse(path.to_owned()));
        }
        fs::remove_file(path).map_err(ServerError::Socket)?;
    }
    let listener = UnixListener::bind(path).map_err(ServerError::Socket)?;
    // Until here the 0700 folder alone keeps others out.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(ServerError::Socket)?;
    Ok(listener)
}

async fn listen_tcp(port: Port) -> (Option<(TcpListener, u16)>, Option<io::Error>) {
    let wanted = match port {
        Port::None => return (None, None),
        Port::Free => 0,
        Port::Fixed(port) => port,
    };
    let bound = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, wanted))).await;
    match bound.and_then(|listener| {
        listener
            .local_addr()
            .map(|address| (listener, address.port()))
    }) {
        Ok(listening) => (Some(listening), None),
        Err(error) => (None, Some(error)),
    }
}

async fn serve_unix(listener: UnixListener, app: App, stopped: watch::Receiver<bool>) {
    let mut connections = Connections::new(app, Listener::Unix, stopped);
    while let Some(accepted) = connections.accept(listener.accept()).await {
        connections.take(accepted).await;
    }
    connections.finish().await;
}

async fn serve_tcp(listener: TcpListener, port: u16, app: App, stopped: watch::Receiver<bool>) {
    let mut connections = Connections::new(app, Listener::Tcp(port), stopped);
    while let Some(accepted) = connections.accept(listener.accept()).await {
        connections.take(accepted).await;
    }
    connections.finish().await;
}

/// Waits until the flag is set, or nobody is left to set it.
async fn until_true(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|set| *set).await;
}

/// The connections of one listener.
struct Connections {
    app: App,
    listener: Listener,
    stopped: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    open: JoinSet<()>,
}

impl Connections {
    fn new(app: App, listener: Listener, stopped: watch::Receiver<bool>) -> Self {
        Self {
            app,
            listener,
            stopped,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            open: JoinSet::new(),
        }
    }

    /// Waits for a connection; `None` when the server stops.
    async fn accept<S, A>(
        &mut self,
        accept: impl Future<Output = io::Result<(S, A)>>,
    ) -> Option<io::Result<S>> {
        tokio::select! {
            () = until_true(&mut self.stopped) => None,
            accepted = accept => Some(accepted.map(|(stream, _)| stream)),
        }
    }

    async fn take<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &mut self,
        accepted: io::Result<S>,
    ) {
        while self.open.try_join_next().is_some() {}
        let mut stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Mostly: no file descriptor left. Trying again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = tokio::time::timeout(Duration::from_millis(100), stream.write_all(FULL)).await;
            return;
        };
        let (app, listener, stopped) = (self.app.clone(), self.listener, self.stopped.clone());
        self.open.spawn(async move {
            serve_connection(stream, app, listener, stopped).await;
            drop(place);
        });
    }

    async fn finish(mut self) {
        while self.open.join_next().await.is_some() {}
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    app: App,
    listener: Listener,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let app = app.clone();
        async move {
            Ok::<_, std::convert::Infallible>(app.handle(request.map(Body::new), listener).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = until_true(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
