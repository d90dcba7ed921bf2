// SPDX-License-Identifier: MIT OR Apache-2.0
//! Contradictions: peers that count from below, frames that never came, and authors who number a message twice.

use comptoir_crypto::StepSeed;
use comptoir_crypto::mls::{MlsThread, Ratchet, Rows, RowsError};
use comptoir_engine::*;
use comptoir_protocol::body::Body;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{Batch, Chain, Envelope};
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::id::Lane;

use crate::world::{MapView, World};

/// The rows of one thread's MLS state, as they lie in a node's store.
struct MlsRows<'v>(&'v MapView, u32);

impl Rows for MlsRows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, RowsError> {
        let mut row = vec![0x06];
        row.extend(self.1.to_be_bytes());
        row.extend(key);
        Ok(self.0.0.get(&row).cloned())
    }
}

/// What the first node's device signs and numbers as it likes.
struct Liar {
    mls: MlsThread,
    model: (Parcel, Envelope),
    sequence: u64,
    number: u64,
}

impl Liar {
    fn new(world: &World) -> Self {
        let (number, parcel) = deliveries(world, 0).pop().unwrap();
        let ParcelContent::Envelope(envelope) = parcel.content.clone() else {
            panic!("not an envelope: {parcel:?}")
        };
        Liar {
            mls: MlsThread::load(&MlsRows(&world.nodes[0].view, world.thread(0))).unwrap(),
            sequence: parcel.sequence,
            model: (parcel, envelope),
            number,
        }
    }

    /// The second node gets a batch of these texts, numbered from `first`.
    fn say(&mut self, world: &mut World, first: u64, texts: &[&str]) {
        let messages = texts
            .iter()
            .map(|text| Body::text(*text).to_message().unwrap())
            .collect();
        let batch = Batch {
            lane: Lane::Service,
            first_sequence: first,
            previous: Chain::START,
            heads: Vec::new(),
            boot: 1,
            sent_ms: world.time().wall_ms,
            messages,
        };
        let (parcel, envelope) = self.model.clone();
        self.sequence += 1;
        self.number += 1;
        let seed = StepSeed::draw(&mut world.nodes[0].rng);
        let bytes = self
            .mls
            .encrypt(&batch.to_bytes(), &envelope.authenticated_data(), seed)
            .unwrap();
        drop(self.mls.take_changes(Ratchet::Write));
        let parcel = Parcel {
            sequence: self.sequence,
            content: ParcelContent::Envelope(Envelope { bytes, ..envelope }),
            ..parcel
        };
        let frame = PeerFrame::Deliver {
            number: self.number,
            parcel,
        };
        let peer = world.nodes[0].key;
        let bytes = frame.to_bytes();
        world.input(1, Input::Frame { peer, bytes });
    }
}

/// The deliveries that a node sent, with their numbers.
fn deliveries(world: &World, from: usize) -> Vec<(u64, Parcel)> {
    let sent = world.wire.iter().filter(|(sender, _, _)| *sender == from);
    sent.filter_map(|(_, _, bytes)| match PeerFrame::from_bytes(bytes) {
        Ok(PeerFrame::Deliver { number, parcel }) => Some((number, parcel)),
        _ => None,
    })
    .collect()
}

/// How many messages were told to be delivered.
fn delivered(world: &World, at: usize, begun: usize) -> u64 {
    let events = world.nodes[at].events[begun..].iter();
    events
        .map(|(_, event)| match event {
            Event::MessagesMoved {
                from,
                to,
                state: MessageState::Delivered,
                ..
            } => to + 1 - from,
            _ => 0,
        })
        .sum()
}

///
#[test]
fn what_a_peer_that_counts_from_below_sends_is_confirmed_one_by_one() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(2_000);
    let highest = deliveries(&world, 0).last().unwrap().0;
    for attempt in 0.. {
        assert!(attempt < 64, "no process of Alice counts from below");
        world.restart(0);
        world.say(0, "after");
        world.pass(5_000);
        if deliveries(&world, 0).last().unwrap().0 < highest {
            break;
        }
    }
    let begun = world.nodes[0].events.len();
    for line in ["one", "two", "three"] {
        world.say_unheard(0, line);
    }
    // Bob takes the first of them and says so.
    world.hear_one(1);
    world.hear_all(0);
    assert_eq!(delivered(&world, 0, begun), 1);
    world.settle();
    assert_eq!(delivered(&world, 0, begun), 3);
}

///
#[test]
fn a_frame_that_never_came_is_not_confirmed_by_the_next_one() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    let begun = world.nodes[0].events.len();
    for line in ["one", "two", "three"] {
        world.say_unheard(0, line);
    }
    world.hear_one(1);
    world.lose_one(1);
    world.hear_all(1);
    world.hear_all(0);
    assert_eq!(
        delivered(&world, 0, begun),
        1,
        "the third waits for the second"
    );
    assert!(world.nodes[0].engine.counters().refused_by_peer >= 1);
    world.pass(60_000);
    assert_eq!(delivered(&world, 0, begun), 3);
    assert_eq!(world.texts(1), ["before", "one", "two", "three"]);
}

#[test]
fn a_frame_numbered_zero_or_at_the_end_of_numbers_is_malformed() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    let (_, parcel) = deliveries(&world, 0).pop().unwrap();
    let later = Parcel {
        sequence: parcel.sequence + 5,
        ..parcel.clone()
    };
    let last = Parcel {
        sequence: u64::MAX,
        ..parcel.clone()
    };
    let malformed = world.nodes[1].engine.counters().frames_malformed;
    for (number, parcel) in [(0, &later), (u64::MAX, &later), (0, &parcel), (9, &last)] {
        let (peer, parcel) = (world.nodes[0].key, parcel.clone());
        let bytes = PeerFrame::Deliver { number, parcel }.to_bytes();
        world.input(1, Input::Frame { peer, bytes });
    }
    let counters = world.nodes[1].engine.counters();
    assert_eq!(counters.frames_malformed, malformed + 4);
    world.say(0, "after");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["before", "after"]);
}

///
#[test]
fn whoever_numbers_a_message_again_changes_nothing_that_was_said() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    let mut alice = Liar::new(&world);
    alice.say(&mut world, 1_000, &["yes"]);
    // Naming no heads, what she says stands before all that names some.
    assert_eq!(world.texts(1), ["yes", "before"]);
    let refused = world.nodes[1].engine.counters().envelopes_refused;
    alice.say(&mut world, 1_000, &["no", "never"]);
    alice.say(&mut world, 999, &["oh", "no"]);
    world.pass(5_000);
    assert_eq!(world.texts(1), ["yes", "before"]);
    let counters = world.nodes[1].engine.counters();
    assert_eq!(counters.envelopes_refused, refused + 2);
    // Another two, one behind the other, are taken as ever.
    alice.say(&mut world, 1_001, &["indeed", "so"]);
    world.pass(5_000);
    assert_eq!(world.texts(1), ["yes", "indeed", "so", "before"]);
}

#[test]
fn a_flood_of_batches_that_overlap_does_not_lengthen_the_thread_row() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    let mut alice = Liar::new(&world);
    for block in 0..5 {
        for length in 1..=32 {
            alice.say(&mut world, 1_000 + 100 * block, &["x"; 32][..length]);
        }
    }
    let mut row = vec![0x04 + 1];
    row.extend(world.thread(1).to_be_bytes());
    let bytes = world.nodes[1].view.0[&row].len();
    assert!(bytes < 4 * 1024, "{bytes} bytes");
}

///
/// Alice's process ends and begins anew; her connection still stands for Bob. Her first frame, numbered from below, is
/// confirmed and not the second, which never came.
#[test]
fn who_begins_anew_unseen_is_not_confirmed_what_was_confirmed_before() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    for line in ["one", "two"] {
        world.say_unheard(0, line);
    }
    let (_, parcel) = deliveries(&world, 0).into_iter().rev().nth(1).unwrap();
    let (peer, number) = (world.nodes[0].key, 7);
    let bytes = PeerFrame::Deliver { number, parcel }.to_bytes();
    world.nodes[1].inbox.clear();
    world.input(1, Input::Frame { peer, bytes });
    assert_eq!(world.texts(1), ["before", "one"]);
    let said =
        world
            .wire
            .iter()
            .rev()
            .find_map(|(from, _, bytes)| match PeerFrame::from_bytes(bytes) {
                Ok(PeerFrame::Committed { up_to }) if *from == 1 => Some(up_to),
                _ => None,
            });
    assert_eq!(said, Some(7));
}

///
/// "two" waits at Bob's for "one", which was lost. Alice's next process counts from below, and nothing of it has come when
/// the wait is over: what Bob says then must not reach up to any of its numbers.
#[test]
fn what_is_released_after_its_sender_began_anew_confirms_nothing_that_never_came() {
    let mut world = World::of_friends();
    world.say(0, "before");
    world.pass(5_000);
    for line in ["one", "two"] {
        world.say_unheard(0, line);
    }
    world.lose_one(1);
    world.hear_one(1);
    let (alice, bob) = (world.nodes[0].key, world.nodes[1].key);
    let highest = deliveries(&world, 0).last().unwrap().0;
    for attempt in 0.. {
        assert!(attempt < 64, "no process of Alice counts from below");
        world.wire.clear();
        world.open(0);
        world.input(0, Input::PeerConnected { peer: bob });
        if deliveries(&world, 0)[0].0 < highest {
            break;
        }
    }
    let first = deliveries(&world, 0)[0].0;
    world.nodes[1].inbox.clear();
    world.input(1, Input::PeerDisconnected { peer: alice });
    world.input(1, Input::PeerConnected { peer: alice });
    world.now_ms += 3_000;
    world.input(1, Input::Tick);
    assert_eq!(world.texts(1), ["before", "two"]);
    for (from, _, bytes) in &world.wire {
        if let (1, Ok(PeerFrame::Committed { up_to })) = (*from, PeerFrame::from_bytes(bytes)) {
            assert!(up_to < first, "{up_to} of {first}");
        }
    }
}
