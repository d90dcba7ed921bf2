// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ids: who, which device, which thread, which box. Each is its own type, so none is taken for another.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::error::ParseIdError;
use crate::{wire_map, wire_number};

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        /// The first four bytes: enough to tell two apart in a log, too few to look anybody up.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({}…)", stringify!($name), HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ParseIdError { expected: $expected })?;
                <[u8; $length]>::try_from(bytes).map(Self).map_err(|_| ParseIdError { expected: $expected })
            }
        }

        impl Wire for $name {
            fn encode(&self, writer: &mut Writer) {
                writer.bytes(&self.0);
            }
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <[u8; $length]>::decode(reader).map(Self)
            }
        }
    };
}

bytes_id!(
    /// Who: the hash of an account's inception statement.
    AccountId, 32, "an account id of 64 hexadecimal digits"
);
bytes_id!(
    /// Which device: its Ed25519 key.
    DeviceId, 32, "a device id of 64 hexadecimal digits"
);
bytes_id!(
    /// Any Ed25519 key whose role the field names.
    PublicKey, 32, "a public key of 64 hexadecimal digits"
);
bytes_id!(
    /// A conversation: random, ours, and the same through every MLS group that carries it.
    ThreadId, 16, "a thread id of 32 hexadecimal digits"
);
bytes_id!(
    /// The state an envelope was made in: the hash of the MLS epoch authenticator.
    ParentHash, 32, "a parent hash of 64 hexadecimal digits"
);
bytes_id!(
    /// Which relay: the Ed25519 key of its libp2p identity.
    RelayKey, 32, "a relay key of 64 hexadecimal digits"
);
bytes_id!(
    /// Which socket: the Ed25519 key of a node's libp2p identity. Says nothing about who.
    PeerKey, 32, "a peer key of 64 hexadecimal digits"
);
bytes_id!(
    /// A box as its readers name it.
    Rid, 32, "a reader's box id of 64 hexadecimal digits"
);
bytes_id!(
    /// The same box as its senders name it. Neither id follows from the other.
    Sid, 32, "a sender's box id of 64 hexadecimal digits"
);
bytes_id!(
    /// A permission to write into one box.
    CapabilityId, 16, "a capability id of 32 hexadecimal digits"
);
bytes_id!(
    /// A deposit as its relay names it: derived from the content, so retries carry the same one.
    Mid, 16, "a deposit id of 32 hexadecimal digits"
);
bytes_id!(
    /// A sealed blob: the hash of its ciphertext.
    BlobId, 32, "a blob id of 64 hexadecimal digits"
);
bytes_id!(
    /// The hash of a signed statement with its label and version.
    StatementHash, 32, "a statement hash of 64 hexadecimal digits"
);

macro_rules! is_a_key {
    ($($name:ident),*) => { $(
        impl From<$name> for PublicKey {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
        impl From<PublicKey> for $name {
            fn from(key: PublicKey) -> Self {
                Self(key.0)
            }
        }
    )* };
}
is_a_key!(DeviceId, RelayKey, PeerKey);

/// What a message is for, as far as a relay may know: each lane has its own box, capability and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Talk, orders, receipts: what somebody waits for.
    Service,
    /// What somebody would like the other to see.
    Promotion,
}
wire_number!(Lane, "lane" { 0 => Service, 1 => Promotion });

/// A message's address: stable through runs, resends and branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The thread it stands in.
    pub thread: ThreadId,
    /// The device that wrote it.
    pub author: DeviceId,
    /// The lane it is counted in.
    pub lane: Lane,
    /// Its number there, from 1.
    pub sequence: u64,
}
wire_map!(MessageId { 0 => thread, 1 => author, 2 => lane, 3 => sequence });

/// `thread.author.lane.sequence`, lane being `s` or `p`.
impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lane = match self.lane {
            Lane::Service => 's',
            Lane::Promotion => 'p',
        };
        write!(
            formatter,
            "{}.{}.{lane}.{}",
            self.thread, self.author, self.sequence
        )
    }
}

impl FromStr for MessageId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let malformed = ParseIdError {
            expected: "a message id like thread.author.s.7",
        };
        let parts: Vec<&str> = text.split('.').collect();
        let [thread, author, lane, sequence] = parts[..] else {
            return Err(malformed);
        };
        Ok(Self {
            thread: thread.parse()?,
            author: author.parse()?,
            lane: match lane {
                "s" => Lane::Service,
                "p" => Lane::Promotion,
                _ => return Err(malformed),
            },
            // `+7` and `007` would be second names for one message.
            sequence: match sequence.parse() {
                Ok(number) if sequence == u64::to_string(&number) => number,
                _ => return Err(malformed),
            },
        })
    }
}

#[cfg(test)]
mod tests;
