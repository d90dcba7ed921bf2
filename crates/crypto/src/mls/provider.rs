// SPDX-License-Identifier: MIT OR Apache-2.0
//! What OpenMLS is given for one operation: crypto and randomness of the step, and the group's overlay.

use openmls_traits::OpenMlsProvider;

use super::crypto::StepCrypto;
use super::storage::Overlay;

pub(crate) struct Provider<'a> {
    crypto: &'a StepCrypto,
    overlay: &'a Overlay,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(crypto: &'a StepCrypto, overlay: &'a Overlay) -> Self {
        Self { crypto, overlay }
    }
}

impl OpenMlsProvider for Provider<'_> {
    type CryptoProvider = StepCrypto;
    type RandProvider = StepCrypto;
    type StorageProvider = Overlay;

    fn storage(&self) -> &Overlay {
        self.overlay
    }

    fn crypto(&self) -> &StepCrypto {
        self.crypto
    }

    fn rand(&self) -> &StepCrypto {
        self.crypto
    }
}
