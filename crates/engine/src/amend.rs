// SPDX-License-Identifier: MIT OR Apache-2.0
//! Amending: reading and deleting what is in a history already.

use comptoir_protocol::body::{Content, Receipt, ReceiptState};
use comptoir_protocol::id::Lane;
use comptoir_protocol::place::Place;

use crate::contacts::own_message;
use crate::outgoing::run_key;
use crate::rows::key::{self, Key, u16_at, u32_at, u64_at};
use crate::rows::thread::RunPart;
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::MessageAt;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// Rows deleted in one step: a thread of 200,000 messages must not become one commit.
const DELETED_PER_STEP: usize = 512;

impl Turn<'_> {
    /// A thread of this persona, taken out.
    pub(crate) fn thread_of(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Option<Loaded>, EngineError> {
        if !self.has_thread(number)? {
            return Ok(None);
        }
        let loaded = self.take_thread(number)?;
        if loaded.thread.persona == persona {
            return Ok(Some(loaded));
        }
        self.put_thread(loaded);
        Ok(None)
    }

    /// `Command::MarkRead`.
    pub(crate) fn on_mark_read(
        &mut self,
        persona: u16,
        number: u32,
        up_to: Option<MessageAt>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut loaded) = self.thread_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let unread_before = loaded.thread.unread;
        let place = match up_to {
            None => {
                for author in &mut loaded.thread.authors[1..] {
                    for lane in [Lane::Service, Lane::Promotion] {
                        let track = author.track_mut(lane);
                        track.read = track.have.last();
                    }
                }
                loaded.thread.unread = 0;
                let author = loaded
                    .thread
                    .authors
                    .last()
                    .map_or(loaded.thread.authors[0].device, |author| author.device);
                Place {
                    height: loaded.thread.height_seen,
                    author,
                    sequence: u64::MAX,
                }
            }
            Some(at) => {
                let Some(author) = loaded
                    .thread
                    .authors
                    .iter()
                    .position(|author| author.device == at.author)
                else {
                    self.put_thread(loaded);
                    return Ok(Err(Refusal::NoSuchMessage));
                };
                let index = u16::try_from(author).map_err(|_| EngineError::Exhausted("authors"))?;
                let Some((_, entry)) = self.batch_at(number, index, at.lane, at.sequence)? else {
                    self.put_thread(loaded);
                    return Ok(Err(Refusal::NoSuchMessage));
                };
                if author > 0 {
                    let track = loaded.thread.authors[author].track_mut(at.lane);
                    track.read = track.read.max(at.sequence);
                }
                loaded.thread.unread = self.count_unread(&loaded)?;
                Place {
                    height: entry.height,
                    author: at.author,
                    sequence: at.sequence,
                }
            }
        };
        loaded.dirty = true;
        let (id, contact) = (loaded.thread.id, loaded.thread.contact);
        let up_to = self.receipt_for(&loaded);
        let unread = loaded.thread.unread;
        self.put_thread(loaded);
        if unread == unread_before {
            return Ok(Ok(Answer::Done));
        }
        self.state_read_mark(persona, number, id, place)?;
        self.event(Event::ThreadRead {
            persona,
            thread: number,
        });
        let tells = self.persona(persona)?.read_receipts;
        if tells
            && !up_to.is_empty()
            && contact
                .map(|contact| self.contact(contact))
                .transpose()?
                .is_some_and(|contact| Self::is_open_to(&contact))
        {
            let receipt = Receipt {
                state: ReceiptState::Read,
                up_to,
            };
            self.say(number, vec![own_message(Content::Receipt(receipt))?])?;
        }
        Ok(Ok(Answer::Done))
    }

    /// Messages of others beyond the read marks that are for the user.
    pub(crate) fn count_unread(&self, loaded: &Loaded) -> Result<u64, EngineError> {
        let mut unread = 0;
        for (at, author) in loaded.thread.authors.iter().enumerate().skip(1) {
            let at = u16::try_from(at).map_err(|_| EngineError::Exhausted("authors"))?;
            for lane in [Lane::Service, Lane::Promotion] {
                let read = author.track(lane).read;
                let prefix = Key::of(key::SEQUENCE)
                    .u32(loaded.number)
                    .u16(at)
                    .u8(key::lane_byte(lane));
                for (row_key, row) in
                    self.scan(Scan::all(prefix.clone()).starting_at(prefix.u64(read + 1)))?
                {
                    let entry: crate::rows::thread::SequenceEntry = read_row(&row_key, &row)?;
                    for (_, part) in self.parts(loaded.number, entry.arrival)? {
                        let numbered = (part.from..).zip(&part.items);
                        unread += numbered
                            .filter(|(sequence, item)| {
                                *sequence > read && !item.silent && !part.held_back
                            })
                            .count() as u64;
                    }
                }
            }
        }
        Ok(unread)
    }

    /// The rows of one arrival.
    pub(crate) fn parts(
        &self,
        thread: u32,
        arrival: u64,
    ) -> Result<Vec<(u16, RunPart)>, EngineError> {
        let rows = self.scan(Scan::all(run_key(thread, arrival)))?;
        rows.iter()
            .filter_map(|(row_key, row)| Some((u16_at(row_key, 13)?, read_row(row_key, row))))
            .map(|(part, row)| Ok((part, row?)))
            .collect()
    }

    /// `Command::DeleteThread`: what is there now goes, a part a step, and the keys it lay under behind it; the thread and
    /// its counters stay.
    pub(crate) fn on_delete_thread(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut loaded) = self.thread_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let Some(contact) = loaded.thread.contact else {
            self.put_thread(loaded);
            return Ok(Err(Refusal::NoSuchThread));
        };
        for author in &mut loaded.thread.authors[1..] {
            for lane in [Lane::Service, Lane::Promotion] {
                let track = author.track_mut(lane);
                track.read = track.have.last();
            }
        }
        loaded.thread.unread = 0;
        self.forget_held_back(&mut loaded)?;
        self.begin_generation(&mut loaded);
        let (id, arrival) = (loaded.thread.id, loaded.thread.arrival_next);
        self.put_thread(loaded);
        self.put(Key::of(key::DELETING).u32(number), &arrival);
        let account = self.contact(contact)?.account;
        self.state_thread(persona, number, id, Some(account), true)?;
        self.event(Event::ThreadDeleted {
            persona,
            thread: number,
        });
        self.on_delete_due()?;
        Ok(Ok(Answer::Done))
    }

    /// Goes on deleting. Sequence entries stay: they are what later messages' places are computed from.
    pub(crate) fn on_delete_due(&mut self) -> Result<(), EngineError> {
        let Some((row_key, row)) = self
            .scan(Scan::all(Key::of(key::DELETING)).limited(1))?
            .pop()
        else {
            return self.on_leaving_due();
        };
        let Some(number) = u32_at(&row_key, 1) else {
            return Ok(());
        };
        let limit: u64 = read_row(&row_key, &row)?;
        let runs = self.scan(Scan::all(Key::of(key::RUN).u32(number)).limited(DELETED_PER_STEP))?;
        let mut gone = 0;
        for (run, _) in runs {
            if u64_at(&run, 5).is_some_and(|arrival| arrival < limit) {
                self.delete(run);
                gone += 1;
            }
        }
        for (place, value) in
            self.scan(Scan::all(Key::of(key::PLACE).u32(number)).limited(DELETED_PER_STEP))?
        {
            let entry: crate::rows::thread::PlaceEntry = read_row(&place, &value)?;
            if entry.arrival < limit {
                self.delete(place);
                gone += 1;
            }
        }
        for (unknown, _) in
            self.scan(Scan::all(Key::of(key::UNKNOWN).u32(number)).limited(DELETED_PER_STEP))?
        {
            if u64_at(&unknown, 5).is_some_and(|arrival| arrival < limit) {
                self.delete(unknown);
                gone += 1;
            }
        }
        if gone == 0 {
            self.delete(row_key);
        }
        self.memory.timers.set(Timer::Delete, self.now.mono_ms + 20);
        Ok(())
    }
}
