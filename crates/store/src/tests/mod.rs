// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store promises, and each way it must say no.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod codec;
mod consumers;
mod folder;
mod rows;
mod schema;
mod scopes;
mod unlock;
mod writer;

use std::sync::Arc;

use comptoir_crypto::at_rest::RootStoreKey;
use comptoir_engine::{Scan, View, Write};
use comptoir_kv::Disk;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{Core, StoreError};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([5; 32])
}

fn key() -> RootStoreKey {
    RootStoreKey::from_bytes([7; 32])
}

fn open_core(disk: &Disk) -> Result<Core, StoreError> {
    Core::open(Arc::new(disk.open()?), &key(), &mut rng())
}

fn put(key: &[u8], value: &[u8]) -> Write {
    Write::Put {
        key: key.to_vec(),
        value: value.to_vec(),
        scope: None,
    }
}

fn delete(key: &[u8]) -> Write {
    Write::Delete { key: key.to_vec() }
}

/// Every row of the engine's spaces.
fn all(view: &impl View) -> Vec<(Vec<u8>, Vec<u8>)> {
    (1..0xe0)
        .flat_map(|space| view.scan(Scan::all([space])).unwrap())
        .collect()
}
