// SPDX-License-Identifier: MIT OR Apache-2.0
//! Capabilities: terms, lanes, hours, revocation, and the one answer to whoever has none.

use comptoir_protocol::Wire;
use comptoir_protocol::capability::CapabilityTerms;
use comptoir_protocol::frame::{AnswerFrame, BlobRight, BoxKind, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{BlobId, CapabilityId, Lane, Sid};
use comptoir_protocol::signed::public_key;

use super::world::{Cap, DAY, HOUR, START_MS, World, generous, is_stored, mid};

///
#[test]
fn a_relay_enforces_number_and_period() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(
        &own,
        CapabilityTerms {
            max: 2,
            period_s: 3_600,
            ..generous()
        },
    );
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    world.later(HOUR / 2);
    assert!(is_stored(&world.put(&cap, 2, vec![1; 100])));
    assert_eq!(
        world.put(&cap, 3, vec![1; 100]),
        RelayAnswer::Rate {
            retry_after_ms: HOUR / 2
        }
    );
    // A retry is no new deposit, and a refused one costs nothing.
    assert_eq!(world.put(&cap, 2, vec![1; 100]), RelayAnswer::Duplicate);
    world.later(HOUR / 2);
    assert!(is_stored(&world.put(&cap, 3, vec![1; 100])));
    assert_eq!(
        world.put(&cap, 4, vec![1; 100]),
        RelayAnswer::Rate {
            retry_after_ms: HOUR / 2
        }
    );
    let RelayAnswer::Capabilities { capabilities } =
        world.ask(&own.owner, &RelayRequest::List { rid: own.rid })
    else {
        panic!("no list");
    };
    assert_eq!(capabilities.len(), 1);
    assert_eq!(
        (capabilities[0].0.capability, capabilities[0].1),
        (cap.id, 2)
    );
}

///
#[test]
fn a_relay_enforces_the_hours_of_the_owners_day() {
    let mut world = World::open();
    let own = world.thread_box();
    // START_MS is 8:00 UTC, 17:00 at +9: open until 18:00 there.
    let hours = (9..18).fold(0, |hours, hour| hours | 1 << hour);
    let cap = world.grant(
        &own,
        CapabilityTerms {
            hours,
            utc_offset_min: 540,
            ..generous()
        },
    );
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    world.later(HOUR);
    assert_eq!(
        world.put(&cap, 2, vec![1; 100]),
        RelayAnswer::Rate {
            retry_after_ms: 15 * HOUR
        }
    );
    world.later(15 * HOUR);
    assert!(is_stored(&world.put(&cap, 2, vec![1; 100])));
}

///
#[test]
fn a_relay_enforces_size_and_end() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(
        &own,
        CapabilityTerms {
            max_bytes: 1_024,
            not_after_ms: START_MS + DAY,
            ..generous()
        },
    );
    assert!(is_stored(&world.put(&cap, 1, vec![1; 1_024])));
    assert!(matches!(
        world.put(&cap, 2, vec![1; 1_025]),
        RelayAnswer::Error { .. }
    ));
    world.later(DAY - 1);
    assert!(is_stored(&world.put(&cap, 2, vec![1; 100])));
    world.later(1);
    assert_eq!(world.put(&cap, 3, vec![1; 100]), RelayAnswer::Denied);
}

/// Everything a writer can ask, under one capability.
fn requests(cap: &Cap) -> Vec<RelayRequest> {
    let right = BlobRight::Writer {
        sid: cap.sid,
        capability: cap.id,
    };
    let blob = BlobId([3; 32]);
    vec![
        RelayRequest::Put {
            sid: cap.sid,
            capability: cap.id,
            mid: mid(1),
            expires_s: 60,
            blob: vec![1; 100],
        },
        RelayRequest::KeyPackageTake {
            sid: cap.sid,
            capability: cap.id,
        },
        RelayRequest::BlobPut {
            right: right.clone(),
            blob,
            total_bytes: 5,
            offset: 0,
            bytes: vec![1; 5],
            expires_s: 60,
        },
        RelayRequest::BlobDrop { right, blob },
    ]
}

///
#[test]
fn denied_is_the_same_bytes_for_refused_revoked_unknown_and_forged() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let revoked = world.grant(&own, generous());
    world.put(&revoked, 9, vec![1; 100]);
    let revoke = RelayRequest::Revoke {
        rid: own.rid,
        capability: revoked.id,
        purge: false,
    };
    assert_eq!(world.ask(&own.owner, &revoke), RelayAnswer::Ok);
    let ended = world.grant(
        &own,
        CapabilityTerms {
            not_after_ms: START_MS,
            ..generous()
        },
    );
    let moved_box = world.thread_box();
    let moved = world.grant(&moved_box, generous());
    world.ask(&moved_box.owner, &RelayRequest::Move { rid: moved_box.rid });
    let deleted_box = world.thread_box();
    let deleted = world.grant(&deleted_box, generous());
    world.ask(
        &deleted_box.owner,
        &RelayRequest::Delete {
            rid: deleted_box.rid,
        },
    );
    let door = world.own(BoxKind::FrontDoor, Lane::Service);
    let stranger = world.key();

    let nobody = [
        Cap {
            writer: stranger,
            ..cap.clone()
        },
        Cap {
            id: CapabilityId([0; 16]),
            ..cap.clone()
        },
        Cap {
            sid: Sid([5; 32]),
            ..cap.clone()
        },
        Cap {
            sid: Sid(own.rid.0),
            ..cap.clone()
        },
        Cap {
            sid: door.sid,
            ..cap.clone()
        },
        revoked,
        ended,
        moved,
        deleted,
    ];
    let denied = AnswerFrame {
        request_id: 1,
        answer: RelayAnswer::Denied,
    }
    .to_bytes();
    for (n, cap) in nobody.iter().enumerate() {
        // A moved box still lets its writers drop a blob they stored.
        for request in requests(cap)
            .iter()
            .filter(|request| !matches!(request, RelayRequest::BlobDrop { .. }))
        {
            let answer = world.ask(&cap.writer, request);
            assert_eq!(
                AnswerFrame {
                    request_id: 1,
                    answer
                }
                .to_bytes(),
                denied,
                "case {n}: {request:?}"
            );
        }
    }
    // Signed for another stream, and not signed at all, by the capability's own writer.
    for request in requests(&cap) {
        let mut frame = world.signed(&cap.writer, &request);
        frame.signature = Some([0; 64]);
        assert_eq!(world.send(&frame).unwrap_err().answer, RelayAnswer::Denied);
        assert_eq!(world.ask_unsigned(&request), RelayAnswer::Denied);
    }
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
}

#[test]
fn the_preview_refuses_only_what_the_rules_refuse() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let stranger = Cap {
        writer: world.key(),
        ..cap.clone()
    };
    let preview = world.mailbox.preview();
    for request in requests(&cap) {
        let frame = world.signed(&cap.writer, &request);
        assert_eq!(preview.refuses(&frame, world.now).unwrap(), None);
        let frame = world.signed(&stranger.writer, &request);
        assert_eq!(
            preview.refuses(&frame, world.now).unwrap(),
            Some(RelayAnswer::Denied)
        );
        // The rules alone say the same.
        let relay = comptoir_protocol::id::RelayKey(public_key(&super::world::relay_key()).0);
        let incoming = crate::Incoming::open(&frame, &relay, &world.challenge).unwrap();
        let done = world
            .mailbox
            .handle_now(&incoming, world.now, &mut world.rng)
            .unwrap();
        assert_eq!(done.outcome, crate::Outcome::Answer(RelayAnswer::Denied));
    }
}

#[test]
fn a_revoked_capability_with_purge_takes_along_what_it_left() {
    for restless in [false, true] {
        let mut world = World::open();
        world.restless = restless;
        let own = world.thread_box();
        let (friend, pest) = (world.grant(&own, generous()), world.grant(&own, generous()));
        for name in 1..=6 {
            let cap = if name % 2 == 0 { &pest } else { &friend };
            assert!(is_stored(&world.put(cap, name, vec![1; 2_000])));
        }
        let rows = world.rows();
        let revoke = RelayRequest::Revoke {
            rid: own.rid,
            capability: pest.id,
            purge: true,
        };
        assert_eq!(world.ask(&own.owner, &revoke), RelayAnswer::Ok);
        assert_eq!(world.names(&own, &own.reader), [1, 3, 5]);
        // Granted anew under the same id before the sweeper came: the purge does not reach what comes now.
        world.grant_as(
            &own,
            pest.id,
            public_key(&pest.writer),
            generous(),
            Lane::Service,
        );
        assert!(is_stored(&world.put(&pest, 8, vec![1; 100])));
        assert_eq!(world.names(&own, &own.reader), [1, 3, 5, 8]);
        world.sweep();
        // Three items with their bodies went, one came with its trace.
        assert_eq!(world.rows(), rows - 6 + 2);
        assert_eq!(world.names(&own, &own.reader), [1, 3, 5, 8]);
    }
}

///
#[test]
fn a_box_has_one_lane_and_takes_no_capability_of_the_other() {
    let mut world = World::open();
    let service = world.own(BoxKind::Thread, Lane::Service);
    let promotion = world.own(BoxKind::Thread, Lane::Promotion);
    let shop = world.key();
    let id = CapabilityId([1; 16]);
    for (own, right, wrong) in [
        (&service, Lane::Service, Lane::Promotion),
        (&promotion, Lane::Promotion, Lane::Service),
    ] {
        let answer = world.grant_as(own, id, public_key(&shop), generous(), wrong);
        assert!(matches!(answer, RelayAnswer::Error { .. }));
        assert_eq!(
            world.grant_as(own, id, public_key(&shop), generous(), right),
            RelayAnswer::Ok
        );
        let cap = Cap {
            sid: own.sid,
            id,
            writer: shop.clone(),
        };
        assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
        let items = world.fetch(own, &own.reader);
        assert_eq!((items[0].lane, items[0].capability), (right, Some(id)));
    }
    // Ending promotions leaves orders and receipts alone.
    world.ask(
        &promotion.owner,
        &RelayRequest::Revoke {
            rid: promotion.rid,
            capability: id,
            purge: true,
        },
    );
    let cap = Cap {
        sid: promotion.sid,
        id,
        writer: shop.clone(),
    };
    assert_eq!(world.put(&cap, 2, vec![1; 100]), RelayAnswer::Denied);
    assert!(is_stored(&world.put(
        &Cap {
            sid: service.sid,
            ..cap
        },
        2,
        vec![1; 100]
    )));
}

///
#[test]
fn after_a_removal_the_old_write_key_is_taken_7_days_more_within_its_rate() {
    let mut world = World::open();
    let own = world.thread_box();
    let terms = CapabilityTerms {
        max: 3,
        period_s: 3_600,
        ..generous()
    };
    let old = world.grant(&own, terms.clone());
    assert!(is_stored(&world.put(&old, 1, vec![1; 100])));
    // The owner hears of the removal, makes a new key and gives the old one a week: what it has used stays used.
    let new = world.grant(&own, terms.clone());
    let week = CapabilityTerms {
        not_after_ms: world.now.wall_ms + 7 * DAY,
        ..terms
    };
    assert_eq!(
        world.grant_as(&own, old.id, public_key(&old.writer), week, Lane::Service),
        RelayAnswer::Ok
    );
    assert!(is_stored(&world.put(&old, 2, vec![1; 100])));
    assert!(is_stored(&world.put(&old, 3, vec![1; 100])));
    assert!(matches!(
        world.put(&old, 4, vec![1; 100]),
        RelayAnswer::Rate { .. }
    ));
    assert!(is_stored(&world.put(&new, 5, vec![1; 100])));
    world.later(7 * DAY - 1);
    assert!(is_stored(&world.put(&old, 6, vec![1; 100])));
    world.later(1);
    assert_eq!(world.put(&old, 7, vec![1; 100]), RelayAnswer::Denied);
    assert!(is_stored(&world.put(&new, 8, vec![1; 100])));
}

#[test]
fn ended_capabilities_make_room_for_new_ones() {
    let mut world = World::open();
    let own = world.thread_box();
    let short = CapabilityTerms {
        not_after_ms: START_MS + HOUR,
        ..generous()
    };
    let writer = public_key(&own.reader);
    for n in 0..64 {
        assert_eq!(
            world.grant_as(
                &own,
                CapabilityId([n; 16]),
                writer,
                short.clone(),
                Lane::Service
            ),
            RelayAnswer::Ok
        );
    }
    let one_more = CapabilityId([64; 16]);
    assert_eq!(
        world.grant_as(&own, one_more, writer, generous(), Lane::Service),
        RelayAnswer::Full
    );
    world.later(HOUR);
    world.sweep();
    assert_eq!(
        world.grant_as(&own, one_more, writer, generous(), Lane::Service),
        RelayAnswer::Ok
    );
}
