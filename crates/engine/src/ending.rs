// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ending: messages that disappear by themselves, so many seconds after they were sent, or arrived.
//!
//! On its author's device a message ends that long after it was sent, on every other that long after it arrived there:
//! whoever was away has the same time to read it. Then it is gone from history and unread count, edits and all; that
//! there was one with its number stays, since later messages' places and gaps follow from it. What had not reached the
//! other side by then is not sent any more, and is told as not delivered.
//!
//! The clock that counts is the wall's, which never goes back here: while it stands behind what was seen already, it
//! goes on at the monotonic pace. So a clock that is set back keeps nothing longer; one set ahead ends things early.

use comptoir_protocol::id::{DeviceId, Lane};

use crate::amendments::Arrival;
use crate::outbox::state_key;
use crate::outgoing::run_key;
use crate::rows::ending::Ending;
use crate::rows::held_back::HeldBack;
use crate::rows::key::{self, Key, lane_byte, u32_at, u64_at};
use crate::rows::thread::{Amend, Item, OutboxState, RunPart};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// Arrivals that end in one step, at most 64 messages each.
const ARRIVALS_PER_STEP: usize = 64;
/// The longest pause between two looks: the wall clock may be set in between.
pub(crate) const LOOK_MS: u64 = 15 * 60 * 1000;
/// Stands for an arrival in the key of amendments that wait for their messages.
const WAITING: u64 = u64::MAX;

impl Turn<'_> {
    /// The clock that messages end by, ms.
    pub(crate) fn ending_clock_ms(&mut self) -> u64 {
        let numbers = &mut self.memory.numbers;
        let passed_ms = self.now.mono_ms.saturating_sub(numbers.ending_mono_ms);
        let gone_on_ms = numbers.ending_clock_ms.saturating_add(passed_ms);
        numbers.ending_clock_ms = self.now.wall_ms.max(gone_on_ms);
        numbers.ending_mono_ms = self.now.mono_ms;
        numbers.ending_clock_ms
    }

    /// Takes up the clock of the process before, and what ended since.
    pub(crate) fn resume_endings(&mut self) -> Result<(), EngineError> {
        if let Some(clock_ms) = self.load::<u64>(Key::of(key::ENDING_CLOCK))? {
            self.memory.numbers.ending_clock_ms = clock_ms;
            self.memory.numbers.ending_mono_ms = self.now.mono_ms;
        }
        self.memory.timers.set(Timer::Ending, self.now.mono_ms);
        Ok(())
    }

    /// When a message ends that came, or was written, now.
    pub(crate) fn ends_ms(&mut self, lives_s: Option<u32>) -> Option<u64> {
        // Not at once: what is never there long enough to be read would look like a loss.
        let lives_ms = u64::from(lives_s?.max(1)) * 1000;
        Some(self.ending_clock_ms().saturating_add(lives_ms))
    }

    /// How long an amendment of a message that ends then may last, s.
    pub(crate) fn rest_s(&mut self, ends_ms: Option<u64>) -> Option<u32> {
        let rest_ms = ends_ms?.saturating_sub(self.ending_clock_ms());
        Some(
            u32::try_from(rest_ms.div_ceil(1000))
                .unwrap_or(u32::MAX)
                .max(1),
        )
    }

    /// Notes that something of an arrival ends then.
    pub(crate) fn note_ending(
        &mut self,
        thread: u32,
        arrival: u64,
        ends_ms: u64,
        envelope: Option<u64>,
    ) {
        let clock_ms = self.ending_clock_ms();
        let row = ending_key(ends_ms, thread, arrival);
        self.put(row, &Ending { envelope });
        self.put(Key::of(key::ENDING_CLOCK), &clock_ms);
        let due = self.now.mono_ms + ends_ms.saturating_sub(clock_ms).min(LOOK_MS);
        self.memory.timers.set_earlier(Timer::Ending, due);
    }

    /// An amendment that ends waits for its message.
    pub(crate) fn note_waiting_ends(&mut self, thread: u32, amend: &Amend) {
        if let Some(ends_ms) = amend.ends_ms {
            self.note_ending(thread, WAITING, ends_ms, None);
        }
    }

    /// What is over goes, then the keys of weeks that are over.
    pub(crate) fn on_ending_due(&mut self) -> Result<(), EngineError> {
        let clock_ms = self.ending_clock_ms();
        let rows = self.scan(Scan::all(Key::of(key::ENDING)).limited(ARRIVALS_PER_STEP))?;
        let mut next_ms = (rows.len() == ARRIVALS_PER_STEP).then_some(clock_ms);
        for (row_key, row) in rows {
            let numbers = (
                u64_at(&row_key, 1),
                u32_at(&row_key, 9),
                u64_at(&row_key, 13),
            );
            let (Some(ends_ms), Some(thread), Some(arrival)) = numbers else {
                continue;
            };
            if ends_ms > clock_ms {
                next_ms = Some(ends_ms);
                break;
            }
            let ending: Ending = read_row(&row_key, &row)?;
            self.delete(row_key);
            self.end_messages(thread, arrival, &ending, clock_ms)?;
        }
        // A week's key goes behind everything that ended in it.
        let all_ended = next_ms.is_none_or(|next_ms| next_ms > clock_ms);
        if all_ended {
            let period_ms = self.end_periods(clock_ms)?;
            next_ms = [next_ms, period_ms].into_iter().flatten().min();
        }
        if let Some(next_ms) = next_ms {
            self.put(Key::of(key::ENDING_CLOCK), &clock_ms);
            let pause = next_ms.saturating_sub(clock_ms).clamp(20, LOOK_MS);
            let due = self.now.mono_ms + pause;
            self.memory.timers.set(Timer::Ending, due);
        }
        Ok(())
    }

    fn end_messages(
        &mut self,
        thread: u32,
        arrival: u64,
        ending: &Ending,
        clock_ms: u64,
    ) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        let mut shown = 0;
        if arrival == WAITING {
            self.end_waiting(&loaded, clock_ms)?;
        } else if let Some(found) = self.arrival(thread, arrival)? {
            shown = self.end_in_arrival(&mut loaded, found, clock_ms)?;
        }
        if let Some(envelope) = ending.envelope {
            self.end_envelope(&mut loaded, envelope, shown, clock_ms)?;
        }
        self.put_thread(loaded);
        Ok(())
    }

    /// Takes what is over out of an arrival; how many messages of it the user saw.
    fn end_in_arrival(
        &mut self,
        loaded: &mut Loaded,
        mut arrival: Arrival,
        clock_ms: u64,
    ) -> Result<u64, EngineError> {
        let RunPart {
            author, lane, from, ..
        } = arrival.whole;
        let Some(known) = loaded.thread.authors.get(usize::from(author)) else {
            return Ok(0);
        };
        let (device, read) = (known.device, known.track(lane).read);
        let (mut shown, mut unread) = (Vec::new(), 0);
        for (sequence, item) in (from..).zip(&mut arrival.whole.items) {
            if item.ends_ms.is_none_or(|ends_ms| ends_ms > clock_ms) {
                continue;
            }
            if !item.silent {
                shown.push(sequence);
                unread += u64::from(author > 0 && sequence > read);
            }
            *item = Item::gone();
        }
        let messages = shown.len() as u64;
        if arrival.whole.held_back {
            self.end_held_back(loaded, arrival.number, messages)?;
        } else {
            loaded.thread.unread = loaded.thread.unread.saturating_sub(unread);
            self.tell_ended(loaded, device, lane, &shown);
        }
        loaded.dirty = true;
        let empty = arrival.whole.items.iter().all(Item::is_gone);
        if empty {
            self.remove_arrival(loaded, arrival.number)?;
        } else {
            self.put_arrival(loaded, arrival)?;
        }
        Ok(messages)
    }

    fn tell_ended(&mut self, loaded: &Loaded, author: DeviceId, lane: Lane, shown: &[u64]) {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let runs = shown.chunk_by(|one, next| one + 1 == *next);
        for (from, to) in runs.filter_map(|run| Some((*run.first()?, *run.last()?))) {
            self.event(Event::MessagesEnded {
                persona,
                thread,
                author,
                lane,
                from,
                to,
            });
        }
    }

    /// An arrival whose rows hold nothing any more. Its entry by sequence stays: places of later messages are computed
    /// from it.
    pub(crate) fn remove_arrival(
        &mut self,
        loaded: &Loaded,
        arrival: u64,
    ) -> Result<(), EngineError> {
        for (number, part) in self.parts(loaded.number, arrival)? {
            if let Some(author) = loaded.thread.authors.get(usize::from(part.author)) {
                let place = Key::of(key::PLACE)
                    .u32(loaded.number)
                    .u64(part.height)
                    .u64(author.rank)
                    .u8(lane_byte(part.lane))
                    .u64(part.from);
                self.delete(place);
            }
            self.delete(run_key(loaded.number, arrival).u16(number));
        }
        Ok(())
    }

    fn end_held_back(
        &mut self,
        loaded: &mut Loaded,
        arrival: u64,
        messages: u64,
    ) -> Result<(), EngineError> {
        for (row_key, held_arrival) in self.held_back_in(loaded.number)? {
            if held_arrival == arrival {
                let mut held: HeldBack = self.require(row_key.clone())?;
                held.messages = held.messages.saturating_sub(messages);
                self.put(row_key, &held);
            }
        }
        loaded.thread.held_back = loaded.thread.held_back.saturating_sub(messages);
        Ok(())
    }

    /// What waits for a message and is over: the message, should it still come, is gone with it.
    fn end_waiting(&mut self, loaded: &Loaded, clock_ms: u64) -> Result<(), EngineError> {
        for (row_key, row) in self.scan(Scan::all(Key::of(key::AMEND).u32(loaded.number)))? {
            let amend: Amend = read_row(&row_key, &row)?;
            if amend.ends_ms.is_some_and(|ends_ms| ends_ms <= clock_ms) {
                let amend = Amend {
                    text: None,
                    ends_ms: None,
                    ..amend
                };
                self.put_said(row_key, &amend, loaded.scope(None))?;
            }
        }
        Ok(())
    }

    /// What was not delivered by now is not sent any more.
    fn end_envelope(
        &mut self,
        loaded: &mut Loaded,
        envelope: u64,
        shown: u64,
        clock_ms: u64,
    ) -> Result<(), EngineError> {
        let Some(state) = self.load::<OutboxState>(state_key(loaded.number, envelope))? else {
            return Ok(());
        };
        if state.ends_ms.is_none_or(|ends_ms| ends_ms > clock_ms) {
            return Ok(());
        }
        self.remove_row(loaded, envelope, &state);
        let OutboxState { lane, from, to, .. } = state;
        let delivered = loaded.thread.authors[0]
            .track(lane)
            .delivered
            .covers(from, to);
        if !delivered && shown > 0 {
            self.event(Event::NotDelivered {
                persona: loaded.thread.persona,
                thread: loaded.number,
                lane,
                from,
                to,
            });
        }
        Ok(())
    }
}

impl Item {
    /// What is left of a message that ended: its number.
    fn gone() -> Self {
        Item {
            body: Vec::new(),
            kind: 0,
            edited_ms: 0,
            silent: true,
            amended: None,
            ends_ms: None,
        }
    }

    /// Whether nothing is left of it for anybody.
    pub(crate) fn is_gone(&self) -> bool {
        self.silent && self.body.is_empty()
    }
}

fn ending_key(ends_ms: u64, thread: u32, arrival: u64) -> Key {
    Key::of(key::ENDING).u64(ends_ms).u32(thread).u64(arrival)
}
