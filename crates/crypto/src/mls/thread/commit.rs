// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commits: ours are made, judged and merged at once; those of others are judged by the same rules.

use comptoir_protocol::id::ParentHash;
use openmls::group::CommitMessageBundle;
use openmls::prelude::{
    ContentType, Extensions, GroupContext, KeyPackage, LeafNodeIndex, MlsMessageOut,
    NewSignerBundle, ProcessedMessageContent, Sender,
};

use super::message::private_message;
use super::{Member, MlsThread};
use crate::mls::context::{ComptoirContext, group_extensions};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::{CommitError, ProcessError};
use crate::mls::leaf::{KnownLeaf, Leaf, credential_hash};
use crate::mls::package::VerifiedKeyPackage;
use crate::mls::provider::Provider;
use crate::mls::rules::{CommitFault, Judged, Parent, judge};
use crate::seed::StepSeed;

/// A commit of ours, merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The state it was made in, which its envelope names; its lane is the service lane.
    pub parent: ParentHash,
    /// For those who were members before.
    pub commit: Vec<u8>,
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
}

/// What somebody's commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// Who made it.
    pub committer: Member,
    /// Who came in.
    pub added: Vec<Member>,
    /// Who went out.
    pub removed: Vec<Member>,
    /// Whether the context changed.
    pub context_changed: bool,
    /// Whether we went out: the thread can only be read from now on.
    pub removed_us: bool,
}

/// What a commit of ours is to do.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub(super) adds: Vec<KeyPackage>,
    pub(super) removals: Vec<LeafNodeIndex>,
    pub(super) extensions: Option<Extensions<GroupContext>>,
    /// A new leaf in the place of ours; otherwise only its encryption key is new.
    pub(super) leaf: Option<&'a Leaf>,
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
        let (parent, bundle) = self.commit(
            Wanted {
                adds,
                ..Wanted::default()
            },
            seed,
        )?;
        let (commit, welcome, _) = bundle.into_messages();
        let welcome = welcome.ok_or_else(|| CommitError::Mls("no welcome".to_owned()))?;
        Ok(Added {
            parent,
            commit: bytes(&commit)?,
            welcome: bytes(&welcome)?,
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
        let (parent, bundle) = self.commit(wanted, seed)?;
        Ok(Committed {
            parent,
            commit: bytes(bundle.commit())?,
        })
    }

    fn commit(
        &mut self,
        wanted: Wanted<'_>,
        seed: StepSeed,
    ) -> Result<(ParentHash, CommitMessageBundle), CommitError> {
        if std::mem::replace(&mut self.spoilt, true) {
            return Err(CommitError::Spoilt);
        }
        let (parent, members) = (self.parent(), self.members());
        let crypto = StepCrypto::seeded(seed);
        let bundle = self.stage(wanted, &crypto)?;
        let staged = self
            .group
            .pending_commit()
            .expect("a commit that was staged just now is pending");
        let judged = judge(
            &Parent {
                context: &self.context,
                members: &members,
            },
            staged,
            self.group.own_leaf_index(),
        )?;
        self.merge(&crypto)?;
        self.settle(judged);
        self.spoilt = false;
        Ok((parent, bundle))
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
        } = wanted;
        self.group.set_aad(self.commit_binding());
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

    /// Follows somebody's commit. One that does not authenticate changes nothing; after any other error the thread is
    /// to be loaded again.
    pub fn process_commit(&mut self, bytes: &[u8]) -> Result<CommitSummary, ProcessError> {
        if self.spoilt {
            return Err(ProcessError::Spoilt);
        }
        let message = private_message(bytes).ok_or(ProcessError::Malformed)?;
        if message.content_type() != ContentType::Commit {
            return Err(ProcessError::Malformed);
        }
        if message.group_id() != self.group.group_id() {
            return Err(ProcessError::OtherGroup);
        }
        let ours = self.parent();
        if message.aad() != self.commit_binding() || message.epoch() != self.group.epoch() {
            return Err(ProcessError::OtherParent { ours });
        }
        let members = self.members();
        let crypto = StepCrypto::reading();
        let provider = Provider::new(&crypto, &self.overlay);
        let processed = self
            .group
            .process_message(&provider, message)
            .map_err(|e| ProcessError::Mls(e.to_string()))?;
        // It authenticates, so a generation is used up; what follows must end well or not be stored.
        self.spoilt = true;
        let Sender::Member(index) = *processed.sender() else {
            return Err(ProcessError::Malformed);
        };
        let staged = match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => staged,
            ProcessedMessageContent::OwnPrivateMessage => return Err(ProcessError::Own),
            _ => return Err(ProcessError::Malformed),
        };
        let judged = judge(
            &Parent {
                context: &self.context,
                members: &members,
            },
            &staged,
            index,
        )?;
        let removed_us = staged.self_removed();
        let committer = members
            .iter()
            .find(|member| member.leaf_index == index.u32())
            .cloned()
            .ok_or(CommitFault::OtherDevice)?;
        self.group
            .merge_staged_commit(&provider, *staged)
            .map_err(|e| ProcessError::Mls(e.to_string()))?;
        self.spoilt = false;
        let removed = judged.removed.clone();
        let context_changed = judged.context_after != self.context;
        let added_devices: Vec<_> = judged
            .added
            .iter()
            .map(|package| package.device())
            .collect();
        self.settle(judged);
        let added = self
            .members()
            .into_iter()
            .filter(|member| added_devices.contains(&member.device))
            .collect();
        Ok(CommitSummary {
            committer,
            added,
            removed,
            context_changed,
            removed_us,
        })
    }

    /// Takes over what a merged commit brought.
    fn settle(&mut self, judged: Judged) {
        let Judged {
            added,
            removed: _,
            committer,
            context_after,
        } = judged;
        let mut proved: Vec<KnownLeaf> = added
            .iter()
            .map(|package| package.leaf().clone().into())
            .collect();
        proved.push(committer.into());
        for member in self.group.members() {
            let hash = credential_hash(&member.credential);
            if let Some(leaf) = proved
                .iter()
                .find(|leaf| leaf.leaf_key.0[..] == member.signature_key)
            {
                self.known.insert(hash, leaf.clone());
            }
        }
        self.forget_old_leaves();
        self.set_context(context_after);
    }
}

pub(super) fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>, CommitError> {
    message.to_bytes().map_err(refused)
}

fn refused(error: impl std::fmt::Display) -> CommitError {
    CommitError::Mls(error.to_string())
}
