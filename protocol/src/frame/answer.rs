// SPDX-License-Identifier: MIT OR Apache-2.0
//! The answers of a relay, and what it says unasked.

use crate::capability::RelayCapability;
use crate::codec::{DecodeError, at_most};
use crate::id::{CapabilityId, Lane, Mid, Rid, Sid};
use crate::limits::{ERROR_TEXT_BYTES_MAX, LIST_CAPABILITIES_MAX};
use crate::puzzle::Puzzle;
use crate::relay::RelayDescriptor;
use crate::signed::{Signable, Signed};
use crate::tag::label;
use crate::ticket::Ticket;
use crate::{wire_choice, wire_map, wire_number};

/// What a relay says, with the id of the request it answers; 0 for what nobody asked (challenge, news).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrame {
    /// The request's id, or 0.
    pub request_id: u64,
    /// What it says.
    pub answer: RelayAnswer,
}
wire_map!(AnswerFrame { 0 => request_id, 1 => answer }, check = AnswerFrame::check);

/// What a relay answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayAnswer {
    /// The first frame on every stream: what signatures on it must cover.
    Challenge([u8; 32]),
    /// The box is made.
    Created {
        /// Its readers' and owner's name.
        rid: Rid,
        /// Its writers' name.
        sid: Sid,
        /// How long it keeps items, in seconds.
        ttl_s: u32,
        /// Items it holds at most.
        items_max: u32,
        /// Bytes it holds at most.
        bytes_max: u64,
    },
    /// Done.
    Ok,
    /// Stored on disk.
    Stored {
        /// The relay's word for it.
        receipt: Signed<StoreReceipt>,
    },
    /// The same deposit is already there: as good as stored.
    Duplicate,
    /// The box is full. Nothing was stored; try another relay, or later.
    Full,
    /// Over the rate. Nothing was stored.
    Rate {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// No: refused, revoked and unknown alike.
    Denied,
    /// Items, ascending.
    Items {
        /// The items.
        items: Vec<Item>,
        /// Whether there are more.
        more: bool,
    },
    /// Pushed: something arrived.
    News {
        /// The box.
        rid: Rid,
        /// Its newest sequence.
        sequence: u64,
    },
    /// A puzzle to solve.
    PuzzleSet(Puzzle),
    /// The boot number now: `next` if it was set, else what the relay has.
    Boot {
        /// The number.
        current: u64,
        /// Whether it was set.
        set: bool,
    },
    /// A part of a blob.
    Blob {
        /// All its bytes.
        total_bytes: u64,
        /// Where this part starts.
        offset: u64,
        /// The part.
        bytes: Vec<u8>,
    },
    /// A key package; none when the pool is empty.
    KeyPackage {
        /// The package.
        package: Option<Vec<u8>>,
        /// How many are left.
        left: u32,
    },
    /// The box's permissions.
    Capabilities {
        /// Each with the deposits it made in its running period.
        capabilities: Vec<(RelayCapability, u32)>,
    },
    /// What the relay is.
    Info(RelayInfo),
    /// The request was not understood or could not be carried out. Nothing changed.
    Error {
        /// Which error.
        code: ErrorCode,
        /// For people.
        text: String,
    },
    /// A ticket for a guest.
    Ticket(Signed<Ticket>),
}
wire_choice!(RelayAnswer, "relay answer" {
    0 => Challenge(challenge),
    1 => Created { 0 => rid, 1 => sid, 2 => ttl_s, 3 => items_max, 4 => bytes_max },
    2 => Ok,
    3 => Stored { 0 => receipt },
    4 => Duplicate,
    5 => Full,
    6 => Rate { 0 => retry_after_ms },
    7 => Denied,
    8 => Items { 0 => items, 1 => more },
    9 => News { 0 => rid, 1 => sequence },
    10 => PuzzleSet(puzzle),
    11 => Boot { 0 => current, 1 => set },
    12 => Blob { 0 => total_bytes, 1 => offset, 2 => bytes },
    13 => KeyPackage { 0 => package, 1 => left },
    14 => Capabilities { 0 => capabilities },
    15 => Info(info),
    16 => Error { 0 => code, 1 => text },
    17 => Ticket(ticket),
});

impl AnswerFrame {
    fn check(&self) -> Result<(), DecodeError> {
        match &self.answer {
            RelayAnswer::Capabilities { capabilities } => at_most(
                "capabilities of a box",
                capabilities.len(),
                LIST_CAPABILITIES_MAX,
            ),
            RelayAnswer::Error { text, .. } => {
                at_most("bytes of an error text", text.len(), ERROR_TEXT_BYTES_MAX)
            }
            RelayAnswer::Items { items, .. }
                if !items.is_sorted_by(|one, other| one.sequence < other.sequence) =>
            {
                Err(DecodeError::Invalid {
                    what: "items come in ascending order",
                })
            }
            _ => Ok(()),
        }
    }
}

/// One deposit as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The relay's count in this box: order of arrival, nothing more.
    pub sequence: u64,
    /// The deposit's name.
    pub mid: Mid,
    /// The permission it came under; none in a front door.
    pub capability: Option<CapabilityId>,
    /// The box's lane.
    pub lane: Lane,
    /// The hour it came, in hours since 1970; finer times are not kept.
    pub hour: u64,
    /// The deposit.
    pub blob: Vec<u8>,
}
wire_map!(Item { 0 => sequence, 1 => mid, 2 => capability, 3 => lane, 4 => hour, 5 => blob });

/// A relay's word that a deposit is on its disk. Signed by the relay's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReceipt {
    /// The deposit's name.
    pub mid: Mid,
    /// SHA-256 of the deposit.
    pub blob_hash: [u8; 32],
    /// How long it is kept, in the relay's wall milliseconds.
    pub expires_ms: u64,
}
wire_map!(StoreReceipt { 0 => mid, 1 => blob_hash, 2 => expires_ms });

impl Signable for StoreReceipt {
    const LABEL: &'static str = label::STORE_RECEIPT;
    const VERSION: u16 = 1;
}

/// What a relay says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayInfo {
    /// Its key and addresses.
    pub relay: RelayDescriptor,
    /// Whether it creates boxes without a ticket.
    pub open: bool,
    /// How long it keeps items at most, in seconds.
    pub ttl_s_max: u32,
    /// The largest deposit.
    pub deposit_bytes_max: u32,
    /// The largest blob.
    pub blob_bytes_max: u64,
}
wire_map!(RelayInfo { 0 => relay, 1 => open, 2 => ttl_s_max, 3 => deposit_bytes_max, 4 => blob_bytes_max });

/// Why a request was not carried out, where that may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The frame or request cannot be read.
    Malformed,
    /// A request of a newer version.
    NeedsNewer,
    /// A signature is missing or false.
    Signature,
    /// The ticket is used up, expired or another relay's; get a new one from the operator.
    Ticket,
    /// The relay is out of space for new boxes.
    NoSpace,
    /// The relay's disk failed; nothing was stored.
    Storage,
    /// Too many connections or requests from here.
    Limit,
}
wire_number!(ErrorCode, "error code" {
    0 => Malformed, 1 => NeedsNewer, 2 => Signature, 3 => Ticket, 4 => NoSpace, 5 => Storage, 6 => Limit,
});
