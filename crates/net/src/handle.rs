// SPDX-License-Identifier: MIT OR Apache-2.0
//! The handle: how a node starts an endpoint, talks to its peers, and hears of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use comptoir_protocol::id::PeerKey;
use tokio::sync::{mpsc, watch};

use crate::config::{COMMANDS_MAX, EVENTS_MAX, NetConfig, RelayLimits};
use crate::error::{DialFailure, NetError, SendError};
use crate::queue::{Queue, Waiting};
use crate::relay_server::{self, RelayAcceptor};
use crate::swarm::Driver;

/// What happens on the network. For each peer `PeerConnected` and `PeerDisconnected` alternate, and frames come
/// only between them. A frame that was sent and not confirmed before `PeerDisconnected` may or may not have arrived.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetEvent {
    /// The addresses the endpoint listens on now, all of them, without its key.
    Listening {
        /// As multiaddrs.
        addresses: Vec<String>,
    },
    /// A stream to this peer is open; its key is proved.
    PeerConnected {
        /// Who.
        peer: PeerKey,
    },
    /// The stream to this peer is gone. Nobody redials it unasked.
    PeerDisconnected {
        /// Who.
        peer: PeerKey,
    },
    /// A dial ended without a connection.
    DialFailed {
        /// Whom we dialled.
        peer: PeerKey,
        /// Why.
        reason: DialFailure,
    },
    /// A frame from a peer, of at most `FRAME_BYTES_MAX` bytes, never empty. Its content is not yet trusted.
    Frame {
        /// Who sent it.
        peer: PeerKey,
        /// What it holds.
        bytes: Vec<u8>,
    },
}

impl fmt::Debug for NetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { addresses } => f
                .debug_struct("Listening")
                .field("addresses", addresses)
                .finish(),
            Self::PeerConnected { peer } => {
                f.debug_struct("PeerConnected").field("peer", peer).finish()
            }
            Self::PeerDisconnected { peer } => f
                .debug_struct("PeerDisconnected")
                .field("peer", peer)
                .finish(),
            Self::DialFailed { peer, reason } => f
                .debug_struct("DialFailed")
                .field("peer", peer)
                .field("reason", reason)
                .finish(),
            Self::Frame { peer, bytes } => f
                .debug_struct("Frame")
                .field("peer", peer)
                .field("bytes", &bytes.len())
                .finish(),
        }
    }
}

/// What a handle asks of the swarm's loop.
#[derive(Debug)]
pub(crate) enum Command {
    Dial {
        peer: PeerKey,
        addresses: Vec<String>,
    },
    Disconnect {
        peer: PeerKey,
    },
    Shutdown,
}

/// The open streams by peer: where `send` puts its frames.
pub(crate) type Routes = Arc<RwLock<HashMap<PeerKey, Arc<Queue>>>>;

/// What handles and the swarm's loop share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) local_key: PeerKey,
    pub(crate) routes: Routes,
    pub(crate) addresses: Arc<Mutex<Vec<String>>>,
    /// Bytes that wait in all queues of the endpoint.
    pub(crate) waiting: Waiting,
}

/// The network of a node. Only [`start`](Net::start) and [`start_relay`](Net::start_relay) are here; all else is
/// on the [`NetHandle`].
#[derive(Debug)]
pub struct Net;

impl Net {
    /// Starts an endpoint that serves peers. Returns when it listens on every address of `config`.
    ///
    /// The endpoint ends when the last handle or the receiver is dropped. The receiver holds 256 events; while it is
    /// full nothing is read from peers. Must run inside a tokio runtime. Cancelled, it leaves nothing behind.
    pub async fn start(
        config: NetConfig,
    ) -> Result<(NetHandle, mpsc::Receiver<NetEvent>), NetError> {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let handle = start(config, events, None).await?;
        Ok((handle, receiver))
    }

    /// The same, and serves mailbox streams too, under `limits`.
    pub async fn start_relay(
        config: NetConfig,
        limits: RelayLimits,
    ) -> Result<(NetHandle, mpsc::Receiver<NetEvent>, RelayAcceptor), NetError> {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let (server, acceptor) = relay_server::pair(limits);
        let handle = start(config, events, Some(server)).await?;
        Ok((handle, receiver, acceptor))
    }
}

async fn start(
    config: NetConfig,
    events: mpsc::Sender<NetEvent>,
    relay: Option<relay_server::Server>,
) -> Result<NetHandle, NetError> {
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let (alive, ended) = watch::channel(());
    let mut driver = Driver::new(&config, events, inbox, relay)?;
    driver.listen(&config.listen).await?;
    let shared = driver.shared();
    tokio::spawn(async move {
        driver.run().await;
        drop(alive);
    });
    Ok(NetHandle {
        shared,
        commands,
        ended,
    })
}

/// Talks to one endpoint. Clones talk to the same one.
#[derive(Clone, Debug)]
pub struct NetHandle {
    shared: Shared,
    commands: mpsc::Sender<Command>,
    ended: watch::Receiver<()>,
}

impl NetHandle {
    /// Our key: what others must name to reach us.
    pub fn local_key(&self) -> PeerKey {
        self.shared.local_key
    }

    /// The addresses we listen on, as multiaddrs without our key.
    pub fn listen_addresses(&self) -> Vec<String> {
        self.shared
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Queues `frame` for a connected peer. Never waits. `Ok` means queued: what the peer did with it comes as a frame
    /// of its own, and what was unconfirmed when the peer disconnected must be sent again.
    ///
    /// At most 4 MiB wait for one peer and 64 MiB for all. Full, the frame is refused whole with
    /// [`SendError::Full`]; nothing that was taken is dropped while the stream lives.
    pub fn send(&self, peer: &PeerKey, frame: &[u8]) -> Result<(), SendError> {
        let routes = self
            .shared
            .routes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match routes.get(peer) {
            Some(queue) => queue.push(frame),
            None if self.ended.has_changed().is_err() => Err(SendError::Stopped),
            None => Err(SendError::NotConnected),
        }
    }

    /// Whether a stream to this peer is open now.
    pub fn is_connected(&self, peer: &PeerKey) -> bool {
        self.shared
            .routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(peer)
    }

    /// Dials a peer at these multiaddrs, TCP ones first. Answered by exactly one `PeerConnected` or `DialFailed`,
    /// within 20 s; if the peer is connected already, nothing more is said. At most 16 addresses are tried.
    /// Full: 1,024 commands wait already.
    pub fn dial(&self, peer: PeerKey, addresses: Vec<String>) -> Result<(), SendError> {
        self.command(Command::Dial { peer, addresses })
    }

    /// Closes every connection to this peer, after what waits was given up. A `PeerDisconnected` follows if it was
    /// connected.
    pub fn disconnect(&self, peer: PeerKey) -> Result<(), SendError> {
        self.command(Command::Disconnect { peer })
    }

    /// Ends the endpoint and waits until its sockets are closed. Cancel-safe: once polled, the end comes anyway.
    pub async fn shutdown(&self) {
        // An error means that the loop has ended already, which is what is wanted.
        let _ = self.commands.send(Command::Shutdown).await;
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
            })
    }
}
