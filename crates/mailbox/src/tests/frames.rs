// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames: bytes that are no request, and requests of another stream, relay or signer.

use comptoir_protocol::Wire;
use comptoir_protocol::frame::{BoxKind, ErrorCode, RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::{Lane, RelayKey};
use comptoir_protocol::signed::public_key;
use rand_core::Rng;

use super::world::{World, generous, is_stored, mid, relay_key};
use crate::Incoming;

fn us() -> RelayKey {
    RelayKey(public_key(&relay_key()).0)
}

#[test]
fn a_request_does_not_replay_on_another_stream_or_at_another_relay_or_under_another_number() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let put = RelayRequest::Put {
        sid: cap.sid,
        capability: cap.id,
        mid: mid(1),
        expires_s: 60,
        blob: vec![1; 100],
    };
    let frame = world.signed(&cap.writer, &put);
    let denied = |frame: &SignedRequest, relay: &RelayKey, challenge: &[u8; 32]| {
        Incoming::open(frame, relay, challenge).unwrap_err().answer == RelayAnswer::Denied
    };
    // Eve recorded it and sends it on her own stream; another relay hands it to us.
    assert!(denied(&frame, &us(), &[8; 32]));
    assert!(denied(&frame, &RelayKey([3; 32]), &world.challenge));
    assert!(denied(
        &SignedRequest {
            request_id: frame.request_id + 1,
            ..frame.clone()
        },
        &us(),
        &world.challenge
    ));
    let mut changed = frame.clone();
    *changed.request.last_mut().unwrap() ^= 1;
    assert!(denied(&changed, &us(), &world.challenge));
    assert!(denied(
        &SignedRequest {
            signer: Some(public_key(&own.owner)),
            ..frame.clone()
        },
        &us(),
        &world.challenge
    ));
    // On its own stream it may come twice: the second time it is known.
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    assert!(Incoming::open(&frame, &us(), &world.challenge).is_ok());
    assert_eq!(world.put(&cap, 1, vec![1; 100]), RelayAnswer::Duplicate);
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    let world = World::open();
    let request = RelayRequest::Info.to_bytes();
    // The neutral point verifies everything under a lax check: R = identity, S = 0.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let frame = SignedRequest {
        request_id: 1,
        request,
        signer: Some(comptoir_protocol::id::PublicKey(identity)),
        signature: Some(signature),
    };
    assert_eq!(
        Incoming::open(&frame, &us(), &world.challenge)
            .unwrap_err()
            .answer,
        RelayAnswer::Denied
    );
}

/// One request of every kind.
fn every_request(world: &mut World) -> Vec<RelayRequest> {
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let (rid, sid, capability) = (own.rid, own.sid, cap.id);
    let reader = public_key(&own.reader);
    let right = comptoir_protocol::frame::BlobRight::Owner(rid);
    let blob = comptoir_protocol::id::BlobId([1; 32]);
    let solution = comptoir_protocol::puzzle::PuzzleSolution {
        seed: [0; 32],
        answer: 1,
    };
    let admission = comptoir_protocol::frame::Admission::Puzzle(solution);
    let granted = comptoir_protocol::capability::RelayCapability {
        capability,
        writer: reader,
        terms: generous(),
        lane: Lane::Service,
    };
    vec![
        RelayRequest::Create {
            owner: reader,
            readers: vec![reader],
            kind: BoxKind::Thread,
            lane: Lane::Service,
            ttl_s: 9,
            ticket: None,
        },
        RelayRequest::ReaderAdd { rid, reader },
        RelayRequest::ReaderRemove { rid, reader },
        RelayRequest::Grant {
            rid,
            capability: granted,
        },
        RelayRequest::Revoke {
            rid,
            capability,
            purge: true,
        },
        RelayRequest::List { rid },
        RelayRequest::Put {
            sid,
            capability,
            mid: mid(1),
            expires_s: 9,
            blob: vec![1; 30],
        },
        RelayRequest::PutOpen {
            sid,
            mid: mid(1),
            blob: vec![1; 30],
            admission,
        },
        RelayRequest::Puzzle { sid },
        RelayRequest::Fetch {
            rid,
            after_sequence: 0,
            items_max: 9,
            bytes_max: 9,
            wait_s: 0,
        },
        RelayRequest::Ack {
            rid,
            up_to: 1,
            sequences: vec![3, 5],
        },
        RelayRequest::Subscribe { rids: vec![rid] },
        RelayRequest::Boot {
            reader,
            expected: 0,
            next: 1,
        },
        RelayRequest::BlobPut {
            right: right.clone(),
            blob,
            total_bytes: 9,
            offset: 0,
            bytes: vec![1; 9],
            expires_s: 9,
        },
        RelayRequest::BlobGet {
            blob,
            offset: 0,
            bytes_max: 9,
        },
        RelayRequest::BlobDrop { right, blob },
        RelayRequest::KeyPackagesPut {
            rid,
            packages: vec![vec![1; 30]],
        },
        RelayRequest::KeyPackageTake { sid, capability },
        RelayRequest::Move { rid },
        RelayRequest::Delete { rid },
        RelayRequest::Info,
        RelayRequest::GuestTicket { rid },
    ]
}

#[test]
fn bytes_that_are_no_request_are_answered_and_change_nothing() {
    let mut world = World::open();
    let requests = every_request(&mut world);
    let key = world.key();
    let rows = world.rows();
    for request in &requests {
        let whole = request.to_bytes();
        for length in 0..whole.len() {
            // A true signature over a cut request: its signer may be a fool, the relay must not be.
            let relay = us();
            let mut frame = SignedRequest::sign(1, request, &key, &relay, &world.challenge);
            frame.request.truncate(length);
            let answer = world.send(&frame).unwrap_err().answer;
            assert!(
                matches!(
                    answer,
                    RelayAnswer::Error {
                        code: ErrorCode::Malformed,
                        ..
                    }
                ),
                "{request:?} cut at {length}"
            );
        }
        for _ in 0..200 {
            let mut bytes = whole.clone();
            let place = world.rng.next_u32() as usize % bytes.len();
            bytes[place] ^= 1 << (world.rng.next_u32() % 8);
            let frame = SignedRequest {
                request_id: 1,
                request: bytes,
                signer: None,
                signature: None,
            };
            // Whatever it says now, nobody signed it: it may ask what anybody may ask, and no more.
            let _answered = world.send(&frame);
        }
    }
    assert_eq!(world.rows(), rows);
}

#[test]
fn a_request_of_a_newer_version_is_told_apart_from_a_broken_one() {
    let mut world = World::open();
    // Choice number 900: `[900]`.
    let frame = SignedRequest {
        request_id: 4,
        request: vec![0x81, 0x19, 0x03, 0x84],
        signer: None,
        signature: None,
    };
    let answer = world.send(&frame).unwrap_err().answer;
    assert!(matches!(
        answer,
        RelayAnswer::Error {
            code: ErrorCode::NeedsNewer,
            ..
        }
    ));
}
