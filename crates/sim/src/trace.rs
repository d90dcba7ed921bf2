// SPDX-License-Identifier: MIT OR Apache-2.0
//! The trace: a hash over everything that leaves a node, in order. Two runs of one seed must agree on it.

use sha2::{Digest, Sha256};

/// What left the nodes so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    hash: Sha256,
}

impl Trace {
    /// Adds something that happened at a node.
    pub(crate) fn note(&mut self, now_ms: u64, node: usize, what: &str, bytes: &[u8]) {
        self.hash.update(now_ms.to_be_bytes());
        self.hash.update((node as u64).to_be_bytes());
        self.hash.update((what.len() as u64).to_be_bytes());
        self.hash.update(what);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    /// The hash so far.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}
