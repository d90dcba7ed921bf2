// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stories of people, told with the real binary.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod talk;
