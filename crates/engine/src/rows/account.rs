// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of an account: the persona with its keys, the merged account state, answers kept for repeated commands.

use comptoir_protocol::body::{AccountChange, BlockMarks};
use comptoir_protocol::id::{AccountId, DeviceId};
use comptoir_protocol::identity::{AccountProof, CardBundle, DeviceCertificate, DeviceList};
use comptoir_protocol::place::Place;
use comptoir_protocol::secret::Secret;
use comptoir_protocol::signed::Signed;

use crate::rows::record::{choice, record};
use crate::seam::answer::{Answer, Refusal};

record! {
    /// Counters of this node. Each is the number given next.
    pub struct Meta {
        /// Personas, from 1; 1 is `main`.
        0 pub persona: u16,
        /// Contacts.
        1 pub contact: u32,
        /// Threads.
        2 pub thread: u32,
        /// Requests.
        3 pub request: u32,
        /// Boxes.
        4 pub own_box: u32,
        /// Relays.
        5 pub relay: u32,
        /// Invites.
        6 pub invite: u32,
        /// Body kinds the build knew that opened this store last.
        7 pub kinds: Vec<u32>,
        /// The edition of the released kinds that it read.
        8 pub edition: Option<u32>,
    }
}

record! {
    /// How far kept bodies were read again.
    #[derive(Default)]
    pub struct Rereading {
        /// The thread of the last arrival looked at.
        0 pub thread: u32,
        /// The arrival.
        1 pub arrival: u64,
    }
}

impl Default for Meta {
    fn default() -> Self {
        Meta {
            persona: 1,
            contact: 1,
            thread: 1,
            request: 1,
            own_box: 1,
            relay: 1,
            invite: 1,
            kinds: Vec::new(),
            edition: None,
        }
    }
}

record! {
    /// One of the accounts of this node.
    pub struct Persona {
        /// Who.
        0 pub account: AccountId,
        /// This device of it.
        1 pub device: DeviceId,
        /// The name shown to contacts.
        2 pub name: String,
        /// Inception and rotations.
        3 pub proof: AccountProof,
        /// Seed of the key that signs device lists. The root is not kept.
        4 pub list_key: Secret,
        /// Seed of the device key.
        5 pub device_key: Secret,
        /// The device list.
        6 pub list: Signed<DeviceList>,
        /// The certificate of this device.
        7 pub certificate: Signed<DeviceCertificate>,
        /// Local number of the self thread.
        8 pub self_thread: u32,
        /// Keys of the front door, the newest last. An old one is destroyed when the cards that name it have expired.
        9 pub front_keys: Vec<FrontKey>,
        /// The card as last issued: its number.
        10 pub card_number: u64,
        /// Wall time at which that card expires; 0 before the first.
        11 pub card_expires_ms: u64,
        /// Whether contacts are told what was read.
        12 pub read_receipts: bool,
        /// Sum of hellos refused since creation: bad, blocked, expired or over the bound.
        13 pub hellos_refused: u64,
        /// The card as last issued, with its proof.
        14 pub card: Option<CardBundle>,
        /// Seed of the key that owns the front doors, the same at every relay, and signs invite tokens.
        15 pub front_owner: Secret,
    }
}

record! {
    /// A key of the front door.
    pub struct FrontKey {
        /// Its number in cards.
        0 pub id: u32,
        /// The secret half.
        1 pub secret: Secret,
        /// The public half.
        2 pub public: [u8; 32],
        /// Wall time at which it was made.
        3 pub made_ms: u64,
        /// Wall time at which the last card that names it expires.
        4 pub last_card_ms: u64,
    }
}

record! {
    /// The statement that stands about one subject of the account state.
    pub struct Register {
        /// Its place in the self thread.
        0 pub place: Place,
        /// What it says.
        1 pub change: AccountChange,
        /// For a block: what decides it.
        2 pub marks: Option<BlockMarks>,
    }
}

choice! {
    /// What a command came to, kept for its repetition.
    pub enum Outcome {
        /// It was done.
        0 Done {
            /// With this answer.
            0 answer: Answer,
        },
        /// It was refused.
        1 Refused {
            /// For this reason.
            0 refusal: Refusal,
        },
    }
}

record! {
    /// The answer kept under an idempotency key.
    pub struct Repeated {
        /// Hash of the request it answered.
        0 pub body_hash: [u8; 32],
        /// Wall time until which it is kept.
        1 pub expires_ms: u64,
        /// What the command came to.
        2 pub outcome: Outcome,
    }
}
