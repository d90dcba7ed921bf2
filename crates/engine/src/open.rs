// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opening: what memory holds is read back from rows, and what is owed is derived again.

use comptoir_protocol::identity::Endpoint;
use comptoir_protocol::limits::ADDRESSES_MAX;
use rand_core::Rng;

use crate::memory::{BoxLink, Memory};
use crate::personas::MAIN;
use crate::rows::contact::{Contact, Invite};
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::reach::{BoxStage, OwnBox, Purpose, Relay};
use crate::rows::thread::Thread;
use crate::seam::config::{Config, mutant};
use crate::seam::error::EngineError;
use crate::seam::view::{Scan, View};
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// Reads back what memory holds. Costs one read of every contact, thread and box.
pub(crate) fn recall(view: &dyn View, config: &Config) -> Result<Memory, EngineError> {
    let mut memory = Memory::default();
    let newest = view.scan(Scan::all(Key::of(key::EVENT)).reversed().limited(1))?;
    memory.numbers.event = newest
        .first()
        .and_then(|(row_key, _)| u64_at(row_key, 1))
        .map_or(1, |newest| newest + 1);
    for (row_key, row) in view.scan(Scan::all(Key::of(key::CONTACT)))? {
        if mutant!(config, PassesOverDamage) && read_row::<Contact>(&row_key, &row).is_err() {
            continue;
        }
        let contact: Contact = read_row(&row_key, &row)?;
        let Some(number) = u32_at(&row_key, 1) else {
            continue;
        };
        memory
            .contacts
            .insert((contact.persona, contact.account), number);
        for peer in contact.peers().filter(|_| contact.persona == MAIN) {
            memory.peer_contacts.insert((peer, number), ());
        }
    }
    for (row_key, row) in view.scan(Scan::all(Key::of(key::THREAD)))? {
        let thread: Thread = read_row(&row_key, &row)?;
        let Some(number) = u32_at(&row_key, 1) else {
            continue;
        };
        memory.threads.insert(thread.id, number);
        if let Some(contact) = thread.contact.filter(|_| thread.outbox_count > 0) {
            memory.deliveries.insert(contact, Default::default());
        }
        if thread.ack_owed {
            memory.timers.set(Timer::Acknowledge { thread: number }, 0);
        }
    }
    for (row_key, _) in view.scan(Scan::all(Key::of(key::ASKING)))? {
        if let Some(contact) = u32_at(&row_key, 1) {
            memory.asking.insert(contact, ());
        }
    }
    recall_boxes(view, &mut memory)?;
    memory.keep();
    Ok(memory)
}

fn recall_boxes(view: &dyn View, memory: &mut Memory) -> Result<(), EngineError> {
    let mut relays = std::collections::BTreeMap::new();
    for (row_key, row) in view.scan(Scan::all(Key::of(key::RELAY)))? {
        let relay: Relay = read_row(&row_key, &row)?;
        if let Some(number) = u32_at(&row_key, 1) {
            relays.insert(number, relay.descriptor.key);
        }
    }
    for (row_key, row) in view.scan(Scan::all(Key::of(key::BOX)))? {
        let own_box: OwnBox = read_row(&row_key, &row)?;
        let (Some(number), Some(relay), Some(ids)) =
            (u32_at(&row_key, 1), relays.get(&own_box.relay), own_box.ids)
        else {
            continue;
        };
        if own_box.purpose == Purpose::Boot {
            if own_box.stage == BoxStage::Ready {
                memory.boot_boxes.insert(own_box.relay, number);
            }
            continue;
        }
        if matches!(
            own_box.stage,
            BoxStage::Ready | BoxStage::Deleting | BoxStage::Granting
        ) {
            let link = BoxLink {
                own_box: number,
                relay: *relay,
                after: 0,
                fetching: false,
                again: false,
                quiet_until_ms: 0,
                left: false,
                subscribed: false,
            };
            memory.boxes.insert(ids.rid, link);
        }
        if own_box.purpose == Purpose::FrontDoor && own_box.stage == BoxStage::Ready {
            memory
                .doors
                .insert((own_box.persona, own_box.relay), number);
        }
    }
    Ok(())
}

impl Turn<'_> {
    /// `Input::Opened`.
    pub(crate) fn on_opened(&mut self, endpoint: Option<Endpoint>) -> Result<(), EngineError> {
        if let Some(mut endpoint) = endpoint {
            // A machine with many interfaces listens on more than a card may name.
            endpoint.addresses.truncate(ADDRESSES_MAX);
            self.memory.endpoint.insert((), endpoint);
        }
        if self.memory.numbers.opened {
            // Said again when the address changed.
            self.memory.numbers.sweep_contact = 0;
            self.memory.timers.set(Timer::Sweep, self.now.mono_ms);
            return Ok(());
        }
        self.memory.numbers.opened = true;
        // Numbers of this process are unlike those of the one before: a late answer to it is nobody's.
        self.memory.numbers.call = u64::from(self.rng.next_u32()) << 31 | 1;
        self.memory.numbers.frame_base = u64::from(self.rng.next_u32()) << 24;
        self.resume_endings()?;
        self.begin_reread()?;
        for (number, _) in self.own_relays()? {
            self.serve_relay(number)?;
        }
        let asking: Vec<u32> = self
            .memory
            .asking
            .iter()
            .map(|(contact, ())| *contact)
            .collect();
        for contact in asking {
            self.resume_asking(contact)?;
        }
        let waiting: Vec<u32> = self
            .memory
            .deliveries
            .iter()
            .map(|(contact, _)| *contact)
            .collect();
        for contact in waiting {
            self.push_outbox(contact)?;
        }
        for (row_key, row) in self.scan(Scan::all(Key::of(key::INVITE)))? {
            let invite: Invite = read_row(&row_key, &row)?;
            if let Some(invite) = u32_at(&row_key, 1).filter(|_| invite.blob.is_some()) {
                self.memory
                    .timers
                    .set(Timer::Blob { invite }, self.now.mono_ms);
            }
        }
        self.memory.timers.set(Timer::Delete, self.now.mono_ms);
        self.memory.timers.set(Timer::HeldBack, self.now.mono_ms);
        self.memory
            .timers
            .set(Timer::Sweep, self.now.mono_ms + 1_000);
        Ok(())
    }

    /// `Input::Tick`, and the end of every other input: what is due is done.
    pub(crate) fn on_due(&mut self) -> Result<(), EngineError> {
        // Bounded, so that a step stays one: what is left is due at once.
        const TIMERS_PER_STEP: usize = 64;
        for _ in 0..TIMERS_PER_STEP {
            let Some(timer) = self.memory.timers.take_due(self.now.mono_ms) else {
                return Ok(());
            };
            match timer {
                Timer::Direct { contact } => self.on_direct_overdue(contact)?,
                Timer::Dial { contact } => self.push_outbox_if_any(contact)?,
                Timer::Outbox { contact } => self.on_outbox_retry(contact)?,
                Timer::Ask { contact } => self.on_ask_due(contact)?,
                Timer::Puzzle { contact } => self.on_puzzle_due(contact)?,
                Timer::Acknowledge { thread } => self.on_ack_due(thread)?,
                Timer::Order { thread } => self.on_order_due(thread)?,
                Timer::Ratchet { thread } => self.on_ratchet_due(thread)?,
                Timer::Relay { relay } => self.serve_relay(relay)?,
                Timer::OwnBox { own_box } => self.advance_box(own_box)?,
                Timer::Blob { invite } => self.put_blob(invite)?,
                Timer::Sweep => self.on_sweep_due()?,
                Timer::Delete => self.on_delete_due()?,
                Timer::Reread => self.on_reread_due()?,
                Timer::HeldBack => self.on_held_back_due()?,
                Timer::Ending => self.on_ending_due()?,
            }
        }
        Ok(())
    }
}
