// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules of a commit: whether it is valid follows from its bytes and the parent state alone.
//!
//! No clock, no list learnt elsewhere, no order of arrival: every member that reads the same bytes in the same
//! state decides alike. The same rules judge our own commits before they leave.

mod evidence;
mod outside;

use std::collections::BTreeSet;

use comptoir_protocol::evidence::Evidence;
use comptoir_protocol::id::{AccountId, DeviceId, ParentHash};
use comptoir_protocol::identity::VerifiedLeaf;
use comptoir_protocol::{DecodeError, VerifyError, Wire as _};
use openmls::group::StagedCommit;
use openmls::prelude::{
    Extensions, GroupContext, LeafNodeIndex, Proposal, ProposalOrRefType, QueuedProposal, Sender,
};
use sha2::{Digest as _, Sha256};

use crate::branch::{Class, Standing};

use super::context::{
    CONTEXT_EXTENSION, CommitPolicy, ComptoirContext, ExtensionError, RULES, Role, ThreadKind,
    read_extension, required,
};
use super::leaf::{self, LeafError};
use super::package::{KeyPackageError, VerifiedKeyPackage, verify_package};
use super::thread::Member;

/// A commit that no member may follow. Not retryable: its bytes decide.
#[derive(Debug, thiserror::Error)]
pub enum CommitFault {
    /// A proposal by reference: members that lack the proposal would decide otherwise.
    #[error("the commit takes a proposal by reference")]
    ByReference,
    /// A proposal that is neither Add, Remove nor a change of context.
    #[error("the commit holds a proposal of a kind that threads do not use")]
    ProposalKind,
    /// A proposal of somebody else.
    #[error("the commit holds a proposal that its committer did not make")]
    ForeignProposal,
    /// No new key of the committer: the group would not heal.
    #[error("the commit does not renew its committer's key")]
    NoPath,
    /// The committer's new leaf is not proved, or somebody else's.
    #[error("the committer's new leaf: {0}")]
    CommitterLeaf(#[source] LeafError),
    /// The new leaf is proved, but another device's.
    #[error("the committer's new leaf is another device's")]
    OtherDevice,
    /// An added device's package is not valid.
    #[error("an added device: {0}")]
    Added(#[from] KeyPackageError),
    /// One device twice in the group.
    #[error("one device would have two leaves")]
    DeviceTwice,
    /// The context is missing, unreadable or not alone.
    #[error("the context: {0}")]
    Context(#[from] ExtensionError),
    /// Another GroupContext extension, as an external sender would need.
    #[error("the commit brings a group extension that threads do not use")]
    ForeignExtension,
    /// Rules we do not know.
    #[error("the thread needs rule set {rules}, this build knows {RULES}")]
    NeedsNewer {
        /// Which.
        rules: u32,
    },
    /// Thread, incarnation or kind would change.
    #[error("the commit would make it another thread")]
    OtherThread,
    /// The policy names another committer.
    #[error("only the designated device commits in this thread")]
    NotDesignated,
    /// From outside comes a resync of the joiner's own leaf, or a stranger by a listed link, and nothing else.
    #[error("a commit from outside may not {what}")]
    Outside {
        /// What it tries.
        what: &'static str,
    },
    /// The evidence cannot be read.
    #[error("the commit's evidence cannot be read: {0}")]
    UnreadableEvidence(#[from] DecodeError),
    /// The evidence is not signed as it says.
    #[error("the commit's evidence: {0}")]
    UnprovedEvidence(#[from] VerifyError),
    /// The evidence is of another thread, state, context or leaf, or by nobody whose word counts here.
    #[error("the commit's evidence is {what}")]
    ForeignEvidence {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The committer's role does not allow it.
    #[error("the committer's role does not allow to {what}")]
    NotAllowed {
        /// What it does not allow.
        what: &'static str,
    },
}

pub(crate) use evidence::consent_to;

/// How the committer came to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It was a member.
    Member,
    /// From outside, in the place of its own leaf: its state was lost, or was a copy's.
    Resync,
    /// From outside, by a link that the context lists.
    Link,
}

/// Who makes a commit.
#[derive(Clone, Copy)]
pub(crate) enum Committer {
    Member(LeafNodeIndex),
    Outside,
}

/// A commit that was judged valid.
pub(crate) struct Judged {
    pub(crate) entry: Entry,
    pub(crate) added: Vec<VerifiedKeyPackage>,
    pub(crate) removed: Vec<Member>,
    pub(crate) committer: VerifiedLeaf,
    pub(crate) context_after: ComptoirContext,
    /// Names what the commit makes of the parent.
    pub(crate) content: [u8; 32],
    pub(crate) class: Class,
    pub(crate) standing: Standing,
}

/// The parent state, as far as the rules look at it.
pub(crate) struct Parent<'a> {
    pub(crate) hash: ParentHash,
    pub(crate) context: &'a ComptoirContext,
    pub(crate) members: &'a [Member],
}

impl Parent<'_> {
    fn member(&self, index: LeafNodeIndex) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.leaf_index == index.u32())
    }

    fn accounts(&self) -> BTreeSet<AccountId> {
        self.members.iter().map(|member| member.account).collect()
    }

    fn removed(&self, index: LeafNodeIndex) -> Result<Member, CommitFault> {
        self.member(index).cloned().ok_or(CommitFault::OtherDevice)
    }
}

/// Judges `staged`.
pub(crate) fn judge(
    parent: &Parent<'_>,
    staged: &StagedCommit,
    committer: Committer,
    evidence: &Evidence,
) -> Result<Judged, CommitFault> {
    match committer {
        Committer::Member(index) => judge_member(parent, staged, index, evidence),
        Committer::Outside => outside::judge(parent, staged, evidence),
    }
}

fn judge_member(
    parent: &Parent<'_>,
    staged: &StagedCommit,
    committer: LeafNodeIndex,
    evidence: &Evidence,
) -> Result<Judged, CommitFault> {
    let author = parent.member(committer).ok_or(CommitFault::OtherDevice)?;
    may_commit(parent.context, author.device)?;
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for queued in staged.queued_proposals() {
        match by_value(queued, &Sender::Member(committer))? {
            Proposal::Add(add) => added.push(verify_package(add.key_package())?),
            Proposal::Remove(remove) => removed.push(parent.removed(remove.removed())?),
            Proposal::GroupContextExtensions(_) => {}
            _ => return Err(CommitFault::ProposalKind),
        }
    }
    let renewed = path_leaf(staged)?;
    if (renewed.account, renewed.device) != (author.account, author.device) {
        return Err(CommitFault::OtherDevice);
    }
    one_leaf_a_device(parent, &added, &removed)?;
    membership_allowed(parent, author, &added, &removed)?;
    let context_after = read_context(staged.group_context().extensions())?;
    if evidence.pass.is_some() {
        return Err(CommitFault::ForeignEvidence {
            what: "a member's, who needs no pass",
        });
    }
    let agreed = evidence::agreed(parent, &context_after, author.account, evidence)?;
    context_allowed(parent.context, &context_after, author, agreed)?;
    let removes_other = removed.iter().any(|gone| gone.account != author.account);
    let class = match (removes_other, added.as_slice()) {
        (true, _) => Class::RemovesOther,
        (false, [_, ..]) => Class::Adds,
        (false, []) => Class::Rest,
    };
    Ok(Judged {
        entry: Entry::Member,
        class,
        standing: parent.context.role(author.account).into(),
        added,
        removed,
        committer: renewed,
        content: content(parent, staged, &context_after),
        context_after,
    })
}

/// A proposal that came with the commit and is its committer's own.
fn by_value<'a>(
    queued: &'a QueuedProposal,
    committer: &Sender,
) -> Result<&'a Proposal, CommitFault> {
    if queued.proposal_or_ref_type() != ProposalOrRefType::Proposal {
        return Err(CommitFault::ByReference);
    }
    if queued.sender() != committer {
        return Err(CommitFault::ForeignProposal);
    }
    Ok(queued.proposal())
}

fn path_leaf(staged: &StagedCommit) -> Result<VerifiedLeaf, CommitFault> {
    let path = staged.update_path_leaf_node().ok_or(CommitFault::NoPath)?;
    leaf::verify_node(path).map_err(CommitFault::CommitterLeaf)
}

/// Names what a commit makes of its parent: the tree, fresh keys and all, and the context. For whoever the commit
/// removes, who cannot compute the state it leads to.
///
/// Not a hash of the bytes that came: every member can derive every other's ratchet keys, so any of them could seal an
/// honest commit, signature and all, a second time, and its author would look like one who committed twice.
fn content(parent: &Parent<'_>, staged: &StagedCommit, after: &ComptoirContext) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"comptoir/commit");
    hash.update(parent.hash.0);
    hash.update(Sha256::digest(staged.group_context().tree_hash()));
    hash.update(after.to_bytes());
    hash.finalize().into()
}

/// Reads the context of a group: our extension and its demand, and no other.
pub(crate) fn read_context(
    extensions: &Extensions<GroupContext>,
) -> Result<ComptoirContext, CommitFault> {
    let context: ComptoirContext = read_extension(extensions, CONTEXT_EXTENSION)?;
    if extensions.iter().count() != 2 || extensions.required_capabilities() != Some(&required()) {
        return Err(CommitFault::ForeignExtension);
    }
    if context.rules != RULES {
        return Err(CommitFault::NeedsNewer {
            rules: context.rules,
        });
    }
    Ok(context)
}

/// No device has two leaves: a message could not be told to be its one author's.
pub(crate) fn devices_once(
    devices: impl IntoIterator<Item = (AccountId, DeviceId)>,
) -> Result<(), CommitFault> {
    let mut seen = BTreeSet::new();
    if devices.into_iter().all(|device| seen.insert(device)) {
        Ok(())
    } else {
        Err(CommitFault::DeviceTwice)
    }
}

fn one_leaf_a_device(
    parent: &Parent<'_>,
    added: &[VerifiedKeyPackage],
    removed: &[Member],
) -> Result<(), CommitFault> {
    let stay = parent
        .members
        .iter()
        .filter(|member| {
            !removed
                .iter()
                .any(|gone| gone.leaf_index == member.leaf_index)
        })
        .map(|member| (member.account, member.device));
    devices_once(
        stay.chain(
            added
                .iter()
                .map(|package| (package.account(), package.device())),
        ),
    )
}

fn may_commit(context: &ComptoirContext, author: DeviceId) -> Result<(), CommitFault> {
    match context.policy {
        CommitPolicy::Designated(device) if device != author => Err(CommitFault::NotDesignated),
        _ => Ok(()),
    }
}

fn membership_allowed(
    parent: &Parent<'_>,
    author: &Member,
    added: &[VerifiedKeyPackage],
    removed: &[Member],
) -> Result<(), CommitFault> {
    let context = parent.context;
    let role = context.role(author.account);
    let mut accounts = parent.accounts();
    for package in added {
        let account = package.account();
        let newcomer = accounts.insert(account);
        let allowed = match context.kind {
            ThreadKind::Own => account == author.account,
            ThreadKind::Pair => accounts.len() <= 2,
            ThreadKind::Group | ThreadKind::Merchant => {
                !newcomer || role.is_some() || context.roles.is_empty()
            }
        };
        if !allowed {
            return Err(CommitFault::NotAllowed {
                what: "add this account",
            });
        }
    }
    for gone in removed {
        let theirs = context.role(gone.account);
        let allowed = gone.account == author.account
            || role == Some(Role::Owner)
            || role == Some(Role::Admin) && theirs != Some(Role::Owner);
        if !allowed {
            return Err(CommitFault::NotAllowed {
                what: "remove another account's device",
            });
        }
    }
    Ok(())
}

fn context_allowed(
    before: &ComptoirContext,
    after: &ComptoirContext,
    author: &Member,
    agreed: bool,
) -> Result<(), CommitFault> {
    if (after.thread, after.incarnation, after.kind)
        != (before.thread, before.incarnation, before.kind)
    {
        return Err(CommitFault::OtherThread);
    }
    let role = before.role(author.account);
    if after.roles != before.roles && role != Some(Role::Owner) && !agreed {
        return Err(CommitFault::NotAllowed {
            what: "change roles",
        });
    }
    let governed = after.policy != before.policy
        || after.join_links != before.join_links
        || after.history != before.history;
    // Title and timer of one's own thread or of a conversation of two are anybody's who is in it.
    let shared = after.title != before.title || after.expires_after_s != before.expires_after_s;
    let equals = matches!(before.kind, ThreadKind::Own | ThreadKind::Pair);
    if role.is_none() && (governed || shared && !equals) {
        return Err(CommitFault::NotAllowed {
            what: "change the thread",
        });
    }
    Ok(())
}
