// SPDX-License-Identifier: MIT OR Apache-2.0
//! The step: all that follows from one input.

use comptoir_protocol::frame::RelayRequest;
use comptoir_protocol::id::PeerKey;
use comptoir_protocol::relay::RelayDescriptor;

use crate::seam::answer::{Answer, Refusal};
use crate::seam::event::Event;
use crate::seam::input::CommandId;
use comptoir_protocol::secret::Secret;

/// The longest row a step writes: what the stores take in one value, 1 MiB, less what sealing adds to it at most. A step
/// with a longer one is an error before anything of it is handed on.
pub const ROW_BYTES_MAX: usize = (1 << 20) - comptoir_crypto::at_rest::SCOPED_BYTES;

/// All that follows from one input.
///
/// > Commit `writes` as one atomic, durable batch; only then send, dial, call, answer and show.
///
/// `sends`, `dials` and `calls` only say "now": whatever of them is lost is derived again from rows.
#[must_use]
#[derive(Debug, Default)]
pub struct Step {
    /// One atomic batch, each key at most once; what it destroys comes last.
    pub writes: Vec<Write>,
    /// Frames for connected peers, in this order per peer.
    pub sends: Vec<Send>,
    /// Peers to connect to; answered by `PeerConnected` or `DialFailed`.
    pub dials: Vec<Dial>,
    /// Calls to relays; each is answered once, unless the relay goes down.
    pub calls: Vec<RelayCall>,
    /// Numbered events; already among the writes.
    pub events: Vec<(u64, Event)>,
    /// Answers to commands.
    pub answers: Vec<(CommandId, Result<Answer, Refusal>)>,
    /// Monotonic time at which a `Tick` is due. It replaces the one of the step before.
    pub wake_at: Option<u64>,
}

/// One change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The row has this value now.
    Put {
        /// Which.
        key: Vec<u8>,
        /// What.
        value: Vec<u8>,
        /// What it is sealed under. If left unset: the store's own keys, which last as long as the store.
        scope: Option<Scope>,
    },
    /// The row is gone.
    Delete {
        /// Which.
        key: Vec<u8>,
    },
    /// No row lies under these scopes after this batch, and none is written under them again: once the batch is durable
    /// their keys are destroyed, and with them whatever an old segment of the store still holds of such rows.
    Destroy(Scopes),
}

/// Rows that are erased together: those of one thread that hold what was said there, by how long they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The thread's local number.
    pub thread: u32,
    /// How often the thread's messages were deleted.
    pub generation: u32,
    /// One more than the number of the week in which the last of these rows ends; 0 for rows that do not end by
    /// themselves.
    pub period: u32,
}

/// Scopes to be destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// This one.
    One(Scope),
    /// All of a thread that are older than this generation.
    Before {
        /// The thread's local number.
        thread: u32,
        /// The first generation that stays.
        generation: u32,
    },
}

impl Scopes {
    /// Whether `scope` is one of them.
    pub fn contain(&self, scope: &Scope) -> bool {
        match self {
            Self::One(one) => one == scope,
            Self::Before { thread, generation } => {
                scope.thread == *thread && scope.generation < *generation
            }
        }
    }
}

/// A frame for a connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// To whom.
    pub peer: PeerKey,
    /// An encoded `PeerFrame`.
    pub frame: Vec<u8>,
}

/// A peer to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Who must answer there.
    pub peer: PeerKey,
    /// Where.
    pub addresses: Vec<String>,
}

/// A call to a relay. The client signs it with the challenge of its stream and keeps no state.
#[derive(Clone, Debug)]
pub struct RelayCall {
    /// Which relay, and where.
    pub relay: RelayDescriptor,
    /// Comes back with the answer.
    pub call: u64,
    /// What is asked.
    pub request: RelayRequest,
    /// Seed of the Ed25519 key that signs. If left unset: the request needs no signature.
    pub signer: Option<Secret>,
}
