// SPDX-License-Identifier: MIT OR Apache-2.0
//! The intruder: a contact who sends promotions without leave, by making its own engine believe that there is one.

use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key::{CONTACT, Key};
use comptoir_engine::{Scan, Secret, Step, View as _, Write};
use comptoir_protocol::capability::Capability;
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::id::{CapabilityId, Lane, RelayKey, Sid};
use comptoir_protocol::relay::RelayDescriptor;

use crate::node::Held;
use crate::wishes::terms;
use crate::world::World;

/// A leave that nobody gave lasts this long.
const PRETENDED_MS: u64 = 365 * 24 * 60 * 60 * 1000;

impl World {
    /// Writes a capability of the promotion lane into the row of the other: made of one that is for service, so that a
    /// relay may be tried with it, or of nothing.
    pub(crate) fn pretend_leave(&mut self, node: usize) {
        let wall_ms = self.nodes[node].time(self.now_ms).wall_ms;
        let Some(running) = self.nodes[node].running.as_ref() else {
            return;
        };
        let rows = running
            .core
            .view()
            .scan(Scan::all(Key::of(CONTACT)).limited(1));
        let Some((key, row)) = rows.ok().and_then(|rows| rows.into_iter().next()) else {
            return;
        };
        let contact = row
            .split_first()
            .and_then(|(version, bytes)| Some((*version, Contact::from_bytes(bytes).ok()?)));
        let Some((version, mut contact)) = contact.filter(|(_, contact)| contact.thread.is_some())
        else {
            return;
        };
        // Where there are relays, one that is not there would keep a promotion waiting for a month.
        let nothing = self.relays.is_empty().then(made_of_nothing);
        let Some(model) = contact.capabilities.first().cloned().or(nothing) else {
            return;
        };
        contact.capabilities.push(Capability {
            lane: Lane::Promotion,
            terms: terms(wall_ms + PRETENDED_MS),
            ..model
        });
        let mut value = vec![version];
        value.extend(contact.to_bytes());
        let step = Step {
            writes: vec![Write::Put {
                key,
                value,
                scope: None,
            }],
            ..Step::default()
        };
        self.tally.count("leave_pretended");
        let seq = comptoir_store::Seq(0);
        self.hold(node, Held { seq, step, wall_ms });
    }
}

/// For a box at a relay that is not there.
fn made_of_nothing() -> Capability {
    Capability {
        relay: RelayDescriptor {
            key: RelayKey([7; 32]),
            addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        },
        sid: Sid([7; 32]),
        capability: CapabilityId([7; 16]),
        writer: Secret::new([7; 32]),
        k_box: Secret::new([7; 32]),
        lane: Lane::Promotion,
        terms: terms(0),
    }
}
