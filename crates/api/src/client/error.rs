// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client's error, and the exit code that a command ends with.

use std::path::PathBuf;

use crate::problem::{Code, ProblemBody};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers. Start it with `comptoir up`.
    #[error("no daemon answers on {}: {cause}; start it with `comptoir up`", place.display())]
    DaemonDown {
        /// Where it was looked for.
        place: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The connection broke before the answer was whole. A POST may have had its effect: repeat it under its
    /// idempotency key.
    #[error("the daemon hung up: {0}")]
    Interrupted(String),
    /// No answer came in time. As for [`ClientError::Interrupted`].
    #[error("the daemon did not answer in time")]
    Timeout,
    /// The daemon refused, and says why.
    #[error("{}: {}", .0.title, .0.detail)]
    Problem(Box<ProblemBody>),
    /// Something answers that is not this API.
    #[error("what answers is not this API (status {status})")]
    NotOurs {
        /// What it said.
        status: u16,
    },
    /// The daemon's answer is not what this version expects; it may be another version.
    #[error("the daemon's answer cannot be read: {0}")]
    BadAnswer(String),
    /// The client could not be made.
    #[error("{0}")]
    Internal(String),
}

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A fault.
    Failed = 1,
    /// The command was not right.
    Usage = 2,
    /// No daemon runs.
    DaemonDown = 3,
    /// The token does not allow it.
    Auth = 4,
    /// There is no such thing.
    NotFound = 5,
    /// A rule of this node or of the other side refuses it.
    Refused = 6,
    /// A payment did not go through.
    Payment = 7,
    /// The network did not answer.
    Network = 8,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl ClientError {
    /// The code of the problem, when the daemon sent one that this version knows.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => Code::from_text(&problem.code),
            _ => None,
        }
    }

    /// What a command ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::DaemonDown { .. } => Exit::DaemonDown,
            Self::Problem(problem) => match self.code() {
                Some(code) => exit_of(code),
                None => exit_of_status(problem.status),
            },
            Self::Interrupted(_)
            | Self::Timeout
            | Self::NotOurs { .. }
            | Self::BadAnswer(_)
            | Self::Internal(_) => Exit::Failed,
        }
    }
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::InvalidRequest
        | Code::MalformedJson
        | Code::TooDeep
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::BadLink
        | Code::MethodNotAllowed => Exit::Usage,
        Code::Unauthorized
        | Code::ScopeMissing
        | Code::PersonaForbidden
        | Code::HostForbidden
        | Code::OriginForbidden
        | Code::CrossSiteForbidden => Exit::Auth,
        Code::NotFound | Code::RouteNotFound | Code::CursorExpired => Exit::NotFound,
        Code::Conflict
        | Code::IdempotencyRunning
        | Code::IdempotencyMismatch
        | Code::Refused
        | Code::Blocked
        | Code::NotAccepted
        | Code::LinkExpired
        | Code::LinkUsed
        | Code::SafetyCodeDiffers
        | Code::NotYours
        | Code::NeedsNewer
        | Code::TooMany => Exit::Refused,
        Code::Network => Exit::Network,
        Code::NotReady | Code::Stopping => Exit::DaemonDown,
        Code::RequestTimeout | Code::Internal | Code::ReadOnly | Code::StorageFull => Exit::Failed,
    }
}

/// For codes of a newer daemon.
fn exit_of_status(status: u16) -> Exit {
    match status {
        400 | 405 | 413 | 415 => Exit::Usage,
        401 => Exit::Auth,
        402 => Exit::Payment,
        404 | 410 => Exit::NotFound,
        403 | 409 | 422 | 429 => Exit::Refused,
        502 | 504 => Exit::Network,
        503 => Exit::DaemonDown,
        _ => Exit::Failed,
    }
}
