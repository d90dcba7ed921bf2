// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of the store itself, one struct a version. Frozen: `tests/fixtures/store` holds bytes of each.

use serde::{Deserialize, Serialize};

use crate::codec::Record;

/// What the store is. Read before anything else, so it is not sealed and its shape outlives every schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeaderV1 {
    /// The schema of all other rows.
    pub(crate) schema: u32,
    /// The schema a migration under way leads to; equal to `schema` when there is none.
    pub(crate) migrating_to: u32,
    /// The last key that migration has done; empty at its start.
    pub(crate) migrated_up_to: Vec<u8>,
}

impl Record for HeaderV1 {
    const KIND: u8 = 1;
    const VERSION: u8 = 1;
}

/// A consumer of events, in stores of schema 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConsumerV1 {
    pub(crate) name: String,
    /// The last event it has acknowledged.
    pub(crate) acknowledged: u64,
}

impl Record for ConsumerV1 {
    const KIND: u8 = 2;
    const VERSION: u8 = 1;
}

/// A consumer of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConsumerV2 {
    pub(crate) name: String,
    /// The last event it has acknowledged.
    pub(crate) acknowledged: u64,
    /// Wall time of that, in milliseconds; 0 for what was acknowledged under schema 1.
    pub(crate) acknowledged_ms: u64,
}

impl Record for ConsumerV2 {
    const KIND: u8 = 2;
    const VERSION: u8 = 2;
}

/// How the root key is kept. Lies in the file `unlock`, beside the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnlockV1 {
    /// A number of `unlock::Method`.
    pub(crate) method: u8,
    /// The locked root key for a passphrase, the entry's name for a keyring, nothing for a key file.
    pub(crate) detail: Vec<u8>,
}

impl Record for UnlockV1 {
    const KIND: u8 = 3;
    const VERSION: u8 = 1;
}
