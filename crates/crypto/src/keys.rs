// SPDX-License-Identifier: MIT OR Apache-2.0
//! The keys: one type for each role, so that none signs or opens for another. All wipe themselves; none prints.

use core::fmt;

use comptoir_protocol::id::{DeviceId, PublicKey};
use comptoir_protocol::{Signable, Signed};
use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hpke;
use crate::seed::StepSeed;

macro_rules! signing_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SigningKey);

        impl $name {
            /// A new key.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut secret = Zeroizing::new([0; 32]);
                rng.fill_bytes(secret.as_mut());
                Self::from_secret(&secret)
            }

            /// The key of a secret that was kept.
            pub fn from_secret(secret: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(secret))
            }

            /// The secret, to be kept sealed.
            pub fn to_secret(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public half.
            pub fn public(&self) -> PublicKey {
                PublicKey(self.0.verifying_key().to_bytes())
            }

            /// Signs a statement.
            pub fn sign<T: Signable>(&self, statement: &T) -> Signed<T> {
                Signed::sign(statement, &self.0)
            }

            /// The key as others' functions take it.
            pub fn as_signing_key(&self) -> &SigningKey {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

signing_key!(
    /// An account's root: comes from the recovery phrase, rotates itself, names the list key, is kept on no disk.
    RootKey
);
signing_key!(
    /// Signs the device list and certifies devices. Lives on devices marked manager.
    ListKey
);
signing_key!(
    /// A device's own key: signs its statements and certifies its leaves. Never leaves the device.
    DeviceKey
);
signing_key!(
    /// A device's key in one thread: nobody outside can link it to another thread's.
    LeafKey
);
signing_key!(
    /// A join link's key: whoever holds it can let a leaf into the thread that lists it. Travels inside the link.
    LinkKey
);
signing_key!(
    /// Owns boxes at a relay: makes, moves and deletes them, and grants and revokes.
    BoxOwnerKey
);
signing_key!(
    /// Reads boxes at a relay.
    BoxReaderKey
);

impl DeviceKey {
    /// The device's id, which is its key.
    pub fn id(&self) -> DeviceId {
        self.public().into()
    }
}

/// Opens the hellos that came through one front door. Rotated monthly; the old one is destroyed when the cards
/// that carried it have expired.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct FrontDoorKey {
    secret: [u8; 32],
    #[zeroize(skip)]
    public: [u8; 32],
}

impl FrontDoorKey {
    /// A new key.
    pub fn generate(seed: &StepSeed) -> Self {
        let (secret, public) = hpke::key_pair(&*seed.derive("comptoir/front-door", &[]));
        Self {
            secret: *secret,
            public,
        }
    }

    /// The key of a secret that was kept.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret));
        Self {
            secret,
            public: public.to_bytes(),
        }
    }

    /// The secret, to be kept sealed.
    pub fn to_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret)
    }

    /// The public half, as it stands on the card.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for FrontDoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret: _,
            public: _,
        } = self;
        f.write_str("FrontDoorKey(..)")
    }
}
