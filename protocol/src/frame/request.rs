// SPDX-License-Identifier: MIT OR Apache-2.0
//! The requests to a relay: `/comptoir/mailbox/1`.
//!
//! The relay speaks first, with a challenge. Every request has an id that its answer repeats; a request that a key must
//! stand for is signed over relay, challenge and bytes, so it replays neither to another relay nor on another stream.
//! What is refused, revoked and unknown is answered alike: [`crate::frame::RelayAnswer::Denied`].

use ed25519_dalek::{Signer, SigningKey};

use crate::capability::RelayCapability;
use crate::codec::{DecodeError, Wire, Writer, at_most};
use crate::error::VerifyError;
use crate::id::{BlobId, CapabilityId, Lane, Mid, PublicKey, RelayKey, Rid, Sid};
use crate::invite::InviteToken;
use crate::limits::{
    CHUNK_BYTES_MAX, KEY_PACKAGES_MAX, READERS_MAX, RELAY_ACK_SEQUENCES_MAX, SUBSCRIBE_BOXES_MAX,
};
use crate::puzzle::PuzzleSolution;
use crate::signed::{Signed, public_key, verify_strict};
use crate::ticket::Ticket;
use crate::{wire_choice, wire_map, wire_number};

/// What is asked of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayRequest {
    /// Makes a box. Signed by `owner`. A second one by the same owner is answered with the box it has, so a retry after a
    /// lost answer makes none.
    Create {
        /// Grants, revokes, changes readers, deletes. A key made for this box alone.
        owner: PublicKey,
        /// Who may fetch and acknowledge, each with a cursor of its own.
        readers: Vec<PublicKey>,
        /// What the box is for.
        kind: BoxKind,
        /// The one lane it takes.
        lane: Lane,
        /// How long it keeps an item, in seconds; the relay may keep it shorter and says so.
        ttl_s: u32,
        /// Leave to create it. With one, the request is signed by the key that holds the ticket: the one that used it
        /// first. Without, by the owner.
        ticket: Option<Signed<Ticket>>,
    },
    /// Adds a reader. Signed by the owner.
    ReaderAdd {
        /// The box.
        rid: Rid,
        /// The reader.
        reader: PublicKey,
    },
    /// Removes a reader: items wait for it no longer. Signed by the owner.
    ReaderRemove {
        /// The box.
        rid: Rid,
        /// The reader.
        reader: PublicKey,
    },
    /// Lets somebody write. Signed by the owner.
    Grant {
        /// The box.
        rid: Rid,
        /// To whom and how much. One of the same id is replaced.
        capability: RelayCapability,
    },
    /// Ends a permission, or in a front door the invite token of that id. Signed by the owner.
    Revoke {
        /// The box.
        rid: Rid,
        /// Which.
        capability: CapabilityId,
        /// Whether what it left is dropped too.
        purge: bool,
    },
    /// Asks for the box's permissions. Signed by the owner.
    List {
        /// The box.
        rid: Rid,
    },
    /// Leaves a deposit. Signed by the capability's writer.
    Put {
        /// The box.
        sid: Sid,
        /// The permission.
        capability: CapabilityId,
        /// Names the deposit: a second one with the same name and bytes is a success, with other bytes is refused.
        mid: Mid,
        /// How long to keep it, in seconds.
        expires_s: u32,
        /// The deposit.
        blob: Vec<u8>,
    },
    /// Leaves a hello in a front door. Not signed.
    PutOpen {
        /// The front door.
        sid: Sid,
        /// Names the deposit.
        mid: Mid,
        /// The sealed hello.
        blob: Vec<u8>,
        /// What lets it in.
        admission: Admission,
    },
    /// Asks for a puzzle for a front door. Not signed.
    Puzzle {
        /// The front door.
        sid: Sid,
    },
    /// Asks for items. Signed by a reader.
    Fetch {
        /// The box.
        rid: Rid,
        /// Only those after this sequence.
        after_sequence: u64,
        /// At most so many.
        items_max: u16,
        /// At most so many bytes; one item comes in any case.
        bytes_max: u32,
        /// Waits so long for the first one, at most 50 s.
        wait_s: u16,
    },
    /// Says what is safely stored. Signed by a reader, and moves its cursor only.
    Ack {
        /// The box.
        rid: Rid,
        /// All up to this sequence.
        up_to: u64,
        /// And these beyond.
        sequences: Vec<u64>,
    },
    /// Asks for a push when something arrives. Signed by a key that reads all of them.
    Subscribe {
        /// The boxes, a page of them; added to those before. All of it ends with the stream.
        rids: Vec<Rid>,
    },
    /// Compares and sets a device's boot number. Signed by `reader`.
    Boot {
        /// The key the number belongs to: a reader of a box here.
        reader: PublicKey,
        /// The number the device believes; 0 for none yet.
        expected: u64,
        /// The number it is about to use: larger.
        next: u64,
    },
    /// Stores a part of a blob; complete when all parts are there and hash to its id.
    BlobPut {
        /// By which right.
        right: BlobRight,
        /// The hash of all its bytes.
        blob: BlobId,
        /// All its bytes.
        total_bytes: u64,
        /// Where this part starts; parts come in order.
        offset: u64,
        /// The part.
        bytes: Vec<u8>,
        /// How long to keep it, in seconds.
        expires_s: u32,
    },
    /// Asks for a part of a blob. Not signed: whoever knows the id was told it.
    BlobGet {
        /// The blob.
        blob: BlobId,
        /// Where to start.
        offset: u64,
        /// At most so many bytes.
        bytes_max: u32,
    },
    /// Drops a blob.
    BlobDrop {
        /// By which right: the one it was stored by.
        right: BlobRight,
        /// The blob.
        blob: BlobId,
    },
    /// Adds to the pool of key packages that holders of a capability may take from. Signed by the owner. Answered by
    /// [`RelayAnswer::KeyPackage`] with no package and the number that wait now; an empty list only asks for it.
    KeyPackagesPut {
        /// The box whose capabilities may take.
        rid: Rid,
        /// The packages; each is given once.
        packages: Vec<Vec<u8>>,
    },
    /// Takes one key package. Signed by the capability's writer.
    KeyPackageTake {
        /// The box.
        sid: Sid,
        /// The permission.
        capability: CapabilityId,
    },
    /// Takes no more deposits; writers learn nothing but DENIED, contacts are told inside the threads. Signed by the owner.
    Move {
        /// The box.
        rid: Rid,
    },
    /// Wipes the box now. Signed by the owner.
    Delete {
        /// The box.
        rid: Rid,
    },
    /// Asks what the relay is. Not signed.
    Info,
    /// Asks for a ticket to give to a guest. Signed by the owner.
    GuestTicket {
        /// The owner's front door here.
        rid: Rid,
    },
}
wire_choice!(RelayRequest, "relay request" {
    0 => Create { 0 => owner, 1 => readers, 2 => kind, 3 => lane, 4 => ttl_s, 5 => ticket },
    1 => ReaderAdd { 0 => rid, 1 => reader },
    2 => ReaderRemove { 0 => rid, 1 => reader },
    3 => Grant { 0 => rid, 1 => capability },
    4 => Revoke { 0 => rid, 1 => capability, 2 => purge },
    5 => List { 0 => rid },
    6 => Put { 0 => sid, 1 => capability, 2 => mid, 3 => expires_s, 4 => blob },
    7 => PutOpen { 0 => sid, 1 => mid, 2 => blob, 3 => admission },
    8 => Puzzle { 0 => sid },
    9 => Fetch { 0 => rid, 1 => after_sequence, 2 => items_max, 3 => bytes_max, 4 => wait_s },
    10 => Ack { 0 => rid, 1 => up_to, 2 => sequences },
    11 => Subscribe { 0 => rids },
    12 => Boot { 0 => reader, 1 => expected, 2 => next },
    13 => BlobPut { 0 => right, 1 => blob, 2 => total_bytes, 3 => offset, 4 => bytes, 5 => expires_s },
    14 => BlobGet { 0 => blob, 1 => offset, 2 => bytes_max },
    15 => BlobDrop { 0 => right, 1 => blob },
    16 => KeyPackagesPut { 0 => rid, 1 => packages },
    17 => KeyPackageTake { 0 => sid, 1 => capability },
    18 => Move { 0 => rid },
    19 => Delete { 0 => rid },
    20 => Info,
    21 => GuestTicket { 0 => rid },
});

/// What a box is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxKind {
    /// One contact, one direction, one lane.
    Thread,
    /// Strangers.
    FrontDoor,
    /// A device's boot number, and its own blobs.
    Boot,
}
wire_number!(BoxKind, "box kind" { 0 => Thread, 1 => FrontDoor, 2 => Boot });

/// What lets a stranger's hello in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// An invitation's token, signed by the box's owner key.
    Token(Signed<InviteToken>),
    /// Work, for this front door.
    Puzzle(PuzzleSolution),
}
wire_choice!(Admission, "admission" { 0 => Token(token), 1 => Puzzle(solution) });

/// By which right a blob is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobRight {
    /// The owner of a box, within its ticket. Signed by the owner.
    Owner(Rid),
    /// A capability, within its terms. Signed by its writer.
    Writer {
        /// The box.
        sid: Sid,
        /// The permission.
        capability: CapabilityId,
    },
}
wire_choice!(BlobRight, "blob right" { 0 => Owner(rid), 1 => Writer { 0 => sid, 1 => capability } });

impl RelayRequest {
    /// Checks the bounds of every list; [`SignedRequest::open`] has done so for what it returns.
    pub fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Create { readers, .. } => at_most("readers of a box", readers.len(), READERS_MAX),
            Self::Put { blob, .. } | Self::PutOpen { blob, .. } => {
                at_most("bytes of a deposit", blob.len(), CHUNK_BYTES_MAX)
            }
            Self::Ack { sequences, .. } => at_most(
                "sequences of an acknowledgement",
                sequences.len(),
                RELAY_ACK_SEQUENCES_MAX,
            ),
            Self::Subscribe { rids } => {
                at_most("boxes of a subscription", rids.len(), SUBSCRIBE_BOXES_MAX)
            }
            Self::BlobPut { bytes, .. } => at_most("bytes of a part", bytes.len(), CHUNK_BYTES_MAX),
            Self::KeyPackagesPut { packages, .. } => {
                at_most("key packages", packages.len(), KEY_PACKAGES_MAX)
            }
            _ => Ok(()),
        }
    }
}

/// A request as it travels: its bytes, and who stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Comes back with the answer.
    pub request_id: u64,
    /// The bytes of a [`RelayRequest`].
    pub request: Vec<u8>,
    /// The key that stands for it, where one must.
    pub signer: Option<PublicKey>,
    /// Its signature over relay, challenge and request.
    pub signature: Option<[u8; 64]>,
}
wire_map!(SignedRequest {
    0 => request_id, 1 => request, 2 => signer, 3 => signature,
}, check = SignedRequest::check);

/// Label under a request's signature.
const REQUEST_LABEL: &str = "comptoir/mailbox/1";

fn request_input(
    relay: &RelayKey,
    challenge: &[u8; 32],
    request_id: u64,
    request: &[u8],
) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open_array(5);
    writer.text(REQUEST_LABEL);
    relay.encode(&mut writer);
    challenge.encode(&mut writer);
    writer.unsigned(request_id);
    writer.bytes(request);
    writer.into_bytes()
}

impl SignedRequest {
    /// A request nobody has to stand for.
    #[must_use]
    pub fn unsigned(request_id: u64, request: &RelayRequest) -> Self {
        Self {
            request_id,
            request: request.to_bytes(),
            signer: None,
            signature: None,
        }
    }

    /// A request that `key` stands for, on the stream whose challenge this is.
    #[must_use]
    pub fn sign(
        request_id: u64,
        request: &RelayRequest,
        key: &SigningKey,
        relay: &RelayKey,
        challenge: &[u8; 32],
    ) -> Self {
        let request = request.to_bytes();
        let signature = key
            .sign(&request_input(relay, challenge, request_id, &request))
            .to_bytes();
        Self {
            request_id,
            request,
            signer: Some(public_key(key)),
            signature: Some(signature),
        }
    }

    /// Reads the request without checking its signature: for the cheap refusals (unknown box, full, over its rate) that
    /// come before an Ed25519 check. Nothing may be changed on its word.
    pub fn peek(&self) -> Result<RelayRequest, DecodeError> {
        let request = RelayRequest::from_bytes(&self.request)?;
        request.check()?;
        Ok(request)
    }

    /// Checks the signature, if there is one, and reads the request. The signer is proved; whether it may is the rules'.
    pub fn open(
        &self,
        relay: &RelayKey,
        challenge: &[u8; 32],
    ) -> Result<(RelayRequest, Option<PublicKey>), VerifyError> {
        if let (Some(signer), Some(signature)) = (&self.signer, &self.signature) {
            let input = request_input(relay, challenge, self.request_id, &self.request);
            if !verify_strict(signer, &input, signature) {
                return Err(VerifyError::Signature {
                    label: REQUEST_LABEL,
                });
            }
        }
        Ok((self.peek()?, self.signer))
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.signer.is_some() == self.signature.is_some() {
            Ok(())
        } else {
            Err(DecodeError::Invalid {
                what: "a signer comes with a signature",
            })
        }
    }
}
