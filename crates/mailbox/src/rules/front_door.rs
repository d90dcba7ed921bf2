// SPDX-License-Identifier: MIT OR Apache-2.0
//! The front door: how somebody without a capability leaves one request, and why a flood does not.

use comptoir_protocol::frame::{Admission, StoreReceipt};
use comptoir_protocol::id::{CapabilityId, Mid, Sid};
use comptoir_protocol::invite::InviteToken;
use comptoir_protocol::limits::HELLO_BYTES_MAX;
use comptoir_protocol::puzzle::{Puzzle, PuzzleSolution};
use comptoir_protocol::signed::{Signed, Verified};
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::boxes::{Found, kind};
use super::call::{Call, Refusal, Stop};
use super::items::{Deposit, Way};
use super::keys::{self, Part};
use super::record::record;
use crate::config::{
    BOX_IDLE_MS, HOUR_MS, REQUEST_TTL_S_MAX, REQUESTS_BY_PUZZLE_MAX, REQUESTS_MAX, TOKENS_MAX,
};

/// How long a puzzle may be worked on. Used seeds are remembered as long.
const PUZZLE_MS: u64 = HOUR_MS;

/// Used seeds that one front door remembers: as many puzzles as it can hold requests, twelve times over in an hour.
/// Full: strangers wait, people with a token do not.
const SEEDS_MAX: u32 = 12 * REQUESTS_MAX;

record! {
    /// An invite token that was used or revoked, or a puzzle's seed that was used.
    Spent version 1 {
        uses: u32,
        /// After this it opens nothing anyway, and the row goes.
        expires_ms: u64,
        is_seed: bool,
    }
}

/// Stores a stranger's request.
pub(crate) fn put_open(
    call: &mut Call<'_>,
    sid: &Sid,
    mid: Mid,
    body: &[u8],
    admission: &Admission,
) -> Result<Signed<StoreReceipt>, Stop> {
    let mut found = call.box_of_sender(sid)?;
    if found.head.kind != kind::FRONT_DOOR || found.head.moved {
        return Err(Refusal::Denied.into());
    }
    // A retry spends neither token nor puzzle. Whether the mid is known is told only to whom the door opens, below.
    let hash: [u8; 32] = Sha256::digest(body).into();
    let admitted = match admission {
        Admission::Token(token) => check_token(call, &found, token)?,
        Admission::Puzzle(solution) => check_puzzle(call, sid, solution)?,
    };
    let way = admitted.way();
    if call.seen_before(&found, &mid, &hash)? {
        return Err(Stop::Duplicate);
    }
    if body.len() > HELLO_BYTES_MAX {
        return Err(Refusal::Invalid("a request holds at most 4 KiB").into());
    }
    if found.head.items >= REQUESTS_MAX
        || way == Way::Puzzle && found.head.by_puzzle >= REQUESTS_BY_PUZZLE_MAX
    {
        return Err(Refusal::Full.into());
    }
    match &admitted {
        Admitted::Token(token) => spend_token(call, &mut found, token)?,
        Admitted::Puzzle(seed) => spend_seed(call, &mut found, seed)?,
    }
    let ttl_s = found.head.ttl_s.min(REQUEST_TTL_S_MAX);
    let deposit = Deposit {
        mid,
        hash,
        capability: CapabilityId([0; 16]),
        way,
        expires_ms: call.now_ms + ttl_s * 1000,
        body,
    };
    call.store_item(&mut found, &deposit)?;
    call.save_box(&found);
    let receipt = StoreReceipt {
        mid,
        blob_hash: hash,
        expires_ms: deposit.expires_ms,
    };
    Ok(Signed::sign(&receipt, &call.config.key))
}

/// What opened the door, and is to be spent.
enum Admitted {
    Token(Verified<InviteToken>),
    Puzzle([u8; 32]),
}

impl Admitted {
    fn way(&self) -> Way {
        match self {
            Self::Token(_) => Way::Token,
            Self::Puzzle(_) => Way::Puzzle,
        }
    }
}

/// A token is the owner's, for this box, in time. Its uses are counted when it is spent.
fn check_token(
    call: &Call<'_>,
    found: &Found,
    token: &Signed<InviteToken>,
) -> Result<Admitted, Stop> {
    let token = token
        .clone()
        .verify()
        .and_then(|token| token.signed_by(&found.head.owner));
    let token = token.map_err(|_| Refusal::Denied)?;
    if token.not_after_ms <= call.now_ms || spent(call, found, &token.id)?.uses == u32::MAX {
        return Err(Refusal::Denied.into());
    }
    Ok(Admitted::Token(token))
}

fn spent(call: &Call<'_>, found: &Found, id: &[u8]) -> Result<Spent, Stop> {
    let row = call.load(&keys::part(found.number, Part::Token, id))?;
    Ok(row.unwrap_or(Spent {
        uses: 0,
        expires_ms: 0,
        is_seed: false,
    }))
}

fn spend_token(call: &mut Call<'_>, found: &mut Found, token: &InviteToken) -> Result<(), Stop> {
    let mut row = spent(call, found, &token.id)?;
    if row.uses >= token.uses {
        return Err(Refusal::Denied.into());
    }
    if row.uses == 0 {
        take_place(&mut found.head.tokens, TOKENS_MAX)?;
    }
    row = Spent {
        uses: row.uses + 1,
        expires_ms: token.not_after_ms,
        is_seed: false,
    };
    found.head.expires_at(row.expires_ms);
    call.save(keys::part(found.number, Part::Token, &token.id), &row);
    Ok(())
}

/// Makes a token worthless before its time.
pub(crate) fn revoke_token(
    call: &mut Call<'_>,
    found: &mut Found,
    id: &CapabilityId,
) -> Result<(), Stop> {
    if spent(call, found, &id.0)?.uses == 0 {
        take_place(&mut found.head.tokens, TOKENS_MAX)?;
    }
    let expires_ms = call.now_ms + 4 * BOX_IDLE_MS;
    found.head.expires_at(expires_ms);
    let row = Spent {
        uses: u32::MAX,
        expires_ms,
        is_seed: false,
    };
    call.save(keys::part(found.number, Part::Token, &id.0), &row);
    Ok(())
}

/// Makes a puzzle for a box that may or may not exist: the answer is alike for both.
///
/// The seed carries its own proof, so that asking for puzzles costs the relay no memory:
/// `nonce (8) ‖ end (8) ‖ HMAC(relay's secret, sid ‖ nonce ‖ end)[..16]`.
pub(crate) fn make_puzzle(call: &Call<'_>, sid: &Sid, rng: &mut impl CryptoRng) -> Puzzle {
    let mut nonce = [0; 8];
    rng.fill_bytes(&mut nonce);
    let not_after_ms = call.now_ms + PUZZLE_MS;
    puzzle_of(call, sid, nonce, not_after_ms)
}

fn puzzle_of(call: &Call<'_>, sid: &Sid, nonce: [u8; 8], not_after_ms: u64) -> Puzzle {
    let mut mac = Hmac::<Sha256>::new_from_slice(call.config.key.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(b"comptoir/mailbox/puzzle");
    mac.update(&sid.0);
    mac.update(&nonce);
    mac.update(&not_after_ms.to_be_bytes());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&nonce);
    seed[8..16].copy_from_slice(&not_after_ms.to_be_bytes());
    seed[16..].copy_from_slice(&mac.finalize().into_bytes()[..16]);
    Puzzle {
        seed,
        bits: u16::from(call.config.limits.puzzle_bits),
        not_after_ms,
    }
}

fn check_puzzle(call: &Call<'_>, sid: &Sid, solution: &PuzzleSolution) -> Result<Admitted, Stop> {
    let (nonce, rest) = solution
        .seed
        .split_first_chunk::<8>()
        .expect("a seed has 32 bytes");
    let end = rest.first_chunk::<8>().expect("a seed has 32 bytes");
    let puzzle = puzzle_of(call, sid, *nonce, u64::from_be_bytes(*end));
    if puzzle.not_after_ms <= call.now_ms || !puzzle.accepts(solution) {
        return Err(Refusal::Denied.into());
    }
    Ok(Admitted::Puzzle(solution.seed))
}

/// One solution lets one request through.
fn spend_seed(call: &mut Call<'_>, found: &mut Found, seed: &[u8; 32]) -> Result<(), Stop> {
    if spent(call, found, seed)?.uses > 0 {
        return Err(Refusal::Denied.into());
    }
    take_place(&mut found.head.seeds, SEEDS_MAX)?;
    let expires_ms = call.now_ms + PUZZLE_MS;
    found.head.expires_at(expires_ms);
    call.save(
        keys::part(found.number, Part::Token, seed),
        &Spent {
            uses: 1,
            expires_ms,
            is_seed: true,
        },
    );
    Ok(())
}

fn take_place(count: &mut u32, max: u32) -> Result<(), Stop> {
    if *count >= max {
        return Err(Refusal::Full.into());
    }
    *count += 1;
    Ok(())
}
