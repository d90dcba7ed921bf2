// SPDX-License-Identifier: MIT OR Apache-2.0
//! The account state: what an account's devices tell one another in the self thread, and how it merges.
//!
//! Each statement is about one subject. The last one by place wins, so two devices that have the same statements have
//! the same state in whatever order they came. For blocks withdrawal wins: an unblock undoes the blocks its author had
//! seen, and no other, so a block made elsewhere at the same time stands.

use std::collections::BTreeMap;

use crate::capability::Capability;
use crate::codec::{DecodeError, at_most};
use crate::header::StatementHeader;
use crate::id::{
    AccountId, CapabilityId, Lane, PublicKey, RelayKey, Rid, Sid, StatementHash, ThreadId,
};
use crate::identity::CardBundle;
use crate::limits::{NAME_BYTES_MAX, SETTING_BYTES_MAX};
use crate::place::Place;
use crate::relay::RelayDescriptor;
use crate::secret::Secret;
use crate::signed::Signable;
use crate::tag::label;
use crate::{wire_choice, wire_map, wire_number};

/// A statement of an account to its own devices. Signed by the device that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatement {
    /// Where, by which device, under which list.
    pub header: StatementHeader,
    /// What changes.
    pub change: AccountChange,
}
wire_map!(AccountStatement { 0 => header, 1 => change }, check = AccountStatement::check);

impl Signable for AccountStatement {
    const LABEL: &'static str = label::ACCOUNT_STATEMENT;
    const VERSION: u16 = 1;
}

/// What a statement changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// A contact as this account keeps it.
    Contact {
        /// Who.
        account: AccountId,
        /// The owner's name for it; none: the contact's own.
        petname: Option<String>,
        /// Whether its safety code was compared, by which keys.
        verified: Option<StatementHash>,
        /// Whether it notifies.
        muted: bool,
        /// Whether it was removed.
        removed: bool,
        /// Its newest card.
        card: Option<Box<CardBundle>>,
    },
    /// A stranger's request and what was decided.
    Request {
        /// Who.
        account: AccountId,
        /// The hello.
        hello: StatementHash,
        /// The decision.
        accepted: bool,
        /// The thread it became.
        thread: Option<ThreadId>,
    },
    /// Nothing of this account is taken.
    Block {
        /// Who.
        account: AccountId,
    },
    /// Undoes the blocks up to `seen`.
    Unblock {
        /// Who.
        account: AccountId,
        /// Place of the newest block its author had seen.
        seen: Place,
    },
    /// A relay of the account.
    Relay {
        /// Which.
        relay: RelayDescriptor,
        /// Whether it is used.
        used: bool,
    },
    /// A box of the account and the keys that rule it.
    OwnBox {
        /// The box.
        record: Box<BoxRecord>,
        /// Whether it is gone.
        deleted: bool,
    },
    /// A capability given to or got from a contact.
    Capability {
        /// The contact.
        contact: AccountId,
        /// Which way.
        direction: GrantDirection,
        /// The capability.
        capability: Box<Capability>,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// How far a thread was read on some device.
    ReadMark {
        /// The thread.
        thread: ThreadId,
        /// Up to this place; marks never go back.
        place: Place,
    },
    /// A thread as this account keeps it.
    Thread {
        /// Which.
        thread: ThreadId,
        /// With whom, in a thread of two.
        contact: Option<AccountId>,
        /// Whether it notifies.
        muted: bool,
        /// Whether it was deleted here.
        deleted: bool,
    },
    /// A setting that all devices share.
    Setting {
        /// Its name.
        name: String,
        /// Its value; none: the default again.
        value: Option<String>,
    },
}
wire_choice!(AccountChange, "account change" {
    0 => Contact { 0 => account, 1 => petname, 2 => verified, 3 => muted, 4 => removed, 5 => card },
    1 => Request { 0 => account, 1 => hello, 2 => accepted, 3 => thread },
    2 => Block { 0 => account },
    3 => Unblock { 0 => account, 1 => seen },
    4 => Relay { 0 => relay, 1 => used },
    5 => OwnBox { 0 => record, 1 => deleted },
    6 => Capability { 0 => contact, 1 => direction, 2 => capability, 3 => revoked },
    7 => ReadMark { 0 => thread, 1 => place },
    8 => Thread { 0 => thread, 1 => contact, 2 => muted, 3 => deleted },
    9 => Setting { 0 => name, 1 => value },
});

/// Which way a capability went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantDirection {
    /// We may write to the contact.
    Received,
    /// The contact may write to us.
    Given,
}
wire_number!(GrantDirection, "grant direction" { 0 => Received, 1 => Given });

/// A box of ours, with the keys that rule it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxRecord {
    /// Its relay.
    pub relay: RelayKey,
    /// Our name for it.
    pub rid: Rid,
    /// The writers' name for it.
    pub sid: Sid,
    /// Its lane.
    pub lane: Lane,
    /// Whose deposits it takes; none for a front door.
    pub contact: Option<AccountId>,
    /// Seed of the key that owns it.
    pub owner: Secret,
    /// The keys that read it.
    pub readers: Vec<PublicKey>,
    /// What deposits are sealed with; none in a front door.
    pub k_box: Option<Secret>,
}
wire_map!(BoxRecord {
    0 => relay, 1 => rid, 2 => sid, 3 => lane, 4 => contact, 5 => owner, 6 => readers, 7 => k_box,
});

/// What a statement is about: among those of one subject the last by place wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A contact.
    Contact(AccountId),
    /// A request, by its hello.
    Request(StatementHash),
    /// Whether an account is blocked.
    Block(AccountId),
    /// A relay.
    Relay(RelayKey),
    /// A box.
    OwnBox(Rid),
    /// A capability.
    Capability(AccountId, GrantDirection, CapabilityId),
    /// A read mark.
    ReadMark(ThreadId),
    /// A thread.
    Thread(ThreadId),
    /// A setting.
    Setting(String),
}

impl AccountChange {
    /// What the change is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Contact { account, .. } => Subject::Contact(*account),
            Self::Request { hello, .. } => Subject::Request(*hello),
            Self::Block { account } | Self::Unblock { account, .. } => Subject::Block(*account),
            Self::Relay { relay, .. } => Subject::Relay(relay.key),
            Self::OwnBox { record, .. } => Subject::OwnBox(record.rid),
            Self::Capability {
                contact,
                direction,
                capability,
                ..
            } => Subject::Capability(*contact, *direction, capability.capability),
            Self::ReadMark { thread, .. } => Subject::ReadMark(*thread),
            Self::Thread { thread, .. } => Subject::Thread(*thread),
            Self::Setting { name, .. } => Subject::Setting(name.clone()),
        }
    }
}

impl AccountStatement {
    fn check(&self) -> Result<(), DecodeError> {
        match &self.change {
            AccountChange::Contact {
                petname: Some(name),
                ..
            } => at_most("bytes of a name", name.len(), NAME_BYTES_MAX),
            AccountChange::Setting { name, value } => {
                at_most("bytes of a setting's name", name.len(), SETTING_BYTES_MAX)?;
                at_most(
                    "bytes of a setting",
                    value.as_ref().map_or(0, String::len),
                    SETTING_BYTES_MAX,
                )
            }
            AccountChange::OwnBox { record, .. } => at_most(
                "readers of a box",
                record.readers.len(),
                crate::limits::READERS_MAX,
            ),
            _ => Ok(()),
        }
    }
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Merged {
    /// The subject's state may have changed.
    Applied,
    /// A later statement already stands.
    Superseded,
}

/// The account's state: a fold over its statements in which neither order nor repetition matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountState {
    last: BTreeMap<Subject, (Place, AccountChange)>,
    blocks: BTreeMap<AccountId, BlockMarks>,
}

/// What decides a block: blocked while some block is later than all that unblocks had seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockMarks {
    /// Place of the newest block.
    pub block: Option<Place>,
    /// The newest block that an unblock had seen.
    pub unblocked: Option<Place>,
}
wire_map!(BlockMarks { 0 => block, 1 => unblocked });

impl BlockMarks {
    /// Whether the account is blocked.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.block > self.unblocked
    }

    /// Takes in one more statement about the block.
    pub fn merge(&mut self, place: Place, change: &AccountChange) -> Merged {
        let before = *self;
        match change {
            AccountChange::Block { .. } => self.block = self.block.max(Some(place)),
            AccountChange::Unblock { seen, .. } => self.unblocked = self.unblocked.max(Some(*seen)),
            _ => {}
        }
        if *self == before {
            Merged::Superseded
        } else {
            Merged::Applied
        }
    }
}

impl AccountState {
    /// Nothing said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one statement at its place in the self thread.
    pub fn merge(&mut self, place: Place, change: AccountChange) -> Merged {
        let subject = change.subject();
        if let Subject::Block(account) = subject {
            return self
                .blocks
                .entry(account)
                .or_default()
                .merge(place, &change);
        }
        match self.last.get(&subject) {
            Some((last_place, last)) if !supersedes((place, &change), (*last_place, last)) => {
                Merged::Superseded
            }
            _ => {
                self.last.insert(subject, (place, change));
                Merged::Applied
            }
        }
    }

    /// Whether nothing of `account` is taken.
    #[must_use]
    pub fn blocked(&self, account: AccountId) -> bool {
        self.blocks.get(&account).is_some_and(BlockMarks::blocked)
    }

    /// Place of the newest block of `account`: what an unblock must name as seen.
    #[must_use]
    pub fn newest_block(&self, account: AccountId) -> Option<Place> {
        self.blocks.get(&account).and_then(|marks| marks.block)
    }

    /// The last statement about a subject.
    #[must_use]
    pub fn last(&self, subject: &Subject) -> Option<&AccountChange> {
        self.last.get(subject).map(|(_, change)| change)
    }
}

/// Whether a statement replaces the one that stands: the later by place, but a read mark by how far it reads.
#[must_use]
pub fn supersedes(new: (Place, &AccountChange), last: (Place, &AccountChange)) -> bool {
    match (new.1, last.1) {
        (
            AccountChange::ReadMark { place: new, .. },
            AccountChange::ReadMark { place: last, .. },
        ) => new > last,
        _ => new.0 > last.0,
    }
}

#[cfg(test)]
mod tests;
