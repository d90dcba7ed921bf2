// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stories: what people and strangers ask of a relay, over its whole way from frame to durable row.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod admission;
mod blobs;
mod boot;
mod capabilities;
mod deposits;
mod durability;
mod first_contact;
mod frames;
mod key_packages;
mod quotas;
mod readers;
mod waiting;
mod world;
mod writer;
