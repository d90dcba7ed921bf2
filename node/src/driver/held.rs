// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back: effects of steps whose commit is still under way, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use comptoir_store::Seq;

use super::effects::{Carriers, Effects};
use super::queue::CommandError;

/// Effects in the order of their steps. At most some thousand: the store's writer lets 32 MiB wait, then the driver does.
///
/// A commit may end, well or not, before the driver has put its effects here, so both sides look: whoever comes second
/// lets them out, with the lock held, so that two steps never change places.
pub(super) struct Held {
    state: Mutex<State>,
}

struct State {
    durable: Seq,
    waiting: VecDeque<(Seq, Effects)>,
    /// Why nothing more becomes durable here; a step that comes to be held after that would wait for ever.
    failed: Option<CommandError>,
}

impl Held {
    /// Nothing waits; everything up to `durable` is on disk.
    pub(super) fn new(durable: Seq) -> Self {
        Self {
            state: Mutex::new(State {
                durable,
                waiting: VecDeque::new(),
                failed: None,
            }),
        }
    }

    /// Holds the effects of a step until it is durable; lets them out if it is already, and refuses them if it never
    /// will be.
    pub(super) fn hold(&self, seq: Seq, effects: Effects, carriers: &Carriers) {
        let mut state = self.lock();
        state.waiting.push_back((seq, effects));
        state.let_out(carriers);
        state.refuse_if_failed(carriers);
    }

    /// Everything up to `seq` is durable now.
    pub(super) fn on_durable(&self, seq: Seq, carriers: &Carriers) {
        let mut state = self.lock();
        state.durable = seq;
        state.let_out(carriers);
    }

    /// Nothing that is held or comes to be held will ever be durable.
    pub(super) fn on_failed(&self, why: CommandError, carriers: &Carriers) {
        let mut state = self.lock();
        state.failed.get_or_insert(why);
        state.refuse_if_failed(carriers);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn let_out(&mut self, carriers: &Carriers) {
        while let Some((seq, _)) = self.waiting.front() {
            if *seq > self.durable {
                return;
            }
            if let Some((_, effects)) = self.waiting.pop_front() {
                carriers.release(effects);
            }
        }
    }

    fn refuse_if_failed(&mut self, carriers: &Carriers) {
        if let Some(why) = &self.failed {
            for (_, effects) in self.waiting.drain(..) {
                carriers.refuse(effects, why);
            }
        }
    }
}

#[cfg(test)]
mod tests;
