// SPDX-License-Identifier: MIT OR Apache-2.0
//! The swarm's loop: owns the libp2p swarm and the peer table, and turns commands and events into sessions.

mod dialing;
mod listening;

pub(crate) use dialing::describe;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use comptoir_protocol::id::PeerKey;
use futures::StreamExt;
use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::{self, ConnectionId, Stream, StreamProtocol, Swarm, SwarmEvent};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::config::NetConfig;
use crate::error::{DialFailure, NetError};
use crate::handle::{Command, NetEvent, Shared};
use crate::peers::{self, Link, Peers, Running};
use crate::queue::Waiting;
use crate::relay_server::Server;
use crate::session::Session;
use crate::streams::{MAILBOX_PROTOCOL, OpenFailure, PEER_PROTOCOL, StreamEvent};
use crate::transport;

/// A connection without streams is closed after this long. Peer and mailbox streams keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Inbound streams of one connection that may be in negotiation.
const NEGOTIATING_MAX: usize = 16;

/// Events of the loop itself that may wait for the node. Full: the loop stands still until the node takes some.
const OUTBOX_MAX: usize = 1024;

/// Streams of one connection that may fail in a row before the connection is closed.
const FAILURES_MAX: u32 = 3;

/// A stream that lived this long clears the count of failures.
const HEALTHY: Duration = Duration::from_secs(60);

/// The loop and all it owns. It ends, with everything it started, when [`run`](Driver::run) returns.
pub(crate) struct Driver {
    swarm: Swarm<Behaviour>,
    shared: Shared,
    peers: Peers,
    sessions: JoinSet<Ended>,
    events: mpsc::Sender<NetEvent>,
    outbox: VecDeque<NetEvent>,
    commands: mpsc::Receiver<Command>,
    relay: Option<Server>,
    /// Connections so far.
    connections: u64,
}

/// What a session task returns.
struct Ended {
    peer: PeerKey,
    connection: ConnectionId,
}

impl Driver {
    pub(crate) fn new(
        config: &NetConfig,
        events: mpsc::Sender<NetEvent>,
        commands: mpsc::Receiver<Command>,
        relay: Option<Server>,
    ) -> Result<Self, NetError> {
        let keypair = transport::keypair(&config.seed)?;
        let local = keypair.public().to_peer_id();
        let local_key = address::key(&local)
            .ok_or_else(|| NetError::Transport("the key is not Ed25519".into()))?;
        let accepted: &[&'static str] = if relay.is_some() {
            &[PEER_PROTOCOL, MAILBOX_PROTOCOL]
        } else {
            &[PEER_PROTOCOL]
        };
        let swarm = Swarm::new(
            transport::build(&keypair)?,
            Behaviour::new(keypair.public(), &config.limits, accepted),
            local,
            swarm::Config::with_tokio_executor()
                .with_idle_connection_timeout(IDLE_MAX)
                .with_max_negotiating_inbound_streams(NEGOTIATING_MAX),
        );
        let shared = Shared {
            local_key: PeerKey(local_key),
            routes: Arc::new(RwLock::new(HashMap::new())),
            addresses: Arc::new(Mutex::new(Vec::new())),
            waiting: Waiting::default(),
        };
        Ok(Self {
            swarm,
            shared,
            peers: Peers::default(),
            sessions: JoinSet::new(),
            events,
            outbox: VecDeque::new(),
            commands,
            relay,
            connections: 0,
        })
    }

    pub(crate) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Serves until shut down, or until no handle or no receiver is left.
    pub(crate) async fn run(mut self) {
        self.serve().await;
        self.sessions.shutdown().await;
        // A handle that is still held hears `Stopped` from now on.
        self.shared
            .routes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    async fn serve(&mut self) {
        let events = self.events.clone();
        loop {
            let has_room = self.outbox.len() < OUTBOX_MAX;
            let deadline = self.peers.next_deadline();
            tokio::select! {
                permit = events.reserve(), if !self.outbox.is_empty() => {
                    let Ok(permit) = permit else { return };
                    if let Some(event) = self.outbox.pop_front() {
                        permit.send(event);
                    }
                }
                () = events.closed() => return,
                command = self.commands.recv(), if has_room => match command {
                    Some(Command::Dial { peer, addresses }) => self.dial(peer, &addresses),
                    Some(Command::Disconnect { peer }) => self.disconnect(&peer),
                    Some(Command::Shutdown) | None => return,
                },
                event = self.swarm.select_next_some(), if has_room => self.on_swarm_event(event),
                Some(end) = self.sessions.join_next(), if !self.sessions.is_empty() => match end {
                    Ok(ended) => self.on_session_ended(ended),
                    Err(error) => self.on_session_fallen(&error),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => self.on_deadline(),
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => self.on_closed(&peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => {
                self.on_dial_error(peer_id, connection_id, error);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ListenerClosed { .. } => self.on_addresses_changed(),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "an inbound connection was refused or failed");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer_id: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(peer) = address::key(&peer_id).map(PeerKey) else {
            self.swarm.close_connection(id);
            return;
        };
        self.connections += 1;
        let link = Link {
            id,
            number: self.connections,
            outbound: endpoint.is_dialer(),
            since: Instant::now(),
            remote: address::ip(endpoint.get_remote_address()),
            closing: false,
            mailbox: self
                .relay
                .as_ref()
                .map_or_else(|| Arc::new(Semaphore::new(0)), Server::connection_slots),
        };
        let outbound = link.outbound;
        let entry = self.peers.entry(peer);
        let losers: Vec<ConnectionId> = entry
            .links
            .iter()
            .filter_map(|other| peers::loser(&self.shared.local_key, &peer, other, &link))
            .collect();
        entry.links.push(link);
        if let Some(dial) = entry.dial.as_mut().filter(|dial| dial.attempt == Some(id)) {
            dial.attempt = None;
        }
        for loser in &losers {
            self.close(&peer, *loser);
        }
        if outbound && !losers.contains(&id) {
            self.swarm
                .behaviour_mut()
                .streams
                .open(peer_id, id, PEER_PROTOCOL);
        }
    }

    /// Closes one connection and stops what runs on it. Its `ConnectionClosed` follows.
    fn close(&mut self, peer: &PeerKey, id: ConnectionId) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.waiting.take_if(|(connection, _)| *connection == id);
            entry.reopen.take_if(|(_, connection)| *connection == id);
            if let Some(session) = entry
                .session
                .as_ref()
                .filter(|session| session.connection == id)
            {
                session.stop.cancel();
            }
            if let Some(link) = entry.links.iter_mut().find(|link| link.id == id) {
                link.closing = true;
            }
            if !entry.is_linked() && !entry.is_served() {
                self.on_connection_lost(*peer);
            }
        }
        self.swarm.close_connection(id);
    }

    fn on_closed(&mut self, peer_id: &PeerId, id: ConnectionId) {
        let Some(peer) = address::key(peer_id).map(PeerKey) else {
            return;
        };
        self.close(&peer, id);
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        entry.links.retain(|link| link.id != id);
        self.peers.tidy(&peer);
    }

    fn on_stream(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Inbound {
                peer,
                connection,
                protocol,
                stream,
            } => {
                self.on_inbound_stream(&peer, connection, &protocol, stream);
            }
            StreamEvent::Opened {
                peer,
                connection,
                stream,
            } => {
                let Some(peer) = address::key(&peer).map(PeerKey) else {
                    return;
                };
                self.take_stream(peer, connection, stream);
            }
            StreamEvent::OpenFailed {
                peer,
                connection,
                failure,
            } => {
                let Some(peer) = address::key(&peer).map(PeerKey) else {
                    return;
                };
                self.on_open_failed(peer, connection, failure);
            }
        }
    }

    fn on_inbound_stream(
        &mut self,
        peer: &PeerId,
        id: ConnectionId,
        protocol: &StreamProtocol,
        stream: Stream,
    ) {
        let Some(peer) = address::key(peer).map(PeerKey) else {
            return;
        };
        let Some(link) = self.peers.get(&peer).and_then(|entry| entry.link(id)) else {
            return;
        };
        match (protocol.as_ref(), &self.relay, link.remote) {
            // Only who dialled may open it; see the top of the peer table.
            (PEER_PROTOCOL, _, _) if !link.outbound => self.take_stream(peer, id, stream),
            (MAILBOX_PROTOCOL, Some(relay), Some(remote)) => {
                relay.accept(
                    stream,
                    remote,
                    link.number,
                    &link.mailbox,
                    &self.shared.waiting,
                );
            }
            _ => {}
        }
    }

    /// Starts a session on `stream`, after the one that runs now, if any, has ended.
    fn take_stream(&mut self, peer: PeerKey, id: ConnectionId, stream: Stream) {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        if entry.link(id).is_none() {
            return;
        }
        match &entry.session {
            Some(session) => {
                session.stop.cancel();
                entry.waiting = Some((id, stream));
            }
            None => self.start_session(peer, id, stream),
        }
    }

    fn start_session(&mut self, peer: PeerKey, connection: ConnectionId, stream: Stream) {
        let stop = CancellationToken::new();
        let over = Arc::new(AtomicBool::new(false));
        let session = Session {
            peer,
            over: over.clone(),
            shared: self.shared.clone(),
            events: self.events.clone(),
            stop: stop.clone(),
        };
        let task = self.sessions.spawn(async move {
            if let Err(error) = session.run(stream).await {
                tracing::debug!(?peer, %error, "a peer stream failed");
            }
            Ended { peer, connection }
        });
        let mailbox_max = self
            .relay
            .as_ref()
            .map_or(0, Server::streams_per_connection);
        let entry = self.peers.entry(peer);
        entry.session = Some(Running {
            connection,
            since: Instant::now(),
            stop,
            over,
            task,
        });
        entry.dial = None;
        entry.reopen = None;
        let is_spare =
            |link: &&Link| link.id != connection && link.mailbox.available_permits() == mailbox_max;
        let spare: Vec<ConnectionId> = entry
            .links
            .iter()
            .filter(is_spare)
            .map(|link| link.id)
            .collect();
        for id in spare {
            self.close(&peer, id);
        }
    }

    fn on_session_ended(&mut self, ended: Ended) {
        let Ended { peer, connection } = ended;
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(session) = entry.session.take() else {
            return;
        };
        if let Some((next, stream)) = entry.waiting.take() {
            self.start_session(peer, next, stream);
            return;
        }
        let now = Instant::now();
        let may_reopen = entry.link(connection).is_some_and(|link| link.outbound)
            && !session.stop.is_cancelled();
        if may_reopen {
            let lived = now.duration_since(session.since);
            entry.failures = if lived > HEALTHY {
                1
            } else {
                entry.failures + 1
            };
            if entry.failures > FAILURES_MAX {
                self.close(&peer, connection);
            } else {
                // Somebody asked for the peer meanwhile: at once.
                let pause = if entry.dial.is_some() {
                    0
                } else {
                    entry.failures
                };
                let when = now + Duration::from_secs(u64::from(pause));
                entry.reopen = Some((when, connection));
                self.peers.wake_at(when, peer);
            }
        }
        self.peers.tidy(&peer);
    }

    fn on_session_fallen(&mut self, error: &tokio::task::JoinError) {
        tracing::error!(%error, "a session task fell over; its connection is closed");
        for peer in self.peers.fallen() {
            let Some(connection) = self
                .peers
                .get(&peer)
                .and_then(|entry| entry.session.as_ref())
                .map(|s| s.connection)
            else {
                continue;
            };
            self.close(&peer, connection);
            self.on_session_ended(Ended { peer, connection });
        }
    }

    fn on_open_failed(&mut self, peer: PeerKey, id: ConnectionId, failure: OpenFailure) {
        let failure = match failure {
            OpenFailure::Unsupported => DialFailure::ProtocolUnsupported {
                protocol: PEER_PROTOCOL,
            },
            OpenFailure::Broken(reason) => {
                tracing::debug!(?peer, reason, "a peer stream did not open");
                DialFailure::Lost
            }
        };
        if let Some(dial) = self
            .peers
            .get_mut(&peer)
            .and_then(|entry| entry.dial.as_mut())
        {
            dial.failure = Some(failure);
        }
        self.close(&peer, id);
    }

    fn on_deadline(&mut self) {
        let now = Instant::now();
        while let Some(peer) = self.peers.take_due(now) {
            let Some(entry) = self.peers.get_mut(&peer) else {
                continue;
            };
            if let Some((_, connection)) = entry.reopen.take_if(|(when, _)| *when <= now)
                && let Some(peer_id) = address::peer_id(&peer.0)
            {
                self.swarm
                    .behaviour_mut()
                    .streams
                    .open(peer_id, connection, PEER_PROTOCOL);
            }
            self.expire_dial(peer, now);
            self.peers.tidy(&peer);
        }
    }
}

#[cfg(test)]
mod tests;
