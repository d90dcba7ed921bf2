// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests every engine must pass, and what each guard is for.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod conformance;
mod damage;
mod fixtures;
mod folder;
mod full;
mod memory;
mod snapshots;

use std::path::Path;
use std::sync::Arc;

use crate::{Batch, EngineKind, Floor, Kv, KvError, Options, open};

/// A folder on a real disk: the floor of a test must not depend on what else fills it.
fn options(folder: &Path, engine: EngineKind) -> Options {
    Options {
        floor: Floor::NONE,
        ..Options::new(folder, engine)
    }
}

fn opened(folder: &Path, engine: EngineKind) -> Arc<dyn Kv> {
    open(&options(folder, engine)).unwrap()
}

fn put(key: &[u8], value: &[u8]) -> Batch {
    Batch::from([(key.to_vec(), Some(value.to_vec()))])
}

/// So many of the numbered batches lie in the frozen fixtures.
const FROZEN_COMMITS: u64 = 8;

/// What `commits` batches of [`numbered`] leave, in order.
fn numbered(number: u64) -> Batch {
    let mut batch = Batch::new();
    for row in 0..3 {
        let value = number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes()
            .repeat(20);
        batch.insert(numbered_key(number, row), Some(value));
    }
    if number >= FROZEN_COMMITS {
        batch.extend(scattered(number));
    }
    if let Some(old) = number.checked_sub(7).filter(|old| old % 5 == 0) {
        batch.insert(numbered_key(old, 1), None);
    }
    batch
}

/// Rows at a place of their own, and rows written again and again: pages that many segments hold parts of.
fn scattered(number: u64) -> Batch {
    let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7;
    let again = [&[7, 0xff][..], &(place % 40).to_be_bytes()].concat();
    let once = [&[7][..], &place.to_be_bytes(), &[9]].concat();
    Batch::from([
        (once, Some(place.to_be_bytes().repeat(30))),
        (again, Some(number.to_be_bytes().repeat(10))),
    ])
}

fn numbered_key(number: u64, row: u8) -> Vec<u8> {
    let mut key = vec![7];
    key.extend_from_slice(&number.to_be_bytes());
    key.push(row);
    key
}

/// Checks that exactly the first `commits` numbered batches are there, each whole.
fn check_numbered(store: &dyn Kv, commits: u64) -> Result<(), KvError> {
    let mut expected = Batch::new();
    for number in 0..commits {
        for (key, value) in numbered(number) {
            match value {
                Some(value) => expected.insert(key, Some(value)),
                None => expected.remove(&key),
            };
        }
    }
    let found = store.scan(&[7], None, false, usize::MAX)?;
    let found: Batch = found
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    assert_eq!(found.len(), expected.len(), "rows after {commits} commits");
    assert!(found == expected, "rows differ after {commits} commits");
    Ok(())
}
