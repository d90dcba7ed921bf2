// SPDX-License-Identifier: MIT OR Apache-2.0
//! The errors of reading and of verifying: one enum each, with the numbers inside.

use thiserror::Error;

/// Why bytes are not the value they claim to be. Never retryable with the same bytes, save after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the bytes end in the middle of a value")]
    Truncated,
    /// Something stands after the value.
    #[error("{bytes} bytes stand after the value")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A value of another type than the field has.
    #[error("expected {expected}")]
    WrongType {
        /// What the field holds.
        expected: &'static str,
    },
    /// Not the one encoding this value has: a long form, an indefinite length, a tag, a float.
    #[error("not in deterministic form: {what}")]
    NotCanonical {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Arrays and maps are nested deeper than any released statement.
    #[error("nested deeper than {max}")]
    TooDeep {
        /// The depth a reader follows.
        max: u32,
    },
    /// More of something than its limit.
    #[error("{what}: {got} is over the limit of {max}")]
    TooLong {
        /// The thing counted.
        what: &'static str,
        /// How much there was, as claimed or as found.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// Less of something than it needs.
    #[error("{what}: {got} is under the least of {min}")]
    TooShort {
        /// The thing counted.
        what: &'static str,
        /// How much there was.
        got: u64,
        /// The least.
        min: u64,
    },
    /// A field that must be there is not.
    #[error("field {field} is missing")]
    Missing {
        /// Its number.
        field: u64,
    },
    /// A critical field of a newer version: the value may mean something else than we would read.
    #[error("field {field} needs a newer version of comptoir")]
    NeedsNewer {
        /// Its number, below 64.
        field: u64,
    },
    /// A number without a meaning here: a newer kind, or damage.
    #[error("{what} number {number} is not known; a newer version of comptoir may know it")]
    UnknownNumber {
        /// What is numbered.
        what: &'static str,
        /// The number.
        number: u64,
    },
    /// Values that contradict one another or a rule of their type.
    #[error("{what}")]
    Invalid {
        /// The rule that is broken.
        what: &'static str,
    },
}

impl DecodeError {
    /// Whether an upgrade may read what we cannot. Such bytes are kept, not refused.
    #[must_use]
    pub fn needs_newer(&self) -> bool {
        matches!(self, Self::NeedsNewer { .. } | Self::UnknownNumber { .. })
    }
}

/// Why a signed statement is not what it claims. Not retryable, save [`VerifyError::Expired`]'s opposite case of a
/// clock that was wrong, and [`VerifyError::NeedsNewer`] after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The signature is not the signer's over this kind of statement.
    #[error("the signature does not fit this kind of statement ({label})")]
    Signature {
        /// The kind it was read as.
        label: &'static str,
    },
    /// Signed under a version of its kind that we do not know.
    #[error("{label} version {version} needs a newer version of comptoir")]
    NeedsNewer {
        /// The kind it was read as.
        label: &'static str,
        /// The version it names.
        version: u16,
    },
    /// A valid signature of a key that may not sign this.
    #[error("signed by a key that may not sign {label}")]
    WrongSigner {
        /// The kind it was read as.
        label: &'static str,
    },
    /// Statements that belong together speak of different accounts, devices or numbers.
    #[error("{what}")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
    },
    /// Past its time.
    #[error("expired at {expired_ms} (now {now_ms})")]
    Expired {
        /// When it ended, in wall milliseconds.
        expired_ms: u64,
        /// The reader's time.
        now_ms: u64,
    },
    /// The payload is not readable.
    #[error("unreadable: {0}")]
    Decode(#[from] DecodeError),
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an id: expected {expected}")]
pub struct ParseIdError {
    /// What the text should look like.
    pub expected: &'static str,
}
