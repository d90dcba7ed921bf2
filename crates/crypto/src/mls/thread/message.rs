// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages: sealed by the sender's ratchet, bound to their envelope, signed with the leaf key.

use openmls::prelude::{
    ContentType, MlsMessageBodyIn, MlsMessageIn, PrivateMessageIn, ProcessedMessage,
    ProcessedMessageContent, Sender,
};
use tls_codec::Deserialize as _;

use super::{Member, MlsThread};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::{DecryptError, EncryptError};
use crate::mls::leaf::credential_hash;
use crate::mls::provider::Provider;
use crate::seed::StepSeed;

/// An opened message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who wrote it: proved when the leaf came into the thread.
    pub author: Member,
    /// The epoch it was sent in.
    pub epoch: u64,
    /// What was said.
    pub plaintext: Vec<u8>,
}

impl MlsThread {
    /// Seals `plaintext`, bound to `aad` (what its envelope authenticates: all of it but the bytes).
    ///
    /// The send ratchet has moved: commit [`MlsThread::take_changes`] before the bytes leave, or a crash would seal
    /// another message with the same key.
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        aad: &[u8],
        seed: StepSeed,
    ) -> Result<Vec<u8>, EncryptError> {
        if !self.is_active() {
            return Err(EncryptError::Removed);
        }
        if self.spoilt {
            return Err(EncryptError::Spoilt);
        }
        let crypto = StepCrypto::seeded(seed);
        self.spoilt = true;
        self.group.set_aad(aad.to_vec());
        let message = self
            .group
            .create_message(
                &Provider::new(&crypto, &self.overlay),
                &self.leaf_key,
                plaintext,
            )
            .map_err(|e| EncryptError::Mls(e.to_string()))?;
        let bytes = message
            .to_bytes()
            .map_err(|e| EncryptError::Mls(e.to_string()))?;
        (self.sent, self.spoilt) = (true, false);
        Ok(bytes)
    }

    /// Opens a message and says who wrote it. On error the thread is as it was: no generation is used up (at most
    /// the author's ratchet was set up, which the first message does anyway).
    pub fn decrypt(&mut self, bytes: &[u8], expected_aad: &[u8]) -> Result<Opened, DecryptError> {
        if self.spoilt {
            return Err(DecryptError::Spoilt);
        }
        let message = private_message(bytes).ok_or(DecryptError::Malformed)?;
        if message.content_type() != ContentType::Application {
            return Err(DecryptError::Malformed);
        }
        if message.group_id() != self.group.group_id() {
            return Err(DecryptError::OtherGroup);
        }
        // Before the ratchet is touched: what the bytes say here is authenticated with them, so a message that goes
        // on from here and opens was bound to just this.
        if message.aad() != expected_aad {
            return Err(DecryptError::OtherEnvelope);
        }
        let epoch = message.epoch().as_u64();
        if epoch + (super::PAST_EPOCHS_MAX as u64) < self.epoch() {
            return Err(DecryptError::EpochGone);
        }
        let crypto = StepCrypto::reading();
        let processed = self
            .group
            .process_message(&Provider::new(&crypto, &self.overlay), message)?;
        let author = self.author(&processed);
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => Ok(Opened {
                author: author?,
                epoch,
                plaintext: message.into_bytes(),
            }),
            ProcessedMessageContent::OwnPrivateMessage => Err(DecryptError::Own),
            _ => Err(DecryptError::Malformed),
        }
    }

    fn author(&self, processed: &ProcessedMessage) -> Result<Member, DecryptError> {
        let Sender::Member(index) = processed.sender() else {
            return Err(DecryptError::Refused("not from a member".to_owned()));
        };
        let leaf = self
            .known
            .get(&credential_hash(processed.credential()))
            .ok_or_else(|| {
                DecryptError::Refused("the author's leaf was never proved".to_owned())
            })?;
        Ok(Member::new(*index, leaf))
    }
}

pub(super) fn private_message(bytes: &[u8]) -> Option<PrivateMessageIn> {
    match MlsMessageIn::tls_deserialize_exact(bytes).ok()?.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Some(message),
        _ => None,
    }
}
