// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of how messages went, since the home was made. Written with the steps it counts.

use comptoir_protocol::id::RelayKey;

use crate::rows::record::record;

/// Relays that are counted by name; a message through a further one is counted in the sums only.
pub const RELAYS_COUNTED_MAX: usize = 64;

record! {
    /// How messages went.
    #[derive(Default)]
    pub struct Counts {
        /// Messages sent.
        0 pub sent: u64,
        /// Messages received, each once.
        1 pub received: u64,
        /// Sent over a direct stream and confirmed there.
        2 pub sent_direct: u64,
        /// Received over a direct stream.
        3 pub received_direct: u64,
        /// Sent more than once: over two ways, or again for want of an answer.
        4 pub sent_twice: u64,
        /// Received more than once; shown once.
        5 pub received_twice: u64,
        /// By relay.
        6 pub relays: Vec<RelayCount>,
    }
}

record! {
    /// How messages went through one relay.
    pub struct RelayCount {
        /// Which.
        0 pub relay: RelayKey,
        /// Messages it said that it stored for us.
        1 pub sent: u64,
        /// Messages fetched from it.
        2 pub received: u64,
    }
}

impl Counts {
    /// Counts messages that a relay stored, or that were fetched from it.
    pub(crate) fn through(&mut self, relay: RelayKey, sent: u64, received: u64) {
        if let Some(known) = self.relays.iter_mut().find(|known| known.relay == relay) {
            known.sent += sent;
            known.received += received;
        } else if self.relays.len() < RELAYS_COUNTED_MAX {
            self.relays.push(RelayCount {
                relay,
                sent,
                received,
            });
        }
    }

    /// These and those of one more step.
    pub(crate) fn plus(&self, step: &Self) -> Self {
        let mut sum = Counts {
            sent: self.sent + step.sent,
            received: self.received + step.received,
            sent_direct: self.sent_direct + step.sent_direct,
            received_direct: self.received_direct + step.received_direct,
            sent_twice: self.sent_twice + step.sent_twice,
            received_twice: self.received_twice + step.received_twice,
            relays: self.relays.clone(),
        };
        for through in &step.relays {
            sum.through(through.relay, through.sent, through.received);
        }
        sum
    }
}
