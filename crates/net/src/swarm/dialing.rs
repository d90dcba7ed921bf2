// SPDX-License-Identifier: MIT OR Apache-2.0
//! Dialling: each dial that was asked for ends in one `PeerConnected` or one `DialFailed`.

use std::time::Duration;

use comptoir_protocol::id::PeerKey;
use libp2p::PeerId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use tokio::time::Instant;

use super::Driver;
use crate::address;
use crate::error::DialFailure;
use crate::handle::NetEvent;
use crate::peers::Dial;

/// A dial is answered within this time: 5 s for TCP, 5 s for QUIC, 10 s to agree on the protocol.
const DIAL_MAX: Duration = Duration::from_secs(20);

/// How long the other side's own dial may still take when it has just closed ours.
const CROSSING_MAX: Duration = Duration::from_secs(2);

/// Characters of transport errors that are passed on.
const REASON_CHARS_MAX: usize = 400;

impl Driver {
    pub(super) fn dial(&mut self, peer: PeerKey, addresses: &[String]) {
        if peer == self.shared.local_key {
            return self.say_failed(peer, DialFailure::Myself);
        }
        let Some(peer_id) = address::peer_id(&peer.0) else {
            return self.say_failed(peer, DialFailure::BadKey);
        };
        if self
            .peers
            .get(&peer)
            .is_some_and(|entry| entry.is_served() || entry.dial.is_some())
        {
            return;
        }
        let plan = match address::dial_plan(addresses, &peer_id) {
            Ok(plan) => plan,
            Err(failure) => return self.say_failed(peer, failure),
        };
        let now = Instant::now();
        let deadline = now + DIAL_MAX;
        let entry = self.peers.entry(peer);
        entry.dial = Some(Dial {
            attempt: None,
            stage: Vec::new(),
            plan,
            failure: None,
            deadline,
        });
        let is_linked = entry.is_linked();
        let is_reopening = match entry.reopen.as_mut() {
            Some((when, _)) => {
                *when = now;
                true
            }
            None => false,
        };
        self.peers.wake_at(deadline, peer);
        if is_reopening {
            self.peers.wake_at(now, peer);
        } else if !is_linked {
            self.dial_next(peer, DialFailure::NoAddress);
        }
        // Otherwise a connection is up and its stream on the way. If it closes first, the addresses are tried.
    }

    /// Tries the next addresses, or gives up with the first failure known, else `failure`.
    pub(super) fn dial_next(&mut self, peer: PeerKey, failure: DialFailure) {
        loop {
            let Some(peer_id) = address::peer_id(&peer.0) else {
                return;
            };
            let Some(entry) = self.peers.get_mut(&peer) else {
                return;
            };
            let is_linked = entry.is_linked();
            let Some(dial) = entry.dial.as_mut() else {
                return;
            };
            let stage = address::next_stage(&mut dial.plan);
            if stage.is_empty() {
                // The other side's connection may be up by now; then its stream decides, or the deadline.
                if is_linked {
                    return;
                }
                let failure = dial.failure.take().unwrap_or(failure);
                entry.dial = None;
                return self.say_failed(peer, failure);
            }
            // From a port of its own: from our listening port, two nodes that dial each other at once could meet in one
            // TCP connection that both believe to have dialled.
            let options = DialOpts::peer_id(peer_id)
                .condition(PeerCondition::Always)
                .addresses(stage.clone())
                .allocate_new_port()
                .build();
            dial.attempt = Some(options.connection_id());
            dial.stage = stage;
            match self.swarm.dial(options) {
                Ok(()) => return,
                Err(error) => self.note_failure(peer, error),
            }
        }
    }

    /// A connection closed before its stream was open. Its other side may have closed it in favour of one that it
    /// dialled itself at the same time, so that one gets a moment to come up.
    pub(super) fn on_connection_lost(&mut self, peer: PeerKey) {
        let Some(dial) = self
            .peers
            .get_mut(&peer)
            .and_then(|entry| entry.dial.as_mut())
        else {
            return;
        };
        if dial.attempt.is_some() {
            return;
        }
        if !dial.plan.is_empty() || dial.failure.is_some() {
            return self.dial_next(peer, DialFailure::Lost);
        }
        dial.deadline = dial.deadline.min(Instant::now() + CROSSING_MAX);
        let deadline = dial.deadline;
        self.peers.wake_at(deadline, peer);
    }

    pub(super) fn on_dial_error(
        &mut self,
        peer_id: Option<PeerId>,
        id: ConnectionId,
        error: DialError,
    ) {
        let Some(peer) = peer_id.as_ref().and_then(address::key).map(PeerKey) else {
            return;
        };
        let is_ours = |dial: &Dial| dial.attempt == Some(id);
        if !self
            .peers
            .get(&peer)
            .and_then(|entry| entry.dial.as_ref())
            .is_some_and(is_ours)
        {
            return;
        }
        self.note_failure(peer, error);
        self.dial_next(peer, DialFailure::Lost);
        self.peers.tidy(&peer);
    }

    /// Remembers why an attempt failed. A wrong key at one address says nothing of the others, which libp2p left
    /// untried: they go back into the plan.
    fn note_failure(&mut self, peer: PeerKey, error: DialError) {
        let Some(dial) = self
            .peers
            .get_mut(&peer)
            .and_then(|entry| entry.dial.as_mut())
        else {
            return;
        };
        dial.attempt = None;
        let mut stage = std::mem::take(&mut dial.stage);
        if let DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } = &error
        {
            let tried = address::without_key(address);
            let before = stage.len();
            stage.retain(|candidate| *candidate != tried);
            if stage.len() < before {
                stage.append(&mut dial.plan);
                dial.plan = stage;
            }
        }
        dial.failure.get_or_insert(describe(error));
    }

    pub(super) fn disconnect(&mut self, peer: &PeerKey) {
        let Some(entry) = self.peers.get_mut(peer) else {
            return;
        };
        entry.waiting = None;
        entry.reopen = None;
        if let Some(session) = &entry.session {
            session.stop.cancel();
        }
        let dial = entry.dial.take();
        if let Some(peer_id) = address::peer_id(&peer.0) {
            // An error means that no connection is established, which is what is wanted.
            let _ = self.swarm.disconnect_peer_id(peer_id);
        }
        if dial.is_some() {
            self.say_failed(*peer, DialFailure::Lost);
        }
        self.peers.tidy(peer);
    }

    /// Fails a dial whose time is over, unless a stream is open or about to be.
    pub(super) fn expire_dial(&mut self, peer: PeerKey, now: Instant) {
        let Some(entry) = self.peers.get_mut(&peer).filter(|entry| !entry.is_served()) else {
            return;
        };
        let Some(dial) = entry.dial.take_if(|dial| dial.deadline <= now) else {
            return;
        };
        self.say_failed(peer, dial.failure.unwrap_or(DialFailure::Lost));
    }

    fn say_failed(&mut self, peer: PeerKey, reason: DialFailure) {
        self.outbox.push_back(NetEvent::DialFailed { peer, reason });
    }
}

/// Our words for libp2p's error.
pub(crate) fn describe(error: DialError) -> DialFailure {
    match error {
        DialError::WrongPeerId { obtained, address } => DialFailure::WrongKey {
            found: address::key(&obtained).map(PeerKey),
            address: address::without_key(&address).to_string(),
        },
        DialError::LocalPeerId { .. } => DialFailure::Myself,
        DialError::NoAddresses => DialFailure::NoAddress,
        DialError::Denied { cause } => DialFailure::Limited(chain(&cause)),
        DialError::Aborted | DialError::DialPeerConditionFalse(_) => DialFailure::Lost,
        DialError::Transport(errors) => {
            let each = errors
                .iter()
                .map(|(address, error)| format!("{address}: {}", chain(error)));
            DialFailure::Unreachable(
                each.collect::<Vec<_>>()
                    .join("; ")
                    .chars()
                    .take(REASON_CHARS_MAX)
                    .collect(),
            )
        }
    }
}

/// An error and its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
