// SPDX-License-Identifier: MIT OR Apache-2.0
//! The envelope: what members of a thread hand on, and the batch of messages inside it.

use sha2::{Digest, Sha256};

use crate::codec::{DecodeError, Wire, at_most};
use crate::id::{DeviceId, Lane, ParentHash, ThreadId};
use crate::limits::{
    ENVELOPE_BYTES_MAX, ENVELOPE_MESSAGES_MAX, HEADS_MAX, MESSAGE_BYTES_MAX, SEQUENCE_MAX,
};
use crate::{wire_map, wire_number};

/// One MLS message of a thread. Any member can hand it on to any other; a relay never sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The thread.
    pub thread: ThreadId,
    /// Which MLS group of the thread, from 0.
    pub incarnation: u32,
    /// The state it was made in; also in the MLS authenticated data.
    pub parent: ParentHash,
    /// The lane it is counted in.
    pub lane: Lane,
    /// What the bytes are.
    pub kind: EnvelopeKind,
    /// The MLS message.
    pub bytes: Vec<u8>,
}
wire_map!(Envelope {
    0 => thread, 1 => incarnation, 2 => parent, 3 => lane, 4 => kind, 5 => bytes,
}, check = Envelope::check);

/// What an envelope's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// Brings a device into the group.
    Welcome,
    /// Changes the group.
    Commit,
    /// Carries a [`Batch`].
    Application,
}
wire_number!(EnvelopeKind, "envelope kind" { 0 => Welcome, 1 => Commit, 2 => Application });

impl Envelope {
    /// What MLS authenticates beside the ciphertext: everything of the envelope but its bytes. Without it a member could
    /// hand Alice's envelope on under another thread, parent or lane.
    #[must_use]
    pub fn authenticated_data(&self) -> Vec<u8> {
        authenticated_data(
            self.thread,
            self.incarnation,
            self.parent,
            self.lane,
            self.kind,
        )
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "bytes of an envelope",
            self.bytes.len(),
            MAX_BLOB_ENVELOPE_BYTES,
        )
    }
}

/// An envelope that came as a blob may be larger than a deposit, and is bounded all the same.
const MAX_BLOB_ENVELOPE_BYTES: usize = 64 * ENVELOPE_BYTES_MAX;

/// The authenticated data of an envelope not yet made.
#[must_use]
pub fn authenticated_data(
    thread: ThreadId,
    incarnation: u32,
    parent: ParentHash,
    lane: Lane,
    kind: EnvelopeKind,
) -> Vec<u8> {
    Envelope {
        thread,
        incarnation,
        parent,
        lane,
        kind,
        bytes: Vec::new(),
    }
    .to_bytes()
}

/// The plaintext of an application envelope: 1 to 64 messages of one author and lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The lane; must be the envelope's.
    pub lane: Lane,
    /// Sequence of the first message; the others follow without a gap.
    pub first_sequence: u64,
    /// The author's hash chain before the first message ([`Chain`]).
    pub previous: Chain,
    /// The newest message the author had of each author and lane: gives the messages their place.
    pub heads: Vec<(DeviceId, Lane, u64)>,
    /// The author device's boot number: a number that falls back shows a clone or a restored backup.
    pub boot: u64,
    /// When the author claims to have written it, in wall milliseconds.
    pub sent_ms: u64,
    /// The messages.
    pub messages: Vec<Message>,
}
wire_map!(Batch {
    0 => lane, 1 => first_sequence, 2 => previous, 3 => heads, 4 => boot, 5 => sent_ms, 6 => messages,
}, check = Batch::check);

/// One message: its kind and its body, which a node that does not know the kind keeps as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Number of the kind (see [`crate::tag::body_kind`]).
    pub kind: u32,
    /// Header and content (see [`crate::body`]).
    pub body: Vec<u8>,
}
wire_map!(Message { 0 => kind, 1 => body }, check = Message::check);

impl Message {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a message", self.body.len(), MESSAGE_BYTES_MAX)
    }
}

impl Batch {
    /// Sequence of the last message.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.first_sequence
            .saturating_add(self.messages.len() as u64)
            .saturating_sub(1)
    }

    /// The author's hash chain after the last message.
    #[must_use]
    pub fn chain_after(&self, author: DeviceId) -> Chain {
        let numbered = (self.first_sequence..).zip(&self.messages);
        numbered.fold(self.previous, |chain, (sequence, message)| {
            chain.next(author, self.lane, sequence, message)
        })
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "messages of an envelope",
            self.messages.len(),
            ENVELOPE_MESSAGES_MAX,
        )?;
        at_most("heads of an envelope", self.heads.len(), HEADS_MAX)?;
        if self.messages.is_empty() {
            return Err(DecodeError::TooShort {
                what: "messages of an envelope",
                got: 0,
                min: 1,
            });
        }
        if self.first_sequence == 0
            || self.last_sequence() > SEQUENCE_MAX
            || self.heads.iter().any(|head| head.2 > SEQUENCE_MAX)
        {
            return Err(DecodeError::Invalid {
                what: "sequences count from 1 and never wrap",
            });
        }
        if self.first_sequence == 1 && self.previous != Chain::START {
            return Err(DecodeError::Invalid {
                what: "the first message follows nothing",
            });
        }
        let keys: Vec<_> = self.heads.iter().map(|head| (head.0, head.1)).collect();
        if !keys.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(DecodeError::Invalid {
                what: "heads name each author and lane once, ascending",
            });
        }
        Ok(())
    }
}

/// The hash chain over all messages of one author device in one lane of one thread: what a relay drops or swaps shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain(pub [u8; 32]);

impl Chain {
    /// Before the first message.
    pub const START: Self = Self([0; 32]);

    /// The chain after one more message.
    #[must_use]
    pub fn next(self, author: DeviceId, lane: Lane, sequence: u64, message: &Message) -> Self {
        let hash = Sha256::new()
            .chain_update(b"comptoir/chain")
            .chain_update(self.0)
            .chain_update((author, lane, sequence).to_bytes())
            .chain_update(message.to_bytes())
            .finalize();
        Self(hash.into())
    }
}

impl Wire for Chain {
    fn encode(&self, writer: &mut crate::Writer) {
        writer.bytes(&self.0);
    }
    fn decode(reader: &mut crate::Reader<'_>) -> Result<Self, DecodeError> {
        <[u8; 32]>::decode(reader).map(Self)
    }
}

#[cfg(test)]
mod tests;
