// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sealed hello: what a newcomer puts through a front door, open to its owner alone.
//!
//! HPKE base mode says nothing about the sender; who it is, the hello's own card and signatures say.

use comptoir_protocol::limits::{HELLO_BYTES_MAX, HELLO_PLAIN_BYTES_MAX, HELLO_SEAL_BYTES};

use crate::hpke::{self, Encapsulation};
use crate::keys::FrontDoorKey;
use crate::seed::StepSeed;

/// The encapsulated key before the ciphertext.
const ENC_BYTES: usize = 32;
/// What sealing adds: that key, and a tag behind.
const SEAL_BYTES: usize = ENC_BYTES + 16;
const _: () = assert!(SEAL_BYTES <= HELLO_SEAL_BYTES);
const INFO: &[u8] = b"comptoir/hello/1";

/// A hello was not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The card's front-door key is no X25519 key. Not retryable: ask for another card.
    #[error("the front-door key of the card is not usable")]
    FrontDoor,
    /// Larger than a hello may be. Not retryable: shorten the reason.
    #[error("a hello of {bytes} bytes: at most {max} pass a front door")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// Shorter than key and tag.
    #[error("a sealed hello of {bytes} bytes is too short")]
    TooShort {
        /// How long it is.
        bytes: usize,
    },
    /// Sealed to another key, or damaged. Retryable with an older front-door key that is still kept.
    #[error("a hello does not open with this front-door key")]
    Refused,
}

/// Seals `hello` to the front-door key `front_door`, for the door that the card calls `key_id`.
pub fn seal(
    front_door: &[u8; 32],
    key_id: u32,
    hello: &[u8],
    seed: StepSeed,
) -> Result<Vec<u8>, HelloError> {
    let bytes = hello.len();
    if bytes > HELLO_PLAIN_BYTES_MAX {
        return Err(HelloError::TooLong {
            bytes,
            max: HELLO_PLAIN_BYTES_MAX,
        });
    }
    let aad = key_id.to_be_bytes();
    let encapsulation = Encapsulation::derived(&seed, front_door, [INFO, &aad, hello]);
    let (enc, sealed) = hpke::seal(encapsulation, front_door, INFO, &aad, hello)
        .map_err(|_| HelloError::FrontDoor)?;
    Ok([&enc[..], &sealed].concat())
}

/// Opens what [`seal`] made.
pub fn open(key: &FrontDoorKey, key_id: u32, sealed: &[u8]) -> Result<Vec<u8>, HelloError> {
    let bytes = sealed.len();
    if bytes > HELLO_BYTES_MAX {
        return Err(HelloError::TooLong {
            bytes,
            max: HELLO_BYTES_MAX,
        });
    }
    if bytes < SEAL_BYTES {
        return Err(HelloError::TooShort { bytes });
    }
    let (enc, sealed) = sealed.split_at(ENC_BYTES);
    hpke::open(key.secret(), enc, INFO, &key_id.to_be_bytes(), sealed)
        .map_err(|_| HelloError::Refused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]

    use super::*;

    fn key(number: u8) -> FrontDoorKey {
        FrontDoorKey::generate(&StepSeed::from_bytes([number; 32]))
    }

    fn seed(number: u8) -> StepSeed {
        StepSeed::from_bytes([number; 32])
    }

    ///
    #[test]
    fn the_owner_of_the_door_opens_and_nobody_else() {
        let sealed = seal(&key(1).public(), 7, b"hello", seed(2)).unwrap();
        let kept = FrontDoorKey::from_secret(*key(1).to_secret());
        assert_eq!(open(&kept, 7, &sealed).unwrap(), b"hello");
        assert_eq!(open(&key(3), 7, &sealed), Err(HelloError::Refused));
        assert_eq!(open(&key(1), 8, &sealed), Err(HelloError::Refused));
    }

    #[test]
    fn one_seed_gives_one_ciphertext_and_two_give_two() {
        let seal = |number| seal(&key(1).public(), 7, b"hello", seed(number)).unwrap();
        assert_eq!(seal(2), seal(2));
        assert_ne!(seal(2), seal(3));
        assert_ne!(seal(2)[..32], seal(3)[..32]);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let sealed = seal(&key(1).public(), 7, b"hello", seed(2)).unwrap();
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(open(&key(1), 7, &bent).is_err(), "byte {at}");
            assert!(open(&key(1), 7, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    ///
    #[test]
    fn what_is_too_long_is_refused_on_both_sides() {
        let long = vec![0; HELLO_PLAIN_BYTES_MAX + 1];
        assert!(matches!(
            seal(&key(1).public(), 7, &long, seed(2)),
            Err(HelloError::TooLong { .. })
        ));
        let sealed = seal(&key(1).public(), 7, &long[1..], seed(2)).unwrap();
        assert_eq!(open(&key(1), 7, &sealed).unwrap(), &long[1..]);
        let flood = vec![0; HELLO_BYTES_MAX + 1];
        assert!(matches!(
            open(&key(1), 7, &flood),
            Err(HelloError::TooLong { .. })
        ));
    }

    #[test]
    fn a_key_of_small_order_is_no_front_door() {
        assert_eq!(
            seal(&[0; 32], 7, b"hello", seed(2)),
            Err(HelloError::FrontDoor)
        );
    }
}
