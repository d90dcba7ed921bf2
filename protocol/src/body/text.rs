// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text message.

use crate::codec::{DecodeError, at_most};
use crate::limits::TEXT_BYTES_MAX;
use crate::wire_map;

/// Plain text: no markup, nothing fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// At most 16 KiB of UTF-8.
    pub text: String,
}
wire_map!(Text { 0 => text }, check = Text::check);

impl Text {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a text", self.text.len(), TEXT_BYTES_MAX)
    }
}
