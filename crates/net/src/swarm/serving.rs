// SPDX-License-Identifier: MIT OR Apache-2.0
//! Serving: which stream of a peer carries its session, and what follows when it ends.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use comptoir_protocol::id::PeerKey;
use libp2p::swarm::{ConnectionId, Stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Driver, Ended};
use crate::error::DialFailure;
use crate::peers::{Link, Running};
use crate::relay_server::Server;
use crate::session::Session;
use crate::streams::{OpenFailure, PEER_PROTOCOL};

/// Streams of one connection that may fail in a row before the connection is closed.
const FAILURES_MAX: u32 = 3;

/// A stream that lived this long clears the count of failures.
const HEALTHY: Duration = Duration::from_secs(60);

impl Driver {
    /// Starts a session on `stream`, after the one that runs now, if any, has ended.
    pub(super) fn take_stream(&mut self, peer: PeerKey, id: ConnectionId, stream: Stream) {
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

    pub(super) fn on_session_ended(&mut self, ended: Ended) {
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

    pub(super) fn on_session_fallen(&mut self, error: &tokio::task::JoinError) {
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

    pub(super) fn on_open_failed(&mut self, peer: PeerKey, id: ConnectionId, failure: OpenFailure) {
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
}
