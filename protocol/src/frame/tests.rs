// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of `frame`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
