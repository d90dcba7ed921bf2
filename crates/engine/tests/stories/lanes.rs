// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two lanes: promotions under a leave, what is held back without one, and how that ends.

use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key::{self, Key};
use comptoir_engine::*;
use comptoir_protocol::body::Body;
use comptoir_protocol::capability::{ALL_HOURS, Capability, CapabilityTerms};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::Lane;

use crate::world::World;

const DAY_MS: u64 = 24 * 3_600_000;

/// A shop (0) and a customer (1) who are contacts, with `relays` relays that both use.
fn shop_and_customer(relays: usize) -> World {
    let mut world = World::new(&["Shop", "Customer"]);
    for _ in 0..relays {
        world.add_relay_for(&[0, 1]);
    }
    world.pass(1_000);
    world.befriend();
    world
}

fn terms(world: &World, max: u32, for_ms: u64) -> CapabilityTerms {
    CapabilityTerms {
        max,
        period_s: 7 * 24 * 3_600,
        hours: ALL_HOURS,
        utc_offset_min: 0,
        max_bytes: 16 * 1024,
        not_after_ms: world.time().wall_ms + for_ms,
    }
}

fn contact_number(world: &World, at: usize) -> u32 {
    query::contacts(&world.nodes[at].view, 1).unwrap()[0].contact
}

fn allow(world: &mut World, terms: Option<CapabilityTerms>) {
    let contact = contact_number(world, 1);
    world
        .ask(1, Command::AllowPromotions { contact, terms })
        .unwrap();
}

fn promote(world: &mut World, text: &str) -> Result<Answer, Refusal> {
    let thread = world.thread(0);
    let body = Body::text(text);
    let (lane, messages) = (Lane::Promotion, vec![NewMessage { body }]);
    world.ask(
        0,
        Command::Send {
            thread,
            lane,
            messages,
        },
    )
}

/// A shop that keeps to nothing: it takes the customer's capabilities for what it likes.
fn forge(world: &mut World, change: impl Fn(&mut Vec<Capability>)) {
    let number = contact_number(world, 0);
    let row: Vec<u8> = Key::of(key::CONTACT).u32(number).into();
    let kept = world.nodes[0].view.0.get(&row).unwrap().clone();
    let mut contact = Contact::from_bytes(&kept[1..]).unwrap();
    change(&mut contact.capabilities);
    let mut forged = vec![kept[0]];
    forged.extend(contact.to_bytes());
    world.nodes[0].view.0.insert(row, forged);
    world.restart(0);
}

fn pretends_leave(world: &mut World) {
    let not_after_ms = world.time().wall_ms + 365 * DAY_MS;
    forge(world, |capabilities| {
        let mut made_up = capabilities[0].clone();
        made_up.lane = Lane::Promotion;
        made_up.terms.not_after_ms = not_after_ms;
        capabilities.push(made_up);
    });
}

fn held(world: &World) -> Vec<query::HeldBackView> {
    query::held_back(&world.nodes[1].view, 1, None, 100).unwrap()
}

fn held_texts(world: &World) -> Vec<String> {
    held(world)
        .into_iter()
        .map(|held| match held.message.content {
            query::ContentView::Text(text) => text,
            other => format!("{other:?}"),
        })
        .collect()
}

fn thread_of_customer(world: &World) -> query::ThreadView {
    query::threads(&world.nodes[1].view, 1).unwrap()[0].clone()
}

fn at(world: &World, message: &query::MessageView) -> MessageAt {
    MessageAt {
        thread: world.thread(1),
        author: message.place.author,
        lane: message.lane,
        sequence: message.place.sequence,
    }
}

///
#[test]
fn a_promotion_goes_through_its_own_box_and_is_shown() {
    let mut world = shop_and_customer(2);
    world.weather.no_direct = true;
    world.go_offline(1);
    world.go_online(1);
    assert_eq!(world.relays[0].boxes_in(Lane::Promotion), 0);
    let terms = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(terms));
    world.pass(10_000);
    assert_eq!(world.relays[0].boxes_in(Lane::Promotion), 1);
    assert_eq!(world.relays[1].boxes_in(Lane::Promotion), 1);
    promote(&mut world, "new bread").unwrap();
    world.say(0, "your order is ready");
    world.pass(60_000);
    let messages = world.messages(1);
    let lanes: Vec<_> = messages.iter().map(|message| message.lane).collect();
    assert_eq!(lanes, [Lane::Service, Lane::Promotion]);
    assert_eq!(messages[1].place.sequence, 1, "each lane counts by itself");
    assert_eq!(world.nodes[1].engine.counters().chains_broken, 0);
    assert_eq!(world.nodes[1].engine.counters().held_back, 0);
    assert_eq!(world.relays[0].taken_in(Lane::Promotion), 1);
    assert_eq!(world.outbox(0), 0);
    assert_eq!(thread_of_customer(&world).unread, 2);
}

///
#[test]
fn without_leave_nothing_of_the_lane_is_sent() {
    let mut world = shop_and_customer(1);
    assert_eq!(promote(&mut world, "buy"), Err(Refusal::NoPromotions));
    let lasting = terms(&world, 4, DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(5_000);
    promote(&mut world, "one").unwrap();
    world.pass(5_000);
    assert_eq!(world.texts(1), ["one"]);
    // It ends by its date, and the box with it.
    world.pass(DAY_MS + 3_600_000);
    assert_eq!(promote(&mut world, "two"), Err(Refusal::NoPromotions));
    assert_eq!(world.relays[0].boxes_in(Lane::Promotion), 0);
    assert_eq!(world.relays[0].boxes_in(Lane::Service), 6);
    world.pass(60_000);
    assert_eq!(world.texts(1), ["one"]);
}

///
#[test]
fn a_withdrawn_leave_ends_the_box_and_the_duty_to_keep_what_was_not_taken() {
    let mut world = shop_and_customer(1);
    let lasting = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(5_000);
    // The customer withdraws while the shop is away; the shop hears of it by DENIED, or in the thread.
    world.go_offline(0);
    allow(&mut world, None);
    world.pass(5_000);
    promote(&mut world, "too late").unwrap();
    assert_eq!(world.outbox(0), 1);
    world.weather.no_direct = true;
    world.go_online(0);
    world.pass(3_600_000);
    assert_eq!(world.outbox(0), 0, "kept no longer");
    assert!(world.saw(0, |event| matches!(
        event,
        Event::NotDelivered {
            lane: Lane::Promotion,
            ..
        }
    )));
    assert!(world.nodes[0].engine.counters().promotions_ended > 0);
    assert!(world.texts(1).is_empty() && held(&world).is_empty());
    assert_eq!(world.relays[0].boxes_in(Lane::Promotion), 0);
}

///
#[test]
fn denied_ends_the_duty_to_keep_a_promotion_and_not_a_message() {
    let mut world = shop_and_customer(1);
    world.weather.no_direct = true;
    let lasting = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(60_000);
    world.go_offline(1);
    world.relays[0].revoke_all();
    promote(&mut world, "denied").unwrap();
    world.say(0, "denied too");
    world.pass(60_000);
    assert!(world.nodes[0].engine.counters().relay_denied > 1);
    assert_eq!(world.outbox(0), 1, "the message waits on");
}

#[test]
fn a_leave_counts_its_promotions_over_all_ways() {
    let mut world = shop_and_customer(1);
    let lasting = terms(&world, 2, 30 * DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(5_000);
    for number in 0..4 {
        promote(&mut world, &format!("offer {number}")).unwrap();
        world.say(0, &format!("order {number}"));
    }
    world.pass(60_000);
    let offers = |world: &World| {
        let texts = world.texts(1);
        texts
            .iter()
            .filter(|text| text.starts_with("offer"))
            .count()
    };
    assert_eq!(offers(&world), 2, "two a week");
    assert_eq!(world.texts(1).len(), 6, "orders are not held up");
    assert!(world.nodes[1].engine.counters().over_terms > 0);
    world.pass(8 * DAY_MS);
    assert_eq!(offers(&world), 4, "the next week");
}

///
#[test]
fn without_leave_a_promotion_is_held_back_and_one_tap_shows_it() {
    let mut world = shop_and_customer(1);
    pretends_leave(&mut world);
    promote(&mut world, "buy now").unwrap();
    promote(&mut world, "buy today").unwrap();
    world.say(0, "hello");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["hello"]);
    let thread = thread_of_customer(&world);
    assert_eq!((thread.held_back, thread.unread), (2, 1));
    assert!(world.saw(1, |event| matches!(event, Event::HeldBack { count: 2, .. })));
    let received = |event: &Event| {
        matches!(
            event,
            Event::MessagesReceived {
                lane: Lane::Promotion,
                ..
            }
        )
    };
    assert!(!world.saw(1, received), "no notice");
    assert_eq!(
        held_texts(&world),
        ["buy today", "buy now"],
        "the newest first"
    );
    assert!(held(&world).iter().all(|held| held.message.held_back));
    assert_eq!(world.nodes[1].engine.counters().held_back, 2);
    // The sender was told that it arrived: it must not learn what the customer made of it.
    assert_eq!(world.outbox(0), 0);

    world.restart(1);
    let tapped = at(&world, &held(&world)[1].message);
    let thread = world.thread(1);
    let message = Some(tapped);
    world
        .ask(1, Command::ShowHeldBack { thread, message })
        .unwrap();
    assert_eq!(world.texts(1), ["hello", "buy now"]);
    assert_eq!(held_texts(&world), ["buy today"]);
    assert!(world.saw(1, |event| matches!(
        event,
        Event::HeldBackShown { from: 1, to: 1, .. }
    )));
    assert_eq!(thread_of_customer(&world).held_back, 1);
    assert!(!world.messages(1)[1].held_back);
    let again = world.ask(1, Command::ShowHeldBack { thread, message });
    assert_eq!(again, Err(Refusal::NoSuchMessage), "it is shown already");
    let message = None;
    world
        .ask(1, Command::ShowHeldBack { thread, message })
        .unwrap();
    assert_eq!(world.texts(1).len(), 3);
    assert!(held(&world).is_empty());
    let (thread, message) = (99, None);
    let nowhere = world.ask(1, Command::ShowHeldBack { thread, message });
    assert_eq!(nowhere, Err(Refusal::NoSuchThread));
}

///
#[test]
fn what_is_held_back_ends_after_thirty_days_and_not_before() {
    let mut world = shop_and_customer(1);
    pretends_leave(&mut world);
    promote(&mut world, "first").unwrap();
    world.pass(10 * DAY_MS);
    promote(&mut world, "second").unwrap();
    world.pass(19 * DAY_MS);
    assert_eq!(held_texts(&world), ["second", "first"]);
    world.restart(1);
    world.pass(DAY_MS + 7 * 3_600_000);
    assert_eq!(held_texts(&world), ["second"]);
    assert_eq!(thread_of_customer(&world).held_back, 1);
    world.pass(11 * DAY_MS);
    assert!(held(&world).is_empty());
    assert_eq!(thread_of_customer(&world).held_back, 0);
    let of_space = |space: u8| {
        let rows = world.nodes[1].view.0.iter();
        rows.filter(|(key, _)| key[0] == space)
            .filter(|(_, row)| {
                row.windows(6)
                    .any(|bytes| bytes == b"second" || bytes == b"first\0")
            })
            .count()
    };
    assert_eq!(of_space(key::RUN), 0, "its bytes are gone");
    // What comes after it stands at its place all the same.
    world.say(0, "after");
    world.say(1, "answer");
    world.pass(60_000);
    assert_eq!(world.texts(0)[2..], ["after", "answer"]);
    assert_eq!(world.texts(1), ["after", "answer"]);
}

///
#[test]
fn what_comes_through_the_box_of_the_other_lane_is_refused_and_counted() {
    let mut world = shop_and_customer(1);
    world.weather.no_direct = true;
    let lasting = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(60_000);
    // The shop passes promotions through the box that is for orders, and an order through the other.
    forge(&mut world, |capabilities| {
        for capability in capabilities {
            capability.lane = match capability.lane {
                Lane::Service => Lane::Promotion,
                Lane::Promotion => Lane::Service,
            };
        }
    });
    promote(&mut world, "disguised").unwrap();
    world.pass(60_000);
    assert!(world.texts(1).is_empty());
    assert_eq!(held_texts(&world), ["disguised"]);
    world.say(0, "an order?");
    world.pass(60_000);
    assert!(world.texts(1).is_empty());
    assert_eq!(held_texts(&world), ["an order?", "disguised"]);
    assert_eq!(world.nodes[1].engine.counters().held_back, 2);
}

#[test]
fn what_is_held_back_tells_the_node_nothing() {
    let mut world = shop_and_customer(1);
    world.weather.no_direct = true;
    let lasting = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(lasting));
    world.pass(60_000);
    forge(&mut world, |capabilities| {
        for capability in capabilities {
            capability.lane = match capability.lane {
                Lane::Service => Lane::Promotion,
                Lane::Promotion => Lane::Service,
            };
        }
    });
    let setting = Setting::Name("Your bank".into());
    world.ask(0, Command::Set(setting)).unwrap();
    world.pass(60_000);
    let contact = &query::contacts(&world.nodes[1].view, 1).unwrap()[0];
    assert_eq!(contact.name, "Shop");
    assert!(world.nodes[1].engine.counters().bodies_refused > 0);
    assert!(held(&world).is_empty(), "nothing in it is for the user");
}

#[test]
fn of_a_flood_a_bounded_part_is_kept_and_all_of_it_counted() {
    let mut world = shop_and_customer(1);
    pretends_leave(&mut world);
    let thread = world.thread(0);
    world.weather.no_direct = false;
    for _ in 0..17 {
        let message = || NewMessage {
            body: Body::text("flood"),
        };
        let (lane, messages) = (Lane::Promotion, (0..64).map(|_| message()).collect());
        let flood = Command::Send {
            thread,
            lane,
            messages,
        };
        world.ask(0, flood).unwrap();
    }
    world.pass(60_000);
    assert_eq!(
        thread_of_customer(&world).held_back,
        15 * 64,
        "at most 1,000"
    );
    assert_eq!(world.nodes[1].engine.counters().held_back_full, 2);
    assert_eq!(world.outbox(0), 0);
    world
        .ask(1, Command::DeleteThread { thread: 1 })
        .unwrap_err();
    let thread = world.thread(1);
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    assert_eq!(thread_of_customer(&world).held_back, 0);
    assert!(held(&world).is_empty());
}

#[test]
fn a_blocked_contact_loses_its_leave() {
    let mut world = shop_and_customer(1);
    let lasting = terms(&world, 4, 30 * DAY_MS);
    allow(&mut world, Some(lasting.clone()));
    world.pass(5_000);
    let contact = contact_number(&world, 1);
    world.ask(1, Command::Block { contact }).unwrap();
    world.pass(5_000);
    assert_eq!(world.relays[0].boxes_in(Lane::Promotion), 0);
    let terms = Some(lasting);
    let refused = world.ask(1, Command::AllowPromotions { contact, terms });
    assert_eq!(refused, Err(Refusal::Blocked));
    world.ask(1, Command::Unblock { contact }).unwrap();
    world.pass(60_000);
    assert_eq!(
        world.relays[0].boxes_in(Lane::Promotion),
        0,
        "a leave does not come back by itself"
    );
}
