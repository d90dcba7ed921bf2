// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stories of engines, told without a simulator: a map for a store, a queue for a network.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

mod amendments;
mod bounds;
mod contradictions;
mod ending;
mod faults;
mod first_contact;
mod guests;
mod lanes;
mod lasting;
mod map_view;
mod older_rows;
mod people;
mod promises;
mod relay;
mod relays;
mod scale;
mod strangers;
mod talk;
mod upkeep;
mod world;
