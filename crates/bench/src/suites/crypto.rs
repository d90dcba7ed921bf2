// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cryptography: what one message, one hello and one deposit cost by themselves, rows included as the engine takes them.

use std::time::Instant;

use comptoir_crypto::account::{self, AccountSecrets};
use comptoir_crypto::keys::FrontDoorKey;
use comptoir_crypto::mls::{
    ComptoirContext, KeyPackageSecret, Leaf, MlsThread, Ratchet, ThreadKind, key_package,
    verify_key_package,
};
use comptoir_crypto::{Phrase, StepSeed, deposit, hello};
use comptoir_protocol::id::{RelayKey, ThreadId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::Terms;
use crate::figure::{Report, median};

const NOW_MS: u64 = 1_000_000;
const KINDS: [u32; 2] = [1, 2];
/// Members of the groups measured.
const SIZES: [usize; 3] = [2, 20, 100];
/// Messages of one run; the row of the receive ratchet is written after as many as the engine lets it lag.
const MESSAGES: usize = 512;
const RATCHET_LAG: usize = 64;
/// Text of a message, and of the 64 messages of a full envelope with what frames them.
const ONE_BYTES: usize = 200;
const ENVELOPE_BYTES: usize = 64 * 218;
/// The largest hello, and the class of a deposit that a lone message falls into.
const HELLO_BYTES: usize = 3_900;
const DEPOSIT_BYTES: usize = 1_024;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    for members in SIZES {
        let mut taken = [const { Vec::new() }; 2];
        for run in 0..terms.runs {
            let mut talk = Talk::between(members, run as u64)?;
            add(&mut taken, talk.messages(ONE_BYTES)?);
        }
        report.figure(&format!("crypto.encrypt_{members}"), "us", &taken[0]);
        report.figure(&format!("crypto.decrypt_{members}"), "us", &taken[1]);
    }
    let mut full = [const { Vec::new() }; 2];
    let (mut hellos, mut deposits) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for run in 0..terms.runs {
        add(
            &mut full,
            Talk::between(2, 1_000 + run as u64)?.messages(ENVELOPE_BYTES)?,
        );
        add(&mut hellos, hello_us()?);
        add(&mut deposits, deposit_us()?);
    }
    report.figure("crypto.encrypt_64_messages", "us", &full[0]);
    report.figure("crypto.decrypt_64_messages", "us", &full[1]);
    report.figure("crypto.hello_seal", "us", &hellos[0]);
    report.figure("crypto.hello_open", "us", &hellos[1]);
    report.figure("crypto.deposit_seal", "us", &deposits[0]);
    report.figure("crypto.deposit_open", "us", &deposits[1]);
    Ok(())
}

/// Prints what one encryption and one decryption between two cost, for figures that are held against it.
pub(crate) fn measure_pair(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let mut taken = [const { Vec::new() }; 2];
    for run in 0..terms.runs {
        add(
            &mut taken,
            Talk::between(2, run as u64)?.messages(ONE_BYTES)?,
        );
    }
    report.figure("limit.encrypt", "us", &taken[0]);
    report.figure("limit.decrypt", "us", &taken[1]);
    Ok(())
}

fn add(taken: &mut [Vec<f64>; 2], one: [f64; 2]) {
    taken[0].push(one[0]);
    taken[1].push(one[1]);
}

/// Two members of a group, and the randomness of what they do.
struct Talk {
    sender: MlsThread,
    receiver: MlsThread,
    rng: ChaCha20Rng,
}

impl Talk {
    /// A group of `members`, all added by the first at once.
    fn between(members: usize, seed: u64) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let kind = match members {
            2 => ThreadKind::Pair,
            _ => ThreadKind::Group,
        };
        let context = ComptoirContext::new(ThreadId([7; 16]), kind);
        let founder = leaf(&mut rng);
        let mut sender = MlsThread::create(context, &founder, StepSeed::draw(&mut rng))?;
        let mut invited: Vec<(Vec<u8>, KeyPackageSecret)> = Vec::new();
        for _ in 1..members {
            let leaf = leaf(&mut rng);
            invited.push(key_package(
                &leaf,
                NOW_MS + 1_000,
                StepSeed::draw(&mut rng),
            )?);
        }
        let mut packages = Vec::new();
        for (bytes, _) in &invited {
            packages.push(verify_key_package(bytes, NOW_MS)?);
        }
        let added = sender.add(&packages, StepSeed::draw(&mut rng))?;
        let mut receiver = MlsThread::join(&added.welcome, &invited[0].1)?.thread;
        for thread in [&mut sender, &mut receiver] {
            let _ = thread.take_changes(Ratchet::Write);
        }
        Ok(Self {
            sender,
            receiver,
            rng,
        })
    }

    /// Microseconds to encrypt and to decrypt, the rows that each step hands to the store among them.
    fn messages(&mut self, bytes: usize) -> anyhow::Result<[f64; 2]> {
        let (mut encrypt, mut decrypt) = (Vec::new(), Vec::new());
        let text = vec![7; bytes];
        let parent = self.sender.parent();
        for number in 1..=MESSAGES {
            let seed = StepSeed::draw(&mut self.rng);
            let start = Instant::now();
            let message = self.sender.encrypt(&text, &parent.0, seed)?;
            let rows = self.sender.take_changes(Ratchet::Defer);
            encrypt.push(micros(start));
            drop(rows);
            let ratchet = match number % RATCHET_LAG {
                0 => Ratchet::Write,
                _ => Ratchet::Defer,
            };
            let start = Instant::now();
            self.receiver.decrypt(&message, &parent.0)?;
            let rows = self.receiver.take_changes(ratchet);
            decrypt.push(micros(start));
            drop(rows);
        }
        Ok([middle(encrypt), middle(decrypt)])
    }
}

/// A leaf of somebody new.
fn leaf(rng: &mut ChaCha20Rng) -> Leaf {
    let phrase = Phrase::generate(rng);
    let AccountSecrets {
        device_key,
        proof,
        certificate,
        ..
    } = account::create(&phrase, NOW_MS, rng);
    let seed = StepSeed::draw(rng);
    Leaf::issue(&device_key, &proof, &certificate, &KINDS, &seed)
}

fn hello_us() -> anyhow::Result<[f64; 2]> {
    let door = FrontDoorKey::generate(&StepSeed::from_bytes([1; 32]));
    let text = vec![7; HELLO_BYTES];
    let (mut seal, mut open) = (Vec::new(), Vec::new());
    for number in 0..MESSAGES {
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let start = Instant::now();
        let sealed = hello::seal(&door.public(), 7, &text, StepSeed::from_bytes(seed))?;
        seal.push(micros(start));
        let start = Instant::now();
        hello::open(&door, 7, &sealed)?;
        open.push(micros(start));
    }
    Ok([middle(seal), middle(open)])
}

fn deposit_us() -> anyhow::Result<[f64; 2]> {
    let (k_box, relay) = ([1; 32], RelayKey([3; 32]));
    let (mut seal, mut open) = (Vec::new(), Vec::new());
    for number in 0..MESSAGES {
        let mut padded = vec![7; DEPOSIT_BYTES];
        padded[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let start = Instant::now();
        let (mid, blob) = deposit::seal(&k_box, &relay, &padded);
        seal.push(micros(start));
        let start = Instant::now();
        deposit::open(&k_box, &relay, &mid, &blob)?;
        open.push(micros(start));
    }
    Ok([middle(seal), middle(open)])
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

fn middle(mut taken: Vec<f64>) -> f64 {
    taken.sort_by(f64::total_cmp);
    median(&taken)
}
