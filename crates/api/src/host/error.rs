// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host's error: why the node did not do what it was asked.

use crate::problem::{Code, Problem};

/// Why the node did not do it. Nothing has changed, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is nothing of that id. Not retryable.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for: `contact`, `thread`, …
        what: &'static str,
        /// By which id or name.
        id: String,
    },
    /// A field has a value that cannot be. Not retryable.
    #[error("{field}: {detail}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong and what would be right.
        detail: String,
    },
    /// A rule refuses it. Not retryable as it is.
    #[error("{detail}")]
    Refused {
        /// Which rule.
        refusal: Refusal,
        /// What happened and what to do.
        detail: String,
    },
    /// What is there already stands against it. Not retryable as it is.
    #[error("{0}")]
    Conflict(String),
    /// The key was used for another request. Not retryable under this key.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// A queue is full. Retryable after the time it says.
    #[error("too many at once; try again in {retry_after_ms} ms")]
    TooMany {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// A relay or peer that was needed at once did not answer. Retryable.
    #[error("{0}")]
    Network(String),
    /// The node is starting. Retryable.
    #[error("the node is starting: {0}")]
    NotReady(String),
    /// The node is stopping. Retryable once it runs again.
    #[error("the node is stopping")]
    Stopping,
    /// The store takes no writes; reading goes on. Retryable when what the text says is mended.
    #[error("{0}")]
    ReadOnly(String),
    /// The disk is full; the text says how much is free and what to do. Retryable when there is room.
    #[error("{0}")]
    StorageFull(String),
    /// A fault of the node. It may have had its effect: repeat under the same idempotency key.
    #[error("{0}")]
    Internal(String),
}

/// The rule that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The other side is blocked.
    Blocked,
    /// The other side has not accepted yet.
    NotAccepted,
    /// The link, card, token or ticket is past its time.
    LinkExpired,
    /// The link, token or ticket was used up or revoked.
    LinkUsed,
    /// The link is damaged, or not one of ours.
    BadLink,
    /// The safety code is not the present one.
    SafetyCodeDiffers,
    /// Only the author may do that.
    NotYours,
    /// It needs a newer version of the program.
    NeedsNewer,
    /// Any other rule; the detail says which.
    Other,
}

impl Refusal {
    fn code(self) -> Code {
        match self {
            Self::Blocked => Code::Blocked,
            Self::NotAccepted => Code::NotAccepted,
            Self::LinkExpired => Code::LinkExpired,
            Self::LinkUsed => Code::LinkUsed,
            Self::BadLink => Code::BadLink,
            Self::SafetyCodeDiffers => Code::SafetyCodeDiffers,
            Self::NotYours => Code::NotYours,
            Self::NeedsNewer => Code::NeedsNewer,
            Self::Other => Code::Refused,
        }
    }
}

impl HostError {
    /// The code it becomes.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::Invalid { .. } => Code::InvalidRequest,
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Conflict(_) => Code::Conflict,
            Self::IdempotencyMismatch => Code::IdempotencyMismatch,
            Self::TooMany { .. } => Code::TooMany,
            Self::Network(_) => Code::Network,
            Self::NotReady(_) => Code::NotReady,
            Self::Stopping => Code::Stopping,
            Self::ReadOnly(_) => Code::ReadOnly,
            Self::StorageFull(_) => Code::StorageFull,
            Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        let code = error.code();
        match error {
            HostError::Invalid { field, detail } => Problem::invalid(&field, detail),
            HostError::TooMany { retry_after_ms } => {
                let mut problem = Problem::new(code, "the node is busy");
                problem.retry_after_s = Some(retry_after_ms.div_ceil(1000).max(1));
                problem
            }
            other => Problem::new(code, other.to_string()),
        }
    }
}
