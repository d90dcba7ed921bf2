// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules of a commit from outside: a device comes back in the place of its own leaf, or a stranger by a listed link.
//!
//! OpenMLS lets an external commit remove any one member. Without the rule here whoever is shown a GroupInfo could put
//! itself in the place of somebody else.

use comptoir_protocol::evidence::Evidence;
use openmls::group::StagedCommit;
use openmls::prelude::{Proposal, Sender};

use super::{
    CommitFault, Entry, Judged, Parent, by_value, content, devices_once, evidence, may_commit,
    path_leaf, read_context,
};
use crate::branch::{Class, Standing};
use crate::mls::context::ThreadKind;
use crate::mls::leaf;

pub(super) fn judge(
    parent: &Parent<'_>,
    staged: &StagedCommit,
    evidence: &Evidence,
) -> Result<Judged, CommitFault> {
    let joiner = path_leaf(staged)?;
    // The policy holds for whoever comes from outside too: in a designated thread the others ask the device to put
    // them back.
    may_commit(parent.context, joiner.device)?;
    if !staged.update_path_leaf_node().is_some_and(leaf::is_capable) {
        return Err(CommitFault::Outside {
            what: "bring a leaf that does not support what every thread uses",
        });
    }
    let mut removed = Vec::new();
    for queued in staged.queued_proposals() {
        match by_value(queued, &Sender::NewMemberCommit)? {
            Proposal::ExternalInit(_) => {}
            Proposal::Remove(remove) => removed.push(parent.removed(remove.removed())?),
            _ => return Err(CommitFault::ProposalKind),
        }
    }
    let entry = match (removed.as_slice(), &evidence.pass) {
        ([own], None) if (own.account, own.device) == (joiner.account, joiner.device) => {
            Entry::Resync
        }
        ([_], None) => {
            return Err(CommitFault::Outside {
                what: "remove another's leaf",
            });
        }
        ([], Some(pass)) => {
            evidence::admitted(parent, &joiner, pass)?;
            takes_strangers(parent)?;
            Entry::Link
        }
        ([], None) => {
            return Err(CommitFault::Outside {
                what: "come in without a link",
            });
        }
        _ => {
            return Err(CommitFault::Outside {
                what: "remove anybody and use a link",
            });
        }
    };
    if evidence.consents.is_some() {
        return Err(CommitFault::ForeignEvidence {
            what: "a consent that nothing needs",
        });
    }
    let stay = parent
        .members
        .iter()
        .filter(|member| !removed.contains(member))
        .map(|member| (member.account, member.device));
    devices_once(stay.chain([(joiner.account, joiner.device)]))?;
    let (class, standing) = match entry {
        Entry::Link => (Class::Adds, Standing::Member),
        Entry::Resync | Entry::Member => (Class::Rest, parent.context.role(joiner.account).into()),
    };
    let context_after = read_context(staged.group_context().extensions())?;
    if context_after != *parent.context {
        return Err(CommitFault::Outside {
            what: "change the context",
        });
    }
    Ok(Judged {
        entry,
        class,
        standing,
        added: Vec::new(),
        removed,
        committer: joiner,
        content: content(parent, staged, &context_after),
        context_after,
    })
}

/// One's own thread and a conversation of two take nobody by a link, whatever their context lists.
fn takes_strangers(parent: &Parent<'_>) -> Result<(), CommitFault> {
    match parent.context.kind {
        ThreadKind::Group | ThreadKind::Merchant => Ok(()),
        ThreadKind::Own | ThreadKind::Pair => Err(CommitFault::Outside {
            what: "bring a stranger into such a thread",
        }),
    }
}
