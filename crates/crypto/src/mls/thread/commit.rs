// SPDX-License-Identifier: MIT OR Apache-2.0
//! Our commits: made, judged by the rules that everybody else's are judged by, and merged at once.

use comptoir_protocol::evidence::{ContextConsent, Evidence};
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::{Signed, Wire as _};
use openmls::group::CommitMessageBundle;
use openmls::prelude::{
    Extensions, GroupContext, KeyPackage, LeafNodeIndex, MlsMessageOut, NewSignerBundle,
};

use super::{CommitSummary, MlsThread};
use crate::mls::context::{ComptoirContext, group_extensions};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::CommitError;
use crate::mls::leaf::Leaf;
use crate::mls::package::VerifiedKeyPackage;
use crate::mls::provider::Provider;
use crate::mls::rules::{Committer, consent_to, judge};
use crate::seed::StepSeed;

/// A commit of ours, merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The state it was made in, which its envelope names; its lane is the service lane.
    pub parent: ParentHash,
    /// For those who were members before.
    pub commit: Vec<u8>,
    /// What it did.
    pub summary: CommitSummary,
}

/// A commit of ours that added devices, merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The state it was made in, which its envelope names; its lane is the service lane.
    pub parent: ParentHash,
    /// For those who were members before.
    pub commit: Vec<u8>,
    /// For the added ones: one for all.
    pub welcome: Vec<u8>,
    /// What it did.
    pub summary: CommitSummary,
}

/// What a commit of ours is to do.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) adds: Vec<KeyPackage>,
    pub(super) removals: Vec<LeafNodeIndex>,
    pub(super) extensions: Option<Extensions<GroupContext>>,
    /// A new leaf in the place of ours; otherwise only its encryption key is new.
    pub(super) leaf: Option<&'a Leaf>,
    pub(super) evidence: Evidence,
}

impl MlsThread {
    /// Adds devices by their packages.
    pub fn add(
        &mut self,
        packages: &[VerifiedKeyPackage],
        seed: StepSeed,
    ) -> Result<Added, CommitError> {
        let adds = packages
            .iter()
            .map(|package| package.package.clone())
            .collect();
        let (summary, bundle) = self.commit(
            Wanted {
                adds,
                ..Wanted::default()
            },
            seed,
        )?;
        let (commit, welcome, _) = bundle.into_messages();
        let welcome = welcome.ok_or_else(|| CommitError::Mls("no welcome".to_owned()))?;
        Ok(Added {
            parent: summary.parent,
            commit: bytes(&commit)?,
            welcome: bytes(&welcome)?,
            summary,
        })
    }

    /// Removes leaves.
    pub fn remove(
        &mut self,
        leaf_indices: &[u32],
        seed: StepSeed,
    ) -> Result<Committed, CommitError> {
        let mut removals = Vec::new();
        for &leaf_index in leaf_indices {
            let removed = LeafNodeIndex::new(leaf_index);
            self.group
                .member(removed)
                .ok_or(CommitError::NoSuchLeaf { leaf_index })?;
            removals.push(removed);
        }
        self.plain_commit(
            Wanted {
                removals,
                ..Wanted::default()
            },
            seed,
        )
    }

    /// Renews our own keys: what was stolen before opens nothing that comes after.
    pub fn self_update(&mut self, seed: StepSeed) -> Result<Committed, CommitError> {
        self.plain_commit(Wanted::default(), seed)
    }

    /// Changes what the members agreed on.
    pub fn change_context(
        &mut self,
        context: &ComptoirContext,
        seed: StepSeed,
    ) -> Result<Committed, CommitError> {
        let extensions = group_extensions(context).map_err(refused)?;
        self.plain_commit(
            Wanted {
                extensions: Some(extensions),
                ..Wanted::default()
            },
            seed,
        )
    }

    /// Changes what the members agreed on as two thirds of the accounts consent to it, where our role alone does not
    /// allow it: a new owner when the old one is gone. `consents` are of [`MlsThread::consent`]; ours is not needed.
    pub fn change_context_agreed(
        &mut self,
        context: &ComptoirContext,
        consents: Vec<Signed<ContextConsent>>,
        seed: StepSeed,
    ) -> Result<Committed, CommitError> {
        let extensions = group_extensions(context).map_err(refused)?;
        self.plain_commit(
            Wanted {
                extensions: Some(extensions),
                evidence: Evidence {
                    pass: None,
                    consents: Some(consents),
                },
                ..Wanted::default()
            },
            seed,
        )
    }

    /// Consents, in this state and no other, to a commit that makes the context `context`.
    pub fn consent(&self, context: &ComptoirContext) -> Signed<ContextConsent> {
        let members = self.members();
        self.leaf_key
            .sign(&consent_to(&self.as_parent(&members), context))
    }

    /// Puts `leaf`, another one of this device, in the place of ours: after the account's keys rotated, or when a copy
    /// of our leaf key may exist. Messages of the new state are signed with its key.
    pub fn replace_leaf(&mut self, leaf: &Leaf, seed: StepSeed) -> Result<Committed, CommitError> {
        let wanted = Wanted {
            leaf: Some(leaf),
            ..Wanted::default()
        };
        let committed = self.plain_commit(wanted, seed)?;
        self.leaf_key = leaf.key.clone();
        Ok(committed)
    }

    fn plain_commit(
        &mut self,
        wanted: Wanted<'_>,
        seed: StepSeed,
    ) -> Result<Committed, CommitError> {
        let (summary, bundle) = self.commit(wanted, seed)?;
        Ok(Committed {
            parent: summary.parent,
            commit: bytes(bundle.commit())?,
            summary,
        })
    }

    fn commit(
        &mut self,
        wanted: Wanted<'_>,
        seed: StepSeed,
    ) -> Result<(CommitSummary, CommitMessageBundle), CommitError> {
        if std::mem::replace(&mut self.spoilt, true) {
            return Err(CommitError::Spoilt);
        }
        let (parent, members) = (self.parent(), self.members());
        let crypto = StepCrypto::seeded(seed);
        let evidence = wanted.evidence.clone();
        let bundle = self.stage(wanted, &crypto)?;
        let staged = self
            .group
            .pending_commit()
            .expect("a commit that was staged just now is pending");
        let committer = Committer::Member(self.group.own_leaf_index());
        let judged = judge(&self.as_parent(&members), staged, committer, &evidence)?;
        self.merge(&crypto)?;
        let summary = self.follow(parent, committer, judged, &members, false);
        self.spoilt = false;
        Ok((summary, bundle))
    }

    pub(super) fn stage(
        &mut self,
        wanted: Wanted<'_>,
        crypto: &StepCrypto,
    ) -> Result<CommitMessageBundle, CommitError> {
        let Wanted {
            adds,
            removals,
            extensions,
            leaf,
            evidence,
        } = wanted;
        let mut binding = self.commit_binding();
        if !evidence.is_empty() {
            binding.extend(evidence.to_bytes());
        }
        self.group.set_aad(binding);
        let mut builder = self
            .group
            .commit_builder()
            .force_self_update(true)
            .propose_adds(adds)
            .propose_removals(removals);
        if let Some(extensions) = extensions {
            builder = builder
                .propose_group_context_extensions(extensions)
                .map_err(refused)?;
        }
        let loaded = builder
            .load_psks(&self.overlay)
            .map_err(refused)?
            .create_group_info(false);
        let own = &self.leaf_key;
        let built = match leaf {
            None => loaded.build(crypto, crypto, own, |_| true),
            Some(leaf) => {
                let new = NewSignerBundle {
                    signer: &leaf.key,
                    credential_with_key: leaf.credential_with_key(),
                };
                loaded.build_with_new_signer(crypto, crypto, own, new, |_| true)
            }
        };
        built
            .map_err(refused)?
            .stage_commit(&Provider::new(crypto, &self.overlay))
            .map_err(refused)
    }

    pub(super) fn merge(&mut self, crypto: &StepCrypto) -> Result<(), CommitError> {
        self.group
            .merge_pending_commit(&Provider::new(crypto, &self.overlay))
            .map_err(refused)
    }
}

pub(super) fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>, CommitError> {
    message.to_bytes().map_err(refused)
}

pub(super) fn refused(error: impl std::fmt::Display) -> CommitError {
    CommitError::Mls(error.to_string())
}
