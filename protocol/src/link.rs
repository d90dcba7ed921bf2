// SPDX-License-Identifier: MIT OR Apache-2.0
//! The links: an invitation or a relay as text, and the same text as a QR code.
//!
//! Text is base64url without padding. Base32 in a QR code's alphanumeric mode would be a sixth smaller there (8.8 bits a
//! byte against 10.7), but a ref link of 180 bytes would be 297 characters as text, over the 250 that fit a message or a
//! printed line; and one text for both means that what was scanned can be compared with what was copied.
//!
//! ```text
//! comptoir:        0x01 ‖ CBOR {bundle, token} ‖ check (2)
//! comptoir:        0x02 ‖ relay (32) ‖ account (32) ‖ blob (32) ‖ key (16) ‖ length (1) ‖ address (≤ 64) ‖ check (2)
//! comptoir-relay:  0x01 ‖ CBOR {relay, ticket} ‖ check (2)
//!
//! ref: 1 + 32 + 32 + 32 + 16 + 1 + 64 + 2 = 180 bytes = 240 characters, and 9 of "comptoir:" make 249
//! ```
//!
//! `check` is the start of a hash, against a link cut or mistyped; it proves nothing.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::codec::{DecodeError, Wire};
use crate::id::{AccountId, BlobId, RelayKey};
use crate::identity::CardBundle;
use crate::invite::InviteToken;
use crate::limits::{LINK_BYTES_MAX, REF_LINK_ADDRESS_BYTES_MAX};
use crate::relay::{RelayDescriptor, check_address};
use crate::secret::Secret;
use crate::signed::Signed;
use crate::ticket::Ticket;
use crate::wire_map;

const INVITE_SCHEME: &str = "comptoir:";
const RELAY_SCHEME: &str = "comptoir-relay:";
const KIND_FULL: u8 = 1;
const KIND_REF: u8 = 2;
const CHECK_BYTES: usize = 2;

/// Why a text is not a link we can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Another kind of text.
    #[error("a link starts with {expected}")]
    Scheme {
        /// How it should start.
        expected: &'static str,
    },
    /// Longer than any link.
    #[error("a link of {got} bytes is over the limit of {max}")]
    TooLong {
        /// Its bytes.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// Characters are missing or wrong.
    #[error("the link is damaged or cut: copy it again")]
    Damaged,
    /// A kind of link of a newer version.
    #[error("this link needs a newer version of comptoir (kind {kind})")]
    NeedsNewer {
        /// Its first byte.
        kind: u8,
    },
    /// The content is not what a link holds.
    #[error("the link cannot be read: {0}")]
    Content(#[from] DecodeError),
}

/// An invitation: `comptoir:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviteLink {
    /// The card itself: works without any relay.
    Full(Box<Invitation>),
    /// Where the sealed invitation lies: short enough for a printed QR code.
    Ref(InviteReference),
}

/// What an invitation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites.
    pub bundle: CardBundle,
    /// Opens the front door.
    pub token: Option<Signed<InviteToken>>,
    /// A ticket for the inviter's relay, for a newcomer that has none.
    pub ticket: Option<Signed<Ticket>>,
}
wire_map!(Invitation { 0 => bundle, 1 => token, 2 => ticket });

impl InviteLink {
    /// A link that holds the invitation itself. The device list stays out: the card names it by hash, and it comes inside
    /// the thread; with it a shop's link would not fit a QR code.
    #[must_use]
    pub fn full(mut invitation: Invitation) -> Self {
        invitation.bundle.list = None;
        Self::Full(Box::new(invitation))
    }
}

/// Where a sealed [`Invitation`] lies and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteReference {
    /// The relay that holds it.
    pub relay: RelayKey,
    /// Its one address, at most [`REF_LINK_ADDRESS_BYTES_MAX`].
    pub address: String,
    /// Who invites: the card inside must be this account's.
    pub account: AccountId,
    /// The sealed invitation.
    pub blob: BlobId,
    /// What opens it.
    pub key: BlobSeed,
}

/// 16 secret bytes that the key of an invitation's blob grows from: the link has no room for 32.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlobSeed(pub [u8; 16]);

impl BlobSeed {
    /// The key that seals the blob.
    #[must_use]
    pub fn cipher_key(&self) -> Secret {
        Secret::new(
            Sha256::new()
                .chain_update(b"comptoir/invite-blob")
                .chain_update(self.0)
                .finalize()
                .into(),
        )
    }
}

impl fmt::Debug for BlobSeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        formatter.write_str("BlobSeed(…)")
    }
}

impl InviteReference {
    /// The relay as a descriptor.
    #[must_use]
    pub fn relay_descriptor(&self) -> RelayDescriptor {
        RelayDescriptor {
            key: self.relay,
            addresses: vec![self.address.clone()],
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![KIND_REF];
        bytes.extend_from_slice(&self.relay.0);
        bytes.extend_from_slice(&self.account.0);
        bytes.extend_from_slice(&self.blob.0);
        bytes.extend_from_slice(&self.key.0);
        let length = self.address.len().min(REF_LINK_ADDRESS_BYTES_MAX);
        bytes.push(u8::try_from(length).expect("64 fits a byte"));
        bytes.extend_from_slice(&self.address.as_bytes()[..length]);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, LinkError> {
        let (relay, rest) = split::<32>(bytes)?;
        let (account, rest) = split::<32>(rest)?;
        let (blob, rest) = split::<32>(rest)?;
        let (key, rest) = split::<16>(rest)?;
        let ([length], address) = split::<1>(rest)?;
        if usize::from(length) != address.len() || address.len() > REF_LINK_ADDRESS_BYTES_MAX {
            return Err(LinkError::Damaged);
        }
        let address = String::from_utf8(address.to_vec()).map_err(|_| LinkError::Damaged)?;
        check_address(&address)?;
        Ok(Self {
            relay: RelayKey(relay),
            address,
            account: AccountId(account),
            blob: BlobId(blob),
            key: BlobSeed(key),
        })
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), LinkError> {
    bytes
        .split_first_chunk::<N>()
        .map(|(head, rest)| (*head, rest))
        .ok_or(LinkError::Damaged)
}

/// A relay as text: `comptoir-relay:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLink {
    /// The relay.
    pub relay: RelayDescriptor,
    /// Leave to create boxes there.
    pub ticket: Option<Signed<Ticket>>,
}
wire_map!(RelayLink { 0 => relay, 1 => ticket });

impl fmt::Display for InviteLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Full(invitation) => [vec![KIND_FULL], invitation.to_bytes()].concat(),
            Self::Ref(reference) => reference.to_bytes(),
        };
        write_link(formatter, INVITE_SCHEME, bytes)
    }
}

impl FromStr for InviteLink {
    type Err = LinkError;
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let bytes = read_link(text, INVITE_SCHEME)?;
        match bytes.split_first() {
            Some((&KIND_FULL, content)) => {
                Ok(Self::Full(Box::new(Invitation::from_bytes(content)?)))
            }
            Some((&KIND_REF, content)) => Ok(Self::Ref(InviteReference::from_bytes(content)?)),
            Some((&kind, _)) => Err(LinkError::NeedsNewer { kind }),
            None => Err(LinkError::Damaged),
        }
    }
}

impl fmt::Display for RelayLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_link(
            formatter,
            RELAY_SCHEME,
            [vec![KIND_FULL], self.to_bytes()].concat(),
        )
    }
}

impl FromStr for RelayLink {
    type Err = LinkError;
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let bytes = read_link(text, RELAY_SCHEME)?;
        match bytes.split_first() {
            Some((&KIND_FULL, content)) => Ok(Self::from_bytes(content)?),
            Some((&kind, _)) => Err(LinkError::NeedsNewer { kind }),
            None => Err(LinkError::Damaged),
        }
    }
}

fn check_of(scheme: &str, bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Sha256::new()
        .chain_update(scheme)
        .chain_update(bytes)
        .finalize();
    [hash[0], hash[1]]
}

fn write_link(formatter: &mut fmt::Formatter<'_>, scheme: &str, mut bytes: Vec<u8>) -> fmt::Result {
    let check = check_of(scheme, &bytes);
    bytes.extend_from_slice(&check);
    write!(formatter, "{scheme}{}", BASE64URL_NOPAD.encode(&bytes))
}

/// The bytes of a link, without scheme and check. White space around it comes from copying and is forgiven.
fn read_link(text: &str, scheme: &'static str) -> Result<Vec<u8>, LinkError> {
    let text = text.trim();
    if text.len() > LINK_BYTES_MAX {
        return Err(LinkError::TooLong {
            got: text.len(),
            max: LINK_BYTES_MAX,
        });
    }
    let encoded = text
        .strip_prefix(scheme)
        .ok_or(LinkError::Scheme { expected: scheme })?;
    let mut bytes = BASE64URL_NOPAD
        .decode(encoded.as_bytes())
        .map_err(|_| LinkError::Damaged)?;
    let content = bytes
        .len()
        .checked_sub(CHECK_BYTES)
        .ok_or(LinkError::Damaged)?;
    if check_of(scheme, &bytes[..content]) != bytes[content..] {
        return Err(LinkError::Damaged);
    }
    bytes.truncate(content);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
