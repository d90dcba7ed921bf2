// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commits of others: judged, then followed.

use comptoir_protocol::Wire as _;
use comptoir_protocol::evidence::Evidence;
use comptoir_protocol::id::ParentHash;
use openmls::prelude::{
    ContentType, MlsMessageBodyIn, MlsMessageIn, ProcessedMessageContent, ProtocolMessage, Sender,
};
use sha2::{Digest as _, Sha256};
use tls_codec::Deserialize as _;

use super::{Member, MlsThread};
use crate::branch::{Class, Standing};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::ProcessError;
use crate::mls::leaf::{KnownLeaf, credential_hash};
use crate::mls::provider::Provider;
use crate::mls::rules::{CommitFault, Committer, Entry, Judged, Parent, judge};

/// What somebody's commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// The state it was made in.
    pub parent: ParentHash,
    /// The state it leads to. Whoever it removes cannot compute that state's name: to them it has one of its own, by
    /// which nobody else calls it.
    pub child: ParentHash,
    /// What it does, as far as its rank looks at it.
    pub class: Class,
    /// Its committer's role in the parent.
    pub standing: Standing,
    /// Its committer's leaf in the parent, the one left behind by who came back; none for who entered by a link.
    pub leaf_index: Option<u32>,
    /// How its committer came to commit.
    pub entry: Entry,
    /// Who made it; who came from outside, in its new leaf.
    pub committer: Member,
    /// Who came in.
    pub added: Vec<Member>,
    /// Who went out. One who came back from outside is not among them.
    pub removed: Vec<Member>,
    /// The leaf that one who came back has left.
    pub replaced: Option<Member>,
    /// Whether the context changed.
    pub context_changed: bool,
    /// Whether we went out: the thread can only be read from now on.
    pub removed_us: bool,
}

impl MlsThread {
    /// Follows somebody's commit. One that does not authenticate changes nothing; after any other error the thread is
    /// to be loaded again.
    pub fn process_commit(&mut self, bytes: &[u8]) -> Result<CommitSummary, ProcessError> {
        if self.spoilt {
            return Err(ProcessError::Spoilt);
        }
        let message = commit_message(bytes).ok_or(ProcessError::Malformed)?;
        if message.group_id() != self.group.group_id() {
            return Err(ProcessError::OtherGroup);
        }
        let ours = self.parent();
        let binding = self.commit_binding();
        let claimed = match &message {
            ProtocolMessage::PrivateMessage(message) => Some(message.aad()),
            // OpenMLS shows it after the signature was checked; until the merge that changes nothing.
            ProtocolMessage::PublicMessage(_) => None,
        };
        if claimed.is_some_and(|aad| !aad.starts_with(&binding))
            || message.epoch() != self.group.epoch()
        {
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
        let committer = match processed.sender() {
            Sender::Member(index) => Committer::Member(*index),
            Sender::NewMemberCommit => Committer::Outside,
            _ => return Err(ProcessError::Malformed),
        };
        let evidence = match processed.aad().strip_prefix(binding.as_slice()) {
            None => return Err(ProcessError::OtherParent { ours }),
            Some([]) => Evidence::default(),
            Some(evidence) => Evidence::from_bytes(evidence).map_err(CommitFault::from)?,
        };
        let staged = match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => staged,
            ProcessedMessageContent::OwnPrivateMessage => return Err(ProcessError::Own),
            _ => return Err(ProcessError::Malformed),
        };
        let judged = judge(&self.as_parent(&members), &staged, committer, &evidence)?;
        let removed_us = staged.self_removed();
        self.group
            .merge_staged_commit(&provider, *staged)
            .map_err(|e| ProcessError::Mls(e.to_string()))?;
        self.spoilt = false;
        Ok(self.follow(ours, committer, judged, &members, removed_us))
    }

    /// Takes over what a merged commit brought, and tells it.
    pub(super) fn follow(
        &mut self,
        parent: ParentHash,
        committer: Committer,
        judged: Judged,
        before: &[Member],
        removed_us: bool,
    ) -> CommitSummary {
        let context_changed = judged.context_after != self.context;
        let (entry, content) = (judged.entry, judged.content);
        let (class, standing) = (judged.class, judged.standing);
        let leaf_index = match committer {
            Committer::Member(index) => Some(index.u32()),
            Committer::Outside => judged.removed.first().map(|own| own.leaf_index),
        };
        let (removed, replaced) = match entry {
            Entry::Resync => (Vec::new(), judged.removed.first().cloned()),
            Entry::Member | Entry::Link => (judged.removed.clone(), None),
        };
        let by = (judged.committer.account, judged.committer.device);
        let mut added: Vec<_> = judged
            .added
            .iter()
            .map(|package| package.device())
            .collect();
        if entry == Entry::Link {
            added.push(by.1);
        }
        self.settle(judged);
        let after = self.members();
        let from = match committer {
            Committer::Member(_) => before,
            Committer::Outside => &after,
        };
        let committer = from
            .iter()
            .find(|member| (member.account, member.device) == by)
            .cloned()
            .expect("who was judged to commit is a member before, or after coming from outside");
        let child = if removed_us {
            ParentHash(
                Sha256::new_with_prefix(b"comptoir/state/out")
                    .chain_update(content)
                    .finalize()
                    .into(),
            )
        } else {
            self.parent()
        };
        CommitSummary {
            parent,
            child,
            class,
            standing,
            leaf_index,
            entry,
            committer,
            added: after
                .into_iter()
                .filter(|member| added.contains(&member.device))
                .collect(),
            removed,
            replaced,
            context_changed,
            removed_us,
        }
    }

    pub(super) fn as_parent<'a>(&'a self, members: &'a [Member]) -> Parent<'a> {
        Parent {
            hash: self.parent(),
            context: &self.context,
            members,
        }
    }

    /// Takes over the leaves and the context that a merged commit brought.
    pub(super) fn settle(&mut self, judged: Judged) {
        let mut proved: Vec<KnownLeaf> = judged
            .added
            .iter()
            .map(|package| package.leaf().clone().into())
            .collect();
        proved.push(judged.committer.into());
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
        self.set_context(judged.context_after);
    }
}

/// A commit: sealed by a member, or from outside and therefore bare.
fn commit_message(bytes: &[u8]) -> Option<ProtocolMessage> {
    let message = match MlsMessageIn::tls_deserialize_exact(bytes).ok()?.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => ProtocolMessage::from(message),
        MlsMessageBodyIn::PublicMessage(message)
            if *message.sender() == Sender::NewMemberCommit =>
        {
            ProtocolMessage::from(message)
        }
        _ => return None,
    };
    (message.content_type() == ContentType::Commit).then_some(message)
}
