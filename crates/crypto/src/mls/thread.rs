// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread: a loaded MLS group over the rows it came from. What it changed is taken out as rows.
//!
//! A thread that returned an error is dropped and loaded again, except after [`MlsThread::decrypt`], which changes
//! nothing on error. One that is used all the same refuses and gives no changes out. Nothing is written by it: the rows of [`MlsThread::take_changes`] belong in the same commit as
//! what the step did with the result.

mod changes;
mod commit;
mod join;
mod message;
mod outside;
mod process;
#[cfg(test)]
mod unchecked;

use core::fmt;

use comptoir_protocol::Signed;
use comptoir_protocol::acknowledgement::AckVector;
use comptoir_protocol::envelope::{EnvelopeKind, authenticated_data};
use comptoir_protocol::id::{AccountId, DeviceId, Lane, ParentHash, PublicKey};
use comptoir_protocol::identity::VerifiedLeaf;
use openmls::group::{
    GroupId, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
};
use openmls::prelude::{Extensions, LeafNodeIndex, SenderRatchetConfiguration};
use sha2::{Digest as _, Sha256};

pub use changes::{Ratchet, RowChange, Rows};
pub use commit::{Added, Committed};
pub use join::Joined;
pub use message::Opened;
pub use outside::{CameBack, Entered, FromOutside};
pub use process::CommitSummary;

use super::context::{ComptoirContext, LEAF_EXTENSION, LeafKinds, extension, group_extensions};
use super::crypto::{SUITE, StepCrypto};
use super::error::CreateError;
use super::leaf::{self, KnownLeaf, Leaf, LeafError, capabilities, credential_hash};
use super::package::unlimited;
use super::provider::Provider;
use super::record::KnownLeaves;
use super::storage::Overlay;
use crate::keys::LeafKey;
use crate::seed::StepSeed;

/// Messages of one author that may come after newer ones. With OpenMLS's 5, when the newest of 30 comes first, 25
/// are lost for good. Each kept key costs its row some 50 bytes while it waits.
pub const OUT_OF_ORDER_MAX: u32 = 256;
/// How far one message may be ahead of the last that came from its author: bounds the hashing it can make us do.
pub const FORWARD_MAX: u32 = 4096;
/// Epochs whose messages can still be opened. Each is written again with every message of a large group.
pub const PAST_EPOCHS_MAX: usize = 3;

/// One leaf of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its place in the group's tree: another leaf may have it after a removal.
    pub leaf_index: u32,
    /// Whose it is.
    pub account: AccountId,
    /// Which device's.
    pub device: DeviceId,
    /// Its key in this thread.
    pub leaf_key: PublicKey,
    /// The one use its device certified it for: refuse it in a second thread.
    pub use_id: [u8; 16],
}

impl Member {
    fn new(leaf_index: LeafNodeIndex, leaf: &KnownLeaf) -> Self {
        let KnownLeaf {
            account,
            device,
            leaf_key,
            use_id,
            left_at: _,
        } = *leaf;
        Self {
            leaf_index: leaf_index.u32(),
            account,
            device,
            leaf_key,
            use_id,
        }
    }
}

/// A loaded thread.
pub struct MlsThread {
    group: MlsGroup,
    overlay: Overlay,
    leaf_key: LeafKey,
    context: ComptoirContext,
    known: KnownLeaves,
    /// A message was sent since the ratchet row was last written: its row must not lag.
    sent: bool,
    /// An operation failed half-way: the group in memory is one that no row may show.
    spoilt: bool,
    row_bytes: RowBytes,
}

/// Lengths of the rows as last read or written, for [`MlsThread::memory_bytes`].
#[derive(Default)]
struct RowBytes {
    group: usize,
    ratchets: usize,
}

impl MlsThread {
    /// Makes a thread with `leaf` as its only member.
    pub fn create(
        context: ComptoirContext,
        leaf: &Leaf,
        seed: StepSeed,
    ) -> Result<Self, CreateError> {
        let own = leaf::verify(&leaf.credential_with_key().credential, &leaf.key.public().0)?;
        Self::found(context, leaf, own.into(), seed)
    }

    fn found(
        context: ComptoirContext,
        leaf: &Leaf,
        own: KnownLeaf,
        seed: StepSeed,
    ) -> Result<Self, CreateError> {
        let overlay = Overlay::default();
        let crypto = StepCrypto::seeded(seed);
        let config = create_config(&context, &leaf.kinds)?;
        let credential = leaf.credential_with_key();
        let known = KnownLeaves::from([(credential_hash(&credential.credential), own)]);
        let group = MlsGroup::new_with_group_id(
            &Provider::new(&crypto, &overlay),
            &leaf.key,
            &config,
            GroupId::from_slice(&context.group_id()),
            credential,
        )
        .map_err(|e| CreateError::Mls(e.to_string()))?;
        let leaf_key = leaf.key.clone();
        Ok(Self {
            group,
            overlay,
            leaf_key,
            context,
            known,
            sent: false,
            spoilt: false,
            row_bytes: RowBytes::default(),
        })
    }

    /// Names the state the thread is in: the hash of its epoch authenticator. An epoch number does not, two commits
    /// of one parent lead to two states with one number.
    pub fn parent(&self) -> ParentHash {
        ParentHash(Sha256::digest(self.group.epoch_authenticator().as_slice()).into())
    }

    /// What a commit made in this state is bound to.
    fn commit_binding(&self) -> Vec<u8> {
        binding(&self.context, self.parent())
    }

    /// How many commits the state is away from the thread's creation.
    pub fn epoch(&self) -> u64 {
        self.group.epoch().as_u64()
    }

    /// Whether this device is still in the thread.
    pub fn is_active(&self) -> bool {
        self.group.is_active()
    }

    /// What the thread's members agreed on.
    pub fn context(&self) -> &ComptoirContext {
        &self.context
    }

    /// Everybody in the thread, by leaf index.
    pub fn members(&self) -> Vec<Member> {
        self.group
            .members()
            .map(|member| {
                let leaf = self
                    .known
                    .get(&credential_hash(&member.credential))
                    .expect("every leaf of the group was proved when it came in");
                Member::new(member.index, leaf)
            })
            .collect()
    }

    /// Our own leaf.
    pub fn own_leaf_index(&self) -> u32 {
        self.group.own_leaf_index().u32()
    }

    /// Our own leaf key.
    pub fn own_leaf_key(&self) -> PublicKey {
        self.leaf_key.public()
    }

    /// Proves a member's leaf again, with the account's keys as its credential shows them; `None` if there is no such
    /// leaf. Costs a handful of signature checks.
    pub fn verified_leaf(&self, leaf_index: u32) -> Option<Result<VerifiedLeaf, LeafError>> {
        let node = self
            .group
            .public_group()
            .leaf(LeafNodeIndex::new(leaf_index))?;
        Some(leaf::verify_node(node))
    }

    /// What a member's device understands; `None` if there is no such leaf.
    pub fn kinds(&self, leaf_index: u32) -> Option<LeafKinds> {
        leaf::kinds(
            self.group
                .public_group()
                .leaf(LeafNodeIndex::new(leaf_index))?,
        )
        .ok()
    }

    /// Signs what we have of the thread with our leaf key.
    pub fn sign(&self, vector: &AckVector) -> Signed<AckVector> {
        self.leaf_key.sign(vector)
    }

    /// About how many bytes of memory the loaded thread takes, rather too many than too few.
    ///
    /// OpenMLS does not tell. Measured as resident memory of thousands of loaded threads: 8,900 bytes at 2 members,
    /// 38,300 at 20 and 148,000 at 100, with rows of 4,300, 25,400 and 114,500 bytes.
    pub fn memory_bytes(&self) -> usize {
        const FIXED_BYTES: usize = 4096;
        let RowBytes { group, ratchets } = self.row_bytes;
        FIXED_BYTES + (group + ratchets) * 4 / 3 + self.overlay.bytes()
    }

    /// Brings the known leaves up to the group's epoch: who left is kept as long as its messages can be opened.
    fn forget_old_leaves(&mut self) {
        let epoch = self.epoch();
        let present: std::collections::BTreeSet<[u8; 32]> = self
            .group
            .members()
            .map(|member| credential_hash(&member.credential))
            .collect();
        for (hash, leaf) in &mut self.known {
            leaf.left_at = match (present.contains(hash), leaf.left_at) {
                (true, _) => None,
                (false, before) => before.or(Some(epoch)),
            };
        }
        self.known.retain(|_, leaf| {
            leaf.left_at
                .is_none_or(|left| left + PAST_EPOCHS_MAX as u64 >= epoch)
        });
    }
}

impl fmt::Debug for MlsThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group,
            overlay: _,
            leaf_key: _,
            context,
            known: _,
            sent,
            spoilt,
            row_bytes: _,
        } = self;
        f.debug_struct("MlsThread")
            .field("thread", &context.thread)
            .field("epoch", &group.epoch().as_u64())
            .field("sent", sent)
            .field("spoilt", spoilt)
            .finish_non_exhaustive()
    }
}

/// What a commit made in the state `parent` is bound to: its envelope without the bytes. Its evidence stands behind.
fn binding(context: &ComptoirContext, parent: ParentHash) -> Vec<u8> {
    let ComptoirContext {
        thread,
        incarnation,
        ..
    } = *context;
    authenticated_data(
        thread,
        incarnation,
        parent,
        Lane::Service,
        EnvelopeKind::Commit,
    )
}

fn order_window() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER_MAX, FORWARD_MAX)
}

fn create_config(
    context: &ComptoirContext,
    kinds: &LeafKinds,
) -> Result<MlsGroupCreateConfig, CreateError> {
    let failed = |e: &dyn fmt::Display| CreateError::Mls(e.to_string());
    let context_extensions = group_extensions(context).map_err(|e| failed(&e))?;
    let leaf_extensions =
        Extensions::single(extension(LEAF_EXTENSION, kinds)).map_err(|e| failed(&e))?;
    let builder = MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .max_past_epochs(PAST_EPOCHS_MAX)
        .sender_ratchet_configuration(order_window())
        .lifetime(unlimited())
        .capabilities(capabilities())
        .with_group_context_extensions(context_extensions)
        .with_leaf_node_extensions(leaf_extensions)
        .map_err(|e| failed(&e))?;
    Ok(builder.build())
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .max_past_epochs(PAST_EPOCHS_MAX)
        .sender_ratchet_configuration(order_window())
        .build()
}
