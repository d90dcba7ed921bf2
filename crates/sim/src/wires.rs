// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wires: direct connections between nodes, and the frames on them.

use comptoir_engine::Input;
use comptoir_protocol::id::PeerKey;

use crate::world::{Happening, World};

/// A connection between two nodes.
pub(crate) struct Wire {
    id: u64,
    /// When the last frame arrives, by direction: frames of one stream do not overtake each other.
    arrives_ms: [u64; 2],
}

impl World {
    pub(crate) fn dial(&mut self, from: usize, peer: PeerKey) {
        let life = self.nodes[from].life;
        let delay = self.delay();
        self.later(delay, Happening::Dialled { from, life, peer });
    }

    pub(crate) fn on_dialled(&mut self, from: usize, life: u64, peer: PeerKey) {
        if self.nodes[from].life != life {
            return;
        }
        let to = self.nodes.iter().position(|node| node.peer == peer);
        let fails = self.chance(self.faults.dial_fails);
        let met = to.filter(|to| *to != from && !fails && self.is_dialable(*to));
        match met {
            Some(to) if self.wires.contains_key(&pair(from, to)) => {}
            Some(to) => self.connect(from, to),
            None => {
                self.tally.count("dial_failed");
                self.give(from, Input::DialFailed { peer });
            }
        }
    }

    fn is_dialable(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.reachable && node.running.is_some() && !node.asleep
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.next += 1;
        self.wires.insert(
            pair(from, to),
            Wire {
                id: self.next,
                arrives_ms: [self.now_ms; 2],
            },
        );
        self.checks.on_connected(from, to);
        for (node, other) in [(from, to), (to, from)] {
            let peer = self.nodes[other].peer;
            self.give(node, Input::PeerConnected { peer });
        }
    }

    pub(crate) fn disconnect(&mut self, one: usize, other: usize) {
        if self.wires.remove(&pair(one, other)).is_some() {
            self.tally.count("wire_broken");
            for (node, gone) in [(one, other), (other, one)] {
                let peer = self.nodes[gone].peer;
                self.give(node, Input::PeerDisconnected { peer });
            }
        }
    }

    pub(crate) fn disconnect_all(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            self.disconnect(node, other);
        }
        for relay in &mut self.relays {
            relay.sessions.remove(&node);
        }
    }

    pub(crate) fn is_connected(&self, one: usize, other: usize) -> bool {
        self.wires.contains_key(&pair(one, other))
    }

    pub(crate) fn send(&mut self, from: usize, peer: PeerKey, bytes: Vec<u8>) {
        let Some(to) = self.nodes.iter().position(|node| node.peer == peer) else {
            return;
        };
        if self.chance(self.faults.wire_breaks) {
            return self.disconnect(from, to);
        }
        let delay = self.delay();
        let Some(wire) = self.wires.get_mut(&pair(from, to)) else {
            return;
        };
        let arrives_ms = &mut wire.arrives_ms[usize::from(from > to)];
        *arrives_ms = (*arrives_ms).max(self.now_ms + delay);
        let (after, id) = (*arrives_ms - self.now_ms, wire.id);
        self.later(
            after,
            Happening::Frame {
                from,
                to,
                wire: id,
                bytes,
            },
        );
    }

    pub(crate) fn on_frame(&mut self, from: usize, to: usize, wire: u64, bytes: Vec<u8>) {
        if self
            .wires
            .get(&pair(from, to))
            .is_some_and(|known| known.id == wire)
        {
            self.checks.on_frame(from, to, &bytes);
            let peer = self.nodes[from].peer;
            self.give(to, Input::Frame { peer, bytes });
        }
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
