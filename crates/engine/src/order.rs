// SPDX-License-Identifier: MIT OR Apache-2.0
//! Order: envelopes that wait for the ones before them, or for their thread.

use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::RefusalReason;
use comptoir_protocol::id::ThreadId;

use crate::memory::{Held, Source};
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::turn::Turn;

/// Envelopes that wait for a thread which is not known yet, in all.
const HELD_UNKNOWN_MAX: usize = 64;

/// Bytes of all that wait. Full: the new one is not taken, its sender keeps it.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Turn<'_> {
    pub(crate) fn hold_for_welcome(
        &mut self,
        parcel: Parcel,
        id: ThreadId,
        source: Source,
        bytes: usize,
    ) -> Result<(), EngineError> {
        let waiting = self
            .memory
            .held
            .iter()
            .filter(|((thread, _, _), _)| !self.memory.threads.contains(thread))
            .count();
        if waiting < HELD_UNKNOWN_MAX && self.is_asking() {
            self.hold(parcel, id, source, bytes, HELD_UNKNOWN_MAX);
        } else {
            self.memory.counters.threads_unknown += 1;
            self.refuse(source, RefusalReason::UnknownThread);
        }
        Ok(())
    }

    pub(crate) fn hold(
        &mut self,
        parcel: Parcel,
        id: ThreadId,
        source: Source,
        bytes: usize,
        count_max: usize,
    ) {
        let waiting = self
            .memory
            .held
            .range((id, [0; 32], 0)..=(id, [255; 32], u64::MAX))
            .count();
        let full = waiting >= count_max || self.memory.numbers.held_bytes + bytes > HELD_BYTES_MAX;
        if full && !mutant!(self.config, HoldsWithoutBound) {
            self.memory.counters.order_full += 1;
            self.postpone(source);
            return;
        }
        self.memory.numbers.held_bytes += bytes;
        if mutant!(self.config, ConfirmsUnstored) {
            self.confirm(source);
        }
        if mutant!(self.config, DropsFetched) && matches!(source, Source::Box { .. }) {
            self.confirm(source);
        }
        let key = (id, parcel.author.0, parcel.sequence);
        if let Some(other) = self.memory.held.insert(
            key,
            Held {
                parcel,
                source,
                bytes,
            },
        ) {
            // The same number came twice, from two ways or with two contents: the older waits no more, unconfirmed.
            self.memory.numbers.held_bytes -= other.bytes;
            self.postpone(other.source);
        }
    }

    pub(crate) fn take_held(
        &mut self,
        id: ThreadId,
        author: [u8; 32],
        sequence: u64,
    ) -> Option<Held> {
        let held = self.memory.held.remove(&(id, author, sequence))?;
        self.memory.numbers.held_bytes -= held.bytes;
        Some(held)
    }

    /// The wait for earlier envelopes is over: what waits is taken as it is, lowest first.
    pub(crate) fn on_order_due(&mut self, number: u32) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(number)?;
        let id = loaded.thread.id;
        let keys: Vec<_> = self
            .memory
            .held
            .range((id, [0; 32], 0)..=(id, [255; 32], u64::MAX))
            .map(|(key, _)| *key)
            .collect();
        let Some(contact) = loaded.thread.contact else {
            self.put_thread(loaded);
            return Ok(());
        };
        let contact = self.contact(contact)?;
        for (id, device, sequence) in keys {
            let Some(held) = self.take_held(id, device, sequence) else {
                continue;
            };
            match loaded
                .thread
                .authors
                .iter()
                .position(|author| author.device.0 == device)
                .filter(|at| *at > 0)
                .filter(|_| !contact.blocked && Self::is_way_to(&loaded.thread, held.source))
            {
                Some(author) => {
                    self.take_in(&mut loaded, &contact, author, &held.parcel, held.source)?
                }
                None => self.refuse(held.source, RefusalReason::Denied),
            }
        }
        self.put_thread(loaded);
        self.after_intake(number)
    }

    /// What waited for a thread that is there now.
    pub(crate) fn release_held(&mut self, number: u32, id: ThreadId) -> Result<(), EngineError> {
        let waiting = self
            .memory
            .held
            .range((id, [0; 32], 0)..=(id, [255; 32], u64::MAX))
            .count();
        if waiting > 0 {
            self.on_order_due(number)?;
        }
        Ok(())
    }

    /// Whether some hello of ours waits for its Welcome.
    pub(crate) fn is_asking(&self) -> bool {
        self.memory.asking.len() > 0
    }
}
