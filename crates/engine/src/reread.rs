// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading again: after an upgrade, every body that was kept unread is read, and what it says is done.

use comptoir_protocol::tag::BODY_EDITION;

use crate::amendments::Said;
use crate::bodies::{Meant, Spoken};
use crate::outgoing::run_key;
use crate::rows::account::{Meta, Rereading};
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::thread::{Item, RunPart};
use crate::seam::error::EngineError;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::Turn;

/// Arrivals read again in one step, at most 64 messages each.
const ARRIVALS_PER_STEP: usize = 32;
/// Between two such steps, so that talk goes on in between.
const PAUSE_MS: u64 = 20;

impl Turn<'_> {
    /// Begins to read again when this build reads more than the one before, and goes on where that was interrupted.
    pub(crate) fn begin_reread(&mut self) -> Result<(), EngineError> {
        let mut meta: Meta = self.load(Key::of(key::META))?.unwrap_or_default();
        let (kinds, edition) = (self.config.kinds.known(), Some(BODY_EDITION));
        if (&meta.kinds, meta.edition) != (&kinds, edition) {
            (meta.kinds, meta.edition) = (kinds, edition);
            self.put(Key::of(key::META), &meta);
            self.put(Key::of(key::REREADING), &Rereading::default());
        }
        if self.load::<Rereading>(Key::of(key::REREADING))?.is_some() {
            self.memory.timers.set(Timer::Reread, self.now.mono_ms);
        }
        Ok(())
    }

    /// Reads the next kept bodies again.
    pub(crate) fn on_reread_due(&mut self) -> Result<(), EngineError> {
        let Some(mut done) = self.load::<Rereading>(Key::of(key::REREADING))? else {
            return Ok(());
        };
        let next = Key::of(key::UNKNOWN)
            .u32(done.thread)
            .u64(done.arrival.saturating_add(1));
        let range = Scan::all(Key::of(key::UNKNOWN))
            .starting_at(next)
            .limited(ARRIVALS_PER_STEP);
        let rows = self.scan(range)?;
        let last = rows.len() < ARRIVALS_PER_STEP;
        for (row_key, _) in rows {
            let (Some(thread), Some(arrival)) = (u32_at(&row_key, 1), u64_at(&row_key, 5)) else {
                continue;
            };
            done = Rereading { thread, arrival };
            if !self.reread(thread, arrival)? {
                self.delete(row_key);
            }
        }
        if last {
            self.delete(Key::of(key::REREADING));
            return Ok(());
        }
        self.put(Key::of(key::REREADING), &done);
        let due = self.now.mono_ms + PAUSE_MS;
        self.memory.timers.set(Timer::Reread, due);
        Ok(())
    }

    /// Reads one arrival again; whether something in it is still not known.
    fn reread(&mut self, thread: u32, arrival: u64) -> Result<bool, EngineError> {
        let mut loaded = self.take_thread(thread)?;
        let mut unknown = false;
        for (number, part) in self.parts(thread, arrival)? {
            unknown |= self.reread_part(&mut loaded, arrival, number, part)?;
        }
        self.put_thread(loaded);
        self.after_intake(thread)?;
        Ok(unknown)
    }

    fn reread_part(
        &mut self,
        loaded: &mut Loaded,
        arrival: u64,
        number: u16,
        mut part: RunPart,
    ) -> Result<bool, EngineError> {
        // What is held back is not heard; it is shown by its fallback until then.
        if part.held_back
            || loaded
                .thread
                .authors
                .get(usize::from(part.author))
                .is_none()
        {
            return Ok(part.held_back);
        }
        let (mut unknown, mut silenced, mut amendments) = (false, false, Vec::new());
        for (sequence, item) in (part.from..).zip(&mut part.items) {
            if item.silent || item.kind == 0 {
                continue;
            }
            let spoken = Spoken {
                author: usize::from(part.author),
                lane: part.lane,
                sequence,
            };
            let message = item.message();
            match self.hear(loaded, spoken, &message).0 {
                Meant::ForUser => continue,
                Meant::Unknown => {
                    unknown = true;
                    continue;
                }
                Meant::ForNode => {}
                Meant::Amends(amendment) => amendments.push(amendment),
            }
            *item = Item {
                ends_ms: item.ends_ms,
                ..Item::received(&message, true)
            };
            silenced = true;
        }
        let said = Said {
            author: part.author,
            lane: part.lane,
            height: part.height,
            sent_ms: part.sent_ms,
        };
        let run = (
            part.from,
            (part.from + part.items.len() as u64).saturating_sub(1),
        );
        if silenced {
            let scope = loaded.scope_of_part(&part);
            self.put_said(run_key(loaded.number, arrival).u16(number), &part, scope)?;
            loaded.thread.unread = self.count_unread(loaded)?;
            loaded.dirty = true;
        }
        self.on_amendments(loaded, &said, amendments)?;
        self.apply_waiting(loaded, said.author, said.lane, run)?;
        Ok(unknown)
    }
}
