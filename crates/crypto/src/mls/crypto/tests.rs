// SPDX-License-Identifier: MIT OR Apache-2.0
//! The primitives, as OpenMLS reaches them, against published vectors; and where randomness comes from.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

const AEAD: AeadType = AeadType::ChaCha20Poly1305;
const SHA: HashType = HashType::Sha2_256;
const CONFIG: HpkeConfig = HpkeConfig(
    HpkeKemType::DhKem25519,
    HpkeKdfType::HkdfSha256,
    HpkeAeadType::ChaCha20Poly1305,
);

fn seeded(byte: u8) -> StepCrypto {
    StepCrypto::seeded(StepSeed::from_bytes([byte; 32]))
}

/// RFC 5869, test case 1.
#[test]
fn hkdf_is_that_of_rfc_5869() {
    let crypto = StepCrypto::reading();
    let prk = crypto
        .hkdf_extract(SHA, &hex("000102030405060708090a0b0c"), &[0x0b; 22])
        .unwrap();
    let expected = "077709362c2e32df0ddc3f0dc47bba63 90b6c73bb50f9c3122ec844ad7c2b3e5";
    assert_eq!(prk.as_slice(), hex(expected));
    let okm = crypto
        .hkdf_expand(SHA, prk.as_slice(), &hex("f0f1f2f3f4f5f6f7f8f9"), 42)
        .unwrap();
    let expected =
        "3cb25f25faacd57a90434f64d0362f2a 2d2d0a90cf1a5a4c5db02d56ecc4c5bf 34007208d5b887185865";
    assert_eq!(okm.as_slice(), hex(expected));
    assert!(
        crypto
            .hkdf_expand(SHA, prk.as_slice(), b"", 255 * 32 + 1)
            .is_err()
    );
}

/// RFC 4231, test case 2.
#[test]
fn hmac_is_that_of_rfc_4231() {
    let mac = StepCrypto::reading()
        .hmac(SHA, b"Jefe", b"what do ya want for nothing?")
        .unwrap();
    let expected = "5bdcc146bf60754e6a042426089575c7 5a003f089d2739839dec58b964ec3843";
    assert_eq!(mac.as_slice(), hex(expected));
}

/// RFC 8439, section 2.8.2.
#[test]
fn chacha20_poly1305_is_that_of_rfc_8439() {
    let crypto = StepCrypto::reading();
    let key: Vec<u8> = (0x80..=0x9f).collect();
    let nonce = hex("070000004041424344454647");
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let text =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
                 future, sunscreen would be it.";
    let sealed = crypto.aead_encrypt(AEAD, &key, text, &nonce, &aad).unwrap();
    assert_eq!(sealed[..16], hex("d31a8d34648e60db7b86afbc53ef7ec2"));
    assert_eq!(
        sealed[text.len()..],
        hex("1ae10b594f09e26a7e902ecbd0600691")
    );
    assert_eq!(
        crypto
            .aead_decrypt(AEAD, &key, &sealed, &nonce, &aad)
            .unwrap(),
        text
    );
    assert!(
        crypto
            .aead_decrypt(AEAD, &key, &sealed, &nonce, b"")
            .is_err()
    );
    assert!(
        crypto
            .aead_decrypt(AEAD, &key, &sealed[..15], &nonce, &aad)
            .is_err()
    );
    assert!(
        crypto
            .aead_encrypt(AEAD, &key[1..], text, &nonce, &aad)
            .is_err()
    );
    assert!(
        crypto
            .aead_encrypt(AEAD, &key, text, &nonce[1..], &aad)
            .is_err()
    );
}

/// RFC 8032, section 7.1, tests 1 and 3.
#[test]
fn ed25519_is_that_of_rfc_8032() {
    let crypto = StepCrypto::reading();
    for (secret, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc4 4449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a 0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a 84877f1eb8e5d974d873e06522490155
             5fb8821590a33bacc61e39701cf9b46b d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b1 66d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f058 0816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a3 0ce548a284743a445e3680d7db5ac3ac
             18ff9b538d16f290ae67f760984dc659 4a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let scheme = SignatureScheme::ED25519;
        let (message, public) = (hex(message), hex(public));
        assert_eq!(
            crypto.sign(scheme, &message, &hex(secret)).unwrap(),
            hex(signature)
        );
        assert!(
            crypto
                .verify_signature(scheme, &message, &public, &hex(signature))
                .is_ok()
        );
        let mut bent = hex(signature);
        bent[0] ^= 1;
        assert!(
            crypto
                .verify_signature(scheme, &message, &public, &bent)
                .is_err()
        );
        assert!(
            crypto
                .verify_signature(scheme, b"other", &public, &hex(signature))
                .is_err()
        );
    }
}

/// RFC 9180, appendix A.2.1: base mode of our suite. `ikmE` is what [`Encapsulation`] holds.
#[test]
fn hpke_is_that_of_rfc_9180() {
    let info = hex("4f6465206f6e2061204772656369616e2055726e");
    let aad = hex("436f756e742d30");
    let text = hex("4265617574792069732074727574682c20747275746820626561757479");
    let ikm = hex("909a9b35d3dc4713a5e72a4da274b55d 3d3821a37e5d099e74a647db583a904b");
    let encapsulation = || Encapsulation::from_ikm(ikm.as_slice().try_into().unwrap());
    let recipient = hpke::key_pair(&hex(
        "1ac01f181fdf9f352797655161c58b75 c656a6cc2716dcb66372da835542e1df",
    ));
    assert_eq!(
        recipient.1[..],
        hex("4310ee97d88cc1f088a5576c77ab0cf5 c3ac797f3d95139c6c84b5429c59662a")
    );
    let (enc, sealed) = hpke::seal(encapsulation(), &recipient.1, &info, &aad, &text).unwrap();
    assert_eq!(
        enc[..],
        hex("1afa08d3dec047a643885163f1180476 fa7ddb54c6a8029ea33f95796bf2ac4a")
    );
    assert_eq!(
        sealed,
        hex(
            "1c5250d8034ec2b784ba2cfd69dbdb8a f406cfe3ff938e131f0def8c8b60b4db
             21993c62ce81883d2dd1b51a28"
        )
    );
    assert_eq!(
        hpke::open(&*recipient.0, &enc, &info, &aad, &sealed).unwrap(),
        text
    );
    let (_, exported) = hpke::send_export(encapsulation(), &recipient.1, &info, b"", 32).unwrap();
    assert_eq!(
        exported,
        hex("4bbd6243b8bb54cec311fac9df81841b 6fd61f56538a775e7c80a9f40160606e")
    );
    assert_eq!(
        hpke::receive_export(&*recipient.0, &enc, &info, b"", 32).unwrap(),
        exported
    );
}

///
#[test]
fn an_encapsulation_depends_on_seed_and_content_and_not_on_its_turn() {
    let (_, recipient) = hpke::key_pair(&[1; 32]);
    let (_, other_recipient) = hpke::key_pair(&[2; 32]);
    let seal = |crypto: &StepCrypto, recipient: &[u8], text: &[u8]| {
        let sealed = crypto
            .hpke_seal(CONFIG, recipient, b"info", b"aad", text)
            .unwrap();
        (
            sealed.kem_output.as_slice().to_vec(),
            sealed.ciphertext.as_slice().to_vec(),
        )
    };
    let (forth, back) = (seeded(3), seeded(3));
    let one = seal(&forth, &recipient, b"one");
    let two = seal(&forth, &other_recipient, b"two");
    assert_eq!(seal(&back, &other_recipient, b"two"), two);
    assert_eq!(seal(&back, &recipient, b"one"), one);
    // No key pair serves two contents, two recipients or two seeds.
    assert_ne!(seal(&forth, &recipient, b"two").0, one.0);
    assert_ne!(seal(&forth, &other_recipient, b"one").0, one.0);
    assert_ne!(seal(&seeded(4), &recipient, b"one").0, one.0);
}

///
#[test]
fn parts_cannot_be_shifted_into_one_another() {
    let seed = || StepSeed::from_bytes([5; 32]);
    let (_, recipient) = hpke::key_pair(&[1; 32]);
    let enc = |parts: [&[u8]; 3]| {
        let encapsulation = Encapsulation::derived(&seed(), &recipient, parts);
        hpke::seal(encapsulation, &recipient, b"", b"", b"")
            .unwrap()
            .0
    };
    assert_ne!(enc([b"ab", b"c", b""]), enc([b"a", b"bc", b""]));
    assert_ne!(enc([b"ab", b"", b"c"]), enc([b"ab", b"c", b""]));
}

#[test]
fn who_only_reads_draws_nothing() {
    let crypto = StepCrypto::reading();
    assert!(crypto.random_array::<4>().is_err());
    assert!(crypto.random_vec(4).is_err());
    assert!(crypto.signature_key_gen(SignatureScheme::ED25519).is_err());
    assert!(crypto.hpke_seal(CONFIG, &[9; 32], b"", b"", b"").is_err());
    assert_eq!(
        seeded(1).random_vec(40).unwrap(),
        seeded(1).random_vec(40).unwrap()
    );
    assert_ne!(
        seeded(1).random_vec(40).unwrap(),
        seeded(2).random_vec(40).unwrap()
    );
}

#[test]
fn every_other_algorithm_is_refused() {
    let crypto = seeded(1);
    assert!(crypto.supports(SUITE).is_ok());
    assert!(
        crypto
            .supports(Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519)
            .is_err()
    );
    assert!(crypto.hash(HashType::Sha2_512, b"").is_err());
    assert!(
        crypto
            .aead_encrypt(AeadType::Aes128Gcm, &[0; 16], b"", &[0; 12], b"")
            .is_err()
    );
    assert!(crypto.sign(SignatureScheme::ED448, b"", &[0; 32]).is_err());
    let other = HpkeConfig(
        HpkeKemType::DhKem25519,
        HpkeKdfType::HkdfSha256,
        HpkeAeadType::AesGcm128,
    );
    assert!(crypto.derive_hpke_keypair(other, &[0; 32]).is_err());
}
