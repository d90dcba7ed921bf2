// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way in from outside: back into one's own place after a state was lost, or by a link that the thread lists.
//!
//! A commit from outside cannot be sealed by MLS, so it shows the joiner's credential: it travels as every envelope
//! does, inside a deposit's AEAD or an authenticated stream, never bare.

use comptoir_protocol::Wire as _;
use comptoir_protocol::evidence::{Evidence, LinkPass};
use comptoir_protocol::id::{ParentHash, PublicKey};
use comptoir_protocol::identity::VerifiedLeaf;
use openmls::group::MlsGroup;
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    CredentialWithKey, Extensions, LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsSignaturePublicKey, Proposal, Verifiable as _,
};
use openmls_traits::types::SignatureScheme;
use tls_codec::Deserialize as _;

use super::commit::bytes;
use super::join::inhabitants;
use super::{Member, MlsThread, RowBytes, binding, join_config};
use crate::keys::{LeafKey, LinkKey};
use crate::mls::context::{
    ComptoirContext, LEAF_EXTENSION, LeafKinds, STATE_EXTENSION, StateName, extension,
    read_extension,
};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::{EnterError, OfferError};
use crate::mls::leaf::{self, Leaf, capabilities};
use crate::mls::provider::Provider;
use crate::mls::rules::{devices_once, read_context};
use crate::mls::storage::Overlay;
use crate::seed::StepSeed;

/// A thread that was come back into.
#[derive(Debug)]
pub struct CameBack {
    /// The thread, in a new leaf under a new key.
    pub thread: MlsThread,
    /// Who offered the state: check that it is who was asked.
    pub offered_by: Member,
    /// For the members: first the commit from outside, signed with the leaf key that the tree knows, then the one that
    /// puts the new key in its place. Nothing was said between them.
    pub commits: [FromOutside; 2],
}

/// A thread that was entered by a link.
#[derive(Debug)]
pub struct Entered {
    /// The thread.
    pub thread: MlsThread,
    /// Who offered the state.
    pub offered_by: Member,
    /// For the members.
    pub commit: FromOutside,
}

/// A commit of somebody who comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromOutside {
    /// The state it was made in, which its envelope names; its lane is the service lane.
    pub parent: ParentHash,
    /// For the members.
    pub commit: Vec<u8>,
}

impl MlsThread {
    /// Offers the state to one who is to come in from outside: its tree and public key, signed. It shows every
    /// member's credential, so it goes to that one alone, sealed. Some 30 kB at 100 members.
    pub fn offer(&self) -> Result<Vec<u8>, OfferError> {
        if !self.is_active() {
            return Err(OfferError::Removed);
        }
        if self.spoilt {
            return Err(OfferError::Spoilt);
        }
        let name = StateName {
            parent: self.parent(),
            offered_by: self.own_leaf_index(),
        };
        self.group
            .export_group_info_with_additional_extensions(
                &StepCrypto::reading(),
                &self.leaf_key,
                true,
                [extension(STATE_EXTENSION, &name)],
            )
            .map_err(|e| OfferError::Mls(e.to_string()))?
            .to_bytes()
            .map_err(|e| OfferError::Mls(e.to_string()))
    }

    /// Comes back into the state `offer`, in the place of the leaf this lost or rolled back thread still knows, and
    /// puts `leaf` there. Fails where the tree knows that leaf no longer, or under a newer key: then only an Add helps.
    ///
    /// Two commits, because OpenMLS removes from outside only the leaf of the key it signs with.
    pub fn come_back(
        &self,
        offer: &[u8],
        leaf: &Leaf,
        seeds: [StepSeed; 2],
    ) -> Result<CameBack, EnterError> {
        let own = self
            .group
            .own_leaf_node()
            .filter(|node| node.signature_key().as_slice() == self.leaf_key.public().0)
            .ok_or(EnterError::NoLeaf)?;
        let kinds = leaf::kinds(own).map_err(leaf::LeafError::from)?;
        let credential = CredentialWithKey {
            credential: own.credential().clone(),
            signature_key: own.signature_key().clone(),
        };
        let [seed, renewal] = seeds;
        let offer = Offer::read(offer)?;
        if offer.group_info.group_id() != self.group.group_id() {
            return Err(EnterError::OtherThread);
        }
        let crypto = StepCrypto::seeded(seed);
        let entering = Entering {
            credential,
            key: &self.leaf_key,
            kinds: &kinds,
            evidence: Evidence::default(),
        };
        let (mut thread, offered_by, first) = entering.enter(offer, &crypto)?;
        let second = thread
            .replace_leaf(leaf, renewal)
            .map_err(|e| EnterError::Renewal(Box::new(e)))?;
        Ok(CameBack {
            thread,
            offered_by,
            commits: [
                first,
                FromOutside {
                    parent: second.parent,
                    commit: second.commit,
                },
            ],
        })
    }

    /// Enters the state `offer` as `leaf`, by the link whose key is `link`.
    pub fn enter(
        offer: &[u8],
        link: &LinkKey,
        leaf: &Leaf,
        seed: StepSeed,
    ) -> Result<Entered, EnterError> {
        let own = leaf::verify(&leaf.credential_with_key().credential, &leaf.key.public().0)?;
        let offer = Offer::read(offer)?;
        if !offer.context.join_links.contains(&link.public()) {
            return Err(EnterError::NoSuchLink);
        }
        let entering = Entering {
            credential: leaf.credential_with_key(),
            key: &leaf.key,
            kinds: &leaf.kinds,
            evidence: Evidence {
                pass: Some(link.sign(&offer.pass(&own))),
                consents: None,
            },
        };
        let (thread, offered_by, commit) = entering.enter(offer, &StepCrypto::seeded(seed))?;
        Ok(Entered {
            thread,
            offered_by,
            commit,
        })
    }
}

/// A state that somebody offers, its signature not yet checked.
pub(super) struct Offer {
    pub(super) group_info: VerifiableGroupInfo,
    context: ComptoirContext,
    pub(super) name: StateName,
}

impl Offer {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, EnterError> {
        let message =
            MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| EnterError::Malformed)?;
        let MlsMessageBodyIn::GroupInfo(group_info) = message.extract() else {
            return Err(EnterError::Malformed);
        };
        let context = read_context(group_info.group_context().extensions())?;
        let name = read_extension(group_info.extensions(), STATE_EXTENSION)
            .map_err(|_| EnterError::Malformed)?;
        if group_info.group_id().as_slice() != context.group_id() {
            return Err(EnterError::OtherThread);
        }
        Ok(Self {
            group_info,
            context,
            name,
        })
    }

    fn pass(&self, joiner: &VerifiedLeaf) -> LinkPass {
        LinkPass {
            thread: self.context.thread,
            incarnation: self.context.incarnation,
            parent: self.name.parent,
            account: joiner.account,
            device: joiner.device,
            leaf_key: joiner.leaf_key,
        }
    }
}

/// Who comes in.
struct Entering<'a> {
    credential: CredentialWithKey,
    key: &'a LeafKey,
    kinds: &'a LeafKinds,
    evidence: Evidence,
}

impl Entering<'_> {
    /// Makes the commit from outside and merges it; every member's leaf is proved.
    fn enter(
        self,
        offer: Offer,
        crypto: &StepCrypto,
    ) -> Result<(MlsThread, Member, FromOutside), EnterError> {
        let failed = |e: &dyn std::fmt::Display| EnterError::Mls(e.to_string());
        let Offer {
            group_info,
            context,
            name: StateName { parent, offered_by },
        } = offer;
        let signed = group_info.clone();
        let overlay = Overlay::default();
        let provider = Provider::new(crypto, &overlay);
        let mut binding = binding(&context, parent);
        if !self.evidence.is_empty() {
            binding.extend(self.evidence.to_bytes());
        }
        let leaf_extensions =
            Extensions::single(extension(LEAF_EXTENSION, self.kinds)).map_err(|e| failed(&e))?;
        let parameters = LeafNodeParameters::builder()
            .with_capabilities(capabilities())
            .with_extensions(leaf_extensions)
            .build();
        // As in a join: lifetimes are unlimited, and checked to be.
        let mut leaves = false;
        let built = MlsGroup::external_commit_builder()
            .with_config(join_config())
            .with_aad(binding)
            .skip_lifetime_validation()
            .build_group(&provider, group_info, self.credential)
            .map_err(|e| failed(&e))?
            .leaf_node_parameters(parameters)
            .load_psks(&overlay)
            .map_err(|e| failed(&e))?
            .create_group_info(false)
            .build(crypto, crypto, self.key, |queued| {
                leaves |= matches!(queued.proposal(), Proposal::Remove(_));
                true
            })
            .map_err(|e| failed(&e))?;
        // Who comes back leaves its old place, who enters by a link has none. OpenMLS looks for it by key alone.
        if leaves != self.evidence.pass.is_none() {
            return Err(EnterError::NoLeaf);
        }
        let (group, bundle) = built.finalize(&provider).map_err(|e| failed(&e))?;
        let known = inhabitants(&group)?;
        let thread = MlsThread {
            group,
            overlay,
            leaf_key: self.key.clone(),
            context,
            known,
            sent: false,
            spoilt: false,
            row_bytes: RowBytes::default(),
        };
        let members = thread.members();
        devices_once(members.iter().map(|member| (member.account, member.device)))?;
        let offered_by = members
            .into_iter()
            .find(|member| member.leaf_index == offered_by)
            .filter(|member| is_signed_by(&signed, member.leaf_key))
            .ok_or(EnterError::Malformed)?;
        let commit = bytes(bundle.commit()).map_err(|e| failed(&e))?;
        Ok((thread, offered_by, FromOutside { parent, commit }))
    }
}

/// OpenMLS checked the signature and does not tell whose it is.
fn is_signed_by(offer: &VerifiableGroupInfo, key: PublicKey) -> bool {
    OpenMlsSignaturePublicKey::new(key.0.to_vec().into(), SignatureScheme::ED25519)
        .is_ok_and(|key| offer.verify_no_out(&StepCrypto::reading(), &key).is_ok())
}
