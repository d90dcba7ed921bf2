// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hellos: accepted, declined, blocked, crossing, expired, swapped.

use comptoir_engine::query::From;
use comptoir_engine::*;

use crate::world::{MapView, World};

fn requests(world: &World, at: usize) -> Vec<query::RequestView> {
    query::requests(&world.nodes[at].view, 1).unwrap()
}

///
#[test]
fn a_request_shows_name_and_reason_and_declining_tells_nobody() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = world.invite(0);
    world.add(1, &link);
    world.pass(1_000);
    let open = requests(&world, 0);
    assert_eq!(
        (open.len(), open[0].name.as_str(), open[0].reason.as_str()),
        (1, "Bob", "we met at the market")
    );
    let sent = world.wire.len();
    world
        .ask(
            0,
            Command::Decline {
                request: open[0].request,
                block: false,
            },
        )
        .unwrap();
    assert!(requests(&world, 0).is_empty());
    assert_eq!(world.wire.len(), sent, "not a byte for the declined");
    assert_eq!(
        query::contacts(&world.nodes[1].view, 1).unwrap()[0].thread,
        None
    );
}

///
#[test]
fn declined_for_good_stays_out() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = world.invite(0);
    world.add(1, &link);
    world.pass(1_000);
    let request = requests(&world, 0)[0].request;
    world
        .ask(
            0,
            Command::Decline {
                request,
                block: true,
            },
        )
        .unwrap();
    // Bob's engine tries on for days.
    world.pass(3 * 24 * 3_600_000);
    assert!(requests(&world, 0).is_empty());
    assert!(world.nodes[0].engine.counters().hellos_blocked > 0);
}

///
#[test]
fn of_two_hellos_that_cross_both_sides_take_the_same() {
    for no_direct in [false, true] {
        let mut world = World::new(&["Alice", "Bob"]);
        if no_direct {
            world.add_relay_for(&[0, 1]);
            world.pass(1_000);
        }
        world.weather.no_direct = no_direct;
        let (to_alice, to_bob) = (world.invite(0), world.invite(1));
        // Both engines decide before either hello arrives.
        world.weather.no_direct = true;
        world.add(0, &to_bob);
        world.add(1, &to_alice);
        world.weather.no_direct = no_direct;
        world.pass(120_000);
        for node in [0, 1] {
            assert_eq!(
                query::contacts(&world.nodes[node].view, 1).unwrap().len(),
                1
            );
            assert_eq!(
                query::threads(&world.nodes[node].view, 1).unwrap().len(),
                1,
                "one thread, not two"
            );
            assert!(requests(&world, node).is_empty());
        }
        let ids: Vec<_> = [0, 1]
            .map(|node| query::threads(&world.nodes[node].view, 1).unwrap()[0].id)
            .to_vec();
        assert_eq!(ids[0], ids[1]);
        world.say(0, "so we wanted the same");
        world.pass(20_000);
        assert_eq!(world.texts(1), ["so we wanted the same"]);
    }
}

#[test]
fn an_invite_works_as_often_as_it_says_and_not_after_it_was_revoked() {
    let mut world = World::new(&["Alice", "Bob", "Carol", "Dave"]);
    let Ok(Answer::Invite { link, invite }) = world.ask(
        0,
        Command::Invite {
            expires_s: 600,
            uses: 1,
            as_ref: false,
        },
    ) else {
        panic!("no invite")
    };
    world.add(1, &link);
    world.pass(1_000);
    world.add(2, &link);
    world.pass(1_000);
    assert_eq!(
        requests(&world, 0).len(),
        1,
        "Carol came second on a link for one"
    );
    let Ok(Answer::Invite {
        link: second,
        invite: revoked,
    }) = world.ask(
        0,
        Command::Invite {
            expires_s: 600,
            uses: 1,
            as_ref: false,
        },
    )
    else {
        panic!("no invite")
    };
    assert_ne!(invite, revoked);
    world
        .ask(0, Command::RevokeInvite { invite: revoked })
        .unwrap();
    assert_eq!(
        world.ask(0, Command::RevokeInvite { invite: revoked }),
        Err(Refusal::NoSuchInvite)
    );
    world.add(3, &second);
    world.pass(1_000);
    assert_eq!(requests(&world, 0).len(), 1);
    assert!(world.nodes[0].engine.counters().hellos_refused >= 2);
}

#[test]
fn an_expired_invite_opens_nothing() {
    let mut world = World::new(&["Alice", "Bob", "Carol"]);
    let Ok(Answer::Invite { link, .. }) = world.ask(
        0,
        Command::Invite {
            expires_s: 60,
            uses: 5,
            as_ref: false,
        },
    ) else {
        panic!("no invite")
    };
    world.go_offline(0);
    world.add(1, &link);
    world.pass(61_000);
    world.go_online(0);
    world.pass(120_000);
    assert!(
        requests(&world, 0).is_empty(),
        "Bob asked in time and was heard too late"
    );
    let late = world.ask(
        2,
        Command::Add {
            link,
            reason: String::new(),
        },
    );
    assert!(
        matches!(late, Err(Refusal::BadLink { .. })),
        "Carol hears at once: {late:?}"
    );
}

#[test]
fn links_that_cannot_be_used_say_why() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = world.invite(0);
    let add = |world: &mut World, at, link: &str| {
        world.ask(
            at,
            Command::Add {
                link: link.into(),
                reason: String::new(),
            },
        )
    };
    assert_eq!(add(&mut world, 0, &link), Err(Refusal::Yourself));
    for bad in [
        "",
        "https://example.org",
        &link[..link.len() - 3],
        &link.replace("comptoir:", "comptoir-relay:"),
    ] {
        assert!(
            matches!(add(&mut world, 1, bad), Err(Refusal::BadLink { .. })),
            "{bad}"
        );
    }
    let long = "x".repeat(501);
    let refused = world.ask(
        1,
        Command::Add {
            link: link.clone(),
            reason: long,
        },
    );
    assert!(matches!(
        refused,
        Err(Refusal::TooLong {
            got: 501,
            max: 500,
            ..
        })
    ));
    world.now_ms += 200 * 24 * 3_600_000;
    world.pass(1_000);
    let late = add(&mut world, 1, &link);
    assert!(
        matches!(late, Err(Refusal::BadLink { .. })),
        "the card has expired: {late:?}"
    );
}

#[test]
fn a_hello_is_replayed_and_nothing_comes_of_it() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.weather.duplicate = true;
    world.befriend();
    let hellos: Vec<_> = world.wire.clone();
    world.weather.duplicate = false;
    for (from, to, bytes) in hellos {
        let peer = world.nodes[from].key;
        world.input(to, Input::Frame { peer, bytes });
        world.settle();
    }
    world.pass(10_000);
    assert_eq!(query::contacts(&world.nodes[0].view, 1).unwrap().len(), 1);
    assert_eq!(query::threads(&world.nodes[0].view, 1).unwrap().len(), 1);
    assert!(requests(&world, 0).is_empty());
    world.say(0, "still one thread");
    world.pass(2_000);
    assert_eq!(world.texts(1), ["still one thread"]);
}

#[test]
fn a_short_link_leads_to_the_card_at_the_relay() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay_for(&[0, 1]);
    world.weather.no_direct = true;
    world.pass(1_000);
    let Ok(Answer::Invite { link, .. }) = world.ask(
        0,
        Command::Invite {
            expires_s: 600,
            uses: 1,
            as_ref: true,
        },
    ) else {
        panic!("no invite")
    };
    assert!(link.len() <= 250, "{}", link.len());
    world.add(1, &link);
    world.pass(10_000);
    world.accept_all(0);
    world.pass(10_000);
    world.say(1, "found you");
    world.pass(10_000);
    assert_eq!(world.texts(0), ["found you"]);
}

#[test]
fn who_is_blocked_gets_nothing_through_and_after_unblocking_everything() {
    let mut world = World::of_friends_with_a_relay();
    let before = world.relays[0].capabilities();
    world.ask(0, Command::Block { contact: 1 }).unwrap();
    assert_eq!(
        world.relays[0].capabilities(),
        before - 1,
        "the capability ended at the relay"
    );
    world.say(1, "can you hear me?");
    world.pass(60_000);
    assert!(world.texts(0).is_empty());
    let thread = world.thread(0);
    assert_eq!(world.try_say(0, thread, &["no"]), Err(Refusal::Blocked));
    world.ask(0, Command::Unblock { contact: 1 }).unwrap();
    world.pass(2 * 3_600_000);
    assert_eq!(world.texts(0), ["can you hear me?"]);
    world.say(0, "now I can");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["can you hear me?", "now I can"]);
}

///
#[test]
fn account_state_is_written_into_the_self_thread() {
    let mut world = World::of_friends();
    world
        .ask(
            0,
            Command::Rename {
                contact: 1,
                name: Some("Bobby".into()),
            },
        )
        .unwrap();
    world
        .ask(
            0,
            Command::Verify {
                contact: 1,
                verified: true,
            },
        )
        .unwrap();
    world
        .ask(
            0,
            Command::Mute {
                contact: 1,
                muted: true,
            },
        )
        .unwrap();
    let view: &MapView = &world.nodes[0].view;
    let contact = &query::contacts(view, 1).unwrap()[0];
    assert_eq!(
        (
            contact.petname.as_deref(),
            contact.muted,
            contact.verified_ms > 0
        ),
        (Some("Bobby"), true, true)
    );
    // The statements are there for the next device, though they are not shown as messages.
    let self_thread = query::personas(view).unwrap()[0].self_thread;
    assert!(
        query::history(view, self_thread, From::Start, 100)
            .unwrap()
            .unwrap()
            .items
            .is_empty()
    );
    let mut prefix = vec![comptoir_engine::rows::key::RUN];
    prefix.extend(self_thread.to_be_bytes());
    assert!(
        view.scan(Scan::all(prefix)).unwrap().len() >= 6,
        "name, contact, thread, request and three changes"
    );
}

#[test]
fn what_waits_for_an_earlier_one_is_not_taken_from_whom_is_blocked_meanwhile() {
    let mut world = World::of_friends();
    world.pass(5_000);
    for line in ["one", "two"] {
        world.say_unheard(0, line);
    }
    world.lose_one(1);
    world.hear_one(1);
    world.nodes[1].inbox.clear();
    let _ = world.ask(1, Command::Block { contact: 1 });
    world.pass(60_000);
    assert!(world.texts(1).is_empty());
}
