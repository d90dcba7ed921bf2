// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer: the one thread that commits, in groups.
//!
//! While one group is on its way to disk, what is submitted gathers into the next; so a lone step waits for one commit,
//! and under load hundreds share one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use comptoir_engine::Write;

use crate::{Core, Seq, StoreError};

/// At most 32 MiB wait for the disk, 16 groups. Full: the submitter waits, and so does what feeds it.
const WAITING_BYTES_MAX: usize = 32 << 20;

/// The committing thread of a [`Core`]. Dropping it commits what was submitted and ends the thread.
pub struct Writer {
    core: Arc<Core>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when there is work or an end to it.
    work: Condvar,
    /// Told when a group is done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// Submissions since the thread last looked.
    submitted: bool,
    ending: bool,
    stopped: Option<String>,
}

impl Writer {
    /// Starts the thread. `on_durable` is called from it, in order, once a group: with the number up to which all is
    /// durable now, or with the error after which nothing more will be. After an error the caller opens the store again
    /// and starts a new writer.
    pub fn start(
        core: Arc<Core>,
        on_durable: impl FnMut(Result<Seq, StoreError>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let (its_core, its_shared) = (Arc::clone(&core), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&its_core, &its_shared, on_durable))
            .map_err(StoreError::io("starting the store's writer"))?;
        Ok(Self {
            core,
            shared,
            thread: Some(thread),
        })
    }

    /// Takes the writes of one step. Returns at once, or when there is room again.
    pub fn submit(&self, writes: Vec<Write>) -> Result<Seq, StoreError> {
        let mut state = self.shared.lock();
        while self.core.waiting_bytes() > WAITING_BYTES_MAX && state.stopped.is_none() {
            state = self
                .shared
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let seq = self.core.submit(writes)?;
        state.submitted = true;
        self.shared.work.notify_one();
        Ok(seq)
    }

    /// Returns once everything submitted so far is durable, or will never be.
    pub fn flush(&self) -> Result<(), StoreError> {
        let up_to = self.core.submitted();
        let mut state = self.shared.lock();
        loop {
            if let Some(why) = &state.stopped {
                return Err(StoreError::Stopped(why.clone()));
            }
            if self.core.durable() >= up_to {
                return Ok(());
            }
            state = self
                .shared
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already told through `stopped`.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for submissions; false when there is nothing left to wait for.
    fn wait_for_work(&self) -> bool {
        let mut state = self.lock();
        while !state.submitted && !state.ending {
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.submitted)
    }
}

/// Whether acknowledgements run ahead of the disk: only in the control of the kill loop, built with `broken-ack`.
fn broken_ack() -> bool {
    cfg!(feature = "broken-ack")
        && std::env::var("COMPTOIR_CONTROL").map_or(true, |control| control == "broken-ack")
}

fn run(core: &Core, shared: &Shared, mut on_durable: impl FnMut(Result<Seq, StoreError>)) {
    // However the thread ends, nobody may wait for it any longer.
    let _told = TellStopped(shared);
    while shared.wait_for_work() {
        loop {
            if broken_ack() {
                on_durable(Ok(core.submitted()));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            match core.commit_group() {
                Ok(Some(durable)) => {
                    on_durable(Ok(durable));
                    // Taken and let go, so that nobody looks between its check and its wait.
                    drop(shared.lock());
                    shared.done.notify_all();
                }
                Ok(None) => break,
                Err(error) => {
                    shared.lock().stopped = Some(error.to_string());
                    on_durable(Err(error));
                    return;
                }
            }
        }
    }
}

struct TellStopped<'a>(&'a Shared);

impl Drop for TellStopped<'_> {
    fn drop(&mut self) {
        self.0
            .lock()
            .stopped
            .get_or_insert_with(|| "the writer ended".into());
        self.0.done.notify_all();
    }
}
