// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules: one request in, one step out. No disk, no clock, no randomness of their own.

mod answers;
mod blobs;
mod boot;
mod boxes;
mod call;
mod capabilities;
mod creation;
mod deposits;
mod expiry;
mod fetch;
mod front_door;
mod guests;
mod incoming;
mod items;
mod key_packages;
mod keys;
mod quotas;
mod readers;
pub(crate) mod record;
mod tickets;
pub(crate) mod view;

use comptoir_protocol::frame::RelayAnswer;
use comptoir_protocol::id::Rid;
use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use self::call::{Call, Stop};
use self::view::Draft;
use crate::config::DiskLevel;
use crate::{Config, MailboxError};

pub use self::call::News;
pub use self::incoming::Incoming;
pub(crate) use self::incoming::{malformed, may_lead_somewhere};
pub use self::tickets::{TicketTerms, issue_ticket};
pub use self::view::{Changes, Row, View};

/// What one request came to.
#[must_use = "make the writes durable before anybody hears the answer"]
#[derive(Debug)]
pub struct Step {
    /// What changes. Commit it whole before the answer leaves.
    pub writes: Changes,
    /// What the asker is told, now or later.
    pub outcome: Outcome,
    /// Boxes that got something: for the streams that subscribed to them and the fetches that wait for them.
    pub pushes: Vec<News>,
}

/// What the asker is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This.
    Answer(RelayAnswer),
    /// This, and from now on the stream is told of news in these boxes, too.
    Subscribed(Vec<Rid>, RelayAnswer),
    /// Nothing yet: ask again with [`Incoming::without_wait`] when the box has news, or when the time is up.
    Waiting {
        /// The box.
        rid: Rid,
        /// The end of the wait, on the clock of [`Time::mono_ms`].
        until_mono_ms: u64,
    },
}

/// The rules of one relay.
#[derive(Debug)]
pub struct Rules {
    config: Config,
}

impl Rules {
    /// The rules under this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says where the relay can be reached, for INFO.
    pub fn set_addresses(&mut self, addresses: Vec<String>) {
        self.config.addresses = addresses;
    }

    /// Decides one request. `Err`: nothing may be written or answered. A refusal is an answer and writes nothing.
    pub fn handle(
        &self,
        incoming: &Incoming,
        now: Time,
        disk: DiskLevel,
        rng: &mut impl CryptoRng,
        view: &dyn View,
    ) -> Result<Step, MailboxError> {
        let mut call = self.call(now, disk, view);
        call.signer = incoming.signer();
        let answered = answers::dispatch(&mut call, incoming.request(), now, rng);
        let (outcome, kept) = match answered {
            Ok(outcome) => (outcome, true),
            Err(Stop::Duplicate) => (Outcome::Answer(RelayAnswer::Duplicate), false),
            Err(Stop::Refused(refusal)) => (Outcome::Answer(refusal.into_answer()), false),
            Err(Stop::RefusedButKept(refusal)) => (Outcome::Answer(refusal.into_answer()), true),
            Err(Stop::Fault(error)) => return Err(error),
        };
        let (writes, pushes) = if kept {
            (call.draft.into_changes(), call.news)
        } else {
            Default::default()
        };
        Ok(Step {
            writes,
            outcome,
            pushes,
        })
    }

    /// Visits some boxes from number `from` on and notes which are due. `next` is `None` after the last box.
    pub fn look(&self, from: u64, now: Time, view: &dyn View) -> Result<Look, MailboxError> {
        let mut call = self.call(now, DiskLevel::Roomy, view);
        let next = expiry::look(&mut call, from).map_err(Stop::into_fault)?;
        Ok(Look {
            writes: call.draft.into_changes(),
            next,
        })
    }

    /// Removes a page of what has ended. No writes: nothing is left to do.
    pub fn sweep(&self, now: Time, view: &dyn View) -> Result<Changes, MailboxError> {
        let mut call = self.call(now, DiskLevel::Roomy, view);
        expiry::walk(&mut call).map_err(Stop::into_fault)?;
        Ok(call.draft.into_changes())
    }

    fn call<'a>(&'a self, now: Time, disk: DiskLevel, view: &'a dyn View) -> Call<'a> {
        Call {
            config: &self.config,
            draft: Draft::new(view),
            now_ms: now.wall_ms,
            signer: None,
            disk,
            news: Vec::new(),
        }
    }
}

/// What a look over the boxes came to.
#[must_use = "commit the writes and go on from `next`"]
#[derive(Debug)]
pub struct Look {
    /// What changes.
    pub writes: Changes,
    /// Where the next look starts.
    pub next: Option<u64>,
}

impl Stop {
    /// For the relay's own work, which nobody refuses: a refusal there means rows that do not fit together.
    fn into_fault(self) -> MailboxError {
        match self {
            Self::Fault(error) => error,
            Self::Refused(_) | Self::RefusedButKept(_) | Self::Duplicate => {
                MailboxError::Corrupt { record: "box" }
            }
        }
    }
}
