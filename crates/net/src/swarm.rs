// SPDX-License-Identifier: MIT OR Apache-2.0
//! The swarm's loop: owns the libp2p swarm and the peer table, and turns commands and events into sessions.

mod dialing;
mod listening;
mod serving;

pub(crate) use dialing::describe;

use std::collections::{HashMap, VecDeque};
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

use crate::address;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::config::NetConfig;
use crate::error::NetError;
use crate::handle::{Command, NetEvent, Shared};
use crate::peers::{self, Link, Peers};
use crate::queue::Waiting;
use crate::relay_server::Server;
use crate::streams::{MAILBOX_PROTOCOL, PEER_PROTOCOL, StreamEvent};
use crate::transport;

/// A connection without streams is closed after this long. Peer and mailbox streams keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Inbound streams of one connection that may be in negotiation.
const NEGOTIATING_MAX: usize = 16;

/// Events of the loop itself that may wait for the node. Full: the loop stands still until the node takes some.
const OUTBOX_MAX: usize = 1024;

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
