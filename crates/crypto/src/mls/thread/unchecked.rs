// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only tests may do: look at secrets, and play a node whose own checks are off.
#![allow(clippy::unwrap_used)]

use comptoir_protocol::Wire as _;
use comptoir_protocol::evidence::Evidence;
use comptoir_protocol::id::{AccountId, DeviceId};
use openmls::group::MlsGroup;
use openmls::prelude::{Extensions, GroupContext, LeafNodeParameters, PreSharedKeyProposal};
use openmls::schedule::PreSharedKeyId;

use super::commit::{Wanted, bytes};
use super::outside::Offer;
use super::{MlsThread, binding, join_config};
use crate::keys::LeafKey;
use crate::mls::context::{ComptoirContext, LEAF_EXTENSION, extension};
use crate::mls::crypto::StepCrypto;
use crate::mls::leaf::{KnownLeaf, Leaf, capabilities};
use crate::mls::package::VerifiedKeyPackage;
use crate::mls::provider::Provider;
use crate::mls::rules::read_context;
use crate::mls::storage::Overlay;
use crate::seed::StepSeed;

/// A commit that nobody judged.
pub(crate) struct Forced {
    pub(crate) commit: Vec<u8>,
    pub(crate) welcome: Vec<u8>,
}

impl MlsThread {
    pub(crate) fn create_unchecked(context: ComptoirContext, leaf: &Leaf, seed: StepSeed) -> Self {
        let own = KnownLeaf {
            account: AccountId([0; 32]),
            device: DeviceId([0; 32]),
            leaf_key: leaf.key.public(),
            use_id: [0; 16],
            left_at: None,
        };
        Self::found(context, leaf, own, seed).unwrap()
    }

    pub(crate) fn add_unchecked(
        &mut self,
        packages: &[VerifiedKeyPackage],
        seed: StepSeed,
    ) -> Forced {
        let adds = packages
            .iter()
            .map(|package| package.package.clone())
            .collect();
        self.force(
            Wanted {
                adds,
                ..Wanted::default()
            },
            seed,
        )
    }

    pub(crate) fn replace_leaf_unchecked(&mut self, leaf: &Leaf, seed: StepSeed) -> Vec<u8> {
        let wanted = Wanted {
            leaf: Some(leaf),
            ..Wanted::default()
        };
        self.force(wanted, seed).commit
    }

    pub(crate) fn change_extensions_unchecked(
        &mut self,
        extensions: Extensions<GroupContext>,
        seed: StepSeed,
    ) -> Vec<u8> {
        let wanted = Wanted {
            extensions: Some(extensions),
            ..Wanted::default()
        };
        self.force(wanted, seed).commit
    }

    fn force(&mut self, wanted: Wanted<'_>, seed: StepSeed) -> Forced {
        let crypto = StepCrypto::seeded(seed);
        let bundle = self.stage(wanted, &crypto).unwrap();
        self.merge(&crypto).unwrap();
        let (commit, welcome, _) = bundle.into_messages();
        Forced {
            commit: bytes(&commit).unwrap(),
            welcome: welcome.map_or_else(Vec::new, |welcome| bytes(&welcome).unwrap()),
        }
    }

    /// Comes in from outside as `leaf` with whatever `evidence`, removing whoever has `leaf`'s key; and a further
    /// proposal beside, if there is one.
    pub(crate) fn enter_unchecked(
        offer: &[u8],
        leaf: &Leaf,
        evidence: Evidence,
        psk: Option<PreSharedKeyId>,
        seed: StepSeed,
    ) -> Vec<u8> {
        let Offer {
            group_info, name, ..
        } = Offer::read(offer).unwrap();
        let (overlay, crypto) = (Overlay::default(), StepCrypto::seeded(seed));
        let provider = Provider::new(&crypto, &overlay);
        let context = read_context(group_info.group_context().extensions()).unwrap();
        let mut binding = binding(&context, name.parent);
        binding.extend(evidence.to_bytes());
        let kinds = Extensions::single(extension(LEAF_EXTENSION, &leaf.kinds)).unwrap();
        let parameters = LeafNodeParameters::builder()
            .with_capabilities(capabilities())
            .with_extensions(kinds)
            .build();
        let psk_secret = [7; 32];
        if let Some(id) = &psk {
            id.store(&provider, &psk_secret).unwrap();
        }
        let (_, bundle) = MlsGroup::external_commit_builder()
            .with_config(join_config())
            .with_aad(binding)
            .skip_lifetime_validation()
            .build_group(&provider, group_info, leaf.credential_with_key())
            .unwrap()
            .add_psk_proposals(psk.into_iter().map(PreSharedKeyProposal::new))
            .leaf_node_parameters(parameters)
            .load_psks(&overlay)
            .unwrap()
            .create_group_info(false)
            .build(&crypto, &crypto, &leaf.key, |_| true)
            .unwrap()
            .finalize(&provider)
            .unwrap();
        bytes(bundle.commit()).unwrap()
    }

    /// Lets the thread have the secret of `psk` that [`MlsThread::enter_unchecked`] uses.
    pub(crate) fn keep_psk(&mut self, psk: &PreSharedKeyId) {
        let crypto = StepCrypto::reading();
        psk.store(&Provider::new(&crypto, &self.overlay), &[7; 32])
            .unwrap();
    }

    pub(crate) fn leaf_key(&self) -> LeafKey {
        self.leaf_key.clone()
    }

    pub(crate) fn leaf_key_secret(&self) -> [u8; 32] {
        *self.leaf_key.to_secret()
    }

    pub(crate) fn ratchet_bytes(&mut self) -> Vec<u8> {
        let sent = self.sent;
        let changed = self.overlay.secrets_changed();
        let row = self.ratchet_row();
        self.sent = sent;
        self.overlay.restore_secrets_changed(changed);
        row
    }
}
