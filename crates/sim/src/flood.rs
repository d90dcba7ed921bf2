// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flood: a contact that turned hostile sends what its engine never would.

use comptoir_engine::query;
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{Envelope, EnvelopeKind};
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::id::{Lane, ParentHash};

use crate::world::World;

/// Frames of one flood: 400 of 50 KiB are 20 MiB, more than an engine may keep of one peer.
const FRAMES: u64 = 400;
const FRAME_BYTES: usize = 50 * 1024;
/// Sequences that never come next, so that each envelope would have to wait for others.
const FAR_AHEAD: u64 = 1_000_000;

impl World {
    /// Envelopes of the right thread and author that no one can open, far out of order; then frames that are none.
    pub(crate) fn flood(&mut self, from: usize, victim: usize) {
        if !self.is_connected(from, victim) {
            return;
        }
        let Some((author, thread)) = self.identity_in_thread(from) else {
            return;
        };
        self.tally.count("flooded");
        for number in 1..=FRAMES {
            let bytes = vec![0; FRAME_BYTES];
            let (lane, kind) = (Lane::Service, EnvelopeKind::Application);
            let envelope = Envelope {
                thread,
                incarnation: 0,
                parent: ParentHash([0; 32]),
                lane,
                kind,
                bytes,
            };
            let sequence = FAR_AHEAD + 2 * number;
            let parcel = Parcel {
                lane,
                author,
                sequence,
                content: ParcelContent::Envelope(envelope),
            };
            let frame = PeerFrame::Deliver {
                number: FAR_AHEAD + number,
                parcel,
            }
            .to_bytes();
            self.hostile_frame(from, victim, frame);
        }
        for length in [0, 1, 7, 64, 4_096] {
            self.hostile_frame(from, victim, vec![0xa5; length]);
        }
        self.disconnect(from, victim);
    }

    fn hostile_frame(&mut self, from: usize, victim: usize, bytes: Vec<u8>) {
        self.checks.on_frame(from, victim, &bytes);
        let peer = self.nodes[from].peer;
        self.give(victim, comptoir_engine::Input::Frame { peer, bytes });
    }

    fn identity_in_thread(
        &self,
        node: usize,
    ) -> Option<(
        comptoir_protocol::id::DeviceId,
        comptoir_protocol::id::ThreadId,
    )> {
        let running = self.nodes[node].running.as_ref()?;
        let view = running.core.committed();
        let device = query::personas(&view).ok()?.into_iter().next()?.device;
        let thread = query::thread(&view, self.thread_of(node)?).ok()??;
        Some((device, thread.id))
    }
}
