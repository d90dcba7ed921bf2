// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incoming: an envelope on its way from a stream or a box into the history.
//!
//! Known envelopes are recognised before anything is decrypted; an author's envelopes are put in order first, waiting
//! for the ones before at most two seconds. Whatever is wrong with an envelope is counted and refused; it never stops
//! the engine, and nothing is told to be stored that is not among the writes of the same step.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{Batch, Chain, Envelope, EnvelopeKind};
use comptoir_protocol::frame::RefusalReason;
use comptoir_protocol::id::{Lane, ThreadId};
use comptoir_protocol::runs::Inserted;

use crate::amendments::Said;
use crate::bodies::Heard;
use crate::held_back::{is_held_back, without_content};
use crate::memory::Source;
use crate::outgoing::Placed;
use crate::rows::contact::{Contact, Standing};
use crate::rows::key::{self, Key, lane_byte};
use crate::rows::thread::{SequenceEntry, Tip, Track};
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// How long an envelope waits for the ones before it.
const ORDER_WAIT_MS: u64 = 2_000;
/// Envelopes of one thread that wait: as many as the MLS window opens out of order.
const HELD_PER_THREAD_MAX: usize = 256;

/// What became of one envelope.
enum Taken {
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
                self.on_ack_vector(vector)?;
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
        if !Self::may_come_to(loaded.thread.persona, source) {
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
        let from_elsewhere =
            matches!(source, Source::Box { contact, .. } if Some(contact) != loaded.thread.contact);
        let author = loaded
            .thread
            .authors
            .iter()
            .position(|author| author.device == parcel.author)
            .filter(|at| *at > 0);
        let Some(author) =
            author.filter(|_| !contact.blocked && !from_elsewhere && parcel.sequence > 0)
        else {
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

    /// Stores a batch, unless its author left more holes than are kept or numbers a message again that is here already.
    fn store_batch(
        &mut self,
        loaded: &mut Loaded,
        author: usize,
        allowed: bool,
        batch: &Batch,
        source: Source,
    ) -> Result<Taken, EngineError> {
        let (lane, first, to) = (batch.lane, batch.first_sequence, batch.last_sequence());
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let device = loaded.thread.authors[author].device;
        let mut track = loaded.thread.authors[author].track(lane).clone();
        let last = track.have.last();
        // One message more under numbers that are taken would show in place of what was said.
        if track.have.touches(first, to) && !track.have.covers(first, to) {
            return Ok(Taken::Refused(RefusalReason::Malformed));
        }
        match track.have.insert_run(first, to) {
            Inserted::Full => return Ok(Taken::Refused(RefusalReason::Busy)),
            // The same messages in another envelope: acknowledged again, not shown again.
            Inserted::Known => {
                self.memory.counters.duplicates += 1;
                return Ok(Taken::Done);
            }
            Inserted::New => {}
        }
        let late = first <= last;
        if !join_chain(&mut track, batch, device) {
            self.memory.counters.chains_broken += 1;
            self.event(Event::ChainBroken {
                persona,
                thread,
                author: device,
                sequence: first,
            });
        }
        *loaded.thread.authors[author].track_mut(lane) = track;
        self.read_heads(loaded, batch)?;
        let height = self.height_of(loaded, batch)?;
        loaded.thread.height_seen = loaded.thread.height_seen.max(height);
        let held_back = is_held_back(lane, allowed, self.lane_of(source));
        let Heard {
            silent,
            shown,
            amendments,
        } = if held_back {
            self.read_held_back(batch)
        } else {
            self.read_bodies(loaded, author, batch)
        };
        let kept = !held_back || self.keep_back(loaded, shown);
        let emptied = if kept {
            Vec::new()
        } else {
            without_content(batch)
        };
        let placed = Placed {
            author: u16::try_from(author).map_err(|_| EngineError::Exhausted("authors"))?,
            lane,
            first,
            height,
            wall_ms: self.now.wall_ms,
            sent_ms: batch.sent_ms,
            messages: if kept { &batch.messages } else { &emptied },
            silent: if kept {
                &silent
            } else {
                &vec![true; silent.len()]
            },
            held_back,
            late,
        };
        let index = placed.author;
        self.place(loaded, &placed);
        if !held_back {
            let said = Said {
                author: index,
                lane,
                height,
                sent_ms: batch.sent_ms,
            };
            self.on_amendments(loaded, &said, amendments)?;
        }
        self.apply_waiting(loaded, index, lane, (first, to))?;
        self.count_received(shown, source);
        self.tell_of_batch(loaded, device, lane, (first, to), last, held_back, shown);
        Ok(Taken::Done)
    }

    #[allow(clippy::too_many_arguments, reason = "what an event says of a batch")]
    fn tell_of_batch(
        &mut self,
        loaded: &mut Loaded,
        author: comptoir_protocol::id::DeviceId,
        lane: Lane,
        (from, to): (u64, u64),
        last: u64,
        held_back: bool,
        shown: u64,
    ) {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let late = from <= last;
        if late {
            self.memory.counters.gaps_filled += 1;
            self.event(Event::GapFilled {
                persona,
                thread,
                author,
                lane,
                from,
                to,
            });
        } else if from > last + 1 {
            self.memory.counters.gaps_seen += 1;
            self.event(Event::GapSeen {
                persona,
                thread,
                author,
                lane,
                from: last + 1,
                to: from - 1,
            });
        }
        if held_back {
            self.memory.counters.held_back += 1;
            if let Some(contact) = loaded.thread.contact {
                self.event(Event::HeldBack {
                    persona,
                    contact,
                    count: loaded.thread.held_back,
                });
            }
        } else if shown > 0 {
            loaded.thread.unread += shown;
            self.event(Event::MessagesReceived {
                persona,
                thread,
                author,
                lane,
                from,
                to,
                late,
            });
        }
    }

    fn count_received(&mut self, shown: u64, source: Source) {
        self.counted.received += shown;
        match source {
            Source::Peer { .. } => self.counted.received_direct += shown,
            Source::Box { rid, .. } => {
                if let Some(link) = self.memory.boxes.get(&rid) {
                    self.counted.through(link.relay, 0, shown);
                }
            }
        }
    }

    /// One more than the largest height among the messages a batch names. In a thread of two these are our own, which
    /// we always know, so both sides compute the same places whatever is missing.
    fn height_of(&self, loaded: &Loaded, batch: &Batch) -> Result<u64, EngineError> {
        let mut largest = 0;
        for (device, lane, sequence) in &batch.heads {
            let Some(author) = loaded
                .thread
                .authors
                .iter()
                .position(|author| author.device == *device)
            else {
                continue;
            };
            let author = u16::try_from(author).map_err(|_| EngineError::Exhausted("authors"))?;
            largest = largest.max(
                self.height_at(loaded.number, author, *lane, *sequence)?
                    .unwrap_or(0),
            );
        }
        Ok(largest.saturating_add(1))
    }

    fn height_at(
        &self,
        thread: u32,
        author: u16,
        lane: Lane,
        sequence: u64,
    ) -> Result<Option<u64>, EngineError> {
        Ok(self
            .batch_at(thread, author, lane, sequence)?
            .map(|(_, entry)| entry.height))
    }

    /// Where a message's batch lies: its last sequence and its entry.
    pub(crate) fn batch_at(
        &self,
        thread: u32,
        author: u16,
        lane: Lane,
        sequence: u64,
    ) -> Result<Option<(u64, SequenceEntry)>, EngineError> {
        let prefix = Key::of(key::SEQUENCE)
            .u32(thread)
            .u16(author)
            .u8(lane_byte(lane));
        let rows = self.scan(
            Scan::all(prefix.clone())
                .starting_at(prefix.u64(sequence))
                .limited(1),
        )?;
        let Some((row_key, row)) = rows.first() else {
            return Ok(None);
        };
        let entry: SequenceEntry = read_row(row_key, row)?;
        let to = key::u64_at(row_key, 8).unwrap_or(0);
        Ok((entry.from <= sequence).then_some((to, entry)))
    }

    /// What the other side says it has of us. A message we do not remember was written by another copy of this device,
    /// or by us before the disk went back.
    fn read_heads(&mut self, loaded: &mut Loaded, batch: &Batch) -> Result<(), EngineError> {
        let own = &loaded.thread.authors[0];
        let ahead = batch
            .heads
            .iter()
            .filter(|head| head.0 == own.device)
            .find(|head| head.2 > own.track(head.1).sealed);
        match ahead {
            Some(head) => {
                let ours = own.track(head.1).sealed;
                self.freeze(loaded, ours, head.2);
            }
            None => self.prove_safe(loaded),
        }
        Ok(())
    }

    /// The lane of the box something came through; none for a direct stream.
    fn lane_of(&self, source: Source) -> Option<Lane> {
        match source {
            Source::Box { lane, .. } => Some(lane),
            Source::Peer { .. } => None,
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

/// Joins a batch to its author's chain; false when it contradicts what is known on either side of it.
fn join_chain(track: &mut Track, batch: &Batch, author: comptoir_protocol::id::DeviceId) -> bool {
    let (first, to) = (batch.first_sequence, batch.last_sequence());
    let after = batch.chain_after(author);
    let mut sound = true;
    if first == 1 {
        sound &= batch.previous == Chain::START;
    } else if let Some(at) = track.tips.iter().position(|tip| tip.sequence == first - 1) {
        sound &= track.tips.remove(at).chain == batch.previous;
    } else {
        track.expected.push(Tip {
            sequence: first - 1,
            chain: batch.previous,
        });
    }
    match track.expected.iter().position(|tip| tip.sequence == to) {
        Some(at) => sound &= track.expected.remove(at).chain == after,
        None => track.tips.push(Tip {
            sequence: to,
            chain: after,
        }),
    }
    sound
}
