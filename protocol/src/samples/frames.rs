// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sample frames: one of each kind.

use super::*;

use crate::deposit::ParcelContent;
use crate::frame::*;
use crate::id::*;
use crate::puzzle::Puzzle;
use crate::signed::Signed;

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
        RelayRequest::GuestTicket { rid },
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
        RelayAnswer::Ticket(ticket()),
    ]
}
