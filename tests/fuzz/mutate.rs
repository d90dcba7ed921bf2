// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mutator: makes inputs that are almost right, which get further into a reader than noise.

use rand_chacha::rand_core::Rng;

/// No reader takes more at once, so neither does a test: the largest deposit and a head.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Makes inputs from what a target reads and from everything else there is.
#[derive(Debug)]
pub(crate) struct Mutator<'c> {
    seeds: &'c [Vec<u8>],
    others: &'c [Vec<u8>],
}

impl<'c> Mutator<'c> {
    pub(crate) fn new(seeds: &'c [Vec<u8>], others: &'c [Vec<u8>]) -> Self {
        Self { seeds, others }
    }

    /// One more input.
    pub(crate) fn next(&self, rng: &mut impl Rng) -> Vec<u8> {
        if below(rng, 32) == 0 {
            return noise(rng, 300);
        }
        let mut bytes = pick(self.seeds, rng).to_vec();
        for _ in 0..=below(rng, 4) {
            bytes = self.changed(bytes, rng);
        }
        bytes.truncate(INPUT_BYTES_MAX);
        bytes
    }

    fn changed(&self, mut bytes: Vec<u8>, rng: &mut impl Rng) -> Vec<u8> {
        if bytes.is_empty() {
            return noise(rng, 16);
        }
        let at = below(rng, bytes.len());
        match below(rng, 10) {
            0..=2 => bytes[at] ^= 1 << below(rng, 8),
            3 => bytes[at] = below(rng, 256).to_le_bytes()[0],
            4 => bytes.truncate(at),
            5 => {
                let with = noise(rng, 8);
                bytes.splice(at..at, with);
            }
            6 => {
                bytes.drain(at..(at + 1 + below(rng, 8)).min(bytes.len()));
            }
            // A piece twice.
            7 => {
                let to = (at + 1 + below(rng, 40)).min(bytes.len());
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
            // The head of one and the tail of another.
            8 => {
                let other = if below(rng, 2) == 0 {
                    self.seeds
                } else {
                    self.others
                };
                let other = pick(other, rng);
                let from = below(rng, other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes = blow_up(&bytes, at, CLAIMS[below(rng, CLAIMS.len())]).unwrap_or(bytes),
        }
        bytes
    }
}

/// Lengths as four bytes of CBOR: 1 GiB, the largest, and one over what any class holds.
const CLAIMS: [u32; 3] = [1 << 30, u32::MAX, 70_000];

/// Replaces the short head at `at`, if it could be one of bytes, text, an array or a map, by one that claims `length`.
fn blow_up(bytes: &[u8], at: usize, length: u32) -> Option<Vec<u8>> {
    let (major, short) = (bytes[at] >> 5, usize::from(bytes[at] & 0x1f));
    let extra = match short {
        0..=23 => 0,
        24 => 1,
        25 => 2,
        _ => return None,
    };
    if !(2..=5).contains(&major) || at + 1 + extra > bytes.len() {
        return None;
    }
    let mut made = bytes[..at].to_vec();
    made.push(major << 5 | 26);
    made.extend_from_slice(&length.to_be_bytes());
    made.extend_from_slice(&bytes[at + 1 + extra..]);
    Some(made)
}

/// Every byte of `bytes` that could be a head, one at a time, claiming 1 GiB.
pub(crate) fn blown_up(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).filter_map(|at| blow_up(bytes, at, 1 << 30))
}

fn noise(rng: &mut impl Rng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; 1 + below(rng, most)];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn below(rng: &mut impl Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}

fn pick<'a>(from: &'a [Vec<u8>], rng: &mut impl Rng) -> &'a [u8] {
    if from.is_empty() {
        &[]
    } else {
        &from[below(rng, from.len())]
    }
}
