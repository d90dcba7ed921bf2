// SPDX-License-Identifier: MIT OR Apache-2.0
//! The confirmations: what arrived on the present connection of two nodes, and what COMMITTED may say of it.
//!
//! COMMITTED speaks for every number up to its own, so it may reach no further than what arrived on this very connection
//! from this very sender, and whatever it passes over must have come or been refused by its number.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::id::PeerKey;

use crate::checks::{Delivery, delivery};

/// Arrivals by receiver and sender.
#[derive(Default)]
pub(crate) struct Confirmations {
    people: BTreeMap<PeerKey, usize>,
    arrived: BTreeMap<(usize, usize), Arrived>,
}

/// One direction of one connection.
#[derive(Default)]
struct Arrived {
    /// Everything below needs no word any more: it was confirmed, or numbered on an earlier connection.
    next: u64,
    last: u64,
    /// What is neither confirmed nor refused, with the envelope it carries.
    open: BTreeMap<u64, Option<Delivery>>,
    refused: BTreeSet<u64>,
}

impl Confirmations {
    /// Whose socket that is.
    pub(crate) fn introduce(&mut self, peer: PeerKey, node: usize) {
        self.people.insert(peer, node);
    }

    /// Both directions begin anew: nothing of an earlier connection is confirmed on this one.
    pub(crate) fn on_connected(&mut self, one: usize, other: usize) {
        self.arrived.insert((one, other), Arrived::default());
        self.arrived.insert((other, one), Arrived::default());
    }

    /// A frame arrives; nobody says that it is stored.
    pub(crate) fn on_frame(&mut self, from: usize, to: usize, bytes: &[u8]) {
        let (number, carried) = match PeerFrame::from_bytes(bytes) {
            Ok(PeerFrame::Deliver { number, parcel }) => (number, delivery(&parcel)),
            Ok(PeerFrame::Hello { number, .. }) => (number, None),
            _ => return,
        };
        let arrived = self.arrived.entry((to, from)).or_default();
        if arrived.last == 0 {
            arrived.next = number;
        }
        arrived.last = arrived.last.max(number);
        arrived.open.insert(number, carried);
    }

    /// A node has decided to send a frame: a COMMITTED must be covered by what had arrived until now.
    pub(crate) fn on_decided(
        &mut self,
        node: usize,
        peer: PeerKey,
        frame: &[u8],
    ) -> Result<(), String> {
        match PeerFrame::from_bytes(frame) {
            Ok(PeerFrame::Refused { number, .. }) => {
                let arrived = self.arrived_from(node, peer)?;
                arrived.open.remove(&number);
                arrived.refused.insert(number);
                Ok(())
            }
            Ok(PeerFrame::Committed { up_to }) => self.check_covered(node, peer, up_to),
            _ => Ok(()),
        }
    }

    fn check_covered(&mut self, node: usize, peer: PeerKey, up_to: u64) -> Result<(), String> {
        let arrived = self.arrived_from(node, peer)?;
        if up_to > arrived.last {
            return Err(format!(
                "I4: node {node} confirmed frame {up_to}, and only those up to {} came on this connection",
                arrived.last
            ));
        }
        let passed_over =
            |number: &u64| !arrived.open.contains_key(number) && !arrived.refused.contains(number);
        // Numbers begin at one: up to nought is nothing.
        match (arrived.next.max(1)..=up_to).find(passed_over) {
            Some(number) => Err(format!(
                "I4: node {node} confirmed up to {up_to}, and frame {number} never came on this connection"
            )),
            None => Ok(()),
        }
    }

    /// A COMMITTED leaves: the envelopes that must stand in the committed rows by now.
    pub(crate) fn on_confirmed(
        &mut self,
        node: usize,
        peer: PeerKey,
        up_to: u64,
    ) -> Result<Vec<Delivery>, String> {
        self.check_covered(node, peer, up_to)?;
        let arrived = self.arrived_from(node, peer)?;
        if up_to < arrived.next {
            return Ok(Vec::new());
        }
        arrived.next = up_to + 1;
        arrived.refused = arrived.refused.split_off(&arrived.next);
        let later = arrived.open.split_off(&arrived.next);
        let confirmed = std::mem::replace(&mut arrived.open, later);
        Ok(confirmed.into_values().flatten().collect())
    }

    fn arrived_from(&mut self, node: usize, peer: PeerKey) -> Result<&mut Arrived, String> {
        let from = self.people.get(&peer).copied();
        let from = from.ok_or(format!("node {node} answers somebody who is nobody"))?;
        Ok(self.arrived.entry((node, from)).or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]
    use comptoir_protocol::deposit::{Parcel, ParcelContent};
    use comptoir_protocol::envelope::{Envelope, EnvelopeKind};
    use comptoir_protocol::frame::RefusalReason;
    use comptoir_protocol::id::{DeviceId, Lane, ParentHash, ThreadId};

    use super::*;

    const ALICE: usize = 0;
    const BOB: usize = 1;
    const CAROL: usize = 2;

    fn key(node: usize) -> PeerKey {
        PeerKey([u8::try_from(node).unwrap(); 32])
    }

    /// Alice is connected to Bob and to Carol.
    fn three() -> Confirmations {
        let mut seen = Confirmations::default();
        for node in [ALICE, BOB, CAROL] {
            seen.introduce(key(node), node);
        }
        seen.on_connected(ALICE, BOB);
        seen.on_connected(CAROL, ALICE);
        seen
    }

    fn deliver(number: u64) -> Vec<u8> {
        let envelope = Envelope {
            thread: ThreadId([1; 16]),
            incarnation: 0,
            parent: ParentHash([0; 32]),
            lane: Lane::Service,
            kind: EnvelopeKind::Application,
            bytes: vec![1],
        };
        let parcel = Parcel {
            lane: Lane::Service,
            author: DeviceId([2; 32]),
            sequence: number,
            content: ParcelContent::Envelope(envelope),
        };
        PeerFrame::Deliver { number, parcel }.to_bytes()
    }

    fn committed(seen: &mut Confirmations, to: usize, up_to: u64) -> Result<usize, String> {
        let frame = PeerFrame::Committed { up_to }.to_bytes();
        seen.on_decided(ALICE, key(to), &frame)?;
        seen.on_confirmed(ALICE, key(to), up_to)
            .map(|confirmed| confirmed.len())
    }

    #[test]
    fn what_came_is_confirmed_once() {
        let mut seen = three();
        for number in 7..=9 {
            seen.on_frame(BOB, ALICE, &deliver(number));
        }
        assert_eq!(committed(&mut seen, BOB, 8), Ok(2));
        assert_eq!(committed(&mut seen, BOB, 8), Ok(0));
        assert_eq!(committed(&mut seen, BOB, 9), Ok(1));
    }

    #[test]
    fn frames_of_one_sender_say_nothing_to_another() {
        let mut seen = three();
        seen.on_frame(BOB, ALICE, &deliver(1));
        seen.on_frame(CAROL, ALICE, &deliver(1));
        seen.on_frame(CAROL, ALICE, &deliver(2));
        // Carol's second frame came; Bob's did not.
        assert!(committed(&mut seen, BOB, 2).is_err());
        assert_eq!(committed(&mut seen, CAROL, 2), Ok(2));
        assert_eq!(
            committed(&mut seen, BOB, 1),
            Ok(1),
            "Carol's answer took nothing of Bob's"
        );
    }

    #[test]
    fn what_never_came_is_not_confirmed_by_what_came_after_it() {
        let mut seen = three();
        seen.on_frame(BOB, ALICE, &deliver(1));
        seen.on_frame(BOB, ALICE, &deliver(3));
        assert!(committed(&mut seen, BOB, 3).is_err());
        let (number, reason) = (2, RefusalReason::Busy);
        let refused = PeerFrame::Refused { number, reason }.to_bytes();
        seen.on_decided(ALICE, key(BOB), &refused).unwrap();
        assert_eq!(committed(&mut seen, BOB, 3), Ok(2));
    }

    #[test]
    fn a_new_connection_owes_nothing_of_the_one_before() {
        let mut seen = three();
        seen.on_frame(BOB, ALICE, &deliver(5));
        seen.on_connected(ALICE, BOB);
        assert!(committed(&mut seen, BOB, 5).is_err());
        seen.on_frame(BOB, ALICE, &deliver(1));
        assert_eq!(committed(&mut seen, BOB, 1), Ok(1));
    }
}
