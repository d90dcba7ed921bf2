// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong with a thread: one enum for each thing that is done with it.

use comptoir_protocol::id::ParentHash;
use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{ProcessMessageError, ValidationError};

use super::codec::CodecError;
use super::leaf::LeafError;
use super::package::KeyPackageError;
use super::record::RecordError;
use super::rules::CommitFault;

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
