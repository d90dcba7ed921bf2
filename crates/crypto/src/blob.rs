// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sealed blob: what a short link points to. The relay knows its hash; the link also carries the key.

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use comptoir_protocol::id::BlobId;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::seed::StepSeed;

/// What a sealed blob is longer than its content.
pub const BLOB_SEAL_BYTES: usize = 16;

/// A blob was not opened. Not retryable with the same bytes: fetch again, or ask for a new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The bytes are not those the link names.
    #[error("the relay gave other bytes than the link names")]
    OtherBytes,
    /// The link's key does not open them.
    #[error("the link's key does not open the blob")]
    Refused,
}

/// A sealed blob, and what a link needs to find and open it.
pub struct SealedBlob {
    /// The hash of `bytes`: the blob's address.
    pub id: BlobId,
    /// Opens it. Used for this blob alone.
    pub key: Zeroizing<[u8; 32]>,
    /// What the relay keeps.
    pub bytes: Vec<u8>,
}

/// Seals `content` under a key of its own.
pub fn seal(content: &[u8], seed: StepSeed) -> SealedBlob {
    let key = seed.derive("comptoir/blob", &Sha256::digest(content));
    let bytes = XChaCha20Poly1305::new((&*key).into())
        .encrypt(&NONCE.into(), content)
        .expect("a blob is shorter than ChaCha20's 256 GiB");
    SealedBlob {
        id: id(&bytes),
        key,
        bytes,
    }
}

/// Seals `content` under a key that a link gives away. The key must be used for this content alone.
pub fn seal_under(key: &[u8; 32], content: &[u8]) -> (BlobId, Vec<u8>) {
    let bytes = XChaCha20Poly1305::new(key.into())
        .encrypt(&NONCE.into(), content)
        .expect("a blob is shorter than ChaCha20's 256 GiB");
    (id(&bytes), bytes)
}

/// Opens the bytes a relay gave for `id`.
pub fn open(id: &BlobId, key: &[u8; 32], bytes: &[u8]) -> Result<Vec<u8>, BlobError> {
    if self::id(bytes) != *id {
        return Err(BlobError::OtherBytes);
    }
    XChaCha20Poly1305::new(key.into())
        .decrypt(&NONCE.into(), bytes)
        .map_err(|_| BlobError::Refused)
}

// A key seals one blob: it is derived from the content too, so even a seed used twice gives two keys.
const NONCE: [u8; 24] = [0; 24];

fn id(bytes: &[u8]) -> BlobId {
    BlobId(Sha256::digest(bytes).into())
}

impl core::fmt::Debug for SealedBlob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id, key: _, bytes } = self;
        f.debug_struct("SealedBlob")
            .field("id", id)
            .field("bytes", &bytes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]

    use super::*;

    #[test]
    fn a_blob_opens_with_its_link_and_with_no_other() {
        let blob = seal(b"card", StepSeed::from_bytes([1; 32]));
        assert_eq!(blob.bytes.len(), 4 + BLOB_SEAL_BYTES);
        assert_eq!(open(&blob.id, &blob.key, &blob.bytes).unwrap(), b"card");
        assert_eq!(
            open(&blob.id, &[0; 32], &blob.bytes),
            Err(BlobError::Refused)
        );
        assert_eq!(
            open(&BlobId([0; 32]), &blob.key, &blob.bytes),
            Err(BlobError::OtherBytes)
        );
        assert_eq!(
            open(&blob.id, &blob.key, &blob.bytes[1..]),
            Err(BlobError::OtherBytes)
        );
    }

    #[test]
    fn debug_prints_no_key() {
        let blob = seal(b"card", StepSeed::from_bytes([1; 32]));
        assert!(!format!("{blob:?}").contains("key"));
    }
}
