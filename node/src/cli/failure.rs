// SPDX-License-Identifier: MIT OR Apache-2.0
//! A command that did not work: one sentence for the person, one exit status for the script.

use std::io;
use std::path::Path;

use crate::home::Home;

/// Why a command ended without doing what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// Something that has no status of its own.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 1,
        }
    }

    /// The command line asks for something that cannot be meant.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 2,
        }
    }

    /// What was named is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 5,
        }
    }

    /// There is no node where one was expected.
    pub(crate) fn no_home(home: &Home) -> Self {
        Self::not_found(format!(
            "there is no node in {}; `comptoir init` makes one",
            home.dir().display()
        ))
    }

    /// A rule refuses it.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 6,
        }
    }

    /// A failure whose status was decided elsewhere.
    pub(crate) fn with_status(message: impl Into<String>, status: u8) -> Self {
        Self {
            message: message.into(),
            status,
        }
    }

    /// A file could not be read or written.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self::general(format!("{}: {error}", path.display()))
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl From<crate::NoRandomness> for Failure {
    fn from(error: crate::NoRandomness) -> Self {
        Self::general(error.to_string())
    }
}
