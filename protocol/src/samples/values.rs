// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sample values: people, cards, capabilities, frames, all from fixed keys.

use super::*;
use ed25519_dalek::SigningKey;

use crate::acknowledgement::{AckEntry, AckVector};
use crate::body::{
    AccountChange, AccountStatement, AuthorKind, Body, BodyHeader, BodyKinds, BoxRecord, Content,
    Edit, GrantDirection, Text, Via,
};
use crate::capability::{ALL_HOURS, Capability, CapabilityTerms};
use crate::codec::Wire;
use crate::deposit::{BlobReference, Parcel, ParcelContent};
use crate::envelope::{Batch, Chain, Envelope, EnvelopeKind, Message};
use crate::evidence::{ContextConsent, LinkPass};
use crate::header::{Addressee, StatementHeader};
use crate::hello::Hello;
use crate::id::*;
use crate::identity::*;
use crate::invite::InviteToken;
use crate::place::Place;
use crate::relay::RelayDescriptor;
use crate::runs::Runs;
use crate::secret::Secret;
use crate::signed::{Signed, public_key};
use crate::ticket::Ticket;

/// Wall time of every sample: 2026-01-01.
pub(crate) const NOW_MS: u64 = 1_767_225_600_000;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> PublicKey {
    public_key(&key(seed))
}

pub(crate) fn relay() -> RelayDescriptor {
    RelayDescriptor {
        key: RelayKey(public(60).0),
        addresses: vec![
            "/dns4/relay.example/tcp/4001".to_owned(),
            "/dns4/relay.example/udp/4001/quic-v1".to_owned(),
        ],
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        key: PeerKey(public(61).0),
        addresses: vec!["/ip4/192.0.2.7/tcp/4001".to_owned()],
    }
}

pub(crate) fn terms() -> CapabilityTerms {
    CapabilityTerms {
        max: 600,
        period_s: 3600,
        hours: ALL_HOURS,
        utc_offset_min: -90,
        max_bytes: 61_440,
        not_after_ms: NOW_MS + 90 * 86_400_000,
    }
}

pub(crate) fn capability() -> Capability {
    Capability {
        relay: relay(),
        sid: Sid([0x44; 32]),
        capability: CapabilityId([0x45; 16]),
        writer: Secret::new([0x46; 32]),
        k_box: Secret::new([0x47; 32]),
        lane: Lane::Service,
        terms: terms(),
    }
}

pub(crate) fn token() -> Signed<InviteToken> {
    Signed::sign(
        &InviteToken {
            id: [0x48; 16],
            not_after_ms: NOW_MS + 86_400_000,
            uses: 1,
        },
        &key(62),
    )
}

pub(crate) fn ticket() -> Signed<Ticket> {
    let ticket = Ticket {
        relay: relay().key,
        serial: [0x49; 16],
        bytes: 64 << 20,
        boxes: 200,
        not_after_ms: NOW_MS + 86_400_000,
        guests: 8,
    };
    Signed::sign(&ticket, &key(60))
}

pub(crate) fn hello() -> Hello {
    let alice = person(1, 0);
    Hello {
        card: Signed::sign(&alice.card(), &alice.device_key),
        list: Some(Signed::sign(&alice.list(1), &alice.list_key)),
        key_package: vec![0x4a; 40],
        reply: Some(capability()),
        token: Some(token()),
        reason: "We met at the market.".to_owned(),
        nonce: [0x4b; 16],
    }
}

pub(crate) fn message_id() -> MessageId {
    MessageId {
        thread: ThreadId([0x4c; 16]),
        author: DeviceId([0x4d; 32]),
        lane: Lane::Service,
        sequence: 300,
    }
}

pub(crate) fn place() -> Place {
    Place {
        height: 9,
        author: DeviceId([0x4d; 32]),
        sequence: 4,
    }
}

pub(crate) fn runs() -> Runs {
    Runs::from_parts(70, vec![(72, 72), (80, 90)]).unwrap()
}

pub(crate) fn ack_vector() -> AckVector {
    AckVector {
        thread: ThreadId([0x4c; 16]),
        incarnation: 1,
        parent: ParentHash([0x4e; 32]),
        entries: vec![AckEntry {
            author: DeviceId([0x4d; 32]),
            lane: Lane::Service,
            runs: runs(),
        }],
    }
}

pub(crate) fn link_pass() -> LinkPass {
    LinkPass {
        thread: ThreadId([0x4c; 16]),
        incarnation: 1,
        parent: ParentHash([0x4e; 32]),
        account: AccountId([0x54; 32]),
        device: DeviceId([0x4d; 32]),
        leaf_key: PublicKey([0x4f; 32]),
    }
}

pub(crate) fn context_consent() -> ContextConsent {
    ContextConsent {
        thread: ThreadId([0x4c; 16]),
        incarnation: 1,
        parent: ParentHash([0x4e; 32]),
        context: [0x50; 32],
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        thread: ThreadId([0x4c; 16]),
        incarnation: 1,
        parent: ParentHash([0x4e; 32]),
        lane: Lane::Service,
        kind: EnvelopeKind::Application,
        bytes: vec![0x4f; 24],
    }
}

pub(crate) fn batch() -> Batch {
    Batch {
        lane: Lane::Service,
        first_sequence: 5,
        previous: Chain([0x50; 32]),
        heads: vec![(DeviceId([0x51; 32]), Lane::Service, 12)],
        boot: 2,
        sent_ms: NOW_MS,
        messages: vec![Body::text("Good morning.").to_message().unwrap()],
    }
}

pub(crate) fn parcel(content: ParcelContent) -> Parcel {
    Parcel {
        lane: Lane::Service,
        author: DeviceId([0x4d; 32]),
        sequence: 6,
        content,
    }
}

pub(crate) fn blob_reference() -> BlobReference {
    BlobReference {
        relay: relay(),
        blob: BlobId([0x52; 32]),
        key: Secret::new([0x53; 32]),
        bytes: 100_000,
    }
}

pub(crate) fn header() -> StatementHeader {
    StatementHeader {
        addressee: Addressee::Thread(ThreadId([0x4c; 16])),
        speaks_for: AccountId([0x54; 32]),
        author: DeviceId(public(22).0),
        list_number: 1,
        list_hash: StatementHash([0x55; 32]),
        grant: Some(StatementHash([0x56; 32])),
        sequence: 2,
        previous: Some(StatementHash([0x57; 32])),
        claimed_ms: NOW_MS,
        nonce: [0x58; 16],
    }
}

pub(crate) fn statement(change: AccountChange) -> AccountStatement {
    AccountStatement {
        header: header(),
        change,
    }
}

pub(crate) fn box_record() -> BoxRecord {
    BoxRecord {
        relay: relay().key,
        rid: Rid([0x59; 32]),
        sid: Sid([0x44; 32]),
        lane: Lane::Promotion,
        contact: Some(AccountId([0x54; 32])),
        owner: Secret::new([0x5a; 32]),
        readers: vec![public(63)],
        k_box: Some(Secret::new([0x47; 32])),
    }
}

pub(crate) fn changes() -> Vec<AccountChange> {
    let account = AccountId([0x54; 32]);
    let thread = ThreadId([0x4c; 16]);
    vec![
        AccountChange::Contact {
            account,
            petname: Some("Bob from the market".to_owned()),
            verified: Some(StatementHash([0x5b; 32])),
            muted: true,
            removed: false,
            card: Some(Box::new(person(1, 0).bundle())),
        },
        AccountChange::Request {
            account,
            hello: StatementHash([0x5c; 32]),
            accepted: true,
            thread: Some(thread),
        },
        AccountChange::Block { account },
        AccountChange::Unblock {
            account,
            seen: place(),
        },
        AccountChange::Relay {
            relay: relay(),
            used: true,
        },
        AccountChange::OwnBox {
            record: Box::new(box_record()),
            deleted: false,
        },
        AccountChange::Capability {
            contact: account,
            direction: GrantDirection::Given,
            capability: Box::new(capability()),
            revoked: true,
        },
        AccountChange::ReadMark {
            thread,
            place: place(),
        },
        AccountChange::Thread {
            thread,
            contact: Some(account),
            muted: false,
            deleted: true,
        },
        AccountChange::Setting {
            name: "receipts".to_owned(),
            value: Some("off".to_owned()),
        },
    ]
}

pub(crate) fn body_header() -> BodyHeader {
    BodyHeader {
        author_kind: AuthorKind::Bot,
        reply_to: Some(message_id()),
        expires_after_s: Some(86_400),
        via: Some(Via {
            name: "Weather".to_owned(),
            key: public(64),
        }),
        fallback: Some("Sunny, 21 degrees".to_owned()),
    }
}

pub(crate) fn edit() -> Edit {
    Edit {
        message: message_id(),
        text: "at seven, not at eight".to_owned(),
    }
}

/// A message of an app of a newer build, kind 9999.
pub(crate) fn newer_message() -> Message {
    let content = Content::App {
        kind: 9999,
        bytes: weather_bytes("sunny"),
    };
    Body {
        header: body_header(),
        content,
    }
    .to_message()
    .unwrap()
}

/// Content of kind 9999: `{0: text}`.
pub(crate) fn weather_bytes(text: &str) -> Vec<u8> {
    Text {
        text: text.to_owned(),
    }
    .to_bytes()
}

/// The kinds of the newer build.
pub(crate) fn newer_kinds() -> BodyKinds {
    BodyKinds::released().with(9999, |bytes| Text::from_bytes(bytes).map(drop))
}
