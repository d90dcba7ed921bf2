// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sample values: people, cards, capabilities, frames, all from fixed keys.

use ed25519_dalek::SigningKey;

use crate::acknowledgement::{AckEntry, AckVector};
use crate::body::{
    AccountChange, AccountStatement, AuthorKind, Body, BodyHeader, BodyKinds, BoxRecord, Content,
    GrantDirection, Text, Via,
};
use crate::capability::{ALL_HOURS, Capability, CapabilityTerms};
use crate::codec::Wire;
use crate::deposit::{BlobReference, Parcel, ParcelContent};
use crate::envelope::{Batch, Chain, Envelope, EnvelopeKind, Message};
use crate::frame::*;
use crate::header::{Addressee, StatementHeader};
use crate::hello::Hello;
use crate::id::*;
use crate::identity::*;
use crate::invite::InviteToken;
use crate::place::Place;
use crate::puzzle::Puzzle;
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

/// An account whose roots, list key and devices are numbered from `first`.
pub(crate) struct Person {
    pub roots: Vec<SigningKey>,
    pub list_key: SigningKey,
    pub device_key: SigningKey,
    pub leaf_key: SigningKey,
    pub proof: AccountProof,
    pub keys: AccountKeys,
}

pub(crate) fn person(first: u8, rotations: u8) -> Person {
    let roots: Vec<SigningKey> = (0..=rotations + 1)
        .map(|number| key(first + number))
        .collect();
    let list_key = key(first + 20);
    let inception = Inception {
        root: public_key(&roots[0]),
        next_root_hash: next_root_hash(&public_key(&roots[1])),
        list_key: public_key(&list_key),
        nonce: [first; 16],
    };
    let mut proof = AccountProof {
        inception: Signed::sign(&inception, &roots[0]),
        rotations: vec![],
    };
    for number in 1..=rotations {
        let rotation = rotation(
            &proof.verify().unwrap(),
            &roots[usize::from(number)],
            &roots[usize::from(number) + 1],
        );
        proof.rotations.push(rotation);
    }
    let keys = proof.verify().unwrap();
    Person {
        roots,
        list_key,
        device_key: key(first + 21),
        leaf_key: key(first + 22),
        proof,
        keys,
    }
}

pub(crate) fn rotation(
    keys: &AccountKeys,
    root: &SigningKey,
    next: &SigningKey,
) -> Signed<Rotation> {
    let rotation = Rotation {
        number: keys.rotation_number() + 1,
        previous: keys.last_statement(),
        root: public_key(root),
        next_root_hash: next_root_hash(&public_key(next)),
        list_key: keys.list_key(),
    };
    Signed::sign(&rotation, root)
}

impl Person {
    pub(crate) fn device(&self) -> DeviceId {
        public_key(&self.device_key).into()
    }

    pub(crate) fn certificate(&self) -> Signed<DeviceCertificate> {
        let certificate = DeviceCertificate {
            account: self.keys.account(),
            device: self.device(),
            list_number: 1,
        };
        Signed::sign(&certificate, &self.list_key)
    }

    /// A list of this device and `others` more.
    pub(crate) fn list(&self, others: u8) -> DeviceList {
        let mut devices = vec![Device {
            id: self.device(),
            manager: true,
            added_ms: NOW_MS,
        }];
        devices.extend((0..others).map(|other| Device {
            id: DeviceId([other; 32]),
            manager: false,
            added_ms: NOW_MS,
        }));
        devices.sort_by_key(|device| device.id);
        DeviceList {
            account: self.keys.account(),
            number: 1,
            previous: None,
            devices,
            removed: vec![],
        }
    }

    pub(crate) fn card(&self) -> ContactCard {
        ContactCard {
            account: self.keys.account(),
            number: 7,
            issued_ms: NOW_MS,
            expires_ms: NOW_MS + 30 * 86_400_000,
            name: "Alice".to_owned(),
            front_door: Some(FrontDoor {
                hpke_key: [0x41; 32],
                key_id: 3,
                routes: vec![BoxRoute {
                    relay: relay().key,
                    sid: Sid([0x42; 32]),
                }],
            }),
            relays: vec![relay()],
            direct: vec![endpoint()],
            domain: Some("counter.example".to_owned()),
            list: Some(Signed::sign(&self.list(1), &self.list_key).hash()),
        }
    }

    /// A card filled to its last byte.
    pub(crate) fn largest_card(&self) -> ContactCard {
        let mut card = self.card();
        card.number = u64::MAX;
        card.name = "é".repeat(crate::limits::NAME_BYTES_MAX / 2);
        let mut second = relay();
        second.key = RelayKey(public_key(&key(59)).0);
        card.relays = vec![relay(), second];
        card.front_door = Some(FrontDoor {
            hpke_key: [0x41; 32],
            key_id: u32::MAX,
            routes: card
                .relays
                .iter()
                .map(|relay| BoxRoute {
                    relay: relay.key,
                    sid: Sid([0x42; 32]),
                })
                .collect(),
        });
        card.direct = vec![Endpoint {
            addresses: vec![],
            ..endpoint()
        }];
        // Two addresses, so that each stays under its own bound while the card reaches its.
        let mut addresses = vec!["/".to_owned(), "/".to_owned()];
        for turn in 0.. {
            card.direct[0].addresses = addresses.clone();
            if card.check().is_err() {
                addresses[(turn + 1) % 2].pop();
                card.direct[0].addresses = addresses;
                break;
            }
            addresses[turn % 2].push('x');
        }
        card.check().unwrap();
        card
    }

    pub(crate) fn bundle(&self) -> CardBundle {
        CardBundle {
            proof: self.proof.clone(),
            certificate: self.certificate(),
            card: Signed::sign(&self.card(), &self.device_key),
            list: Some(Signed::sign(&self.list(1), &self.list_key)),
        }
    }

    pub(crate) fn credential(&self) -> LeafCredential {
        let leaf = LeafCertificate {
            leaf_key: public_key(&self.leaf_key),
            use_id: [0x43; 16],
        };
        LeafCredential {
            proof: self.proof.clone(),
            device: self.certificate(),
            leaf: Signed::sign(&leaf, &self.device_key),
        }
    }
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

pub(crate) fn peer_frames() -> Vec<PeerFrame> {
    vec![
        PeerFrame::Greeting {
            versions: Versions::ours(),
        },
        PeerFrame::Deliver {
            number: 1,
            parcel: parcel(ParcelContent::Envelope(envelope())),
        },
        PeerFrame::Committed { up_to: 12 },
        PeerFrame::Refused {
            number: 13,
            reason: RefusalReason::NeedsNewer,
        },
        PeerFrame::Acknowledge(Signed::sign(&ack_vector(), &key(23))),
        PeerFrame::Hello {
            number: 14,
            sealed: Sealed(vec![0x5d; 30]),
        },
        PeerFrame::Ping { nonce: 1 << 40 },
        PeerFrame::Pong { nonce: 1 << 40 },
    ]
}

pub(crate) fn relay_requests() -> Vec<RelayRequest> {
    let (rid, sid, id) = (Rid([0x59; 32]), Sid([0x44; 32]), CapabilityId([0x45; 16]));
    let (mid, blob) = (Mid([0x5e; 16]), BlobId([0x52; 32]));
    vec![
        RelayRequest::Create {
            owner: public(62),
            readers: vec![public(63)],
            kind: BoxKind::Thread,
            lane: Lane::Service,
            ttl_s: 30 * 86_400,
            ticket: Some(ticket()),
        },
        RelayRequest::ReaderAdd {
            rid,
            reader: public(63),
        },
        RelayRequest::ReaderRemove {
            rid,
            reader: public(63),
        },
        RelayRequest::Grant {
            rid,
            capability: capability().for_relay(),
        },
        RelayRequest::Revoke {
            rid,
            capability: id,
            purge: true,
        },
        RelayRequest::List { rid },
        RelayRequest::Put {
            sid,
            capability: id,
            mid,
            expires_s: 86_400,
            blob: vec![0x5f; 32],
        },
        RelayRequest::PutOpen {
            sid,
            mid,
            blob: vec![0x5f; 32],
            admission: Admission::Token(token()),
        },
        RelayRequest::Puzzle { sid },
        RelayRequest::Fetch {
            rid,
            after_sequence: 3,
            items_max: 64,
            bytes_max: 60_000,
            wait_s: 50,
        },
        RelayRequest::Ack {
            rid,
            up_to: 9,
            sequences: vec![11, 12],
        },
        RelayRequest::Subscribe { rids: vec![rid] },
        RelayRequest::Boot {
            reader: public(63),
            expected: 1,
            next: 2,
        },
        RelayRequest::BlobPut {
            right: BlobRight::Owner(rid),
            blob,
            total_bytes: 100_000,
            offset: 0,
            bytes: vec![0x60; 32],
            expires_s: 86_400,
        },
        RelayRequest::BlobGet {
            blob,
            offset: 61_440,
            bytes_max: 61_440,
        },
        RelayRequest::BlobDrop {
            right: BlobRight::Writer {
                sid,
                capability: id,
            },
            blob,
        },
        RelayRequest::KeyPackagesPut {
            rid,
            packages: vec![vec![0x4a; 40]],
        },
        RelayRequest::KeyPackageTake {
            sid,
            capability: id,
        },
        RelayRequest::Move { rid },
        RelayRequest::Delete { rid },
        RelayRequest::Info,
    ]
}

pub(crate) fn store_receipt() -> StoreReceipt {
    StoreReceipt {
        mid: Mid([0x5e; 16]),
        blob_hash: [0x61; 32],
        expires_ms: NOW_MS,
    }
}

pub(crate) fn relay_answers() -> Vec<RelayAnswer> {
    let rid = Rid([0x59; 32]);
    let item = Item {
        sequence: 4,
        mid: Mid([0x5e; 16]),
        capability: Some(CapabilityId([0x45; 16])),
        lane: Lane::Service,
        hour: NOW_MS / 3_600_000,
        blob: vec![0x5f; 32],
    };
    vec![
        RelayAnswer::Challenge([0x62; 32]),
        RelayAnswer::Created {
            rid,
            sid: Sid([0x44; 32]),
            ttl_s: 30 * 86_400,
            items_max: 10_000,
            bytes_max: 64 << 20,
        },
        RelayAnswer::Ok,
        RelayAnswer::Stored {
            receipt: Signed::sign(&store_receipt(), &key(60)),
        },
        RelayAnswer::Duplicate,
        RelayAnswer::Full,
        RelayAnswer::Rate {
            retry_after_ms: 1500,
        },
        RelayAnswer::Denied,
        RelayAnswer::Items {
            items: vec![item],
            more: true,
        },
        RelayAnswer::News { rid, sequence: 5 },
        RelayAnswer::PuzzleSet(Puzzle {
            seed: [0x63; 32],
            bits: 18,
            not_after_ms: NOW_MS,
        }),
        RelayAnswer::Boot {
            current: 2,
            set: true,
        },
        RelayAnswer::Blob {
            total_bytes: 100_000,
            offset: 0,
            bytes: vec![0x60; 32],
        },
        RelayAnswer::KeyPackage {
            package: Some(vec![0x4a; 40]),
            left: 11,
        },
        RelayAnswer::Capabilities {
            capabilities: vec![(capability().for_relay(), 3)],
        },
        RelayAnswer::Info(RelayInfo {
            relay: relay(),
            open: true,
            ttl_s_max: 30 * 86_400,
            deposit_bytes_max: 61_440,
            blob_bytes_max: 8 << 20,
        }),
        RelayAnswer::Error {
            code: ErrorCode::Ticket,
            text: "the ticket has expired".to_owned(),
        },
    ]
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

/// The largest card with its list of this device and `others` more.
pub(crate) fn largest_bundle(rotations: u8, others: u8) -> CardBundle {
    let alice = person(1, rotations);
    let list = Signed::sign(&alice.list(others), &alice.list_key);
    let card = ContactCard {
        list: Some(list.hash()),
        ..alice.largest_card()
    };
    CardBundle {
        card: Signed::sign(&card, &alice.device_key),
        list: Some(list),
        ..alice.bundle()
    }
}
