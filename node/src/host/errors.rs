// SPDX-License-Identifier: MIT OR Apache-2.0
//! Refusals of the engine as the API words them.

use comptoir_api::host::{HostError, Refusal as ApiRefusal};
use comptoir_engine::Refusal;

use crate::driver::CommandError;

/// What the API says for a command that was not done.
pub(super) fn host_error(error: CommandError) -> HostError {
    match error {
        CommandError::Refused(refusal) => refused(refusal),
        CommandError::DiskFull(detail) => HostError::StorageFull(detail),
        CommandError::ReadOnly => HostError::ReadOnly(error.to_string()),
        CommandError::CommitFailed(detail) => HostError::ReadOnly(detail),
        CommandError::Failed(detail) => HostError::Internal(detail),
        CommandError::Stopping => HostError::Stopping,
    }
}

fn refused(refusal: Refusal) -> HostError {
    let detail = refusal.to_string();
    let missing = |what| HostError::NotFound {
        what,
        id: "of that id".to_owned(),
    };
    let because = |refusal| HostError::Refused {
        refusal,
        detail: detail.clone(),
    };
    let invalid = |field: &str| HostError::Invalid {
        field: field.to_owned(),
        detail: detail.clone(),
    };
    match refusal {
        Refusal::NoSuchPersona => missing("persona"),
        Refusal::NoSuchContact => missing("contact"),
        Refusal::NoSuchThread => missing("thread"),
        Refusal::NoSuchRequest => missing("request"),
        Refusal::NoSuchMessage => missing("message"),
        Refusal::NoSuchInvite => missing("invite"),
        Refusal::NoSuchRelay => missing("relay"),
        // The title says already that the link is not valid.
        Refusal::BadLink { why } => HostError::Refused {
            refusal: ApiRefusal::BadLink,
            detail: why,
        },
        Refusal::BadPhrase { .. } => invalid("recovery_phrase"),
        Refusal::TooLong { ref what, .. } => invalid(what),
        Refusal::BadMessage { .. } => invalid("text"),
        Refusal::OutboxFull { .. } => HostError::TooMany {
            retry_after_ms: 60_000,
        },
        Refusal::Blocked => because(ApiRefusal::Blocked),
        Refusal::NotYours => because(ApiRefusal::NotYours),
        Refusal::RelayNotConnected { .. } => HostError::Network(detail),
        Refusal::OtherBody => HostError::IdempotencyMismatch,
        Refusal::AlreadyContact { .. }
        | Refusal::AlreadyPersona { .. }
        | Refusal::AlreadyRelay
        | Refusal::Erased => HostError::Conflict(detail),
        _ => because(ApiRefusal::Other),
    }
}
