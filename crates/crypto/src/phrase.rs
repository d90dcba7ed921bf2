// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recovery phrase: 24 words that give every root key of an account, and are kept on no disk.

use core::fmt;

use bip39::{Language, Mnemonic};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::RootKey;

/// Words in a phrase: 256 bits of entropy and 8 of checksum.
pub const PHRASE_WORDS: usize = 24;

/// Why a typed phrase is not one. Retryable by typing it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words.
    #[error("a recovery phrase has {PHRASE_WORDS} words, this one has {words}")]
    WordCount {
        /// How many were given.
        words: usize,
    },
    /// A word that is not on the list.
    #[error("word {position} is not a word of a recovery phrase")]
    UnknownWord {
        /// Which, counted from 1.
        position: usize,
    },
    /// All words are known, but they do not fit together: two are swapped, or one is another word.
    #[error("the words do not fit together: one is wrong, or two are swapped")]
    Checksum,
}

/// A recovery phrase.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Phrase([u8; 32]);

impl Phrase {
    /// A new phrase.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut entropy = [0; 32];
        rng.fill_bytes(&mut entropy);
        Self(entropy)
    }

    /// Reads a typed phrase; case and the space between words do not matter.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let text = Zeroizing::new(text.trim().to_lowercase());
        let words = text.split_whitespace().count();
        if words != PHRASE_WORDS {
            return Err(PhraseError::WordCount { words });
        }
        let spaced = Zeroizing::new(text.split_whitespace().collect::<Vec<_>>().join(" "));
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &spaced).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord {
                    position: index + 1,
                },
                _ => PhraseError::Checksum,
            },
        )?;
        let (mut bytes, _) = mnemonic.to_entropy_array();
        let mut entropy = [0; 32];
        entropy.copy_from_slice(&bytes[..32]);
        bytes.zeroize();
        Ok(Self(entropy))
    }

    /// The words, to be shown once.
    pub fn words(&self) -> Vec<&'static str> {
        Mnemonic::from_entropy_in(Language::English, &self.0)
            .expect("32 bytes are a valid entropy")
            .words()
            .collect()
    }

    /// Root key number `number`: 0 opens the account, each rotation uses the next.
    pub fn root(&self, number: u32) -> RootKey {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, &self.0)
            .expect("32 bytes are a valid entropy");
        let seed = Zeroizing::new(mnemonic.to_seed_normalized(""));
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, seed.as_ref())
            .expand_multi_info(&[b"comptoir/root", &number.to_be_bytes()], secret.as_mut())
            .expect("32 bytes are within what HKDF-SHA256 gives");
        RootKey::from_secret(&secret)
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Phrase(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]

    use super::*;

    /// The last test vector of BIP 39's reference list: entropy and words.
    const ENTROPY: [u8; 32] = [
        0xf5, 0x85, 0xc1, 0x1a, 0xec, 0x52, 0x0d, 0xb5, 0x7d, 0xd3, 0x53, 0xc6, 0x95, 0x54, 0xb2,
        0x1a, 0x89, 0xb2, 0x0f, 0xb0, 0x65, 0x09, 0x66, 0xfa, 0x0a, 0x9d, 0x6f, 0x74, 0xfd, 0x98,
        0x9d, 0x8f,
    ];
    const WORDS: &str = "void come effort suffer camp survey warrior heavy shoot primary clutch \
                         crush open amazing screen patrol group space point ten exist slush involve unfold";

    #[test]
    fn the_words_are_those_of_bip_39() {
        assert_eq!(Phrase(ENTROPY).words().join(" "), WORDS);
        assert_eq!(Phrase::parse(WORDS).unwrap().0, ENTROPY);
    }

    #[test]
    fn a_typed_phrase_may_be_sloppy_but_not_wrong() {
        let sloppy = format!("  {}\n", WORDS.to_uppercase().replace(' ', "   "));
        assert_eq!(Phrase::parse(&sloppy).unwrap().0, ENTROPY);
        assert_eq!(
            Phrase::parse("void come").unwrap_err(),
            PhraseError::WordCount { words: 2 }
        );
        assert_eq!(
            Phrase::parse(&WORDS.replace("effort", "comptoir")).unwrap_err(),
            PhraseError::UnknownWord { position: 3 }
        );
        assert_eq!(
            Phrase::parse(&WORDS.replace("void come", "come void")).unwrap_err(),
            PhraseError::Checksum
        );
    }

    #[test]
    fn roots_differ_by_number_and_repeat() {
        let phrase = Phrase(ENTROPY);
        assert_eq!(phrase.root(0).public(), phrase.root(0).public());
        assert_ne!(phrase.root(0).public(), phrase.root(1).public());
    }

    #[test]
    fn debug_prints_no_word() {
        assert_eq!(format!("{:?}", Phrase(ENTROPY)), "Phrase(..)");
    }
}
