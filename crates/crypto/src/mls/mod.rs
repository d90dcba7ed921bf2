// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads: MLS groups of devices (RFC 9420) through OpenMLS, suite 0x0003, on a provider of our own.
//!
//! Nothing of OpenMLS shows outside this module.

mod branched;
mod codec;
mod context;
mod crypto;
mod error;
mod leaf;
mod package;
mod provider;
mod record;
mod rules;
mod storage;
mod thread;

pub use branched::{BranchedThread, Moved, Received};
pub use codec::CodecError;
pub use context::{
    CommitPolicy, ComptoirContext, ExtensionError, HistoryRule, JOIN_LINKS_MAX, KINDS_MAX,
    LeafKinds, ROLES_MAX, RULES, Role, RoleEntry, TITLE_BYTES_MAX, ThreadKind,
};
pub use error::{
    AcknowledgeError, CommitError, CreateError, DecryptError, EncryptError, EnterError, JoinError,
    LoadError, OfferError, OpenError, ProcessError, ReadError, ReceiveError, ReplaceError,
    RowsError,
};
pub use leaf::{Leaf, LeafError};
pub use package::{
    KeyPackageError, KeyPackageSecret, NewPackageError, VerifiedKeyPackage, key_package,
    verify_key_package,
};
pub use record::RecordError;
pub use rules::{CommitFault, Entry};
pub use thread::{
    Added, CameBack, CommitSummary, Committed, Entered, FORWARD_MAX, FromOutside, Joined, Member,
    MlsThread, OUT_OF_ORDER_MAX, Opened, PAST_EPOCHS_MAX, Ratchet, RowChange, Rows,
};

#[cfg(test)]
mod tests;
