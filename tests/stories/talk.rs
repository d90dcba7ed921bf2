// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people meet by a link and talk: directly, through relays, and across kills.

use comptoir_tests::{Person, Relay, section};

fn world() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Two people who know each other, both up.
fn met(world: &std::path::Path) -> (Person, Person) {
    let (mut alice, mut bob) = (Person::new(world, "alice"), Person::new(world, "bob"));
    alice.comes_up();
    bob.comes_up();
    let link = alice.invites();
    bob.follows(&link);
    alice.accepts();
    alice.can_write_to("bob");
    bob.can_write_to("alice");
    (alice, bob)
}

#[test]
fn two_people_talk_directly() {
    let world = world();
    section("Alice invites Bob; he follows the link; she accepts");
    let (alice, bob) = met(world.path());
    section("They talk both ways");
    alice.sends("bob", "Bonjour Bob");
    bob.sees("alice", 1);
    bob.sends("alice", "Bonjour Alice — ça va ?");
    let texts = [
        "Bonjour Bob".to_owned(),
        "Bonjour Alice — ça va ?".to_owned(),
    ];
    assert_eq!(alice.sees("bob", 2), texts);
    assert_eq!(bob.sees("alice", 2), texts);
}

#[test]
fn what_was_said_to_somebody_offline_arrives_through_a_relay() {
    let world = world();
    let relay = Relay::open(world.path(), "relay");
    let (mut alice, mut bob) = (
        Person::new(world.path(), "alice"),
        Person::new(world.path(), "bob"),
    );
    alice.comes_up_unreachable();
    bob.comes_up_unreachable();
    alice.uses(&relay);
    bob.uses(&relay);
    section("They meet through the relay alone");
    let link = alice.invites();
    bob.follows(&link);
    alice.accepts();
    alice.can_write_to("bob");
    bob.can_write_to("alice");
    section("Bob goes away; Alice writes; Bob comes back");
    bob.goes_down();
    let lines: Vec<String> = (0..100).map(|i| format!("line {i}")).collect();
    alice.sends_lines("bob", &lines);
    bob.comes_up_unreachable();
    assert_eq!(bob.sees("alice", 100), lines);
}

#[test]
fn a_kill_loses_nothing_and_doubles_nothing() {
    let world = world();
    let relay = Relay::open(world.path(), "relay");
    let (alice, bob) = met(world.path());
    alice.uses(&relay);
    bob.uses(&relay);
    killed_in_turns(alice, bob);
}

/// Both come back at once where they were: a node takes the ports of its last run again.
#[test]
fn a_kill_of_both_without_a_relay_loses_nothing_and_doubles_nothing() {
    let world = world();
    let (alice, bob) = met(world.path());
    killed_in_turns(alice, bob);
}

fn killed_in_turns(mut alice: Person, mut bob: Person) {
    let lines: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
    alice.sends_lines("bob", &lines[..20]);
    section("Bob is killed; Alice goes on and is killed too; both come back");
    bob.is_killed();
    alice.sends_lines("bob", &lines[20..40]);
    alice.is_killed();
    alice.comes_up();
    bob.comes_up();
    alice.sends_lines("bob", &lines[40..]);
    assert_eq!(bob.sees("alice", 60), lines);
    assert_eq!(alice.texts_with("bob"), lines);
}
