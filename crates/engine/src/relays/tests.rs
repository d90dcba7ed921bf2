// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays that contacts name, and that are forgotten.
#![allow(clippy::unwrap_used, missing_docs)]

use comptoir_protocol::time::Time;

use super::*;
use crate::memory::{Memory, RelayLink};
use crate::seam::config::Config;
use crate::seam::view::{Row, View, ViewError};
use crate::thread_cache::ThreadCache;

struct Nothing;

impl View for Nothing {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(None)
    }
    fn scan(&self, _: Scan) -> Result<Vec<Row>, ViewError> {
        Ok(Vec::new())
    }
}

fn link(up: bool, calls: usize, quiet_until_ms: u64) -> RelayLink {
    RelayLink {
        up,
        calls,
        quiet_until_ms,
        ..RelayLink::default()
    }
}

/// A contact that names ever new relays does not fill the memory with them.
#[test]
fn a_relay_of_a_contact_that_nothing_is_asked_of_is_forgotten() {
    let (config, mut memory) = (Config::default(), Memory::default());
    let links = [
        link(false, 0, 9),
        link(true, 0, 0),
        link(false, 1, 0),
        link(false, 0, 11),
    ];
    for (number, link) in (0..).zip(links) {
        memory.relays.insert(RelayKey([number; 32]), link);
    }
    let now = Time {
        wall_ms: 10,
        mono_ms: 10,
        boot: [1; 16],
    };
    let mut cache = ThreadCache::default();
    let mut turn = Turn::new(&config, &mut memory, &mut cache, &Nothing, now, [1; 32]);
    turn.forget_relays().unwrap();
    let left: Vec<u8> = memory.relays.iter().map(|(relay, _)| relay.0[0]).collect();
    assert_eq!(
        left,
        [1, 2, 3],
        "connected, under way, and not to be called yet"
    );
}
