// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blobs: parts in, ranges out, quota and end.

use comptoir_protocol::capability::CapabilityTerms;
use comptoir_protocol::frame::{BlobRight, BoxKind, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{BlobId, Lane};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use super::world::{Cap, HOUR, Own, World, generous};
use crate::BLOB_BYTES_MAX;

const PART: usize = 48 * 1024;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|byte| (byte * 7 % 251) as u8).collect()
}

fn id(blob: &[u8]) -> BlobId {
    BlobId(Sha256::digest(blob).into())
}

fn writer(cap: &Cap) -> BlobRight {
    BlobRight::Writer {
        sid: cap.sid,
        capability: cap.id,
    }
}

fn part(right: &BlobRight, blob: &[u8], offset: usize, length: usize) -> RelayRequest {
    RelayRequest::BlobPut {
        right: right.clone(),
        blob: id(blob),
        total_bytes: blob.len() as u64,
        offset: offset as u64,
        bytes: blob[offset..blob.len().min(offset + length)].to_vec(),
        expires_s: 3_600,
    }
}

fn upload(world: &mut World, key: &SigningKey, right: &BlobRight, blob: &[u8]) -> RelayAnswer {
    let mut answer = RelayAnswer::Ok;
    for offset in (0..blob.len()).step_by(PART) {
        answer = world.ask(key, &part(right, blob, offset, PART));
        if answer != RelayAnswer::Ok {
            break;
        }
    }
    answer
}

fn get(world: &mut World, blob: BlobId, offset: u64, bytes_max: u32) -> RelayAnswer {
    world.ask_unsigned(&RelayRequest::BlobGet {
        blob,
        offset,
        bytes_max,
    })
}

fn set(world: &mut World) -> (Own, Cap) {
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    (own, cap)
}

///
#[test]
fn a_blob_goes_in_by_parts_and_comes_out_by_ranges() {
    for restless in [false, true] {
        let mut world = World::open();
        world.restless = restless;
        let (_, cap) = set(&mut world);
        let blob = bytes(200_001);
        assert_eq!(
            upload(&mut world, &cap.writer, &writer(&cap), &blob),
            RelayAnswer::Ok
        );
        for (offset, length) in [
            (0, 10),
            (4_095, 2),
            (4_096, 4_096),
            (100_000, 60_000),
            (200_000, 99),
            (200_001, 9),
        ] {
            let RelayAnswer::Blob {
                total_bytes,
                offset: from,
                bytes,
            } = get(&mut world, id(&blob), offset, length)
            else {
                panic!("no range at {offset}");
            };
            let end = blob.len().min(offset as usize + length as usize);
            assert_eq!((total_bytes, from), (200_001, offset));
            assert_eq!(bytes, &blob[offset as usize..end], "{offset}+{length}");
        }
        let mut whole = Vec::new();
        while let RelayAnswer::Blob { bytes, .. } =
            get(&mut world, id(&blob), whole.len() as u64, u32::MAX)
        {
            if bytes.is_empty() {
                break;
            }
            whole.extend(bytes);
        }
        assert!(whole == blob);
    }
}

#[test]
fn an_upload_that_broke_off_goes_on_or_starts_over() {
    let mut world = World::open();
    let (_, cap) = set(&mut world);
    let (right, blob) = (writer(&cap), bytes(3 * PART));
    assert_eq!(
        world.ask(&cap.writer, &part(&right, &blob, 0, PART)),
        RelayAnswer::Ok
    );
    // Not whole: not given out. A part too early is refused, one that is there is taken again.
    assert_eq!(get(&mut world, id(&blob), 0, 10), RelayAnswer::Denied);
    assert!(matches!(
        world.ask(&cap.writer, &part(&right, &blob, 2 * PART, PART)),
        RelayAnswer::Error { .. }
    ));
    world.restart();
    assert_eq!(
        upload(&mut world, &cap.writer, &right, &blob),
        RelayAnswer::Ok
    );
    assert_eq!(
        upload(&mut world, &cap.writer, &right, &blob),
        RelayAnswer::Ok
    );
    assert!(matches!(
        get(&mut world, id(&blob), 0, 10),
        RelayAnswer::Blob { .. }
    ));
}

#[test]
fn bytes_that_do_not_hash_to_their_name_are_dropped() {
    let mut world = World::open();
    let (_, cap) = set(&mut world);
    let rows = world.rows();
    let blob = bytes(2 * PART);
    let mut wrong = blob.clone();
    wrong[PART + 1] ^= 1;
    let request = |bytes: &[u8], offset: usize| RelayRequest::BlobPut {
        right: writer(&cap),
        blob: id(&blob),
        total_bytes: blob.len() as u64,
        offset: offset as u64,
        bytes: bytes[offset..offset + PART].to_vec(),
        expires_s: 3_600,
    };
    assert_eq!(world.ask(&cap.writer, &request(&wrong, 0)), RelayAnswer::Ok);
    assert!(matches!(
        world.ask(&cap.writer, &request(&wrong, PART)),
        RelayAnswer::Error { .. }
    ));
    assert_eq!(world.rows(), rows);
    assert_eq!(get(&mut world, id(&blob), 0, 10), RelayAnswer::Denied);
    assert_eq!(
        upload(&mut world, &cap.writer, &writer(&cap), &blob),
        RelayAnswer::Ok
    );
}

#[test]
fn malformed_parts_are_refused() {
    let mut world = World::open();
    let (_, cap) = set(&mut world);
    let put = |total_bytes: u64, offset: u64, length: usize| RelayRequest::BlobPut {
        right: writer(&cap),
        blob: BlobId([1; 32]),
        total_bytes,
        offset,
        bytes: vec![1; length],
        expires_s: 60,
    };
    let rows = world.rows();
    for request in [
        put(10, 0, 0),
        put(10, 0, 11),
        put(10_000, 0, 4_000),
        put(10_000, 100, 4_096),
        put(u64::MAX, u64::MAX, 5),
    ] {
        assert!(
            matches!(world.ask(&cap.writer, &request), RelayAnswer::Error { .. }),
            "{request:?}"
        );
    }
    assert_eq!(
        world.ask(&cap.writer, &put(BLOB_BYTES_MAX + 1, 0, 4_096)),
        RelayAnswer::Full
    );
    assert_eq!(world.rows(), rows);
}

///
#[test]
fn blobs_count_against_their_box_and_its_capability_and_end() {
    let mut world = World::with(
        true,
        crate::Limits {
            box_bytes_max: 100_000,
            ..crate::Limits::default()
        },
    );
    let (_, cap) = set(&mut world);
    let (first, second) = (bytes(60_000), bytes(50_000));
    assert_eq!(
        upload(&mut world, &cap.writer, &writer(&cap), &first),
        RelayAnswer::Ok
    );
    assert_eq!(
        upload(&mut world, &cap.writer, &writer(&cap), &second),
        RelayAnswer::Full
    );
    world.later(HOUR);
    assert_eq!(get(&mut world, id(&first), 0, 10), RelayAnswer::Denied);
    world.sweep();
    assert_eq!(
        upload(&mut world, &cap.writer, &writer(&cap), &second),
        RelayAnswer::Ok
    );

    let own = world.thread_box();
    let narrow = world.grant(
        &own,
        CapabilityTerms {
            max: 1,
            max_bytes: 10_000,
            ..generous()
        },
    );
    let large = upload(&mut world, &narrow.writer, &writer(&narrow), &bytes(10_001));
    assert!(matches!(large, RelayAnswer::Error { .. }));
    assert_eq!(
        upload(&mut world, &narrow.writer, &writer(&narrow), &bytes(10_000)),
        RelayAnswer::Ok
    );
    let again = upload(&mut world, &narrow.writer, &writer(&narrow), &bytes(9_000));
    assert!(matches!(again, RelayAnswer::Rate { .. }));
}

///
#[test]
fn a_blob_is_dropped_by_whom_it_came_from_or_by_the_boxs_owner() {
    let mut world = World::open();
    let (own, cap) = set(&mut world);
    let other = world.grant(&own, generous());
    let blob = bytes(5_000);
    let rows = world.rows();
    let drop = |right: BlobRight| RelayRequest::BlobDrop {
        right,
        blob: id(&blob),
    };
    for (key, right) in [
        (cap.writer.clone(), writer(&cap)),
        (own.owner.clone(), BlobRight::Owner(own.rid)),
    ] {
        assert_eq!(
            upload(&mut world, &cap.writer, &writer(&cap), &blob),
            RelayAnswer::Ok
        );
        assert_eq!(
            world.ask(&other.writer, &drop(writer(&other))),
            RelayAnswer::Denied
        );
        assert_eq!(
            world.ask(&cap.writer, &drop(BlobRight::Owner(own.rid))),
            RelayAnswer::Denied
        );
        assert_eq!(world.ask(&key, &drop(right.clone())), RelayAnswer::Ok);
        assert_eq!(world.ask(&key, &drop(right)), RelayAnswer::Denied);
        assert_eq!(get(&mut world, id(&blob), 0, 10), RelayAnswer::Denied);
        assert_eq!(world.rows(), rows);
    }
}

#[test]
fn a_deleted_box_takes_its_own_copy_along_and_no_other() {
    let mut world = World::open();
    let ((own, cap), (_, other)) = (set(&mut world), set(&mut world));
    let blob = bytes(100_000);
    for cap in [&cap, &other] {
        assert_eq!(
            upload(&mut world, &cap.writer, &writer(cap), &blob),
            RelayAnswer::Ok
        );
    }
    let rows = world.rows();
    world.ask(&own.owner, &RelayRequest::Delete { rid: own.rid });
    world.sweep();
    assert!(matches!(
        get(&mut world, id(&blob), 99_000, 10),
        RelayAnswer::Blob { .. }
    ));
    // Head, three pointers, reader, capability, blob in two rows, its bytes in 25.
    assert_eq!(world.rows(), rows - 33);
}

#[test]
fn an_owner_keeps_a_sealed_card_in_a_boot_box_for_whoever_has_the_link() {
    let mut world = World::open();
    let own = world.own(BoxKind::Boot, Lane::Service);
    let card = bytes(1_500);
    assert_eq!(
        upload(&mut world, &own.owner, &BlobRight::Owner(own.rid), &card),
        RelayAnswer::Ok
    );
    let RelayAnswer::Blob { bytes, .. } = get(&mut world, id(&card), 0, u32::MAX) else {
        panic!("no card")
    };
    assert_eq!(bytes, card);
}
