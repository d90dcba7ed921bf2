// SPDX-License-Identifier: MIT OR Apache-2.0
//! The evidence of a commit: who let a stranger in, and who consents to what the committer's role alone does not allow.
//!
//! It stands in the commit's MLS authenticated data, behind the envelope's, so that whether the commit is valid follows
//! from its bytes. Each statement names the state it was made for: in another thread or a later state it proves nothing.

use crate::codec::{DecodeError, at_most};
use crate::id::{AccountId, DeviceId, ParentHash, PublicKey, ThreadId};
use crate::limits::CONSENTS_MAX;
use crate::signed::{Signable, Signed};
use crate::tag::label;
use crate::wire_map;

/// Signed by a join link's key: this leaf may come in by the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPass {
    /// The thread.
    pub thread: ThreadId,
    /// Which MLS group of the thread.
    pub incarnation: u32,
    /// The state that is joined.
    pub parent: ParentHash,
    /// The account that comes in.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// The device's leaf key.
    pub leaf_key: PublicKey,
}
wire_map!(LinkPass { 0 => thread, 1 => incarnation, 2 => parent, 3 => account, 4 => device, 5 => leaf_key });

impl Signable for LinkPass {
    const LABEL: &'static str = label::LINK_PASS;
    const VERSION: u16 = 1;
}

/// Signed by a member's leaf key: its account consents to another context, whoever commits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextConsent {
    /// The thread.
    pub thread: ThreadId,
    /// Which MLS group of the thread.
    pub incarnation: u32,
    /// The state that is left.
    pub parent: ParentHash,
    /// The hash of the context after the commit.
    pub context: [u8; 32],
}
wire_map!(ContextConsent { 0 => thread, 1 => incarnation, 2 => parent, 3 => context });

impl Signable for ContextConsent {
    const LABEL: &'static str = label::CONTEXT_CONSENT;
    const VERSION: u16 = 1;
}

/// What a commit brings beside MLS. One that needs nothing brings no bytes at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Lets a stranger in by a link.
    pub pass: Option<Signed<LinkPass>>,
    /// Consents of the parent's accounts.
    pub consents: Option<Vec<Signed<ContextConsent>>>,
}
wire_map!(Evidence { 0 => pass, 1 => consents }, check = Evidence::check);

impl Evidence {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), DecodeError> {
        let consents = self.consents.as_ref().map_or(0, Vec::len);
        at_most("consents of a commit", consents, CONSENTS_MAX)
    }
}
