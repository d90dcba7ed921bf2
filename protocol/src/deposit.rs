// SPDX-License-Identifier: MIT OR Apache-2.0
//! The deposit: all a relay sees of an envelope, in one of four sizes.
//!
//! ```text
//! parcel   lane, author, author's envelope sequence, envelope
//! padded   parcel ‖ 0x80 ‖ 0x00 …            so that the sealed size is a class
//! deposit  nonce (24) ‖ ciphertext ‖ tag (16)  1, 4, 16 or 60 KiB; sealed by the crypto crate under k_box
//! ```

use thiserror::Error;

use crate::acknowledgement::AckVector;
use crate::codec::{DecodeError, Wire};
use crate::envelope::Envelope;
use crate::id::{BlobId, DeviceId, Lane};
use crate::limits::{
    DEPOSIT_CLASSES_BYTES, DEPOSIT_OVERHEAD_BYTES, PARCEL_BYTES_MAX, SEQUENCE_MAX,
};
use crate::relay::RelayDescriptor;
use crate::secret::Secret;
use crate::signed::Signed;
use crate::{wire_choice, wire_map};

/// What travels between members, on a stream as it is, through a relay padded and sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The lane; must be the envelope's and its capability's.
    pub lane: Lane,
    /// The author's device.
    pub author: DeviceId,
    /// The author's count of envelopes in this thread, from 1: what is deduplicated and put in order before decryption.
    /// 0 for what is not counted (acknowledgements).
    pub sequence: u64,
    /// What it carries.
    pub content: ParcelContent,
}
wire_map!(Parcel { 0 => lane, 1 => author, 2 => sequence, 3 => content }, check = Parcel::check);

/// What a parcel carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParcelContent {
    /// An envelope.
    Envelope(Envelope),
    /// What somebody has received.
    Acknowledgement(Signed<AckVector>),
    /// An envelope too large for a deposit, sealed at a relay.
    Blob(BlobReference),
}
wire_choice!(ParcelContent, "parcel content" { 0 => Envelope(envelope), 1 => Acknowledgement(vector), 2 => Blob(reference) });

/// Where a sealed blob lies and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobReference {
    /// The relay.
    pub relay: RelayDescriptor,
    /// The hash of the ciphertext.
    pub blob: BlobId,
    /// The key.
    pub key: Secret,
    /// Size of the ciphertext.
    pub bytes: u64,
}
wire_map!(BlobReference { 0 => relay, 1 => blob, 2 => key, 3 => bytes });

/// Why a parcel cannot be padded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a parcel of {got} bytes does not fit the largest deposit ({max}); send it as a blob")]
pub struct ParcelTooLarge {
    /// Its bytes.
    pub got: usize,
    /// The most that fits.
    pub max: usize,
}

impl Parcel {
    /// The parcel's bytes, padded so that sealing brings them to the smallest class that holds them.
    pub fn to_padded(&self) -> Result<Vec<u8>, ParcelTooLarge> {
        pad(self.to_bytes())
    }

    /// The parcel inside padded bytes.
    pub fn from_padded(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_bytes(unpad(bytes)?)
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.sequence > SEQUENCE_MAX {
            return Err(DecodeError::Invalid {
                what: "envelopes of an author never wrap",
            });
        }
        Ok(())
    }
}

/// Pads (ISO 7816-4: one 0x80, then zeros) to a class less [`DEPOSIT_OVERHEAD_BYTES`].
pub fn pad(mut bytes: Vec<u8>) -> Result<Vec<u8>, ParcelTooLarge> {
    let got = bytes.len();
    let padded = DEPOSIT_CLASSES_BYTES
        .iter()
        .map(|class| class - DEPOSIT_OVERHEAD_BYTES)
        .find(|padded| got < *padded);
    let padded = padded.ok_or(ParcelTooLarge {
        got,
        max: PARCEL_BYTES_MAX,
    })?;
    bytes.push(0x80);
    bytes.resize(padded, 0);
    Ok(bytes)
}

/// Takes the padding off and refuses any that [`pad`] would not have made: one parcel has one padded form.
pub fn unpad(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let wrong = DecodeError::Invalid {
        what: "the padding is not the one this parcel has",
    };
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .filter(|end| bytes[*end] == 0x80)
        .ok_or(wrong.clone())?;
    let smallest = DEPOSIT_CLASSES_BYTES
        .iter()
        .map(|class| class - DEPOSIT_OVERHEAD_BYTES)
        .find(|padded| end < *padded);
    if smallest == Some(bytes.len()) {
        Ok(&bytes[..end])
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests;
