// SPDX-License-Identifier: MIT OR Apache-2.0
//! The evidence, judged: who consents, and by which link a stranger comes.

use std::collections::BTreeSet;

use comptoir_protocol::evidence::{ContextConsent, Evidence, LinkPass};
use comptoir_protocol::id::AccountId;
use comptoir_protocol::identity::VerifiedLeaf;
use comptoir_protocol::{Signed, Wire as _};
use sha2::{Digest as _, Sha256};

use super::{CommitFault, Parent};
use crate::mls::context::ComptoirContext;

/// What a consent to `after` says in the state `parent`.
pub(crate) fn consent_to(parent: &Parent<'_>, after: &ComptoirContext) -> ContextConsent {
    ContextConsent {
        thread: parent.context.thread,
        incarnation: parent.context.incarnation,
        parent: parent.hash,
        context: Sha256::digest(after.to_bytes()).into(),
    }
}

/// Whether two thirds of the parent's accounts agree to `after`. The committer agrees by committing. One consent that
/// does not hold makes the commit invalid: its committer checked them all.
pub(super) fn agreed(
    parent: &Parent<'_>,
    after: &ComptoirContext,
    committer: AccountId,
    evidence: &Evidence,
) -> Result<bool, CommitFault> {
    let said = consent_to(parent, after);
    let mut agreeing = BTreeSet::from([committer]);
    for consent in evidence.consents.iter().flatten() {
        let consent = consent.clone().verify()?;
        if *consent != said {
            return Err(CommitFault::ForeignEvidence {
                what: "a consent to something else",
            });
        }
        let signer = parent
            .members
            .iter()
            .find(|member| member.leaf_key == consent.signer())
            .ok_or(CommitFault::ForeignEvidence {
                what: "the consent of somebody who is no member",
            })?;
        agreeing.insert(signer.account);
    }
    Ok(3 * agreeing.len() >= 2 * parent.accounts().len())
}

/// Proves that `pass` lets `joiner` in here, by the key of a link that the context lists.
pub(super) fn admitted(
    parent: &Parent<'_>,
    joiner: &VerifiedLeaf,
    pass: &Signed<LinkPass>,
) -> Result<(), CommitFault> {
    let pass = pass.clone().verify()?;
    if !parent.context.join_links.contains(&pass.signer()) {
        return Err(CommitFault::ForeignEvidence {
            what: "a pass of a link that the thread does not list",
        });
    }
    let wanted = LinkPass {
        thread: parent.context.thread,
        incarnation: parent.context.incarnation,
        parent: parent.hash,
        account: joiner.account,
        device: joiner.device,
        leaf_key: joiner.leaf_key,
    };
    if *pass != wanted {
        return Err(CommitFault::ForeignEvidence {
            what: "a pass for another thread, state or leaf",
        });
    }
    Ok(())
}
