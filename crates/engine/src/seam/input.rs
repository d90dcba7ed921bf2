// SPDX-License-Identifier: MIT OR Apache-2.0
//! Inputs: all that can happen to a node.

use comptoir_protocol::frame::RelayAnswer;
use comptoir_protocol::id::{PeerKey, RelayKey};
use comptoir_protocol::identity::Endpoint;

use crate::seam::command::Command;

/// Names a command until its answer; chosen by the driver, never reused while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// How a caller says that two commands are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Hash of the caller's key text.
    pub key: [u8; 32],
    /// Hash of the whole request: the same key with another body is refused.
    pub body_hash: [u8; 32],
    /// Wall time until which the answer is kept.
    pub expires_ms: u64,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// The store is open and the driver runs. First of all inputs; what is owed is derived again.
    Opened {
        /// The node's own direct address, when it listens.
        endpoint: Option<Endpoint>,
    },
    /// Somebody entitled to asks for something.
    Command {
        /// Comes back with the answer.
        id: CommandId,
        /// For which persona. `CreatePersona` ignores it.
        persona: u16,
        /// What is asked.
        command: Command,
        /// If left unset: the command is done as often as it is given.
        idempotency: Option<Idempotency>,
    },
    /// A stream to this peer is open, in either direction.
    PeerConnected {
        /// Who, authenticated by the transport.
        peer: PeerKey,
    },
    /// The last stream to this peer is gone; frames without confirmation may be lost.
    PeerDisconnected {
        /// Who.
        peer: PeerKey,
    },
    /// A dial the engine asked for came to nothing.
    DialFailed {
        /// Whom it was for.
        peer: PeerKey,
    },
    /// A frame came in. Its bytes are not trusted; the peer key is.
    Frame {
        /// From whom.
        peer: PeerKey,
        /// What.
        bytes: Vec<u8>,
    },
    /// Something happened at a relay.
    Relay {
        /// Which.
        relay: RelayKey,
        /// What.
        news: RelayNews,
    },
    /// `wake_at` has come, or the driver thinks so; never wrong to give.
    Tick,
}

/// What can happen at a relay.
#[derive(Debug)]
pub enum RelayNews {
    /// Connected. Subscriptions of earlier connections are gone.
    Up,
    /// Not connected any more. Calls without an answer get none.
    Down,
    /// The answer to a call.
    Answer {
        /// The number of the call.
        call: u64,
        /// What the relay said, or that nothing could be had from it.
        answer: Result<RelayAnswer, Unreachable>,
    },
    /// Something the relay said unasked.
    Pushed(RelayAnswer),
}

/// The call got no answer: not sent, or sent and nothing came back. Whether it took effect is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;
