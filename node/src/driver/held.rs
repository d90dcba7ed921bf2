// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back: effects of steps whose commit is still under way, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use comptoir_store::Seq;

use super::effects::{Carriers, Effects};

/// Effects in the order of their steps. At most some thousand: the store's writer lets 32 MiB wait, then the driver does.
///
/// A commit may end before the driver has put its effects here, so both sides look: whoever comes second lets them out,
/// with the lock held, so that two steps never change places.
pub(super) struct Held {
    state: Mutex<State>,
}

struct State {
    durable: Seq,
    waiting: VecDeque<(Seq, Effects)>,
}

impl Held {
    /// Nothing waits; everything up to `durable` is on disk.
    pub(super) fn new(durable: Seq) -> Self {
        Self {
            state: Mutex::new(State {
                durable,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Holds the effects of a step until it is durable, or lets them out if it is already.
    pub(super) fn hold(&self, seq: Seq, effects: Effects, carriers: &Carriers) {
        let mut state = self.lock();
        state.waiting.push_back((seq, effects));
        state.let_out(carriers);
    }

    /// Everything up to `seq` is durable now.
    pub(super) fn on_durable(&self, seq: Seq, carriers: &Carriers) {
        let mut state = self.lock();
        state.durable = seq;
        state.let_out(carriers);
    }

    /// Takes out what will never be durable.
    pub(super) fn give_up(&self) -> Vec<Effects> {
        self.lock()
            .waiting
            .drain(..)
            .map(|(_, effects)| effects)
            .collect()
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
}
