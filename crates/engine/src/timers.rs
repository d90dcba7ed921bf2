// SPDX-License-Identifier: MIT OR Apache-2.0
//! The timers: what is due when, in monotonic time. Each follows from rows, so none is kept.

use crate::journaled::Journaled;

/// What a timer is for; one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The direct way to this contact took too long: use the relays too.
    Direct { contact: u32 },
    /// Dial this contact again.
    Dial { contact: u32 },
    /// Try this contact's outbox again.
    Outbox { contact: u32 },
    /// Say hello to this contact again.
    Ask { contact: u32 },
    /// Go on with the puzzles of this contact's doors.
    Puzzle { contact: u32 },
    /// Tell this thread's other side what we have.
    Acknowledge { thread: u32 },
    /// Envelopes of this thread waited long enough for the ones before them.
    Order { thread: u32 },
    /// Write this thread's receive ratchet.
    Ratchet { thread: u32 },
    /// Call this relay again: subscribe, fetch, boot.
    Relay { relay: u32 },
    /// Go on with this box.
    OwnBox { own_box: u32 },
    /// Put this invite's blob at a relay.
    Blob { invite: u32 },
    /// Look at dates: cards, capabilities, invites, kept answers, old events.
    Sweep,
    /// Go on deleting messages.
    Delete,
    /// Go on reading kept bodies again.
    Reread,
    /// End what was held back long enough.
    HeldBack,
    /// End messages whose time is over.
    Ending,
}

/// All timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Journaled<Timer, u64>,
    order: Journaled<(u64, Timer), ()>,
}

impl Timers {
    /// Sets a timer, in place of the one there may be.
    pub(crate) fn set(&mut self, timer: Timer, due_ms: u64) {
        if let Some(old) = self.due.insert(timer, due_ms) {
            self.order.remove(&(old, timer));
        }
        self.order.insert((due_ms, timer), ());
    }

    /// Sets a timer unless it is due earlier already.
    pub(crate) fn set_earlier(&mut self, timer: Timer, due_ms: u64) {
        if self.due.get(&timer).is_none_or(|old| *old > due_ms) {
            self.set(timer, due_ms);
        }
    }

    /// Sets a timer unless it is set.
    pub(crate) fn set_if_unset(&mut self, timer: Timer, due_ms: u64) {
        if !self.due.contains(&timer) {
            self.set(timer, due_ms);
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due.contains(&timer)
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(due) = self.due.remove(&timer) {
            self.order.remove(&(due, timer));
        }
    }

    /// Takes the first timer that is due.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<Timer> {
        let (&(due, timer), ()) = self.order.first()?;
        if due > now_ms {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }

    /// When the first timer is due.
    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.order.first().map(|(&(due, _), ())| due)
    }

    pub(crate) fn keep(&mut self) {
        self.due.keep();
        self.order.keep();
    }

    pub(crate) fn undo(&mut self) {
        self.due.undo();
        self.order.undo();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.due.memory_bytes(|_| 0) + self.order.memory_bytes(|()| 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_due_comes_first_and_each_only_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Sweep, 30);
        timers.set(Timer::Outbox { contact: 1 }, 20);
        timers.set(Timer::Outbox { contact: 1 }, 40);
        timers.set_earlier(Timer::Sweep, 35);
        assert_eq!(timers.first_ms(), Some(30));
        assert_eq!(timers.take_due(29), None);
        assert_eq!(timers.take_due(50), Some(Timer::Sweep));
        assert_eq!(timers.take_due(50), Some(Timer::Outbox { contact: 1 }));
        assert_eq!(timers.take_due(50), None);
    }
}
