// SPDX-License-Identifier: MIT OR Apache-2.0
//! The amendments: an author's later word on a message of its own account, another text or none.
//!
//! Both name their message by its full address and travel in its lane. Among edits the one of the largest place stands;
//! an erasure stands over every edit, whichever came first.

use crate::codec::{DecodeError, at_most};
use crate::id::MessageId;
use crate::limits::{FALLBACK_BYTES_MAX, TEXT_BYTES_MAX};
use crate::wire_map;

/// Another text for a text message. Its header stays as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The message.
    pub message: MessageId,
    /// Its text from now on; at most 16 KiB of UTF-8.
    pub text: String,
}
wire_map!(Edit { 0 => message, 1 => text }, check = Edit::check);

impl Edit {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a text", self.text.len(), TEXT_BYTES_MAX)
    }

    /// What a node shows that does not know edits: the new text, as much of it as a fallback holds.
    pub(super) fn fallback(&self) -> String {
        const OPENING: &str = "Edited: ";
        let mut end = self.text.len().min(FALLBACK_BYTES_MAX - OPENING.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        format!("{OPENING}{}", &self.text[..end])
    }
}

/// The end of a message: that it was there stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erase {
    /// The message.
    pub message: MessageId,
}
wire_map!(Erase { 0 => message });

impl Erase {
    /// What a node shows that does not know erasures.
    pub(super) const FALLBACK: &str =
        "The author erased a message; this version of comptoir still shows it.";
}
