// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only tests may do: look at secrets, and play a node whose own checks are off.
#![allow(clippy::unwrap_used)]

use comptoir_protocol::id::{AccountId, DeviceId};
use openmls::prelude::{Extensions, GroupContext};

use super::commit::{Wanted, bytes};
use super::{Added, MlsThread};
use crate::mls::context::ComptoirContext;
use crate::mls::crypto::StepCrypto;
use crate::mls::leaf::{KnownLeaf, Leaf};
use crate::mls::package::VerifiedKeyPackage;
use crate::seed::StepSeed;

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
    ) -> Added {
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

    fn force(&mut self, wanted: Wanted<'_>, seed: StepSeed) -> Added {
        let parent = self.parent();
        let crypto = StepCrypto::seeded(seed);
        let bundle = self.stage(wanted, &crypto).unwrap();
        self.merge(&crypto).unwrap();
        let (commit, welcome, _) = bundle.into_messages();
        Added {
            parent,
            commit: bytes(&commit).unwrap(),
            welcome: welcome.map_or_else(Vec::new, |welcome| bytes(&welcome).unwrap()),
        }
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
