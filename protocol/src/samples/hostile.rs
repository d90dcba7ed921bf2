// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hostile bytes against every decoder: cut, lengthened, changed and mistaken for another kind.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::error::VerifyError;

fn flat() -> Vec<Sample> {
    all().into_iter().flat_map(|(_, samples)| samples).collect()
}

///
#[test]
fn every_value_has_one_encoding() {
    for sample in flat() {
        assert_eq!(
            (sample.again)(&sample.bytes),
            Ok(sample.bytes.clone()),
            "{}",
            sample.name
        );
    }
}

///
#[test]
fn cut_bytes_are_refused_at_every_length() {
    for sample in flat() {
        for length in 0..sample.bytes.len() {
            assert!(
                (sample.again)(&sample.bytes[..length]).is_err(),
                "{} cut to {length}",
                sample.name
            );
        }
    }
}

///
#[test]
fn trailing_bytes_are_refused() {
    for sample in flat() {
        let bytes = [sample.bytes.as_slice(), &[0]].concat();
        assert_eq!(
            (sample.again)(&bytes),
            Err(DecodeError::Trailing { bytes: 1 }),
            "{}",
            sample.name
        );
    }
}

///
/// Whatever a decoder takes, it must write back byte for byte: a second form of a value would be a second hash of it.
#[test]
fn changed_bytes_never_panic_and_never_make_a_second_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut taken = 0u32;
    for sample in flat() {
        for _ in 0..400 {
            let mut bytes = sample.bytes.clone();
            for _ in 0..1 + rng.next_u32() % 3 {
                let at = rng.next_u32() as usize % bytes.len();
                bytes[at] ^= 1 << (rng.next_u32() % 8);
            }
            if rng.next_u32() % 8 == 0 {
                let at = rng.next_u32() as usize % bytes.len();
                bytes.insert(at, rng.next_u32().to_le_bytes()[0]);
            }
            if let Ok(again) = (sample.again)(&bytes) {
                assert_eq!(again, bytes, "{}", sample.name);
                taken += 1;
            }
        }
    }
    assert!(
        taken > 1_000,
        "changes inside ids and text are taken, so this test looked at something: {taken}"
    );
}

///
#[test]
fn random_bytes_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for sample in flat() {
        for _ in 0..200 {
            let mut bytes = vec![0; rng.next_u32() as usize % 200];
            rng.fill_bytes(&mut bytes);
            let _ = (sample.again)(&bytes);
        }
    }
}

///
/// Every signed kind with the verifier of every other kind.
#[test]
fn no_signed_kind_verifies_as_another() {
    type Verify = fn(&[u8]) -> Result<(), VerifyError>;
    fn verifier<T: Signable>() -> (&'static str, Verify) {
        (T::LABEL, |bytes| {
            Signed::<T>::from_bytes(bytes)?.verify().map(drop)
        })
    }
    let verifiers = [
        verifier::<Inception>(),
        verifier::<Rotation>(),
        verifier::<DeviceList>(),
        verifier::<DeviceCertificate>(),
        verifier::<LeafCertificate>(),
        verifier::<ContactCard>(),
        verifier::<InviteToken>(),
        verifier::<Ticket>(),
        verifier::<StoreReceipt>(),
        verifier::<AckVector>(),
        verifier::<AccountStatement>(),
        verifier::<LinkPass>(),
        verifier::<ContextConsent>(),
    ];
    let labels: Vec<&str> = verifiers.iter().map(|(label, _)| *label).collect();
    assert_eq!(
        labels,
        crate::tag::label::ALL,
        "a new signed kind belongs here"
    );
    let signed: Vec<Sample> = flat()
        .into_iter()
        .filter(|sample| sample.name.starts_with("Signed<"))
        .collect();
    assert_eq!(
        signed.len(),
        verifiers.len(),
        "one sample of each signed kind"
    );
    for sample in &signed {
        let accepting: Vec<&str> = verifiers
            .iter()
            .filter(|(label, verify)| match verify(&sample.bytes) {
                Ok(()) => true,
                Err(error) => {
                    assert_eq!(error, VerifyError::Signature { label }, "{}", sample.name);
                    false
                }
            })
            .map(|(label, _)| *label)
            .collect();
        assert_eq!(
            accepting.len(),
            1,
            "{} verifies as {accepting:?}",
            sample.name
        );
    }
}
