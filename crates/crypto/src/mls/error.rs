// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong with a thread: one enum for each thing that is done with it.

use comptoir_protocol::VerifyError;
use comptoir_protocol::id::ParentHash;
use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{ProcessMessageError, ValidationError};

use super::codec::CodecError;
use super::leaf::LeafError;
use super::package::KeyPackageError;
use super::record::RecordError;
use super::rules::CommitFault;
use crate::branch::LearnError;

/// The rows of a thread could not be read by whoever keeps them.
#[derive(Debug, thiserror::Error)]
#[error("the rows of a thread could not be read: {0}")]
pub struct RowsError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A thread could not be made. Not retryable: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The leaf given is not one others would accept.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// OpenMLS refused.
    #[error("the group could not be made: {0}")]
    Mls(String),
}

/// A thread could not be opened from its rows. Not retryable: say so and stop, the rows are as they are.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store did not answer.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// There is no such thread.
    #[error("the thread has no rows")]
    NotFound,
    /// A row is of a newer version, or damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An entity of the group cannot be read.
    #[error(transparent)]
    Entity(#[from] CodecError),
    /// An entity of the group is missing.
    #[error("the thread's rows lack an entity of its group")]
    Incomplete,
    /// The group's context is not one of ours.
    #[error(transparent)]
    Context(#[from] CommitFault),
}

/// A commit of ours could not be made. Drop the thread: nothing left it, and its rows are unchanged.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An operation before this one failed: load the thread again.
    #[error("the thread failed before and must be loaded again")]
    Spoilt,
    /// The commit would break the thread's rules.
    #[error(transparent)]
    Fault(#[from] CommitFault),
    /// Nobody with this leaf index is in the group.
    #[error("no member has leaf {leaf_index}")]
    NoSuchLeaf {
        /// The index.
        leaf_index: u32,
    },
    /// The thread's tree of states has no place for it.
    #[error(transparent)]
    Tree(#[from] LearnError),
    /// The thread could not be loaded again: stop and say so.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// OpenMLS refused.
    #[error("the commit could not be made: {0}")]
    Mls(String),
}

/// A Welcome does not lead into a thread. Not retryable with the same bytes.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Not a Welcome.
    #[error("not a welcome")]
    Malformed,
    /// It is for another key package. Try the secret it names.
    #[error("the welcome is not for this key package")]
    OtherPackage,
    /// OpenMLS refused.
    #[error("the welcome does not hold: {0}")]
    Mls(String),
    /// A member's leaf is not proved.
    #[error("a member of the thread: {0}")]
    Member(#[from] LeafError),
    /// A member's leaf was made from a package that is not valid.
    #[error("a member of the thread: {0}")]
    Package(#[from] KeyPackageError),
    /// The context, or the members together, break the rules.
    #[error(transparent)]
    Fault(#[from] CommitFault),
    /// The group is another than its context says.
    #[error("the group's id is not that of its thread")]
    OtherThread,
}

/// A state was not offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// An operation before this one failed: load the thread again.
    #[error("the thread failed before and must be loaded again")]
    Spoilt,
    /// We were removed.
    #[error("this device is no longer in the thread")]
    Removed,
    /// OpenMLS refused.
    #[error("the state could not be offered: {0}")]
    Mls(String),
}

/// A state that was offered was not entered: nothing was made, nothing left. Ask another member for a newer offer.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Not an offer, or not signed by whom it says.
    #[error("not the offer of a state")]
    Malformed,
    /// Of another thread, or of another incarnation.
    #[error("the offer of another thread's state")]
    OtherThread,
    /// The state we have does not know our leaf any more. Not retryable: a member has to add this device.
    #[error("this device has no leaf to come back to")]
    NoLeaf,
    /// The offered state does not list the link. Not retryable: it was withdrawn.
    #[error("the thread does not list this link")]
    NoSuchLink,
    /// The leaf given is not one others would accept. A fault of ours.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A member of the offered state is not proved.
    #[error(transparent)]
    State(#[from] JoinError),
    /// The offered state, or our coming in, breaks the rules.
    #[error(transparent)]
    Fault(#[from] CommitFault),
    /// The new leaf could not take its place.
    #[error("the new leaf could not take its place: {0}")]
    Renewal(#[source] Box<CommitError>),
    /// OpenMLS refused.
    #[error("the offered state does not hold: {0}")]
    Mls(String),
}

/// A message was not made. Drop the thread: nothing left it, and its rows are unchanged.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// An operation before this one failed: load the thread again.
    #[error("the thread failed before and must be loaded again")]
    Spoilt,
    /// We were removed.
    #[error("this device is no longer in the thread")]
    Removed,
    /// OpenMLS refused.
    #[error("the message could not be encrypted: {0}")]
    Mls(String),
}

/// A message was not opened. The thread is unchanged and stays usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// An operation before this one failed: load the thread again.
    #[error("the thread failed before and must be loaded again")]
    Spoilt,
    /// Not a private application message.
    #[error("not an application message")]
    Malformed,
    /// A message of another group.
    #[error("a message of another group")]
    OtherGroup,
    /// What it is bound to is not what its envelope says.
    #[error("a message that is bound to another envelope")]
    OtherEnvelope,
    /// Our own: nobody can open what it sent itself.
    #[error("a message of our own")]
    Own,
    /// Opened before, or its key is gone: the author's newer messages came long ago.
    #[error("a message that was opened before, or is older than its window")]
    Used,
    /// More than the window ahead. Retryable once what lies between has come.
    #[error("a message too far ahead of those that came")]
    TooFarAhead,
    /// Of an epoch that is no longer kept.
    #[error("a message of an epoch that is no longer kept")]
    EpochGone,
    /// Of an epoch we have not reached. Retryable after its commit.
    #[error("a message of an epoch that has not come yet")]
    EpochAhead,
    /// We were removed.
    #[error("this device is no longer in the thread")]
    Removed,
    /// It does not authenticate.
    #[error("a message that does not authenticate: {0}")]
    Refused(String),
}

/// Somebody's commit was not followed. Drop the thread and load it again: its rows are unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// An operation before this one failed: load the thread again.
    #[error("the thread failed before and must be loaded again")]
    Spoilt,
    /// Not a private commit.
    #[error("not a commit")]
    Malformed,
    /// A commit of another group.
    #[error("a commit of another group")]
    OtherGroup,
    /// It was made in another state. Fetch what lies between, or see whether it is a rival's.
    #[error("a commit of another parent than {ours}")]
    OtherParent {
        /// The state we are in.
        ours: ParentHash,
    },
    /// Our own: it was merged when it was made.
    #[error("a commit of our own")]
    Own,
    /// Its bytes break the rules.
    #[error(transparent)]
    Fault(#[from] CommitFault),
    /// It does not authenticate, or OpenMLS finds it invalid.
    #[error("the commit does not hold: {0}")]
    Mls(String),
}

/// A branched thread could not be opened from its rows. Not retryable: say so and stop, the rows are as they are.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// One of its rows cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The tree names another head than the rows are of.
    #[error("the thread's tree says it is in {head}, its rows are of another state")]
    OtherHead {
        /// What the tree says.
        head: ParentHash,
    },
}

/// A commit was not taken into a branched thread, which is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Its parent is not known. Retryable once the parent's own commit has come.
    #[error("the commit's parent {parent} is not known")]
    UnknownParent {
        /// The parent.
        parent: ParentHash,
    },
    /// It does not hold in its parent. Not retryable.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The tree has no place for it.
    #[error(transparent)]
    Tree(#[from] LearnError),
    /// A state could not be loaded: stop and say so.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A message was not opened. The thread is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The state it was made in is not known, or no longer. Retryable once that state's commit has come.
    #[error("a message of a state {parent} that is not known")]
    UnknownState {
        /// The state.
        parent: ParentHash,
    },
    /// It does not open in its state.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The state could not be loaded: stop and say so.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A thread was not put in the place of what is known, which is unchanged. Not retryable.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Its state is known: a Welcome that was played again.
    #[error("the state {state} is known")]
    Known {
        /// The state.
        state: ParentHash,
    },
}

/// An acknowledgement does not count. Not retryable, save when its signer's leaf is not known yet.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    /// It is not signed as it says.
    #[error(transparent)]
    Unproved(#[from] VerifyError),
    /// Of another thread or incarnation.
    #[error("an acknowledgement of another thread")]
    OtherThread,
    /// Its signer has no leaf in the state it names.
    #[error("an acknowledgement by somebody who is not in that state")]
    NotAMember,
    /// A state could not be loaded: stop and say so.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<ProcessMessageError<CodecError>> for DecryptError {
    fn from(error: ProcessMessageError<CodecError>) -> Self {
        let ProcessMessageError::ValidationError(cause) = &error else {
            return match error {
                ProcessMessageError::GroupStateError(_) => Self::Removed,
                _ => Self::Refused(error.to_string()),
            };
        };
        match cause {
            ValidationError::WrongGroupId => Self::OtherGroup,
            ValidationError::WrongEpoch => Self::EpochAhead,
            ValidationError::UnableToDecrypt(cause) => match cause {
                MessageDecryptionError::SecretTreeError(SecretTreeError::SecretReuseError) => {
                    Self::Used
                }
                MessageDecryptionError::SecretTreeError(SecretTreeError::TooDistantInTheFuture) => {
                    Self::TooFarAhead
                }
                MessageDecryptionError::SecretTreeError(SecretTreeError::TooDistantInThePast) => {
                    Self::Used
                }
                _ => Self::Refused(cause.to_string()),
            },
            _ => Self::Refused(cause.to_string()),
        }
    }
}
