// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames between two nodes: `/comptoir/peer/1`.

use crate::acknowledgement::AckVector;
use crate::codec::{DecodeError, Reader, Wire, Writer, at_most};
use crate::deposit::Parcel;
use crate::limits::{HELLO_BYTES_MAX, SEQUENCE_MAX, VERSIONS_MAX};
use crate::signed::Signed;
use crate::{wire_choice, wire_number};

/// One frame on a stream between two nodes. The stream is encrypted and proves the other's [`crate::id::PeerKey`]; who
/// that is, only the parcels inside say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerFrame {
    /// The first frame of each side.
    Greeting {
        /// Versions of these frames that the side speaks, best first.
        versions: Versions,
    },
    /// A parcel, to be answered by a number.
    Deliver {
        /// The sender's count of deliveries on this stream, from 1.
        number: u64,
        /// What is delivered.
        parcel: Parcel,
    },
    /// All deliveries up to this number are stored, or were refused by number.
    Committed {
        /// The number.
        up_to: u64,
    },
    /// One delivery is not stored and why.
    Refused {
        /// The number.
        number: u64,
        /// Why.
        reason: RefusalReason,
    },
    /// What the sender's leaf has received. Not answered.
    Acknowledge(Signed<AckVector>),
    /// A sealed hello from a stranger who knows an address of ours; answered like a delivery.
    Hello {
        /// The sender's count of deliveries on this stream.
        number: u64,
        /// The sealed bytes, at most 4 KiB.
        sealed: Sealed,
    },
    /// Asks for a pong: is the other still there.
    Ping {
        /// Comes back.
        nonce: u64,
    },
    /// Answers a ping.
    Pong {
        /// The ping's.
        nonce: u64,
    },
}
wire_choice!(PeerFrame, "peer frame" {
    0 => Greeting { 0 => versions },
    1 => Deliver { 0 => number, 1 => parcel },
    2 => Committed { 0 => up_to },
    3 => Refused { 0 => number, 1 => reason },
    4 => Acknowledge(vector),
    5 => Hello { 0 => number, 1 => sealed },
    6 => Ping { 0 => nonce },
    7 => Pong { 0 => nonce },
}, check = PeerFrame::check);

impl PeerFrame {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Deliver { number, .. } | Self::Hello { number, .. }
                if !(1..=SEQUENCE_MAX).contains(number) =>
            {
                Err(DecodeError::Invalid {
                    what: "deliveries count from 1 and never wrap",
                })
            }
            _ => Ok(()),
        }
    }
}

/// Why a delivery is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// Not taken, and the other learns no more: blocked, unknown, over its terms. Do not send it again.
    Denied,
    /// Not now: try again later.
    Busy,
    /// Cannot be read, or breaks a rule. Sending it again will not help.
    Malformed,
    /// Needs a newer version here.
    NeedsNewer,
    /// The thread is not known here; a welcome has to come first. Keep it and try again.
    UnknownThread,
    /// Not opened yet: something before it is missing. Keep it.
    Waiting,
}
wire_number!(RefusalReason, "refusal reason" {
    0 => Denied, 1 => Busy, 2 => Malformed, 3 => NeedsNewer, 4 => UnknownThread, 5 => Waiting,
});

/// Versions of the peer protocol, at most [`VERSIONS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(pub Vec<u16>);

impl Versions {
    /// The version this crate speaks.
    pub const CURRENT: u16 = 1;

    /// The versions this crate speaks.
    #[must_use]
    pub fn ours() -> Self {
        Self(vec![Self::CURRENT])
    }

    /// The version two sides speak: the largest both offer. None: they cannot talk, and say so; there is no fallback
    /// below what both named, so nobody between them can talk them down.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<u16> {
        self.0
            .iter()
            .filter(|version| other.0.contains(version))
            .max()
            .copied()
    }
}

impl Wire for Versions {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let versions = Vec::decode(reader)?;
        at_most("versions", versions.len(), VERSIONS_MAX)?;
        Ok(Self(versions))
    }
}

/// A sealed hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl Wire for Sealed {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes()?;
        at_most("bytes of a sealed hello", bytes.len(), HELLO_BYTES_MAX)?;
        Ok(Self(bytes.to_vec()))
    }
}
