// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend on kv: many requests, one durable commit, then the answers.
//!
//! [`KvMailbox`] is synchronous: the simulator calls [`KvMailbox::handle_now`], one commit a request. A relay hands it to
//! a [`MailboxWriter`], which takes whatever requests wait, runs the rules over the changes of those before them, and
//! commits once for all while it decides the next.

mod overlay;
mod preview;
mod writer;

use std::sync::Arc;

use comptoir_kv::{Kv, KvError};
use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use self::overlay::{Committed, Overlay};
pub use self::preview::Preview;
pub use self::writer::{Callback, MailboxWriter, QUEUE_REQUESTS_MAX};
use crate::config::{DiskLevel, LOOK_PAUSE_MS};
use crate::rules::{Changes, Incoming, News, Outcome, Rules};
use crate::{Config, MailboxError};

/// Commits between two looks at how much disk the store takes.
const COMMITS_PER_DISK_CHECK: u32 = 64;

/// What a durable request came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// The request's number.
    pub request_id: u64,
    /// What to answer.
    pub outcome: Outcome,
    /// Whom to tell of news.
    pub pushes: Vec<News>,
}

/// A relay's boxes in a store.
pub struct KvMailbox {
    kv: Arc<dyn Kv>,
    rules: Rules,
    /// Changes of steps that are not yet durable. Later steps see them; nobody outside does.
    pending: Changes,
    /// Changes that a commit under way is making durable, below `pending`.
    committing: Arc<Changes>,
    disk: DiskLevel,
    commits_to_check: u32,
    /// Where the next look over the boxes starts.
    look_from: u64,
    /// When the round over all boxes began that is under way, or was the last.
    round_from_ms: Option<u64>,
    /// A commit failed so that what is on the disk is unknown: nothing more is answered until it is opened again.
    stopped: bool,
}

impl KvMailbox {
    /// Opens the relay's boxes. A store without any is a relay that starts anew.
    pub fn open(kv: Arc<dyn Kv>, config: Config) -> Result<Self, MailboxError> {
        let mut mailbox = Self {
            kv,
            rules: Rules::new(config),
            pending: Changes::new(),
            committing: Arc::default(),
            disk: DiskLevel::Roomy,
            commits_to_check: 0,
            look_from: 0,
            round_from_ms: None,
            stopped: false,
        };
        mailbox.check_disk()?;
        Ok(mailbox)
    }

    /// Decides one request and commits it. Returns once the answer may leave.
    pub fn handle_now(
        &mut self,
        incoming: &Incoming,
        now: Time,
        rng: &mut impl CryptoRng,
    ) -> Result<Done, MailboxError> {
        let done = self.prepare(incoming, now, rng)?;
        self.commit()?;
        Ok(done)
    }

    /// Does one bounded piece of the relay's own work, and says whether there is more to do at once. Call it every few
    /// seconds, and again while it says `true`.
    pub fn sweep_now(&mut self, now: Time) -> Result<bool, MailboxError> {
        let more = self.prepare_sweep(now)?;
        self.commit()?;
        Ok(more)
    }

    /// The cheap refusals, for any thread.
    #[must_use]
    pub fn preview(&self) -> Preview {
        Preview::new(Arc::clone(&self.kv))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.rules.config()
    }

    /// Says where the relay can be reached, for INFO.
    pub fn set_addresses(&mut self, addresses: Vec<String>) {
        self.rules.set_addresses(addresses);
    }

    /// How full the disk is.
    #[must_use]
    pub fn disk(&self) -> DiskLevel {
        self.disk
    }

    /// Decides one request over what is pending. The answer must wait for [`KvMailbox::commit`].
    fn prepare(
        &mut self,
        incoming: &Incoming,
        now: Time,
        rng: &mut impl CryptoRng,
    ) -> Result<Done, MailboxError> {
        self.check_running()?;
        let committed = Committed(self.kv.as_ref());
        let committing = Overlay {
            changes: &self.committing,
            under: &committed,
        };
        let view = Overlay {
            changes: &self.pending,
            under: &committing,
        };
        let step = self.rules.handle(incoming, now, self.disk, rng, &view)?;
        self.pending.extend(step.writes);
        Ok(Done {
            request_id: incoming.request_id(),
            outcome: step.outcome,
            pushes: step.pushes,
        })
    }

    fn prepare_sweep(&mut self, now: Time) -> Result<bool, MailboxError> {
        self.check_running()?;
        if self.disk == DiskLevel::NoDeposits {
            // Nothing else may come to be committed that would find out.
            self.check_disk()?;
        }
        let committed = Committed(self.kv.as_ref());
        let committing = Overlay {
            changes: &self.committing,
            under: &committed,
        };
        let view = Overlay {
            changes: &self.pending,
            under: &committing,
        };
        let swept = self.rules.sweep(now, &view)?;
        if !swept.is_empty() {
            self.pending.extend(swept);
            return Ok(true);
        }
        if self.look_from == 0 {
            if self
                .round_from_ms
                .is_some_and(|from_ms| now.mono_ms.saturating_sub(from_ms) < LOOK_PAUSE_MS)
            {
                return Ok(false);
            }
            self.round_from_ms = Some(now.mono_ms);
        }
        let look = self.rules.look(self.look_from, now, &view)?;
        let found = !look.writes.is_empty();
        self.pending.extend(look.writes);
        self.look_from = look.next.unwrap_or(0);
        Ok(found || look.next.is_some())
    }

    /// Makes everything pending durable. On an error none of it happened, as far as anybody may be told.
    fn commit(&mut self) -> Result<(), MailboxError> {
        let changes = self.begin_commit();
        let outcome = commit(self.kv.as_ref(), &changes);
        self.end_commit(outcome)
    }

    /// Takes what is pending, for a commit that may run on another thread. Only one at a time.
    fn begin_commit(&mut self) -> Arc<Changes> {
        self.committing = Arc::new(std::mem::take(&mut self.pending));
        Arc::clone(&self.committing)
    }

    /// Learns what became of the commit. If it failed, what was decided over its changes is void as well.
    fn end_commit(&mut self, outcome: Result<(), KvError>) -> Result<(), MailboxError> {
        self.committing = Arc::default();
        match outcome {
            Ok(()) => {
                self.on_committed();
                Ok(())
            }
            Err(error) => {
                self.pending.clear();
                Err(self.on_commit_failed(&error))
            }
        }
    }

    fn on_committed(&mut self) {
        match self.commits_to_check.checked_sub(1) {
            Some(left) => self.commits_to_check = left,
            // What is committed stays so, whether or not its weight can be read; the next commit says what is wrong.
            None => self.check_disk().unwrap_or_default(),
        }
    }

    fn on_commit_failed(&mut self, error: &KvError) -> MailboxError {
        if matches!(error, KvError::Full { .. }) {
            self.disk = DiskLevel::NoDeposits;
        } else {
            self.stopped = !error.is_refusal();
        }
        self.commits_to_check = 0;
        failed(error)
    }

    fn check_disk(&mut self) -> Result<(), MailboxError> {
        self.commits_to_check = COMMITS_PER_DISK_CHECK;
        self.disk = match self.kv.room() {
            Err(KvError::Full { .. }) => DiskLevel::NoDeposits,
            Err(error) => return Err(error.into()),
            Ok(()) => {
                let max = self.rules.config().limits.disk_bytes_max;
                DiskLevel::at(self.kv.stats()?.disk_bytes, max)
            }
        };
        Ok(())
    }

    fn check_running(&self) -> Result<(), MailboxError> {
        if self.stopped {
            Err(MailboxError::Stopped)
        } else {
            Ok(())
        }
    }

    fn pending_rows(&self) -> usize {
        self.pending.len()
    }
}

/// One durable commit; nothing to change costs nothing.
fn commit(kv: &dyn Kv, changes: &Changes) -> Result<(), KvError> {
    if changes.is_empty() {
        return Ok(());
    }
    kv.commit(changes)
}

fn failed(error: &KvError) -> MailboxError {
    MailboxError::CommitFailed {
        reason: error.to_string(),
    }
}
