// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of `codec`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
