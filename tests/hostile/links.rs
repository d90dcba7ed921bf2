// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links, invites, tickets and people that are not what they should be.

use comptoir_tests::{Person, Relay, section, wait};
use serde_json::Value;

use crate::{meet, outcome};

fn up(world: &std::path::Path, name: &'static str) -> Person {
    let mut person = Person::new(world, name);
    person.comes_up();
    person
}

fn requests(person: &Person) -> Vec<String> {
    let requests = person.must(&["requests"]);
    let name = |request: &Value| request["card_name"].as_str().unwrap().to_owned();
    requests[0].as_array().unwrap().iter().map(name).collect()
}

fn relay_of(person: &Person) -> Value {
    let mut relays = person.must(&["relay", "list"]);
    relays
        .remove(0)
        .as_array()
        .unwrap()
        .first()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_damaged_link_is_refused_with_a_sentence_and_the_whole_one_works_after_it() {
    let world = tempfile::tempdir().unwrap();
    let (alice, bob) = (up(world.path(), "alice"), up(world.path(), "bob"));
    let link = alice.invites();
    section("Cut, or one character changed");
    let changed = |at: usize| {
        let other = if &link[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &link[..at], &link[at + 1..])
    };
    let damaged = [
        link[..10].to_owned(),
        link[..link.len() / 2].to_owned(),
        link[..link.len() - 1].to_owned(),
        format!("{link}A"),
        changed(20),
        changed(link.len() / 2),
        // The last character's low bits may be padding, so the one before it.
        changed(link.len() - 2),
    ];
    for text in &damaged {
        let (status, talk) = outcome(&bob.run_with_stdin(&["add", "-"], text));
        assert_eq!(status, Some(2), "{talk}");
        assert!(
            talk.contains("the link is damaged or cut: copy it again"),
            "{talk}"
        );
    }
    section("Another kind of text, and one's own link");
    for (arguments, text, said) in [
        (
            ["add", "-"].as_slice(),
            "Good morning",
            "a link starts with comptoir:",
        ),
        (
            &["relay", "add", &link],
            "",
            "a link starts with comptoir-relay:",
        ),
    ] {
        let (status, talk) = outcome(&bob.run_with_stdin(arguments, text));
        assert_eq!(status, Some(2), "{talk}");
        assert!(talk.contains(said), "{talk}");
    }
    let (status, talk) = outcome(&alice.run_with_stdin(&["add", "-"], &link));
    assert_eq!(status, Some(6), "{talk}");
    assert!(talk.contains("this link leads to yourself"), "{talk}");
    section("Nothing came of it, and the whole link still works");
    assert_eq!(bob.must(&["contacts"])[0].as_array().unwrap().len(), 0);
    bob.follows(&link);
    alice.accepts();
    bob.can_write_to("alice");
}

#[test]
fn an_invite_for_one_lets_one_in() {
    let world = tempfile::tempdir().unwrap();
    let people = ["alice", "bob", "carol"].map(|name| up(world.path(), name));
    let [alice, bob, carol] = &people;
    let link = alice.invites();
    bob.follows(&link);
    wait("bob's request", || {
        (requests(alice) == ["bob"]).then_some(())
    });
    carol.follows(&link);
    // An invite that Alice makes for Carol afterwards arrives behind what the used one could have brought.
    section("A fresh invite lets the second one in");
    assert_eq!(requests(alice), ["bob"]);
    alice.accepts();
    bob.can_write_to("alice");
    assert_eq!(
        requests(alice),
        Vec::<String>::new(),
        "the used invite let nobody else in"
    );
    meet(alice, carol);
    bob.sends("alice", "from bob");
    carol.sends("alice", "from carol");
    assert_eq!(alice.sees("bob", 1), ["from bob"]);
    assert_eq!(alice.sees("carol", 1), ["from carol"]);
}

#[test]
fn who_is_declined_and_blocked_is_not_heard_and_who_is_let_in_again_is() {
    let world = tempfile::tempdir().unwrap();
    let (alice, bob) = (up(world.path(), "alice"), up(world.path(), "bob"));
    bob.follows(&alice.invites());
    let request = wait("a request", || {
        let requests = alice.must(&["requests"]);
        requests[0][0]["id"].as_str().map(str::to_owned)
    });
    section("Declined: the request is gone, and cannot be accepted any more");
    alice.must(&["decline", &request]);
    assert_eq!(requests(&alice), Vec::<String>::new());
    for gone in [request.as_str(), "req_99"] {
        let (status, talk) = outcome(&alice.run(&["accept", gone]));
        assert_eq!(status, Some(5), "{talk}");
        assert!(talk.contains("there is no request of that id"), "{talk}");
    }
    section("Another invite, accepted; then a block");
    meet(&alice, &bob);
    bob.sends("alice", "before the block");
    alice.sees("bob", 1);
    alice.must(&["block", "bob"]);
    let (status, talk) = outcome(&alice.run(&["send", "bob", "hello"]));
    assert_eq!(status, Some(6), "{talk}");
    assert!(
        talk.contains("the contact is blocked; unblock it first"),
        "{talk}"
    );
    bob.sends("alice", "while blocked");
    // Bob is told nothing, so only time shows that nothing comes: his resends are seconds apart.
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(alice.texts_with("bob"), ["before the block"]);
    section("Unblocked: what was there is there, and new words arrive");
    alice.must(&["block", "bob", "--off"]);
    bob.sends("alice", "after the block");
    wait("words after the block", || {
        let texts = alice.texts_with("bob");
        (texts.first()? == "before the block" && texts.last()? == "after the block").then_some(())
    });
}

#[test]
fn a_closed_relay_says_no_without_a_ticket_and_takes_who_brings_one() {
    let world = tempfile::tempdir().unwrap();
    let relay = Relay::closed(world.path(), "relay");
    let (alice, bob) = (up(world.path(), "alice"), up(world.path(), "bob"));
    let refused = |person: &Person| {
        wait("the relay to refuse", || {
            (relay_of(person)["state"] == "refused").then_some(())
        });
        let said = relay_of(person)["error"].as_str().unwrap().to_owned();
        assert!(said.contains("ask its operator for a ticket"), "{said}");
        let status = person.status();
        assert_eq!(status["relays"][0]["state"], "refused", "{status}");
        let warned = status["warnings"].as_array().unwrap().iter();
        assert!(
            warned
                .filter_map(Value::as_str)
                .any(|text| text.contains("does not serve us")),
            "{status}"
        );
    };
    section("Without a ticket");
    alice.must(&["relay", "add", relay.link()]);
    refused(&alice);
    section("Refused, they still talk without it, and a ticket of their own helps");
    meet(&alice, &bob);
    alice.sends("bob", "without a relay of mine");
    bob.sees("alice", 1);
    let id = relay_of(&alice)["id"].as_str().unwrap().to_owned();
    alice.must(&["relay", "remove", &id]);
    alice.must(&["relay", "add", &relay.ticket(100)]);
    wait("the relay to take alice", || {
        // The one that refused is still being left beside it.
        let relays = alice.must(&["relay", "list"]);
        let mut all = relays[0].as_array()?.iter();
        all.any(|relay| relay["state"] == "up").then_some(())
    });
}
