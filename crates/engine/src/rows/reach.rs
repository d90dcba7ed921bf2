// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of how we are reached: relays, and our boxes at them.

use comptoir_protocol::id::{CapabilityId, Lane, Rid, Sid};
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::secret::Secret;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;

use crate::rows::record::{choice, record};
use crate::seam::event::RelayCondition;

choice! {
    /// What a box is for.
    #[derive(Copy)]
    pub enum Purpose {
        /// One contact writes here, in one lane.
        0 Contact {
            /// Who.
            0 contact: u32,
            /// In which lane.
            1 lane: Lane,
        },
        /// Strangers say hello here.
        1 FrontDoor,
        /// Keeps this device's boot number, outside our own disk.
        2 Boot,
    }
}

choice! {
    /// How far a box has come. Every stage but `Ready` and `Gone` owes the relay a call.
    #[derive(Copy)]
    pub enum BoxStage {
        /// To be created.
        0 Creating,
        /// Created; the contact's capability is to be granted.
        1 Granting,
        /// In use.
        2 Ready,
        /// The capability is to be revoked, and what it left purged.
        3 Revoking,
        /// To be deleted at the relay.
        4 Deleting,
    }
}

record! {
    /// A box of ours at a relay.
    pub struct OwnBox {
        /// Whose.
        0 pub persona: u16,
        /// Local number of the relay.
        1 pub relay: u32,
        /// What it is for.
        2 pub purpose: Purpose,
        /// How far it has come.
        3 pub stage: BoxStage,
        /// Seed of the key that owns it, used for nothing else.
        4 pub owner: Secret,
        /// Its names at the relay.
        6 pub ids: Option<BoxIds>,
        /// The capability of the contact.
        7 pub grant: Option<Granted>,
        /// Wall time at which key packages were last left for the contact.
        8 pub stocked_ms: Option<u64>,
        /// Wall time until which a box that is left is still fetched from. Absent: it goes at once.
        9 pub left_until_ms: Option<u64>,
    }
}

impl OwnBox {
    /// The lane its items are in.
    pub fn lane(&self) -> Lane {
        match self.purpose {
            Purpose::Contact { lane, .. } => lane,
            Purpose::FrontDoor | Purpose::Boot => Lane::Service,
        }
    }
}

record! {
    /// A box's two names.
    #[derive(Copy)]
    pub struct BoxIds {
        /// For readers.
        0 pub rid: Rid,
        /// For senders.
        1 pub sid: Sid,
    }
}

record! {
    /// What the contact may write with.
    pub struct Granted {
        /// Its name.
        0 pub id: CapabilityId,
        /// Seed of the key the contact signs with.
        1 pub writer: Secret,
        /// Key of the deposits.
        2 pub k_box: Secret,
        /// Wall time at which it ends.
        3 pub not_after_ms: u64,
    }
}

record! {
    /// The private half of a key package that lies at a relay.
    pub struct KeptPackage {
        /// As crypto keeps it.
        0 pub secret: Vec<u8>,
        /// Wall time at which it is destroyed.
        1 pub expires_ms: u64,
    }
}

record! {
    /// A relay one of our personas uses.
    pub struct Relay {
        /// Whose.
        0 pub persona: u16,
        /// Where it is.
        1 pub descriptor: RelayDescriptor,
        /// The operator's admission.
        2 pub ticket: Option<Signed<Ticket>>,
        /// To be left: its boxes go, then this row.
        3 pub leaving: bool,
        /// The boot number this relay confirmed last.
        4 pub boot_confirmed: u64,
        /// The boot numbers we proposed since, each written before it was sent.
        5 pub boot_proposed: Vec<u64>,
        /// Seed of the key that reads our boxes there.
        6 pub reader: Secret,
        /// Condition last told.
        7 pub condition: RelayCondition,
        /// A ticket of it for a guest of ours, for the next invite.
        8 pub guest: Option<Signed<Ticket>>,
    }
}
