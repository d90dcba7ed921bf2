// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whole endpoints on loopback: peers with peers, and links with their relay.

mod common;
mod peers;
mod relay;
