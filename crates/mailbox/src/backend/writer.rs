// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer: one thread that owns the boxes, drains what waits, and commits once for all of it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use super::{Done, KvMailbox, Preview};
use crate::MailboxError;
use crate::rules::Incoming;

/// Requests that wait for the writer: at 64 KiB a frame never more than 256 MiB, in practice some MiB. Full: the next one is refused with
/// [`MailboxError::Busy`], and nothing that was taken is dropped.
pub const QUEUE_REQUESTS_MAX: usize = 4_096;

/// Rows of one commit. A deposit has four; beyond some thousands a batch only makes its first request wait.
const BATCH_ROWS_MAX: usize = 16_384;

/// Hears what a request came to: after its commit, on the writer's thread. Must not block; send it on.
pub type Callback = Box<dyn FnOnce(Result<Done, MailboxError>) + Send>;

/// Hears whether the relay's own work goes on.
type SweepCallback = Box<dyn FnOnce(Result<bool, MailboxError>) + Send>;

enum Job {
    Request(Box<Incoming>, Time, Callback),
    Sweep(Time, SweepCallback),
    Addresses(Vec<String>),
    Close,
}

/// An answer that waits for the commit.
enum Owed {
    Request(Done, Callback),
    Sweep(bool, SweepCallback),
}

/// The thread's handle. Shared by reference or in an `Arc`; dropped, the thread ends after what was taken.
pub struct MailboxWriter {
    queue: SyncSender<Job>,
    thread: Option<JoinHandle<()>>,
    preview: Preview,
}

impl MailboxWriter {
    /// Starts the thread.
    pub fn start(
        mailbox: KvMailbox,
        rng: impl CryptoRng + Send + 'static,
    ) -> Result<Self, MailboxError> {
        let (queue, jobs) = sync_channel(QUEUE_REQUESTS_MAX);
        let preview = mailbox.preview();
        let thread = std::thread::Builder::new()
            .name("comptoir-mailbox".to_owned())
            .spawn(move || run(mailbox, rng, &jobs))
            .map_err(|_| MailboxError::Stopped)?;
        Ok(Self {
            queue,
            thread: Some(thread),
            preview,
        })
    }

    /// Takes a request. `done` runs once its commit is durable, or with the reason why nothing happened; a relay that
    /// dies before that has answered nobody. Never blocks.
    pub fn submit(
        &self,
        incoming: Incoming,
        now: Time,
        done: Callback,
    ) -> Result<(), MailboxError> {
        self.send(Job::Request(Box::new(incoming), now, done))
    }

    /// Does one piece of the relay's own work; `done` hears whether there is more to do at once.
    pub fn sweep(
        &self,
        now: Time,
        done: impl FnOnce(Result<bool, MailboxError>) + Send + 'static,
    ) -> Result<(), MailboxError> {
        self.send(Job::Sweep(now, Box::new(done)))
    }

    /// Says where the relay can be reached, for INFO.
    pub fn set_addresses(&self, addresses: Vec<String>) -> Result<(), MailboxError> {
        self.send(Job::Addresses(addresses))
    }

    /// The cheap refusals, for any thread.
    #[must_use]
    pub fn preview(&self) -> &Preview {
        &self.preview
    }

    /// Ends the thread after everything that was taken.
    pub fn close(mut self) {
        self.end();
    }

    fn send(&self, job: Job) -> Result<(), MailboxError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => MailboxError::Busy {
                waiting: QUEUE_REQUESTS_MAX,
            },
            TrySendError::Disconnected(_) => MailboxError::Stopped,
        })
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread drains the queue, so this waits for room at most as long as a commit.
            let _ended_already = self.queue.send(Job::Close).is_err();
            let _panicked = thread.join().is_err();
        }
    }
}

impl Drop for MailboxWriter {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(mut mailbox: KvMailbox, mut rng: impl CryptoRng, jobs: &Receiver<Job>) {
    let mut owed = Vec::new();
    while let Ok(job) = jobs.recv() {
        let mut open = take(&mut mailbox, &mut rng, job, &mut owed);
        while open && mailbox.pending_rows() < BATCH_ROWS_MAX {
            match jobs.try_recv() {
                Ok(job) => open = take(&mut mailbox, &mut rng, job, &mut owed),
                Err(_) => break,
            }
        }
        settle(&mut mailbox, &mut owed);
        if !open {
            return;
        }
    }
}

/// Decides one job over what is pending; `false` once the writer is to end.
fn take(mailbox: &mut KvMailbox, rng: &mut impl CryptoRng, job: Job, owed: &mut Vec<Owed>) -> bool {
    match job {
        Job::Request(incoming, now, callback) => match mailbox.prepare(&incoming, now, rng) {
            Ok(done) => owed.push(Owed::Request(done, callback)),
            Err(error) => callback(Err(error)),
        },
        Job::Sweep(now, callback) => match mailbox.prepare_sweep(now) {
            Ok(more) => owed.push(Owed::Sweep(more, callback)),
            Err(error) => callback(Err(error)),
        },
        Job::Addresses(addresses) => mailbox.set_addresses(addresses),
        Job::Close => return false,
    }
    true
}

/// Commits, and only then answers: what was refused in the same batch read rows that are durable now as well.
fn settle(mailbox: &mut KvMailbox, owed: &mut Vec<Owed>) {
    let reason = match mailbox.commit() {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    let failed = |reason: &String| MailboxError::CommitFailed {
        reason: reason.clone(),
    };
    for owed in owed.drain(..) {
        match (owed, &reason) {
            (Owed::Request(done, callback), None) => callback(Ok(done)),
            (Owed::Sweep(more, callback), None) => callback(Ok(more)),
            (Owed::Request(_, callback), Some(reason)) => callback(Err(failed(reason))),
            (Owed::Sweep(_, callback), Some(reason)) => callback(Err(failed(reason))),
        }
    }
}
