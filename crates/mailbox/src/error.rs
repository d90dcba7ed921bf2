// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stops a relay, as against what it refuses.

use comptoir_kv::KvError;
use thiserror::Error;

/// Why a request was neither answered nor refused. Nothing changed, and nobody is told that anything was stored.
#[derive(Debug, Error)]
pub enum MailboxError {
    /// The store below failed. Not retryable unless [`KvError::is_refusal`]: open the mailbox again.
    #[error("the relay's store: {0}")]
    Store(#[from] KvError),
    /// The commit that several requests shared failed. None of them happened; each may be sent again.
    #[error("the relay could not make its changes durable: {reason}")]
    CommitFailed {
        /// What the store said.
        reason: String,
    },
    /// A row is not what this program wrote. The box it belongs to is left as it is.
    #[error("a stored {record} is damaged: restore the relay's folder, or delete the box")]
    Corrupt {
        /// The kind of row.
        record: &'static str,
    },
    /// A newer program wrote a row.
    #[error(
        "a stored {record} has version {version}, which this program does not know: use the newer one"
    )]
    NewerRecord {
        /// The kind of row.
        record: &'static str,
        /// Its version.
        version: u8,
    },
    /// The writer's queue is full. Nothing was taken; send again later.
    #[error("the relay is busy: {waiting} requests wait already")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The writer has stopped: it was closed, or an earlier failure stopped it.
    #[error("the relay's writer has stopped")]
    Stopped,
}
