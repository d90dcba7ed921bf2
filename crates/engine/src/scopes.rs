// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scopes: which of a thread's rows are erased together, and when their keys are destroyed.
//!
//! Rows that hold what was said lie under a scope, and nothing else does. Those that stay lie in one scope; deleting the
//! thread's messages begins the next. Those that end lie by the week in which they end, so that the key of a week goes
//! within seven days of every message under it.

use crate::outbox::state_key;
use crate::rows::ending::Leaving;
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::thread::{OutboxState, RunPart};
use crate::seam::error::EngineError;
use crate::seam::step::{Scope, Scopes};
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Rows that move in one step: with 64 KiB each, 2 MiB.
const MOVED_PER_STEP: usize = 32;
/// Weeks that end in one step, each of one thread.
const PERIODS_PER_STEP: usize = 128;

impl Scope {
    /// The scope of the same thread for rows that end then, or do not.
    fn until(self, ends_ms: Option<u64>) -> Self {
        let week = |ends_ms: u64| u32::try_from(ends_ms / WEEK_MS).unwrap_or(u32::MAX);
        Scope {
            period: ends_ms.map_or(0, |ends_ms| week(ends_ms).saturating_add(1)),
            ..self
        }
    }

    /// When its week is over.
    fn over_ms(period: u32) -> u64 {
        u64::from(period) * WEEK_MS
    }
}

impl Loaded {
    /// The scope of what is said here, and ends then, or does not.
    pub(crate) fn scope(&self, ends_ms: Option<u64>) -> Scope {
        let lasting = Scope {
            thread: self.number,
            generation: self.thread.generation.unwrap_or(0),
            period: 0,
        };
        lasting.until(ends_ms)
    }

    /// The scope of a row of messages: all that share one end in the same week.
    pub(crate) fn scope_of_part(&self, part: &RunPart) -> Scope {
        self.scope(part.items.first().and_then(|item| item.ends_ms))
    }

    /// The scope of an envelope's body.
    pub(crate) fn scope_of_envelope(&self, state: &OutboxState) -> Scope {
        let scope = self.scope(state.ends_ms);
        let period = state.period.unwrap_or(scope.period);
        Scope { period, ..scope }
    }
}

impl Turn<'_> {
    /// Notes that a scope is to be destroyed when its week is over.
    pub(crate) fn note_period(&mut self, scope: Scope) -> Result<(), EngineError> {
        if scope.period == 0 {
            return Ok(());
        }
        let row: Vec<u8> = period_key(scope).into();
        if self.get(&row)?.is_none() {
            self.put_bytes(row, vec![1]);
            self.memory
                .timers
                .set_if_unset(Timer::Ending, self.now.mono_ms + crate::ending::LOOK_MS);
        }
        Ok(())
    }

    /// Destroys the keys of weeks that are over; when the next one is.
    pub(crate) fn end_periods(&mut self, clock_ms: u64) -> Result<Option<u64>, EngineError> {
        let rows = self.scan(Scan::all(Key::of(key::PERIOD)).limited(PERIODS_PER_STEP))?;
        let full = rows.len() == PERIODS_PER_STEP;
        for (row_key, _) in rows {
            let numbers = (
                u32_at(&row_key, 1),
                u32_at(&row_key, 5),
                u32_at(&row_key, 9),
            );
            let (Some(period), Some(thread), Some(generation)) = numbers else {
                continue;
            };
            if Scope::over_ms(period) > clock_ms {
                return Ok(Some(Scope::over_ms(period)));
            }
            let scope = Scope {
                thread,
                generation,
                period,
            };
            self.keep_owed(scope, clock_ms)?;
            self.delete(row_key);
            self.destroy(Scopes::One(scope));
        }
        Ok(full.then_some(clock_ms))
    }

    /// Envelopes that lie in a week which is over, and are still owed, move to the next.
    fn keep_owed(&mut self, scope: Scope, clock_ms: u64) -> Result<(), EngineError> {
        let loaded = self.take_thread(scope.thread)?;
        if loaded.thread.outbox_count > 0 && loaded.scope(None).generation == scope.generation {
            for (envelope, state) in self.outbox_states(scope.thread, 0, usize::MAX)? {
                if state.period == Some(scope.period) {
                    let ends_ms = clock_ms.saturating_add(WEEK_MS);
                    self.move_envelope(&loaded, envelope, state, ends_ms)?;
                }
            }
        }
        self.put_thread(loaded);
        Ok(())
    }

    fn move_envelope(
        &mut self,
        loaded: &Loaded,
        envelope: u64,
        mut state: OutboxState,
        ends_ms: u64,
    ) -> Result<(), EngineError> {
        let row: Vec<u8> = Key::of(key::OUTBOX_BODY)
            .u32(loaded.number)
            .u64(envelope)
            .into();
        let Some(body) = self.get(&row)? else {
            return Ok(());
        };
        if state.ends_ms.is_none() {
            state.period = Some(loaded.scope(Some(ends_ms)).period);
            self.put(state_key(loaded.number, envelope), &state);
        }
        self.put_said_bytes(row, body, loaded.scope_of_envelope(&state))
    }

    /// The next generation of a thread begins: what is said from now on lies under new keys.
    pub(crate) fn begin_generation(&mut self, loaded: &mut Loaded) {
        let generation = loaded.thread.generation.unwrap_or(0);
        loaded.thread.generation = Some(generation.saturating_add(1));
        loaded.dirty = true;
        let leaving = Leaving {
            moved: None,
            envelopes: loaded.thread.envelope_next,
        };
        self.put(Key::of(key::LEAVING).u32(loaded.number), &leaving);
    }

    /// Goes on where messages were deleted: what is still owed, or waits for its message, moves under the new keys, then
    /// the old ones are destroyed.
    pub(crate) fn on_leaving_due(&mut self) -> Result<(), EngineError> {
        let first = self.scan(Scan::all(Key::of(key::LEAVING)).limited(1))?;
        let Some((row_key, row)) = first.into_iter().next() else {
            return Ok(());
        };
        let Some(number) = u32_at(&row_key, 1) else {
            return Ok(());
        };
        let mut leaving: Leaving = read_row(&row_key, &row)?;
        let loaded = self.take_thread(number)?;
        if self.move_on(&loaded, &mut leaving)? {
            self.put(row_key, &leaving);
        } else {
            let generation = loaded.scope(None).generation;
            self.delete(row_key);
            self.destroy(Scopes::Before {
                thread: number,
                generation,
            });
        }
        self.put_thread(loaded);
        self.memory.timers.set(Timer::Delete, self.now.mono_ms + 20);
        Ok(())
    }

    /// Moves the next rows; false when there are none.
    fn move_on(&mut self, loaded: &Loaded, leaving: &mut Leaving) -> Result<bool, EngineError> {
        // An envelope of before the deletion is owed for as long as any other, and its key goes after that.
        let owed_until_ms = self
            .ending_clock_ms()
            .saturating_add(self.config.give_up_ms);
        for space in [key::OUTBOX_BODY, key::AMEND] {
            let mut range = Scan::all(Key::of(space).u32(loaded.number)).limited(MOVED_PER_STEP);
            match &leaving.moved {
                Some(moved) if moved.first() > Some(&space) => continue,
                Some(moved) if moved.first() == Some(&space) => {
                    range = range.starting_at([&moved[..], &[0]].concat());
                }
                _ => {}
            }
            let rows = self.scan(range)?;
            let Some((last, _)) = rows.last() else {
                continue;
            };
            leaving.moved = Some(last.clone());
            for (row_key, row) in rows {
                if space == key::AMEND {
                    let amend: crate::rows::thread::Amend = read_row(&row_key, &row)?;
                    self.put_said_bytes(row_key, row, loaded.scope(amend.ends_ms))?;
                } else if let Some(envelope) =
                    u64_at(&row_key, 5).filter(|envelope| *envelope < leaving.envelopes)
                {
                    let state = self.require(state_key(loaded.number, envelope))?;
                    self.move_envelope(loaded, envelope, state, owed_until_ms)?;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }
}

fn period_key(scope: Scope) -> Key {
    Key::of(key::PERIOD)
        .u32(scope.period)
        .u32(scope.thread)
        .u32(scope.generation)
}
