// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver's queue: everything that happens to the node stands here in one line.

use std::thread;

use comptoir_engine::{Answer, Command, Idempotency, Input, Refusal};
use comptoir_store::{KvError, StoreError};
use tokio::sync::{mpsc, oneshot};

use super::waiting::StopAtEnd;

/// Jobs that may wait. Full: whoever adds one waits, so a fast peer or program is slowed and nothing is dropped.
/// 4,096 frames of at most 64 KiB are bounded again by the network's own 256 waiting events.
pub(crate) const QUEUE_JOBS_MAX: usize = 4_096;

/// One thing for the driver.
pub(crate) enum Job {
    /// Something happened.
    Input(Input),
    /// Somebody asks for something and waits.
    Command {
        /// Whose account.
        persona: u16,
        /// What.
        command: Command,
        /// The caller's key, where it gave one.
        idempotency: Option<Idempotency>,
        /// Who waits; gets the answer after the commit.
        waiting: oneshot::Sender<Result<Answer, CommandError>>,
    },
    /// The store could not commit a step of this generation.
    CommitFailed {
        /// Which life of the engine it was of.
        generation: u64,
        /// Why, for the log.
        reason: String,
    },
    /// Finish, close the store, say so.
    Stop(oneshot::Sender<()>),
}

/// Why a command has no answer. It had no effect, except where said.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError {
    /// A rule refuses it. Not retryable as it is.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk is full. Retryable when there is room.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// The store takes no writes now. Retryable when `doctor` finds the store well.
    #[error("the store takes no writes now; `comptoir doctor` says why")]
    ReadOnly,
    /// The commit failed; whether it reached the disk is not known. Repeat it under the same idempotency key.
    #[error("the commit failed: {0}")]
    CommitFailed(String),
    /// The engine met a fault of its own. Nothing changed.
    #[error("{0}")]
    Failed(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// Why a full disk takes no more, without saying again that it is full; `None` for any other error.
pub(crate) fn no_room(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Kv(KvError::Full {
            free_bytes,
            needed_bytes,
        }) => Some(format!(
            "{free_bytes} bytes are free and {needed_bytes} must stay so; free some space"
        )),
        _ => None,
    }
}

impl From<&StoreError> for CommandError {
    fn from(error: &StoreError) -> Self {
        match (no_room(error), error) {
            (Some(room), _) => Self::DiskFull(room),
            // Refused before any of it was handed to the disk.
            (None, StoreError::Stopped(_)) => Self::ReadOnly,
            (None, error) => Self::CommitFailed(error.to_string()),
        }
    }
}

/// The way to the driver. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DriverHandle {
    jobs: mpsc::Sender<Job>,
}

impl DriverHandle {
    /// A queue and its two ends.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS_MAX);
        (Self { jobs }, waiting)
    }

    /// Adds an input; waits while the queue is full. False once the driver is gone.
    pub(crate) async fn input(&self, input: Input) -> bool {
        self.jobs.send(Job::Input(input)).await.is_ok()
    }

    /// Asks and waits for the answer, which comes after the commit. Dropping the future does not take the command back.
    pub(crate) async fn ask(
        &self,
        persona: u16,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, CommandError> {
        let (waiting, answer) = oneshot::channel();
        let job = Job::Command {
            persona,
            command,
            idempotency,
            waiting,
        };
        self.jobs
            .send(job)
            .await
            .map_err(|_| CommandError::Stopping)?;
        answer.await.map_err(|_| CommandError::Stopping)?
    }

    /// Says from any thread that a commit failed.
    pub(crate) fn commit_failed(&self, generation: u64, reason: String) {
        self.add(Job::CommitFailed { generation, reason });
    }

    /// Stops the driver when the runtime around it ends: nobody could reach it any more, and it would keep the folder.
    /// The future ends with the driver.
    pub(crate) async fn end_with_runtime(self) {
        let driver = self.jobs.clone();
        let _dropped_with_its_task = StopAtEnd(self);
        driver.closed().await;
    }

    pub(super) fn add(&self, job: Job) {
        if let Err(mpsc::error::TrySendError::Full(job)) = self.jobs.try_send(job) {
            // The queue is full of inputs that wait for this very driver, which is not blocked on us.
            let jobs = self.jobs.clone();
            thread::spawn(move || jobs.blocking_send(job).is_ok());
        }
    }

    /// Asks the driver to finish and waits until the store is closed.
    pub(crate) async fn stop(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}
