// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames: what a signature on a request is good for, and that the largest of each fits.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::{DecodeError, Wire};
use crate::error::VerifyError;
use crate::id::{CapabilityId, Mid, RelayKey, Rid, Sid};
use crate::limits::*;
use crate::samples::{capability, hello, key, public, relay, relay_requests, ticket, token};
use crate::signed::Signed;

const CHALLENGE: [u8; 32] = [0x62; 32];

fn list() -> RelayRequest {
    RelayRequest::List {
        rid: Rid([0x59; 32]),
    }
}

fn signed() -> SignedRequest {
    SignedRequest::sign(7, &list(), &key(62), &relay().key, &CHALLENGE)
}

///
#[test]
fn a_signed_request_is_good_for_one_relay_one_stream_and_one_id() {
    assert_eq!(
        signed().open(&relay().key, &CHALLENGE),
        Ok((list(), Some(public(62))))
    );
    let refused = Err(VerifyError::Signature {
        label: "comptoir/mailbox/1",
    });
    assert_eq!(
        signed().open(&RelayKey([1; 32]), &CHALLENGE),
        refused,
        "another relay"
    );
    assert_eq!(
        signed().open(&relay().key, &[0; 32]),
        refused,
        "another stream"
    );
    assert_eq!(
        SignedRequest {
            request_id: 8,
            ..signed()
        }
        .open(&relay().key, &CHALLENGE),
        refused,
        "again"
    );
    assert_eq!(
        SignedRequest {
            signer: Some(public(1)),
            ..signed()
        }
        .open(&relay().key, &CHALLENGE),
        refused
    );
    let other = RelayRequest::Delete {
        rid: Rid([0x59; 32]),
    }
    .to_bytes();
    assert_eq!(
        SignedRequest {
            request: other,
            ..signed()
        }
        .open(&relay().key, &CHALLENGE),
        refused
    );
}

///
#[test]
fn an_unsigned_request_has_no_signer() {
    let request = SignedRequest::unsigned(1, &RelayRequest::Info);
    assert_eq!(
        request.open(&relay().key, &CHALLENGE),
        Ok((RelayRequest::Info, None))
    );
    for half in [
        SignedRequest {
            signature: None,
            ..signed()
        },
        SignedRequest {
            signer: None,
            ..signed()
        },
    ] {
        assert!(SignedRequest::from_bytes(&half.to_bytes()).is_err());
    }
}

///
/// A request is an array of five, a statement one of four: a relay cannot make a key's owner sign one as the other.
#[test]
fn no_signed_request_verifies_as_a_statement() {
    for request in relay_requests() {
        let request = SignedRequest::sign(7, &request, &key(62), &relay().key, &CHALLENGE);
        let forged = (1u16, request.request.clone(), request.signer.unwrap());
        let mut bytes = vec![0x84];
        bytes.extend_from_slice(&forged.to_bytes()[1..]);
        bytes.extend(request.signature.unwrap().to_bytes());
        let statement = Signed::<crate::ticket::Ticket>::from_bytes(&bytes).unwrap();
        assert!(matches!(
            statement.verify(),
            Err(VerifyError::Signature { .. })
        ));
    }
}

///
#[test]
fn lists_in_a_request_are_bounded() {
    let rid = Rid([0x59; 32]);
    let opened = |request: &RelayRequest| SignedRequest::unsigned(1, request).peek();
    let RelayRequest::Create {
        owner,
        kind,
        lane,
        ttl_s,
        ticket,
        ..
    } = relay_requests().remove(0)
    else {
        panic!()
    };
    let readers = vec![public(1); READERS_MAX + 1];
    for (what, request) in [
        (
            "readers of a box",
            RelayRequest::Create {
                owner,
                readers,
                kind,
                lane,
                ttl_s,
                ticket,
            },
        ),
        (
            "boxes of a subscription",
            RelayRequest::Subscribe {
                rids: vec![rid; SUBSCRIBE_BOXES_MAX + 1],
            },
        ),
        (
            "sequences of an acknowledgement",
            RelayRequest::Ack {
                rid,
                up_to: 0,
                sequences: vec![9; RELAY_ACK_SEQUENCES_MAX + 1],
            },
        ),
        (
            "key packages",
            RelayRequest::KeyPackagesPut {
                rid,
                packages: vec![vec![]; KEY_PACKAGES_MAX + 1],
            },
        ),
    ] {
        match opened(&request) {
            Err(DecodeError::TooLong { what: got, .. }) => assert_eq!(got, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

///
#[test]
fn a_frame_holds_the_largest_of_everything() {
    let (sid, mid, id) = (Sid([255; 32]), Mid([255; 16]), CapabilityId([255; 16]));
    let largest = [
        RelayRequest::Put {
            sid,
            capability: id,
            mid,
            expires_s: u32::MAX,
            blob: vec![255; DEPOSIT_BYTES_MAX],
        },
        RelayRequest::PutOpen {
            sid,
            mid,
            blob: vec![255; DEPOSIT_BYTES_MAX],
            admission: Admission::Token(token()),
        },
        RelayRequest::BlobPut {
            right: BlobRight::Writer {
                sid,
                capability: id,
            },
            blob: crate::id::BlobId([255; 32]),
            total_bytes: u64::MAX,
            offset: u64::MAX,
            bytes: vec![255; CHUNK_BYTES_MAX],
            expires_s: u32::MAX,
        },
        RelayRequest::Subscribe {
            rids: vec![Rid([255; 32]); SUBSCRIBE_BOXES_MAX],
        },
        RelayRequest::Ack {
            rid: Rid([255; 32]),
            up_to: 1,
            sequences: vec![u64::MAX; RELAY_ACK_SEQUENCES_MAX],
        },
        RelayRequest::KeyPackagesPut {
            rid: Rid([255; 32]),
            packages: vec![vec![255; POOLED_PACKAGE_BYTES_MAX]; KEY_PACKAGES_MAX],
        },
    ];
    for request in &largest {
        let frame =
            SignedRequest::sign(u64::MAX, request, &key(62), &relay().key, &CHALLENGE).to_bytes();
        let number = request.number();
        assert!(
            frame.len() <= FRAME_BYTES_MAX,
            "request {number}: {}",
            frame.len()
        );
        assert!(
            SignedRequest::from_bytes(&frame)
                .unwrap()
                .open(&relay().key, &CHALLENGE)
                .is_ok()
        );
    }
    let item = Item {
        sequence: u64::MAX,
        mid,
        capability: Some(id),
        lane: crate::id::Lane::Service,
        hour: u64::MAX,
        blob: vec![255; DEPOSIT_BYTES_MAX],
    };
    let answers = [
        RelayAnswer::Items {
            items: vec![item],
            more: true,
        },
        RelayAnswer::Blob {
            total_bytes: u64::MAX,
            offset: u64::MAX,
            bytes: vec![255; CHUNK_BYTES_MAX],
        },
        RelayAnswer::Capabilities {
            capabilities: vec![(capability().for_relay(), u32::MAX); LIST_CAPABILITIES_MAX],
        },
    ];
    for answer in answers {
        let frame = AnswerFrame {
            request_id: u64::MAX,
            answer,
        }
        .to_bytes();
        assert!(frame.len() <= FRAME_BYTES_MAX && AnswerFrame::from_bytes(&frame).is_ok());
    }
    let sealed = Sealed(vec![255; HELLO_BYTES_MAX]);
    assert!(PeerFrame::from_bytes(&PeerFrame::Hello { number: 1, sealed }.to_bytes()).is_ok());
    let sealed = Sealed(vec![255; HELLO_BYTES_MAX + 1]);
    assert!(PeerFrame::from_bytes(&PeerFrame::Hello { number: 1, sealed }.to_bytes()).is_err());
}

#[test]
fn items_come_in_ascending_order() {
    let items = |sequences: [u64; 2]| {
        let item = |sequence| Item {
            sequence,
            mid: Mid([0; 16]),
            capability: None,
            lane: crate::id::Lane::Service,
            hour: 0,
            blob: vec![],
        };
        let answer = RelayAnswer::Items {
            items: sequences.map(item).to_vec(),
            more: false,
        };
        AnswerFrame::from_bytes(
            &AnswerFrame {
                request_id: 1,
                answer,
            }
            .to_bytes(),
        )
    };
    assert!(items([1, 2]).is_ok());
    assert!(items([2, 2]).is_err());
    assert!(items([2, 1]).is_err());
}

///
#[test]
fn two_sides_speak_the_newest_version_both_offer_or_none() {
    let offer = |versions: &[u16]| Versions(versions.to_vec());
    assert_eq!(offer(&[3, 2, 1]).common(&offer(&[1, 2])), Some(2));
    assert_eq!(
        offer(&[2]).common(&offer(&[1])),
        None,
        "no fallback that neither named"
    );
    assert_eq!(Versions::ours().common(&Versions::ours()), Some(1));
    assert!(Versions::from_bytes(&offer(&[0; VERSIONS_MAX + 1]).to_bytes()).is_err());
}

///
#[test]
fn a_frame_of_a_newer_version_is_named_as_one() {
    for bytes in [[0x81, 0x17], [0x81, 0x16]] {
        assert!(PeerFrame::from_bytes(&bytes).unwrap_err().needs_newer());
        assert!(RelayRequest::from_bytes(&bytes).unwrap_err().needs_newer());
        assert!(RelayAnswer::from_bytes(&bytes).unwrap_err().needs_newer());
    }
    // A known frame with a critical field: Ping {0: nonce, 1: …}.
    assert_eq!(
        PeerFrame::from_bytes(&[0x82, 6, 0xa2, 0, 1, 1, 0]),
        Err(DecodeError::NeedsNewer { field: 1 })
    );
    assert_eq!(
        PeerFrame::from_bytes(&[0x82, 6, 0xa2, 0, 1, 0x18, 64, 0]),
        Ok(PeerFrame::Ping { nonce: 1 })
    );
    assert!(PeerFrame::from_bytes(&[0x80]).is_err());
    assert!(
        PeerFrame::from_bytes(&[0x81, 6]).is_err(),
        "without its content"
    );
    assert!(
        RelayAnswer::from_bytes(&[0x82, 2, 0]).is_err(),
        "with content it does not have"
    );
}

#[test]
fn a_ticket_and_a_hello_say_nothing_a_relay_could_read_of_the_account() {
    let account = crate::samples::person(1, 0).keys.account();
    for bytes in relay_requests()
        .iter()
        .map(Wire::to_bytes)
        .chain([ticket().to_bytes(), token().to_bytes()])
    {
        assert!(!bytes.windows(32).any(|window| window == account.0));
    }
    assert!(
        hello()
            .to_bytes()
            .windows(32)
            .any(|window| window == account.0),
        "so it is sealed before it is sent"
    );
}

///
#[test]
fn deliveries_count_from_one_and_never_wrap() {
    let content = crate::deposit::ParcelContent::Envelope(crate::samples::envelope());
    let parcel = crate::samples::parcel(content);
    for (number, good) in [
        (0, false),
        (1, true),
        (SEQUENCE_MAX, true),
        (SEQUENCE_MAX + 1, false),
        (u64::MAX, false),
    ] {
        let deliver = PeerFrame::Deliver {
            number,
            parcel: parcel.clone(),
        };
        let hello = PeerFrame::Hello {
            number,
            sealed: Sealed(vec![1]),
        };
        for frame in [deliver, hello] {
            let reread = PeerFrame::from_bytes(&frame.to_bytes());
            assert_eq!(reread.is_ok(), good, "{number}");
        }
    }
}
