// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of people: contacts, requests, hellos on their way, invites.

use comptoir_protocol::capability::{Capability, CapabilityTerms};
use comptoir_protocol::hello::Hello;
use comptoir_protocol::id::{
    AccountId, BlobId, CapabilityId, Lane, Mid, PeerKey, RelayKey, StatementHash,
};
use comptoir_protocol::identity::{CardBundle, DeviceList, Endpoint};
use comptoir_protocol::invite::InviteToken;
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::Signed;

use crate::rows::record::{choice, record};

choice! {
    /// Where a contact stands.
    #[derive(Copy)]
    pub enum Standing {
        /// We said hello, or are about to.
        0 Asked,
        /// There is a thread.
        1 Talking,
        /// The hello came to nothing.
        2 Failed,
    }
}

record! {
    /// Another account.
    pub struct Contact {
        /// Whose contact.
        0 pub persona: u16,
        /// Who.
        1 pub account: AccountId,
        /// The name they give themselves.
        2 pub name: String,
        /// The name the user gives them.
        3 pub petname: Option<String>,
        /// Where we stand.
        4 pub standing: Standing,
        /// The thread, once there is one.
        5 pub thread: Option<u32>,
        /// Their card, the newest seen.
        6 pub card: Option<CardBundle>,
        /// Its number.
        7 pub card_number: u64,
        /// Where they can be dialed.
        8 pub endpoints: Vec<Endpoint>,
        /// What they let us write with.
        9 pub capabilities: Vec<Capability>,
        /// Silent.
        10 pub muted: bool,
        /// Nothing of theirs is taken, and they may not write.
        11 pub blocked: bool,
        /// Wall time at which the safety code was compared; 0 for never.
        12 pub verified_ms: u64,
        /// Wall time at which they became a contact.
        13 pub added_ms: u64,
        /// The profile and reach they were last told, as bytes.
        14 pub told: Vec<u8>,
        /// What came from them and could not be used: of a newer version.
        15 pub needs_newer: u64,
        /// Always 0: builds of before read it.
        16 pub refused: u64,
        /// Our boxes for them.
        17 pub boxes: Vec<u32>,
        /// The capabilities they were last told of.
        18 pub told_ids: Vec<CapabilityId>,
        /// The number of our card they were last told.
        19 pub told_card: u64,
        /// What they may send in the promotion lane. Absent: nothing.
        24 pub promotions: Option<CapabilityTerms>,
        /// Their newest device list, while their card comes without one and names another.
        26 pub list: Option<Signed<DeviceList>>,
    }
}

impl Contact {
    /// The name to show.
    pub fn shown_name(&self) -> &str {
        self.petname.as_deref().unwrap_or(&self.name)
    }

    /// The boxes of theirs we may write into, in a lane, at this time.
    pub fn routes(&self, lane: Lane, now_ms: u64) -> impl Iterator<Item = &Capability> {
        let open =
            move |route: &&Capability| route.lane == lane && route.terms.not_after_ms > now_ms;
        self.capabilities.iter().filter(open)
    }

    /// Whether they take anything in a lane: promotions only under a capability that lasts, on every way.
    pub fn takes(&self, lane: Lane, now_ms: u64) -> bool {
        lane == Lane::Service || self.routes(lane, now_ms).next().is_some()
    }

    /// What they may send in the promotion lane, as long as that lasts.
    pub fn promotions_at(&self, now_ms: u64) -> Option<&CapabilityTerms> {
        let terms = self.promotions.as_ref();
        terms.filter(|terms| terms.not_after_ms > now_ms)
    }

    /// The sockets this contact was seen to own.
    pub fn peers(&self) -> impl Iterator<Item = PeerKey> + '_ {
        self.endpoints.iter().map(|endpoint| endpoint.key)
    }
}

choice! {
    /// Where a request stands.
    #[derive(Copy)]
    pub enum Decision {
        /// The user has not decided.
        0 Open,
        /// Declined; a further hello of the account opens a new one.
        1 Declined,
        /// Declined for good.
        2 Blocked,
        /// Accepted.
        3 Accepted,
    }
}

record! {
    /// Somebody who asks to talk.
    pub struct Request {
        /// Whom they ask.
        0 pub persona: u16,
        /// Who asks.
        1 pub account: AccountId,
        /// The name they give themselves.
        2 pub name: String,
        /// Why, in their words.
        3 pub reason: String,
        /// Wall time of arrival.
        4 pub received_ms: u64,
        /// The hello, opened and checked.
        5 pub hello: Hello,
        /// Where it stands.
        6 pub decision: Decision,
        /// The invite it came with.
        7 pub invite: Option<u32>,
    }
}

record! {
    /// A hello that was declined: it is not shown again, however often it comes.
    pub struct Declined {
        /// From when on it cannot come any more, in wall milliseconds.
        0 pub expires_ms: u64,
    }
}

choice! {
    /// How far a hello of ours has come.
    pub enum AskStage {
        /// The invitation must be fetched from a relay first.
        0 Fetching {
            /// The relay that holds it.
            0 relay: RelayDescriptor,
            /// The sealed invitation.
            1 blob: BlobId,
            /// What its key grows from.
            2 key: [u8; 16],
        },
        /// A box for the answer is being made.
        1 Preparing,
        /// Sealed; tried until a Welcome comes.
        2 Asking {
            /// The sealed hello. Sealed once; every try sends these bytes.
            0 sealed: Vec<u8>,
            /// The hash of the hello inside: the smaller of two that cross is the accepted one.
            1 hash: StatementHash,
            /// Id of the deposit at the front door.
            2 mid: Mid,
            /// Secrets of the key packages given away, as crypto keeps them: of this hello, and of one before it that
            /// may have been accepted already.
            3 packages: Vec<Vec<u8>>,
            /// It names no box for the answer, because none was ready.
            4 direct_only: bool,
        },
    }
}

record! {
    /// A hello of ours on its way.
    pub struct Asking {
        /// What the owner reads.
        0 pub reason: String,
        /// The invite token of the link.
        1 pub token: Option<Signed<InviteToken>>,
        /// How far it has come.
        2 pub stage: AskStage,
        /// Wall time of the start.
        3 pub made_ms: u64,
        /// Tries so far.
        4 pub tries: u32,
        /// Relays whose front door has it.
        5 pub stored: Vec<RelayKey>,
    }
}

record! {
    /// An invite of ours.
    pub struct Invite {
        /// Whose.
        0 pub persona: u16,
        /// Its token's random id.
        1 pub id: [u8; 16],
        /// Wall time until which it is good.
        2 pub expires_ms: u64,
        /// How many may still use it.
        3 pub uses_left: u32,
        /// The link.
        4 pub link: String,
        /// The sealed invitation, until a relay has it.
        5 pub blob: Option<Vec<u8>>,
        /// Its address.
        6 pub blob_id: Option<BlobId>,
        /// The relay it is for.
        7 pub relay: Option<RelayKey>,
    }
}
