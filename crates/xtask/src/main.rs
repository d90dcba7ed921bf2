// SPDX-License-Identifier: MIT OR Apache-2.0
//! cargo xtask: demo, test, ci, layers, audit.
fn main() {}
