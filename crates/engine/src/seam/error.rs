// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of a step. Any of them means: nothing changed.

use crate::rows::record::RowError;
use crate::seam::view::ViewError;

/// Why a step, or opening, failed. The engine is as it was before; the input may be tried again after the cause is gone.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store could not be read. Retryable when the store says so.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A row does not read back. Not retryable: what is unknown is not guessed at.
    #[error("row {key} cannot be used: {source}")]
    Row {
        /// The key, as hex.
        key: String,
        /// What is wrong with it.
        source: RowError,
    },
    /// A row that another row names is not there. Not retryable.
    #[error("row {key} is missing")]
    Missing {
        /// The key, as hex.
        key: String,
    },
    /// The cryptography refused something of our own making. Not retryable.
    #[error("our own state was refused: {0}")]
    Crypto(String),
    /// A row would be longer than a store takes. Not retryable: the input asks for too much.
    #[error("row {key} would be {bytes} bytes long: at most {max}")]
    TooLong {
        /// The key, as hex.
        key: String,
        /// How long it would be.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A counter is at its end. Not retryable.
    #[error("{0} ran out of numbers")]
    Exhausted(&'static str),
}
