// SPDX-License-Identifier: MIT OR Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

const CHEAP: PassphraseCost = PassphraseCost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn sealer(root: u8, schema: u16, session: u8) -> Sealer {
    Sealer::open_session(
        &RootStoreKey::from_bytes([root; 32]),
        schema,
        4,
        &mut rng(session),
    )
}

#[test]
fn a_sealed_row_opens_in_a_later_session() {
    let sealed = sealer(1, 7, 1).seal(2, b"row", b"value");
    assert_eq!(sealed.len(), 5 + SEAL_BYTES);
    assert_eq!(sealer(1, 7, 2).open(2, b"row", &sealed).unwrap(), b"value");
}

#[test]
fn another_key_schema_space_or_row_opens_nothing() {
    let sealed = sealer(1, 7, 1).seal(2, b"row", b"value");
    assert_eq!(
        sealer(2, 7, 1).open(2, b"row", &sealed),
        Err(OpenError::Refused)
    );
    assert_eq!(
        sealer(1, 8, 1).open(2, b"row", &sealed),
        Err(OpenError::Refused)
    );
    assert_eq!(
        sealer(1, 7, 1).open(3, b"row", &sealed),
        Err(OpenError::Refused)
    );
    assert_eq!(
        sealer(1, 7, 1).open(2, b"raw", &sealed),
        Err(OpenError::Refused)
    );
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let sealer = sealer(1, 7, 1);
    let sealed = sealer.seal(0, b"row", b"value");
    for at in 0..sealed.len() {
        let mut bent = sealed.clone();
        bent[at] ^= 1;
        assert_eq!(sealer.open(0, b"row", &bent), Err(OpenError::Refused));
        assert!(sealer.open(0, b"row", &sealed[..at]).is_err());
    }
}

#[test]
fn one_value_sealed_twice_gives_two_nonces() {
    let sealer = sealer(1, 7, 1);
    let (first, second) = (
        sealer.seal(0, b"row", b"value"),
        sealer.seal(0, b"row", b"value"),
    );
    assert_ne!(first[..NONCE_BYTES], second[..NONCE_BYTES]);
}

#[test]
fn the_right_passphrase_unlocks_and_a_wrong_one_says_so() {
    let root = RootStoreKey::from_bytes([9; 32]);
    let locked = root.lock(b"correct horse", CHEAP, &mut rng(1)).unwrap();
    let opened = RootStoreKey::unlock(&locked, b"correct horse").unwrap();
    assert_eq!(opened.to_bytes(), root.to_bytes());
    assert_eq!(
        RootStoreKey::unlock(&locked, b"battery staple").unwrap_err(),
        UnlockError::WrongPassphrase
    );
}

#[test]
fn a_lock_that_asks_for_too_much_is_refused_before_the_memory_is_filled() {
    let root = RootStoreKey::from_bytes([9; 32]);
    let mut locked = root.lock(b"x", CHEAP, &mut rng(1)).unwrap();
    locked[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(
        RootStoreKey::unlock(&locked, b"x"),
        Err(UnlockError::Cost(_))
    ));
    assert!(matches!(
        RootStoreKey::unlock(&locked[1..], b"x"),
        Err(UnlockError::Damaged { .. })
    ));
    locked[0] = 2;
    assert!(matches!(
        RootStoreKey::unlock(&locked, b"x"),
        Err(UnlockError::Damaged { .. })
    ));
}

/// RFC 9106, section 5.3, has a secret and associated data, which we do not use; this one is of the reference
/// implementation's test suite: argon2id, v 0x13, t 2, m 65536 KiB, p 1, "password", "somesalt".
#[test]
fn argon2id_matches_the_reference_implementation() {
    let cost = PassphraseCost {
        memory_kib: 65_536,
        passes: 2,
        lanes: 1,
    };
    let key = cost.key(b"password", b"somesalt").unwrap();
    assert_eq!(
        key[..],
        [
            0x09, 0x31, 0x61, 0x15, 0xd5, 0xcf, 0x24, 0xed, 0x5a, 0x15, 0xa3, 0x1a, 0x3b, 0xa3,
            0x26, 0xe5, 0xcf, 0x32, 0xed, 0xc2, 0x47, 0x02, 0x98, 0x7c, 0x02, 0xb6, 0x56, 0x6f,
            0x61, 0x91, 0x3c, 0xf7
        ]
    );
}

#[test]
fn debug_prints_no_key() {
    let root = RootStoreKey::from_bytes([0xab; 32]);
    let shown = format!("{root:?} {:?}", sealer(0xab, 1, 1));
    assert!(!shown.contains("ab, ab") && !shown.contains("171") && !shown.contains("abab"));
}
