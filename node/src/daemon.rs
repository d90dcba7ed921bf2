// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon: a node with its local API in front.

use std::path::PathBuf;
use std::sync::Arc;

use comptoir_api::host::Host as ApiHost;
use comptoir_api::server::{Port, Server, ServerConfig, ServerError};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::host::Host;
use crate::node::Node;
use crate::random::{NoRandomness, random};

/// A node that answers on its unix socket and on loopback.
pub struct Daemon {
    node: Node,
    ready: Ready,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// Where a daemon answers.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
    /// The unix socket.
    pub socket: PathBuf,
    /// The port on 127.0.0.1; none when it was taken.
    pub port: Option<u16>,
    /// Where peers reach the node.
    pub listen: Vec<String>,
}

/// Why the API did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Its socket or files.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The system gave no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Daemon {
    /// Serves `node` on the API; port 0 takes a free one.
    pub async fn start(node: Node, port: u16) -> Result<Self, DaemonError> {
        let config = ServerConfig {
            home: node.inner.home.dir().to_path_buf(),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR")
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from),
            temp_dir: std::env::temp_dir(),
            port: if port == 0 {
                Port::Free
            } else {
                Port::Fixed(port)
            },
            token: random()?,
            random: random()?,
        };
        let server = Server::bind(&config).await?;
        if let Some(error) = server.tcp_error() {
            tracing::warn!(%error, port, "the API's port is taken; the unix socket works all the same");
        }
        let ready = Ready {
            ready: true,
            socket: server.socket().to_path_buf(),
            port: server.port(),
            listen: node.listen_addresses(),
        };
        let (stop, stopped) = watch::channel(false);
        let host: Arc<dyn ApiHost> = Arc::new(Host::new(node.clone(), stop.clone()));
        let server = tokio::spawn(server.run(host, told(stopped)));
        Ok(Self {
            node,
            ready,
            stop,
            server,
        })
    }

    /// Where it answers.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Returns once somebody asked it, over the API, to stop.
    pub async fn asked_to_stop(&self) {
        told(self.stop.subscribe()).await;
    }

    /// Ends the API, then the node.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.server.await;
        self.node.shutdown().await;
    }
}

async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
