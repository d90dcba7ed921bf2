// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recovery phrase at the terminal: shown once, two of its words asked back.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use super::Failure;
use super::output::{Output, somebody_is_there};
use crate::home::write_private;

/// Where a phrase came from decides whether it must still be shown.
pub(crate) struct Phrase {
    /// The 24 words.
    pub(crate) words: Zeroizing<String>,
    /// Whether it was made just now.
    pub(crate) fresh: bool,
}

/// Takes the phrase from `file` if that exists, else makes one from `entropy`.
pub(crate) fn obtain(file: Option<&Path>, entropy: [u8; 32]) -> Result<Phrase, Failure> {
    if let Some(path) = file.filter(|path| path.exists()) {
        let words = Zeroizing::new(
            std::fs::read_to_string(path)
                .map_err(|e| Failure::file(path, &e))?
                .trim()
                .to_owned(),
        );
        return Ok(Phrase {
            words,
            fresh: false,
        });
    }
    let words = comptoir_crypto::Phrase::generate(&mut ChaCha20Rng::from_seed(entropy))
        .words()
        .join(" ");
    Ok(Phrase {
        words: Zeroizing::new(words),
        fresh: true,
    })
}

/// Hands a fresh phrase to the person: into `file`, or on the screen with two words asked back. Done before
/// the account is made: an account whose phrase nobody wrote down must not come into being.
pub(crate) fn hand_over(
    output: Output,
    phrase: &Phrase,
    file: Option<&Path>,
    which: [u8; 2],
) -> Result<(), Failure> {
    if !phrase.fresh {
        return Ok(());
    }
    if let Some(path) = file {
        let mut text = Zeroizing::new(phrase.words.to_string());
        text.push('\n');
        return write_private(path, text.as_bytes()).map_err(|e| Failure::file(path, &e));
    }
    if !somebody_is_there() {
        return Err(Failure::usage(
            "nobody is at the terminal to write the recovery phrase down; use --phrase-file FILE",
        ));
    }
    show(output, &phrase.words);
    ask_back(output, &phrase.words, which)
}

/// Says what a phrase that was brought along does not do yet.
pub(crate) fn say_new_account(output: Output, phrase: &Phrase) {
    if !phrase.fresh {
        output.say(
            "The phrase was taken from the file, and the account is a NEW one: an earlier account of that phrase is not brought back by this version.",
        );
    }
}

fn show(output: Output, words: &str) {
    output.say("This is the recovery phrase. It is shown once. Whoever has it has the account; without it a lost");
    output.say("device cannot be replaced. Write it down on paper:\n");
    let all: Vec<&str> = words.split_whitespace().collect();
    for (row, line) in all.chunks(6).enumerate() {
        let numbered: Vec<String> = line
            .iter()
            .enumerate()
            .map(|(i, word)| format!("{:2} {word:<9}", row * 6 + i + 1))
            .collect();
        output.say(format!("  {}", numbered.join(" ")));
    }
    output.say("");
}

fn ask_back(output: Output, words: &str, which: [u8; 2]) -> Result<(), Failure> {
    let all: Vec<&str> = words.split_whitespace().collect();
    let first = usize::from(which[0]) % all.len();
    let second = (first + 1 + usize::from(which[1]) % (all.len() - 1)) % all.len();
    for position in [first, second] {
        loop {
            let _ = write!(io::stderr(), "Word {}: ", position + 1);
            let mut answer = Zeroizing::new(String::new());
            let read = io::stdin()
                .lock()
                .read_line(&mut answer)
                .map_err(|e| Failure::general(format!("stdin: {e}")))?;
            if read == 0 {
                return Err(Failure::usage(
                    "stdin ended before the words were given; no account was made",
                ));
            }
            if answer.trim() == all[position] {
                break;
            }
            output.say("That is not the word. Look at what you wrote down.");
        }
    }
    Ok(())
}
