// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waiting: the long poll and the subscription.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};

use super::world::{World, generous};
use crate::{FETCH_WAIT_S_MAX, News, Outcome};

#[test]
fn a_fetch_waits_for_news_of_an_empty_box_and_not_of_a_full_one() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let fetch = RelayRequest::Fetch {
        rid: own.rid,
        after_sequence: 0,
        items_max: 9,
        bytes_max: 9_999,
        wait_s: 30,
    };
    let frame = world.signed(&own.reader, &fetch);
    let done = world.send(&frame).unwrap();
    let until_mono_ms = world.now.mono_ms + 30_000;
    assert_eq!(
        done.outcome,
        Outcome::Waiting {
            rid: own.rid,
            until_mono_ms
        }
    );

    world.put(&cap, 1, vec![1; 100]);
    assert_eq!(
        world.news,
        [News {
            rid: own.rid,
            sequence: 1
        }]
    );
    let done = world.send(&frame).unwrap();
    assert!(
        matches!(done.outcome, Outcome::Answer(RelayAnswer::Items { items, more: false }) if items.len() == 1)
    );
}

#[test]
fn a_wait_is_at_most_50_s_and_ends_with_an_empty_answer() {
    let mut world = World::open();
    let own = world.thread_box();
    let fetch = RelayRequest::Fetch {
        rid: own.rid,
        after_sequence: 0,
        items_max: 9,
        bytes_max: 9_999,
        wait_s: u16::MAX,
    };
    let frame = world.signed(&own.reader, &fetch);
    let Outcome::Waiting { until_mono_ms, .. } = world.send(&frame).unwrap().outcome else {
        panic!("no wait")
    };
    assert_eq!(until_mono_ms, world.now.mono_ms + FETCH_WAIT_S_MAX * 1_000);
    let relay = comptoir_protocol::id::RelayKey(
        comptoir_protocol::signed::public_key(&super::world::relay_key()).0,
    );
    let incoming = crate::Incoming::open(&frame, &relay, &world.challenge)
        .unwrap()
        .without_wait();
    let done = world
        .mailbox
        .handle_now(&incoming, world.now, &mut world.rng)
        .unwrap();
    assert_eq!(
        done.outcome,
        Outcome::Answer(RelayAnswer::Items {
            items: vec![],
            more: false
        })
    );
}

///
#[test]
fn a_box_that_is_gone_or_anothers_keeps_no_news_of_the_others_back() {
    let mut world = World::open();
    let (own, other, gone) = (world.thread_box(), world.thread_box(), world.thread_box());
    let delete = RelayRequest::Delete { rid: gone.rid };
    assert_eq!(world.ask(&gone.owner, &delete), RelayAnswer::Ok);
    let rids = vec![gone.rid, own.rid, other.rid];
    let frame = world.signed(&own.reader, &RelayRequest::Subscribe { rids });
    assert_eq!(
        world.send(&frame).unwrap().outcome,
        Outcome::Subscribed(vec![own.rid], RelayAnswer::Ok)
    );
    let rids = vec![gone.rid, other.rid];
    let none = RelayRequest::Subscribe { rids };
    assert_eq!(world.ask(&own.reader, &none), RelayAnswer::Denied);
}

#[test]
fn what_was_refused_or_known_is_no_news() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    assert_eq!(world.news.len(), 1);
    world.put(&cap, 1, vec![1; 100]);
    assert_eq!(world.news, []);
    world.put(&cap, 2, vec![]);
    assert_eq!(world.news, []);
}
