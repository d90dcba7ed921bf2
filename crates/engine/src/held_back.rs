// SPDX-License-Identifier: MIT OR Apache-2.0
//! Held back: what was refused on arrival. Kept 30 days without notice or unread count; one tap shows it.
//!
//! Its messages lie in their rows like all others, with a mark that keeps them out of the history. What they say to the
//! node itself is not heard, then or later: a box that was closed to them must not be a way in.

use comptoir_protocol::body::{Body, Content};
use comptoir_protocol::envelope::{Batch, Message};
use comptoir_protocol::id::Lane;

use crate::bodies::Heard;
use crate::outgoing::run_key;
use crate::rows::held_back::HeldBack;
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::thread::RunPart;
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::MessageAt;
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

const HOUR_MS: u64 = 60 * 60 * 1000;
/// PROTOCOL 5: kept this long.
const KEPT_MS: u64 = 30 * 24 * HOUR_MS;
/// Messages kept for one contact: thirty a day for the whole time, at most 16 MiB.
// Full: a further one is numbered and acknowledged like any other, and its content is not kept.
const KEPT_PER_CONTACT_MAX: u64 = 1_000;
/// Rows looked at in one step.
const ROWS_PER_STEP: usize = 256;
/// The longest pause between two looks: the wall clock may be set in between.
const LOOK_MS: u64 = 6 * HOUR_MS;

impl Turn<'_> {
    /// Reads the bodies of a batch that is held back: which are for the user. The node does nothing they say.
    pub(crate) fn read_held_back(&mut self, batch: &Batch) -> Heard {
        let (silent, lives_s): (Vec<bool>, Vec<_>) = batch
            .messages
            .iter()
            .map(|message| self.as_held_back(message))
            .unzip();
        let refused = silent.iter().filter(|silent| **silent).count() as u64;
        self.memory.counters.bodies_refused += refused;
        Heard {
            shown: batch.messages.len() as u64 - refused,
            silent,
            lives_s,
            amendments: Vec::new(),
        }
    }

    /// Whether a message is not for the user, and for how long it is there.
    fn as_held_back(&self, message: &Message) -> (bool, Option<u32>) {
        let Ok(body) = Body::from_message(message, &self.config.kinds) else {
            return (true, None);
        };
        let for_user = matches!(
            body.content,
            Content::Text(_) | Content::App { .. } | Content::Unknown { .. }
        );
        (!for_user, body.header.expires_after_s)
    }

    /// Notes that the next arrival of a thread is held back; false when so much is that its content is not kept.
    pub(crate) fn keep_back(&mut self, loaded: &mut Loaded, messages: u64) -> bool {
        let full = loaded.thread.held_back + messages > KEPT_PER_CONTACT_MAX;
        if full || mutant!(self.config, ForgetsHeldBack) {
            self.memory.counters.held_back_full += 1;
            return false;
        }
        if messages == 0 {
            return true;
        }
        loaded.thread.held_back += messages;
        loaded.dirty = true;
        let ends_ms = self.now.wall_ms.saturating_add(KEPT_MS);
        let row = Key::of(key::HELD_BACK)
            .u64(ends_ms)
            .u32(loaded.number)
            .u64(loaded.thread.arrival_next);
        let persona = loaded.thread.persona;
        self.put(row, &HeldBack { persona, messages });
        self.memory
            .timers
            .set_if_unset(Timer::HeldBack, self.now.mono_ms + LOOK_MS);
        true
    }

    /// `Command::ShowHeldBack`.
    pub(crate) fn on_show_held_back(
        &mut self,
        persona: u16,
        number: u32,
        message: Option<MessageAt>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut loaded) = self.thread_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let wanted = match message {
            None => None,
            Some(at) => match self.arrival_of(&loaded, at)? {
                Some(arrival) => Some(arrival),
                None => {
                    self.put_thread(loaded);
                    return Ok(Err(Refusal::NoSuchMessage));
                }
            },
        };
        let mut shown = 0;
        for (row_key, arrival) in self.held_back_in(number)? {
            if wanted.is_none_or(|wanted| wanted == arrival) {
                self.delete(row_key);
                shown += self.show_arrival(&mut loaded, arrival)?;
            }
        }
        loaded.thread.unread = self.count_unread(&loaded)?;
        self.put_thread(loaded);
        Ok(if shown == 0 && wanted.is_some() {
            Err(Refusal::NoSuchMessage)
        } else {
            Ok(Answer::Done)
        })
    }

    fn arrival_of(&self, loaded: &Loaded, at: MessageAt) -> Result<Option<u64>, EngineError> {
        let authors = &loaded.thread.authors;
        let author = authors.iter().position(|author| author.device == at.author);
        let Some(author) = author.and_then(|author| u16::try_from(author).ok()) else {
            return Ok(None);
        };
        let found = self.batch_at(loaded.number, author, at.lane, at.sequence)?;
        Ok(found.map(|(_, entry)| entry.arrival))
    }

    /// What is held back in one thread: the row, and the arrival it is about.
    pub(crate) fn held_back_in(&self, thread: u32) -> Result<Vec<(Vec<u8>, u64)>, EngineError> {
        let rows = self.scan(Scan::all(Key::of(key::HELD_BACK)))?;
        let of_thread = |row_key: &Vec<u8>| u32_at(row_key, 9) == Some(thread);
        Ok(rows
            .into_iter()
            .filter(|(row_key, _)| of_thread(row_key))
            .filter_map(|(row_key, _)| u64_at(&row_key, 13).map(|arrival| (row_key, arrival)))
            .collect())
    }

    /// Puts one arrival into the history; how many messages that shows.
    fn show_arrival(&mut self, loaded: &mut Loaded, arrival: u64) -> Result<u64, EngineError> {
        let mut shown = 0;
        for (number, part) in self.parts(loaded.number, arrival)? {
            let messages = for_user(&part);
            let to = (part.from + part.items.len() as u64).saturating_sub(1);
            let author = loaded.thread.authors.get(usize::from(part.author));
            if let Some(author) = author.filter(|_| messages > 0) {
                self.event(Event::HeldBackShown {
                    persona: loaded.thread.persona,
                    thread: loaded.number,
                    author: author.device,
                    lane: part.lane,
                    from: part.from,
                    to,
                });
            }
            shown += messages;
            let part = RunPart {
                held_back: false,
                ..part
            };
            let scope = loaded.scope_of_part(&part);
            self.put_said(run_key(loaded.number, arrival).u16(number), &part, scope)?;
        }
        loaded.thread.held_back = loaded.thread.held_back.saturating_sub(shown);
        loaded.dirty = true;
        Ok(shown)
    }

    /// What was kept long enough goes. Its entry by sequence stays: places of later messages are computed from it.
    pub(crate) fn on_held_back_due(&mut self) -> Result<(), EngineError> {
        let rows = self.scan(Scan::all(Key::of(key::HELD_BACK)).limited(ROWS_PER_STEP))?;
        let full = rows.len() == ROWS_PER_STEP;
        let mut pause = full.then_some(0);
        for (row_key, row) in rows {
            let place = (
                u64_at(&row_key, 1),
                u32_at(&row_key, 9),
                u64_at(&row_key, 13),
            );
            let (Some(ends_ms), Some(thread), Some(arrival)) = place else {
                continue;
            };
            if ends_ms > self.now.wall_ms {
                pause = Some(ends_ms - self.now.wall_ms);
                break;
            }
            let held: HeldBack = read_row(&row_key, &row)?;
            self.delete(row_key);
            self.end_arrival(thread, arrival, held.messages)?;
        }
        if let Some(pause) = pause {
            let due = self.now.mono_ms + pause.clamp(20, LOOK_MS);
            self.memory.timers.set(Timer::HeldBack, due);
        }
        Ok(())
    }

    fn end_arrival(&mut self, thread: u32, arrival: u64, messages: u64) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        self.remove_arrival(&loaded, arrival)?;
        loaded.thread.held_back = loaded.thread.held_back.saturating_sub(messages);
        loaded.dirty = true;
        self.put_thread(loaded);
        Ok(())
    }

    /// A thread's messages are being deleted: what was held back goes with them.
    pub(crate) fn forget_held_back(&mut self, loaded: &mut Loaded) -> Result<(), EngineError> {
        for (row_key, _) in self.held_back_in(loaded.number)? {
            self.delete(row_key);
        }
        loaded.thread.held_back = 0;
        loaded.dirty = true;
        Ok(())
    }
}

/// Messages whose content is not kept: that they were there stays.
pub(crate) fn without_content(batch: &Batch) -> Vec<Message> {
    let empty = |_: &Message| Message {
        kind: 0,
        body: Vec::new(),
    };
    batch.messages.iter().map(empty).collect()
}

/// Messages of a row that the user may see.
fn for_user(part: &RunPart) -> u64 {
    part.items.iter().filter(|item| !item.silent).count() as u64
}

/// Whether something is held back: a promotion without leave, or what came through the box of the other lane.
pub(crate) fn is_held_back(lane: Lane, allowed: bool, box_lane: Option<Lane>) -> bool {
    (lane == Lane::Promotion && !allowed) || box_lane.is_some_and(|box_lane| box_lane != lane)
}
