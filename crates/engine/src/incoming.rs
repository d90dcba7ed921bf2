// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incoming: an envelope on its way from a stream or a box until it is opened.
//!
//! Known envelopes are recognised before anything is decrypted; an author's envelopes are put in order first, waiting
//! for the ones before at most two seconds. Whatever is wrong with an envelope is counted and refused; it never stops
//! the engine, and nothing is told to be stored that is not among the writes of the same step.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{Batch, Envelope, EnvelopeKind};
use comptoir_protocol::frame::RefusalReason;
use comptoir_protocol::id::{Lane, ThreadId};
use comptoir_protocol::runs::Inserted;

use crate::memory::Source;
use crate::rows::contact::{Contact, Standing};
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::Turn;

/// How long an envelope waits for the ones before it.
const ORDER_WAIT_MS: u64 = 2_000;
/// Envelopes of one thread that wait: as many as the MLS window opens out of order.
const HELD_PER_THREAD_MAX: usize = 256;

/// What became of one envelope.
pub(crate) enum Taken {
    /// It is stored, or was before.
    Done,
    /// It was refused for good.
    Refused(RefusalReason),
}

impl Turn<'_> {
    /// Takes a parcel in.
    pub(crate) fn on_parcel(
        &mut self,
        parcel: Parcel,
        source: Source,
        bytes: usize,
    ) -> Result<(), EngineError> {
        match &parcel.content {
            ParcelContent::Acknowledgement(vector) => {
                let vector = vector.clone();
                self.on_ack_vector(vector, source)?;
                self.confirm(source);
                Ok(())
            }
            // We send none; a build that does says so in its capabilities first.
            ParcelContent::Blob(_) => {
                self.refuse(source, RefusalReason::NeedsNewer);
                Ok(())
            }
            ParcelContent::Envelope(envelope) => match envelope.kind {
                EnvelopeKind::Welcome => {
                    let envelope = envelope.clone();
                    self.on_welcome(&parcel, &envelope, source)
                }
                EnvelopeKind::Commit => {
                    self.refuse(source, RefusalReason::NeedsNewer);
                    Ok(())
                }
                EnvelopeKind::Application => {
                    let thread = envelope.thread;
                    self.on_application(parcel, thread, source, bytes)
                }
            },
        }
    }

    fn on_application(
        &mut self,
        parcel: Parcel,
        id: ThreadId,
        source: Source,
        bytes: usize,
    ) -> Result<(), EngineError> {
        let Some(number) = self.memory.threads.get(&id).copied() else {
            return self.hold_for_welcome(parcel, id, source, bytes);
        };
        let mut loaded = self.take_thread(number)?;
        if !Self::is_way_to(&loaded.thread, source) {
            self.put_thread(loaded);
            self.memory.counters.threads_unknown += 1;
            self.refuse(source, RefusalReason::UnknownThread);
            return Ok(());
        }
        let (contact_number, contact) = match loaded.thread.contact {
            Some(contact) => (contact, self.contact(contact)?),
            None => {
                self.put_thread(loaded);
                self.refuse(source, RefusalReason::Denied);
                return Ok(());
            }
        };
        let author = loaded
            .thread
            .authors
            .iter()
            .position(|author| author.device == parcel.author)
            .filter(|at| *at > 0);
        let Some(author) = author.filter(|_| !contact.blocked && parcel.sequence > 0) else {
            // A reflected envelope of our own ends here too: this device is the first author.
            self.memory.counters.envelopes_refused += 1;
            self.put_thread(loaded);
            self.refuse(source, RefusalReason::Denied);
            return Ok(());
        };
        let envelopes = &loaded.thread.authors[author].envelopes;
        if envelopes.contains(parcel.sequence) {
            self.memory.counters.duplicates += 1;
            self.counted.received_twice += 1;
            self.tell_twice(&loaded, author);
            self.owe_acknowledgement(&mut loaded);
            self.put_thread(loaded);
            self.confirm(source);
            return Ok(());
        }
        if !self.within_terms(contact_number, &contact, parcel.lane, source) {
            self.memory.counters.over_terms += 1;
            self.put_thread(loaded);
            match source {
                Source::Peer { .. } => self.postpone(source),
                Source::Box { rid, sequence, .. } => {
                    let ends_ms = self.period_ends_ms(contact_number, &contact, parcel.lane);
                    self.fetch_next_period(rid, sequence, ends_ms);
                }
            }
            return Ok(());
        }
        let in_order = parcel.sequence == 1 || envelopes.contains(parcel.sequence - 1);
        if !in_order {
            self.put_thread(loaded);
            self.hold(parcel, id, source, bytes, HELD_PER_THREAD_MAX);
            let due = self.now.mono_ms + ORDER_WAIT_MS;
            self.memory
                .timers
                .set_if_unset(Timer::Order { thread: number }, due);
            return Ok(());
        }
        let mut next = parcel.sequence;
        self.take_in(&mut loaded, &contact, author, &parcel, source)?;
        // What waited for this one follows.
        let device = parcel.author;
        while let Some(following) = next.checked_add(1) {
            next = following;
            let Some(held) = self.take_held(id, device.0, next) else {
                break;
            };
            self.take_in(&mut loaded, &contact, author, &held.parcel, held.source)?;
        }
        self.put_thread(loaded);
        self.after_intake(number)
    }

    /// What a thread's control messages asked for is done once the thread is given back.
    pub(crate) fn after_intake(&mut self, thread: u32) -> Result<(), EngineError> {
        for change in std::mem::take(&mut self.told) {
            self.on_told(thread, change)?;
        }
        Ok(())
    }

    /// The mistake `TellsTwice`; nothing, outside the simulator's build.
    fn tell_twice(&mut self, loaded: &Loaded, author: usize) {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let author = &loaded.thread.authors[author];
        let last = author.service.have.last();
        if mutant!(self.config, TellsTwice) && last > 0 {
            let (author, lane) = (author.device, Lane::Service);
            self.event(Event::MessagesReceived {
                persona,
                thread,
                author,
                lane,
                from: last,
                to: last,
                late: false,
            });
        }
    }

    pub(crate) fn take_in(
        &mut self,
        loaded: &mut Loaded,
        contact: &Contact,
        author: usize,
        parcel: &Parcel,
        source: Source,
    ) -> Result<(), EngineError> {
        match self.open_and_store(loaded, contact, author, parcel, source)? {
            Taken::Done => {
                self.owe_acknowledgement(loaded);
                self.confirm(source);
            }
            Taken::Refused(RefusalReason::Busy) => self.postpone(source),
            Taken::Refused(reason) => {
                self.memory.counters.envelopes_refused += 1;
                self.refuse(source, reason);
            }
        }
        Ok(())
    }

    fn open_and_store(
        &mut self,
        loaded: &mut Loaded,
        contact: &Contact,
        author: usize,
        parcel: &Parcel,
        source: Source,
    ) -> Result<Taken, EngineError> {
        let ParcelContent::Envelope(envelope) = &parcel.content else {
            return Ok(Taken::Refused(RefusalReason::Malformed));
        };
        if loaded.thread.authors[author]
            .envelopes
            .contains(parcel.sequence)
        {
            self.memory.counters.duplicates += 1;
            return Ok(Taken::Done);
        }
        let mut envelopes = loaded.thread.authors[author].envelopes.clone();
        if envelopes.insert(parcel.sequence) == Inserted::Full {
            self.memory.counters.order_full += 1;
            return Ok(Taken::Refused(RefusalReason::Busy));
        }
        let batch = match self.open_envelope(loaded, contact, parcel, envelope)? {
            Ok(batch) => batch,
            Err(reason) => return Ok(Taken::Refused(reason)),
        };
        let allowed = contact.promotions_at(self.now.wall_ms).is_some()
            || mutant!(self.config, ShowsWithoutLeave);
        if let Taken::Refused(reason) = self.store_batch(loaded, author, allowed, &batch, source)? {
            return Ok(Taken::Refused(reason));
        }
        loaded.thread.authors[author].envelopes = envelopes;
        loaded.dirty = true;
        Ok(Taken::Done)
    }

    /// Decrypts an envelope and checks whose it is and what it is bound to.
    fn open_envelope(
        &mut self,
        loaded: &mut Loaded,
        contact: &Contact,
        parcel: &Parcel,
        envelope: &Envelope,
    ) -> Result<Result<Batch, RefusalReason>, EngineError> {
        if envelope.incarnation != loaded.thread.incarnation || envelope.lane != parcel.lane {
            return Ok(Err(RefusalReason::Malformed));
        }
        let bound = envelope.authenticated_data();
        let mls = self.mls(loaded)?;
        let Ok(opened) = mls.decrypt(&envelope.bytes, &bound) else {
            return Ok(Err(RefusalReason::Malformed));
        };
        loaded.lag += 1;
        if opened.author.account != contact.account || opened.author.device != parcel.author {
            return Ok(Err(RefusalReason::Malformed));
        }
        match Batch::from_bytes(&opened.plaintext) {
            Ok(batch) if batch.lane == envelope.lane => Ok(Ok(batch)),
            Ok(_) => Ok(Err(RefusalReason::Malformed)),
            Err(error) if error.needs_newer() => {
                self.note_newer(loaded)?;
                Ok(Err(RefusalReason::NeedsNewer))
            }
            Err(_) => Ok(Err(RefusalReason::Malformed)),
        }
    }

    fn note_newer(&mut self, loaded: &Loaded) -> Result<(), EngineError> {
        if let Some(number) = loaded.thread.contact {
            let mut contact = self.contact(number)?;
            contact.needs_newer += 1;
            self.put_contact(number, &contact);
            self.event(Event::NeedsNewer {
                persona: contact.persona,
                contact: number,
            });
        }
        Ok(())
    }

    /// Whether a contact's messages may come in at all.
    pub(crate) fn is_open_to(contact: &Contact) -> bool {
        !contact.blocked && contact.standing == Standing::Talking
    }
}
