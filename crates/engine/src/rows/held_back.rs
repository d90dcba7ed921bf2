// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of what is held back: refused on arrival, kept until it ends or the user asks for it.

use crate::rows::record::record;

record! {
    /// An arrival that is held back. Its messages lie where all messages lie.
    pub struct HeldBack {
        /// Whose.
        0 pub persona: u16,
        /// Messages in it that are for the user.
        1 pub messages: u64,
    }
}
