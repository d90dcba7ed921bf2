// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every figure Comptoir claims, as one JSON line each.
fn main() {}
