// SPDX-License-Identifier: MIT OR Apache-2.0
//! The peer table: the connections, the session and the dial of each peer, and which connection stays.
//!
//! The side that dialled a connection opens its peer stream; the other side only answers. So one connection has one
//! peer stream, and who opened it needs no agreement.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comptoir_protocol::id::PeerKey;
use libp2p::Multiaddr;
use libp2p::swarm::{ConnectionId, Stream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::DialFailure;

/// Connections in both directions that came up within this time were dialled at once. Later ones mean that a side
/// lost the older connection, so the newer one counts.
pub(crate) const SIMULTANEOUS: Duration = Duration::from_secs(5);

/// One connection of a peer.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    /// Counts the connections of this endpoint, from 1.
    pub(crate) number: u64,
    /// Whether we dialled it.
    pub(crate) outbound: bool,
    pub(crate) since: Instant,
    pub(crate) remote: Option<IpAddr>,
    /// Whether it is being closed. libp2p says so only when the other side has taken what was on its way.
    pub(crate) closing: bool,
    /// Mailbox streams it may still open.
    pub(crate) mailbox: Arc<Semaphore>,
}

/// A session that runs or is being stopped.
pub(crate) struct Running {
    pub(crate) connection: ConnectionId,
    pub(crate) since: Instant,
    pub(crate) stop: CancellationToken,
    /// Whether it has come to its end by itself.
    pub(crate) over: Arc<AtomicBool>,
    pub(crate) task: AbortHandle,
}

/// A dial that was asked for and not yet answered.
pub(crate) struct Dial {
    /// The libp2p dial that runs now. `None`: a connection is up and its stream is awaited.
    pub(crate) attempt: Option<ConnectionId>,
    /// What that dial tries.
    pub(crate) stage: Vec<Multiaddr>,
    /// What is tried after it.
    pub(crate) plan: Vec<Multiaddr>,
    /// What went wrong so far.
    pub(crate) failure: Option<DialFailure>,
    pub(crate) deadline: Instant,
}

/// All we hold of one peer.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) links: Vec<Link>,
    pub(crate) session: Option<Running>,
    /// The stream that takes over when the running session has said `PeerDisconnected`. A newer one replaces it.
    pub(crate) waiting: Option<(ConnectionId, Stream)>,
    pub(crate) dial: Option<Dial>,
    /// When to open a new stream on a connection whose stream failed.
    pub(crate) reopen: Option<(Instant, ConnectionId)>,
    /// Streams that failed in a row.
    pub(crate) failures: u32,
}

impl Peer {
    /// The connection, unless it is being closed.
    pub(crate) fn link(&self, id: ConnectionId) -> Option<&Link> {
        self.links
            .iter()
            .find(|link| link.id == id && !link.closing)
    }

    /// Whether a connection is up that is not being closed.
    pub(crate) fn is_linked(&self) -> bool {
        self.links.iter().any(|link| !link.closing)
    }

    /// Whether a stream is open, or will be without anything further.
    pub(crate) fn is_served(&self) -> bool {
        let runs = |session: &Running| {
            !session.stop.is_cancelled() && !session.over.load(Ordering::Acquire)
        };
        self.waiting.is_some() || self.session.as_ref().is_some_and(runs)
    }

    fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.session.is_none()
            && self.waiting.is_none()
            && self.dial.is_none()
            && self.reopen.is_none()
    }
}

/// Which of two connections stays when both sides dialled at once: the one that the smaller key dialled. Both sides
/// compute the same. `None`: they were not dialled at once, and both may stay.
pub(crate) fn loser(
    local: &PeerKey,
    remote: &PeerKey,
    one: &Link,
    other: &Link,
) -> Option<ConnectionId> {
    let apart = one
        .since
        .max(other.since)
        .duration_since(one.since.min(other.since));
    if one.closing || other.closing || one.outbound == other.outbound || apart > SIMULTANEOUS {
        return None;
    }
    let keep_outbound = local < remote;
    Some(if one.outbound == keep_outbound {
        other.id
    } else {
        one.id
    })
}

/// The peers and their next deadlines.
#[derive(Default)]
pub(crate) struct Peers {
    table: BTreeMap<PeerKey, Peer>,
    deadlines: BTreeSet<(Instant, PeerKey)>,
}

impl Peers {
    pub(crate) fn get(&self, peer: &PeerKey) -> Option<&Peer> {
        self.table.get(peer)
    }

    pub(crate) fn get_mut(&mut self, peer: &PeerKey) -> Option<&mut Peer> {
        self.table.get_mut(peer)
    }

    pub(crate) fn entry(&mut self, peer: PeerKey) -> &mut Peer {
        self.table.entry(peer).or_default()
    }

    /// Forgets a peer of whom nothing is left.
    pub(crate) fn tidy(&mut self, peer: &PeerKey) {
        if self.table.get(peer).is_some_and(Peer::is_empty) {
            self.table.remove(peer);
        }
    }

    /// Looks at `peer` again at `when`. A deadline that no longer matters is passed over then.
    pub(crate) fn wake_at(&mut self, when: Instant, peer: PeerKey) {
        self.deadlines.insert((when, peer));
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(when, _)| *when)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<PeerKey> {
        let first = self.deadlines.first().filter(|(when, _)| *when <= now)?;
        let due = *first;
        self.deadlines.remove(&due);
        Some(due.1)
    }

    /// Peers whose session task is over without having said so: it panicked.
    pub(crate) fn fallen(&self) -> Vec<PeerKey> {
        let is_fallen = |peer: &Peer| {
            peer.session
                .as_ref()
                .is_some_and(|session| session.task.is_finished())
        };
        self.table
            .iter()
            .filter(|(_, peer)| is_fallen(peer))
            .map(|(key, _)| *key)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    fn link(id: usize, outbound: bool, since: Instant) -> Link {
        Link {
            id: ConnectionId::new_unchecked(id),
            number: 0,
            outbound,
            since,
            remote: None,
            closing: false,
            mailbox: Arc::new(Semaphore::new(0)),
        }
    }

    #[test]
    fn both_sides_keep_the_same_connection_whatever_came_first() {
        let (small, large) = (PeerKey([1; 32]), PeerKey([2; 32]));
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        for (first, second) in [(early, late), (late, early)] {
            // Connection 1 was dialled by the small key, connection 2 by the large one.
            let at_small = loser(
                &small,
                &large,
                &link(1, true, first),
                &link(2, false, second),
            );
            let at_large = loser(
                &large,
                &small,
                &link(2, true, first),
                &link(1, false, second),
            );
            assert_eq!(at_small, Some(ConnectionId::new_unchecked(2)));
            assert_eq!(at_large, at_small);
        }
    }

    #[test]
    fn a_later_or_parallel_connection_is_no_tie() {
        let (small, large) = (PeerKey([1; 32]), PeerKey([2; 32]));
        let now = Instant::now();
        let later = now + SIMULTANEOUS + Duration::from_millis(1);
        assert_eq!(
            loser(&small, &large, &link(1, true, now), &link(2, false, later)),
            None
        );
        assert_eq!(
            loser(&small, &large, &link(1, true, now), &link(2, true, now)),
            None
        );
    }

    #[test]
    fn deadlines_come_in_order_and_empty_peers_are_forgotten() {
        let mut peers = Peers::default();
        let now = Instant::now();
        let (a, b) = (PeerKey([1; 32]), PeerKey([2; 32]));
        peers.wake_at(now + Duration::from_secs(2), a);
        peers.wake_at(now + Duration::from_secs(1), b);
        assert_eq!(peers.take_due(now), None);
        assert_eq!(peers.take_due(now + Duration::from_secs(3)), Some(b));
        assert_eq!(peers.take_due(now + Duration::from_secs(3)), Some(a));
        peers.entry(a).failures = 1;
        peers.tidy(&a);
        assert!(peers.get(&a).is_none());
    }
}
