// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread's context: everything that decides whether a commit is valid, in one GroupContext extension, and
//! what leaves and key packages say in theirs.

use comptoir_protocol::codec::{DecodeError, at_most};
use comptoir_protocol::id::{AccountId, DeviceId, ParentHash, PublicKey, ThreadId};
use comptoir_protocol::{Wire, wire_choice, wire_map, wire_number};
use openmls::extensions::ExtensionValidator;
use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, GroupContext, InvalidExtensionError,
    RequiredCapabilitiesExtension, UnknownExtension,
};

/// The rule set this build follows.
pub const RULES: u32 = 1;

/// Accounts with a role other than plain member. A thread has a handful; a shop's staff stays under it.
pub const ROLES_MAX: usize = 64;
/// Join links a context lists.
pub const JOIN_LINKS_MAX: usize = 8;
/// Bytes of a thread's title.
pub const TITLE_BYTES_MAX: usize = 128;
/// Rule sets and body kinds a leaf announces.
pub const KINDS_MAX: usize = 128;

/// Private extension types (RFC 9420, section 17.3, 0xF000 to 0xFFFF). Never reused.
pub(crate) const CONTEXT_EXTENSION: u16 = 0xF0C0;
pub(crate) const LEAF_EXTENSION: u16 = 0xF0C1;
pub(crate) const PACKAGE_EXTENSION: u16 = 0xF0C2;
pub(crate) const STATE_EXTENSION: u16 = 0xF0C3;

/// What kind of conversation a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadKind {
    /// The devices of one account: its own state travels here.
    Own,
    /// Two accounts.
    Pair,
    /// Any number.
    Group,
    /// A customer and a shop whose staff come and go.
    Merchant,
}
wire_number!(ThreadKind, "thread kind" { 0 => Own, 1 => Pair, 2 => Group, 3 => Merchant });

/// Who may commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitPolicy {
    /// Every member.
    Any,
    /// One device; the others ask it by message.
    Designated(DeviceId),
}
wire_choice!(CommitPolicy, "commit policy" { 0 => Any, 1 => Designated(device) });

/// What an account may do beside talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May do everything, also to admins.
    Owner,
    /// May add and remove others and change the context.
    Admin,
}
wire_number!(Role, "role" { 0 => Owner, 1 => Admin });

/// One account's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleEntry {
    /// The account.
    pub account: AccountId,
    /// Its role.
    pub role: Role,
}
wire_map!(RoleEntry { 0 => account, 1 => role });

/// How far back a new member may be told what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRule {
    /// From its own joining on.
    FromJoining,
    /// Members may re-send what was before.
    Shared,
}
wire_number!(HistoryRule, "history rule" { 0 => FromJoining, 1 => Shared });

/// The agreed facts of a thread. Changes only by commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComptoirContext {
    /// The rule set its commits are judged by.
    pub rules: u32,
    /// The thread.
    pub thread: ThreadId,
    /// Which of the thread's MLS groups this is, from 1.
    pub incarnation: u32,
    /// What kind of conversation it is.
    pub kind: ThreadKind,
    /// Who may commit.
    pub policy: CommitPolicy,
    /// Roles other than plain member, ascending by account.
    pub roles: Vec<RoleEntry>,
    /// Keys of links by which strangers may join.
    pub join_links: Vec<PublicKey>,
    /// What its members call it.
    pub title: Option<String>,
    /// After how many seconds its messages disappear.
    pub expires_after_s: Option<u32>,
    /// What a new member may be told.
    pub history: HistoryRule,
}
wire_map!(ComptoirContext {
    0 => rules, 1 => thread, 2 => incarnation, 3 => kind, 4 => policy, 5 => roles, 6 => join_links, 7 => title,
    8 => expires_after_s, 9 => history,
}, check = ComptoirContext::check);

impl ComptoirContext {
    /// The first incarnation of a thread of `kind`: everybody commits, nobody has a role.
    pub fn new(thread: ThreadId, kind: ThreadKind) -> Self {
        Self {
            rules: RULES,
            thread,
            incarnation: 1,
            kind,
            policy: CommitPolicy::Any,
            roles: Vec::new(),
            join_links: Vec::new(),
            title: None,
            expires_after_s: None,
            history: HistoryRule::FromJoining,
        }
    }

    /// The account's role, if it has one.
    pub fn role(&self, account: AccountId) -> Option<Role> {
        self.roles
            .iter()
            .find(|entry| entry.account == account)
            .map(|entry| entry.role)
    }

    /// The MLS group id: thread and incarnation.
    pub(crate) fn group_id(&self) -> [u8; 20] {
        let mut id = [0; 20];
        id[..16].copy_from_slice(&self.thread.0);
        id[16..].copy_from_slice(&self.incarnation.to_be_bytes());
        id
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.incarnation == 0 {
            return Err(DecodeError::Invalid {
                what: "incarnations are counted from 1",
            });
        }
        at_most("roles", self.roles.len(), ROLES_MAX)?;
        at_most("join links", self.join_links.len(), JOIN_LINKS_MAX)?;
        at_most(
            "bytes of a title",
            self.title.as_ref().map_or(0, String::len),
            TITLE_BYTES_MAX,
        )?;
        if self
            .roles
            .windows(2)
            .all(|pair| pair[0].account < pair[1].account)
        {
            Ok(())
        } else {
            Err(DecodeError::Invalid {
                what: "roles name each account once, in ascending order",
            })
        }
    }
}

/// What a device understands, in its leaf: a rule set rises only when every leaf announces it, and a body kind
/// that no one else knows is sent with a fallback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafKinds {
    /// Rule sets.
    pub rules: Vec<u32>,
    /// Body kinds.
    pub kinds: Vec<u32>,
}
wire_map!(LeafKinds { 0 => rules, 1 => kinds }, check = LeafKinds::check);

impl LeafKinds {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("rule sets", self.rules.len(), KINDS_MAX)?;
        at_most("body kinds", self.kinds.len(), KINDS_MAX)
    }
}

/// What a key package says beside MLS: its lifetime in MLS is unlimited, because members judge an Add without a
/// clock; only who takes the package from a relay or a hello looks at this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageTerms {
    /// When the owner destroys the init key, in wall milliseconds.
    pub(crate) expires_ms: u64,
}
wire_map!(PackageTerms { 0 => expires_ms });

/// What an offered state says beside MLS: its name, which follows from a secret and not from what is offered, and whose
/// signature it bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateName {
    pub(crate) parent: ParentHash,
    pub(crate) offered_by: u32,
}
wire_map!(StateName { 0 => parent, 1 => offered_by });

/// An extension that is missing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// It is not there.
    #[error("extension {number:#06x} is missing")]
    Missing {
        /// Its type.
        number: u16,
    },
    /// It is there and cannot be read, or needs a newer version.
    #[error("extension {number:#06x}: {cause}")]
    Unreadable {
        /// Its type.
        number: u16,
        /// Why.
        cause: DecodeError,
    },
}

/// The two extensions of a group: our context, and the demand that every leaf understands it.
pub(crate) fn group_extensions(
    context: &ComptoirContext,
) -> Result<Extensions<GroupContext>, InvalidExtensionError> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required()),
        extension(CONTEXT_EXTENSION, context),
    ])
}

/// What a leaf must support to be in a thread. OpenMLS takes a change of context only if this lists its type.
pub(crate) fn required() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(
        &[CONTEXT_EXTENSION, LEAF_EXTENSION].map(ExtensionType::Unknown),
        &[],
        &[CredentialType::Basic],
    )
}

pub(crate) fn extension(number: u16, value: &impl Wire) -> Extension {
    Extension::Unknown(number, UnknownExtension(value.to_bytes()))
}

pub(crate) fn read_extension<T: Wire, E: ExtensionValidator>(
    extensions: &Extensions<E>,
    number: u16,
) -> Result<T, ExtensionError> {
    let found = extensions
        .iter()
        .find_map(|extension| match extension {
            Extension::Unknown(got, UnknownExtension(bytes)) => (*got == number).then_some(bytes),
            _ => None,
        })
        .ok_or(ExtensionError::Missing { number })?;
    T::from_bytes(found).map_err(|cause| ExtensionError::Unreadable { number, cause })
}

pub(crate) fn extension_types() -> Vec<ExtensionType> {
    [CONTEXT_EXTENSION, LEAF_EXTENSION, PACKAGE_EXTENSION]
        .map(ExtensionType::Unknown)
        .to_vec()
}
