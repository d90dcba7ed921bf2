// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer: two threads between a relay's streams and its disk.
//!
//! The first owns the boxes: it drains what waits and decides it, each request over the changes of those before it. The
//! second makes durable what the first has decided, one commit for all of it, and then answers. While one batch is on
//! its way to the disk the next is decided over it; if its commit fails, both are void and nobody hears of either.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SendError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;

use comptoir_kv::{Kv, KvError};
use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use super::{Done, KvMailbox, Preview, commit, failed};
use crate::MailboxError;
use crate::rules::{Changes, Incoming};

/// Requests that wait for the writer: at 64 KiB a frame never more than 256 MiB, in practice some MiB. Full: the next one is refused with
/// [`MailboxError::Busy`], and nothing that was taken is dropped.
pub const QUEUE_REQUESTS_MAX: usize = 4_096;

/// Rows of one commit. A deposit has four; beyond some thousands a batch only makes its first request wait.
/// Small in tests, so that they meet a full batch.
const BATCH_ROWS_MAX: usize = if cfg!(test) { 64 } else { 16_384 };

/// Hears what a request came to: after its commit, on a thread of the writer, in the order of the requests. Must not
/// block; send it on.
pub type Callback = Box<dyn FnOnce(Result<Done, MailboxError>) + Send>;

/// Hears whether the relay's own work goes on.
type SweepCallback = Box<dyn FnOnce(Result<bool, MailboxError>) + Send>;

enum Job {
    Request(Box<Incoming>, Time, Callback),
    Sweep(Time, SweepCallback),
    Addresses(Vec<String>),
    /// A commit has ended: there may be room to start the next.
    Wake,
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
        let committer = Committer::start(Arc::clone(&mailbox.kv), queue.clone())?;
        let thread = spawn("comptoir-mailbox", move || {
            run(mailbox, rng, &jobs, committer)
        })?;
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

/// What the second thread is given: changes to make durable, and who waits for them.
struct Batch {
    changes: Arc<Changes>,
    owed: Vec<Owed>,
}

/// The first thread's side of the second.
struct Committer {
    batches: SyncSender<Batch>,
    outcomes: Receiver<Result<(), KvError>>,
    under_way: bool,
    thread: JoinHandle<()>,
}

fn run(
    mut mailbox: KvMailbox,
    mut rng: impl CryptoRng,
    jobs: &Receiver<Job>,
    mut committer: Committer,
) {
    let (mut owed, mut open) = (Vec::new(), true);
    while open {
        let is_full = mailbox.pending_rows() >= BATCH_ROWS_MAX;
        // Full: what waits stays in the queue until the commit under way has ended.
        if !(is_full && committer.under_way) {
            let Ok(job) = jobs.recv() else { break };
            open = take(&mut mailbox, &mut rng, job, &mut owed);
        }
        while open && mailbox.pending_rows() < BATCH_ROWS_MAX {
            match jobs.try_recv() {
                Ok(job) => open = take(&mut mailbox, &mut rng, job, &mut owed),
                Err(_) => break,
            }
        }
        let must_wait = !open || mailbox.pending_rows() >= BATCH_ROWS_MAX;
        committer.end(&mut mailbox, &mut owed, must_wait);
        committer.begin(&mut mailbox, &mut owed);
    }
    committer.end(&mut mailbox, &mut owed, true);
    committer.close();
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
        Job::Wake => {}
        Job::Close => return false,
    }
    true
}

impl Committer {
    /// Starts the second thread. It wakes the first through the queue it waits on.
    fn start(kv: Arc<dyn Kv>, wake: SyncSender<Job>) -> Result<Self, MailboxError> {
        let (batches, taken) = sync_channel(1);
        let (ended, outcomes) = sync_channel(1);
        let thread = spawn("comptoir-commit", move || {
            make_durable(kv.as_ref(), &taken, &ended, &wake);
        })?;
        Ok(Self {
            batches,
            outcomes,
            under_way: false,
            thread,
        })
    }

    /// Waits until the last answers are given.
    fn close(self) {
        drop(self.batches);
        let _panicked = self.thread.join().is_err();
    }

    /// Hands over what is owed, unless a commit is under way.
    fn begin(&mut self, mailbox: &mut KvMailbox, owed: &mut Vec<Owed>) {
        if self.under_way || owed.is_empty() {
            return;
        }
        let changes = mailbox.begin_commit();
        let owed = std::mem::take(owed);
        self.under_way = true;
        if let Err(SendError(batch)) = self.batches.send(Batch { changes, owed }) {
            answer(batch.owed, Some("the committing thread has ended"));
        }
    }

    /// Learns the end of the commit under way, if there is one and it has ended or `must_wait`.
    fn end(&mut self, mailbox: &mut KvMailbox, owed: &mut Vec<Owed>, must_wait: bool) {
        if !self.under_way {
            return;
        }
        let outcome = if must_wait {
            self.outcomes.recv().ok()
        } else {
            match self.outcomes.try_recv() {
                Ok(outcome) => Some(outcome),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => None,
            }
        };
        self.under_way = false;
        let ended = Err(KvError::Poisoned("the committing thread has ended".into()));
        if let Err(error) = mailbox.end_commit(outcome.unwrap_or(ended)) {
            answer(std::mem::take(owed), Some(&error.to_string()));
        }
    }
}

/// The second thread: commits, and only then answers. What was refused in the same batch read rows that are durable now
/// as well.
fn make_durable(
    kv: &dyn Kv,
    batches: &Receiver<Batch>,
    ended: &SyncSender<Result<(), KvError>>,
    wake: &SyncSender<Job>,
) {
    while let Ok(Batch { changes, owed }) = batches.recv() {
        let outcome = commit(kv, &changes);
        drop(changes);
        let reason = outcome
            .as_ref()
            .err()
            .map(|error| failed(error).to_string());
        // The first thread goes on deciding while these are answered. One thread answers everything, in order: a fetch
        // that begins to wait is noted before it could miss the news of a later deposit.
        let _gone = ended.send(outcome).is_err();
        // A full queue needs no waking.
        let _awake = wake.try_send(Job::Wake).is_err();
        answer(owed, reason.as_deref());
    }
}

fn answer(owed: Vec<Owed>, reason: Option<&str>) {
    let failed = |reason: &str| MailboxError::CommitFailed {
        reason: reason.to_owned(),
    };
    for owed in owed {
        match (owed, reason) {
            (Owed::Request(done, callback), None) => callback(Ok(done)),
            (Owed::Sweep(more, callback), None) => callback(Ok(more)),
            (Owed::Request(_, callback), Some(reason)) => callback(Err(failed(reason))),
            (Owed::Sweep(_, callback), Some(reason)) => callback(Err(failed(reason))),
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, MailboxError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(|_| MailboxError::Stopped)
}
