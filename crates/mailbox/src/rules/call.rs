// SPDX-License-Identifier: MIT OR Apache-2.0
//! The call: one request on its way through the rules, and the two ways it can stop.

use comptoir_protocol::id::{PublicKey, Rid};

use super::record::Record;
use super::view::Draft;
use crate::config::DiskLevel;
use crate::{Config, MailboxError};

/// Why a request ended without its effect. The draft is dropped: nothing changed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The rules say no.
    Refused(Refusal),
    /// The rules say no, and what the call cleaned up on the way is kept.
    RefusedButKept(Refusal),
    /// The deposit was taken before: a success without effect.
    Duplicate,
    /// The store failed or holds what it should not.
    Fault(MailboxError),
}

/// What the rules say no with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not allowed, revoked, or no such thing: never told apart, so that nobody learns which box or capability exists.
    Denied,
    /// A quota of the box is used up.
    Full,
    /// The relay makes no more boxes.
    NoSpace,
    /// No ticket, or one that is used up, past its time or another relay's.
    Ticket,
    /// The capability's rate or hours are over for now.
    Rate { retry_after_ms: u64 },
    /// The request contradicts itself or what is stored; said only to whom the box already answers.
    Invalid(&'static str),
}

impl From<MailboxError> for Stop {
    fn from(error: MailboxError) -> Self {
        Self::Fault(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Something new lies in a box: told to the streams that subscribed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// The box, as its readers name it.
    pub rid: Rid,
    /// The sequence of what came.
    pub sequence: u64,
}

/// One request: what it may read, what it has changed so far, and who proved to have signed it.
pub(crate) struct Call<'a> {
    pub(crate) config: &'a Config,
    pub(crate) draft: Draft<'a>,
    pub(crate) now_ms: u64,
    pub(crate) signer: Option<PublicKey>,
    pub(crate) disk: DiskLevel,
    pub(crate) news: Vec<News>,
}

impl Call<'_> {
    /// Reads a row of a known kind.
    pub(crate) fn load<R: Record>(&self, key: &[u8]) -> Result<Option<R>, MailboxError> {
        self.draft
            .get(key)?
            .map(|row| R::from_row(&row))
            .transpose()
    }

    pub(crate) fn save(&mut self, key: Vec<u8>, record: &impl Record) {
        self.draft.put(key, record.to_row());
    }

    /// The key that signed, or the answer for everybody who may not.
    pub(crate) fn signer(&self) -> Result<PublicKey, Stop> {
        self.signer.ok_or(Stop::Refused(Refusal::Denied))
    }
}
