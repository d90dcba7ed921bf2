// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stories of threads, told with real accounts, real rows and a seed for every step.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod branched;
mod consents;
mod determinism;
mod forks;
mod hostile;
mod measure;
mod membership;
mod order;
mod outside;
mod talk;

use std::collections::BTreeMap;

use comptoir_protocol::id::ThreadId;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::*;
use crate::account::{self, AccountSecrets};
use crate::{Phrase, StepSeed};

pub(super) const KINDS: [u32; 2] = [1, 2];
pub(super) const NOW_MS: u64 = 1_000_000;
pub(super) const LATER_MS: u64 = NOW_MS + 1_000;

impl Rows for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, RowsError> {
        Ok(BTreeMap::get(self, key).cloned())
    }
}

/// Somebody with one device, and the randomness of all that is done.
pub(super) struct Person {
    pub(super) account: AccountSecrets,
    pub(super) rng: ChaCha20Rng,
}

impl Person {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let phrase = Phrase::generate(&mut rng);
        let account = account::create(&phrase, NOW_MS, &mut rng);
        Self { account, rng }
    }

    pub(super) fn seed(&mut self) -> StepSeed {
        StepSeed::draw(&mut self.rng)
    }

    pub(super) fn leaf(&mut self) -> Leaf {
        let seed = self.seed();
        let AccountSecrets {
            device_key,
            proof,
            certificate,
            ..
        } = &self.account;
        Leaf::issue(device_key, proof, certificate, &KINDS, &seed)
    }

    pub(super) fn package(&mut self) -> (Vec<u8>, KeyPackageSecret) {
        let leaf = self.leaf();
        key_package(&leaf, LATER_MS, self.seed()).unwrap()
    }

    pub(super) fn founds(mut self, context: ComptoirContext) -> Node {
        let (leaf, seed) = (self.leaf(), self.seed());
        let thread = MlsThread::create(context, &leaf, seed).unwrap();
        Node::new(self, thread)
    }
}

/// Somebody in a thread, and the rows it was stored in.
pub(super) struct Node {
    pub(super) person: Person,
    pub(super) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) thread: MlsThread,
}

impl Node {
    pub(super) fn new(person: Person, thread: MlsThread) -> Self {
        let mut node = Self {
            person,
            rows: BTreeMap::new(),
            thread,
        };
        node.stores(Ratchet::Write);
        node
    }

    pub(super) fn stores(&mut self, ratchet: Ratchet) {
        for (key, change) in self.thread.take_changes(ratchet) {
            match change {
                RowChange::Put(row) => self.rows.insert(key, row),
                RowChange::Delete => self.rows.remove(&key),
            };
        }
    }

    /// Loses what was not stored.
    pub(super) fn restarts(&mut self) {
        self.thread = MlsThread::load(&self.rows).unwrap();
    }

    pub(super) fn says(&mut self, text: &str) -> Vec<u8> {
        let seed = self.person.seed();
        let parent = self.thread.parent();
        let bytes = self
            .thread
            .encrypt(text.as_bytes(), &parent.0, seed)
            .unwrap();
        self.stores(Ratchet::Defer);
        bytes
    }

    pub(super) fn tries(&mut self, bytes: &[u8]) -> Result<Opened, DecryptError> {
        let parent = self.thread.parent();
        let opened = self.thread.decrypt(bytes, &parent.0)?;
        self.stores(Ratchet::Defer);
        Ok(opened)
    }

    pub(super) fn hears(&mut self, bytes: &[u8]) -> String {
        String::from_utf8(self.tries(bytes).unwrap().plaintext).unwrap()
    }

    pub(super) fn adds(&mut self, packages: &[Vec<u8>]) -> Added {
        let packages: Vec<_> = packages
            .iter()
            .map(|bytes| verify_key_package(bytes, NOW_MS).unwrap())
            .collect();
        let seed = self.person.seed();
        let added = self.thread.add(&packages, seed).unwrap();
        self.stores(Ratchet::Defer);
        added
    }

    pub(super) fn renews(&mut self) -> Vec<u8> {
        let seed = self.person.seed();
        let commit = self.thread.self_update(seed).unwrap().commit;
        self.stores(Ratchet::Defer);
        commit
    }

    pub(super) fn follows(&mut self, commit: &[u8]) -> CommitSummary {
        let summary = self.thread.process_commit(commit).unwrap();
        self.stores(Ratchet::Defer);
        summary
    }
}

pub(super) fn thread_id(seed: u64) -> ThreadId {
    let mut id = [0; 16];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut id);
    ThreadId(id)
}

/// Alice and Bob in a thread of two.
pub(super) fn pair(seed: u64) -> (Node, Node) {
    let context = ComptoirContext::new(thread_id(seed), ThreadKind::Pair);
    let mut nodes = group_in(context, 2, seed);
    let bob = nodes.pop().unwrap();
    (nodes.pop().unwrap(), bob)
}

/// A group of `size`, all added by the first at once.
pub(super) fn group(size: usize, seed: u64) -> Vec<Node> {
    group_in(
        ComptoirContext::new(thread_id(seed), ThreadKind::Group),
        size,
        seed,
    )
}

pub(super) fn group_in(context: ComptoirContext, size: usize, seed: u64) -> Vec<Node> {
    let mut founder = Person::new(seed * 1_000).founds(context);
    let mut invited: Vec<_> = (1..size as u64)
        .map(|number| {
            let mut person = Person::new(seed * 1_000 + number);
            let (bytes, secret) = person.package();
            (person, bytes, secret)
        })
        .collect();
    let packages: Vec<_> = invited.iter().map(|(_, bytes, _)| bytes.clone()).collect();
    let welcome = founder.adds(&packages).welcome;
    let mut nodes = vec![founder];
    for (person, _, secret) in invited.drain(..) {
        let joined = MlsThread::join(&welcome, &secret).unwrap();
        nodes.push(Node::new(person, joined.thread));
    }
    nodes
}

/// All but the `index`th.
pub(super) fn others(nodes: &mut [Node], index: usize) -> impl Iterator<Item = &mut Node> {
    nodes
        .iter_mut()
        .enumerate()
        .filter(move |(at, _)| *at != index)
        .map(|(_, node)| node)
}
