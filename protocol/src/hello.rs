// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hello: what a stranger says through a front door, once, in at most 4 KiB.
//!
//! The proof of the newcomer's account and the certificate of its device stand in the credential of the key package, so
//! the hello does not repeat them: this and a device list that may be left out keep the largest hello under its limit
//! however many devices either side has.

use sha2::{Digest, Sha256};

use crate::capability::Capability;
use crate::codec::{DecodeError, Wire, at_most};
use crate::error::VerifyError;
use crate::id::StatementHash;
use crate::identity::{CardBundle, ContactCard, DeviceList, LeafCredential, VerifiedCard};
use crate::invite::InviteToken;
use crate::limits::{
    HELLO_KEY_PACKAGE_BYTES_MAX, HELLO_PLAIN_BYTES_MAX, HELLO_REPLY_ADDRESSES_MAX, REASON_BYTES_MAX,
};
use crate::signed::Signed;
use crate::wire_map;

/// A first contact, before it is sealed to the front-door key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The newcomer's card.
    pub card: Signed<ContactCard>,
    /// Its devices, where there is room; otherwise the card has their hash and they follow inside the thread.
    pub list: Option<Signed<DeviceList>>,
    /// One MLS key package of the sending device; its credential proves the newcomer's account.
    pub key_package: Vec<u8>,
    /// Where the answer goes; none from a node without a relay, which is answered on a direct stream only.
    pub reply: Option<Capability>,
    /// The invitation it answers, if any.
    pub token: Option<Signed<InviteToken>>,
    /// Why, in the newcomer's words.
    pub reason: String,
    /// Random: two hellos are two.
    pub nonce: [u8; 16],
}
wire_map!(Hello {
    0 => card, 1 => list, 2 => key_package, 3 => reply, 4 => token, 5 => reason, 6 => nonce,
}, check = Hello::check);

impl Hello {
    /// Leaves out what does not fit, in this order: further addresses of the reply's relay beyond two, the device list,
    /// the second address (the card has them too). Then checks all bounds; within those of its parts every hello fits.
    pub fn fitted(mut self) -> Result<Self, DecodeError> {
        self.keep_reply_addresses(HELLO_REPLY_ADDRESSES_MAX);
        if self.to_bytes().len() > HELLO_PLAIN_BYTES_MAX {
            self.list = None;
        }
        if self.to_bytes().len() > HELLO_PLAIN_BYTES_MAX {
            self.keep_reply_addresses(1);
        }
        self.check()?;
        Ok(self)
    }

    fn keep_reply_addresses(&mut self, addresses_max: usize) {
        if let Some(reply) = &mut self.reply {
            reply.relay.addresses.truncate(addresses_max);
        }
    }

    /// The newcomer's card with its proof, which stands in `credential`, the key package's own.
    #[must_use]
    pub fn bundle(&self, credential: &LeafCredential) -> CardBundle {
        CardBundle {
            proof: credential.proof.clone(),
            certificate: credential.device.clone(),
            card: self.card.clone(),
            list: self.list.clone(),
        }
    }

    /// Proves the newcomer: `credential` must be that of the hello's key package, already checked against its leaf key.
    pub fn verify(
        &self,
        credential: &LeafCredential,
        now_ms: u64,
    ) -> Result<VerifiedCard, VerifyError> {
        self.bundle(credential).verify(now_ms)
    }

    /// Names the hello. Of two that cross, the one with the smaller hash is the accepted one, on both sides.
    #[must_use]
    pub fn hash(&self) -> StatementHash {
        StatementHash(
            Sha256::new()
                .chain_update(b"comptoir/hello")
                .chain_update(self.to_bytes())
                .finalize()
                .into(),
        )
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a reason", self.reason.len(), REASON_BYTES_MAX)?;
        let addresses = self
            .reply
            .as_ref()
            .map_or(0, |reply| reply.relay.addresses.len());
        at_most(
            "addresses of a reply's relay",
            addresses,
            HELLO_REPLY_ADDRESSES_MAX,
        )?;
        at_most(
            "bytes of a key package",
            self.key_package.len(),
            HELLO_KEY_PACKAGE_BYTES_MAX,
        )?;
        at_most(
            "bytes of a hello",
            self.to_bytes().len(),
            HELLO_PLAIN_BYTES_MAX,
        )
    }
}

#[cfg(test)]
mod tests;
