// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people and a relay, killed in turns while one of them talks.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comptoir_tests::{Person, Relay, section, wait};

use crate::asked;

/// Kills in CI; `COMPTOIR_KILLS` asks for more.
const KILLS: u32 = 12;

/// One line each so often: some dozen between two kills.
const LINE_PAUSE: Duration = Duration::from_millis(5);

/// Two people who know each other, have each a relay, and are up.
pub(crate) fn met(world: &Path, relay: &Relay) -> (Person, Person) {
    let (mut alice, mut bob) = (Person::new(world, "alice"), Person::new(world, "bob"));
    alice.comes_up();
    bob.comes_up();
    alice.must(&["relay", "add", relay.link()]);
    bob.must(&["relay", "add", relay.link()]);
    let link = alice.invites();
    bob.follows(&link);
    alice.accepts();
    alice.can_write_to("bob");
    bob.can_write_to("alice");
    (alice, bob)
}

/// Numbered lines until told to stop.
pub(crate) fn numbered_lines(stop: Arc<AtomicBool>) -> impl Iterator<Item = String> + Send {
    (0..)
        .take_while(move |_| !stop.load(Ordering::Relaxed))
        .map(|number: u32| {
            std::thread::sleep(LINE_PAUSE);
            format!("line {number}")
        })
}

/// Checks that the first `safe` lines are there, once each.
pub(crate) fn check(found: Result<Vec<String>, String>, safe: usize) -> Result<(), String> {
    let found = found.map_err(|error| format!("unopened: {error}"))?;
    let unique: BTreeSet<&String> = found.iter().collect();
    if unique.len() != found.len() {
        return Err(format!(
            "doubled: {} lines, {} different",
            found.len(),
            unique.len()
        ));
    }
    let missing = (0..safe)
        .filter(|number| !unique.contains(&format!("line {number}")))
        .count();
    if missing > 0 {
        Err(format!("lost: {missing} of {safe}"))
    } else {
        Ok(())
    }
}

/// `COMPTOIR_KILLS=200` is the figure `kill.lost`.
#[test]
fn kills_of_sender_receiver_and_relay_lose_and_double_nothing() {
    let world = tempfile::tempdir().unwrap();
    let mut relay = Relay::open(world.path(), "relay");
    let (mut alice, mut bob) = met(world.path(), &relay);

    section("Alice talks, and one of the three is killed at a time");
    let stop = Arc::new(AtomicBool::new(false));
    let answers = alice.sends_as_they_come("bob", numbered_lines(Arc::clone(&stop)));
    let mut killed = [0; 3];
    for kill in 0..u64::from(asked("COMPTOIR_KILLS", KILLS)) {
        let chance = (kill + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        std::thread::sleep(Duration::from_millis(20 + chance % 400));
        killed[(kill % 3) as usize] += 1;
        match kill % 3 {
            0 => {
                alice.is_killed();
                alice.comes_up();
            }
            1 => {
                bob.is_killed();
                bob.comes_up();
            }
            _ => {
                relay.is_killed();
                relay.starts();
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged = answers.iter().count();
    println!("{acknowledged} lines acknowledged; kills of alice, bob, the relay: {killed:?}");
    assert!(acknowledged > 20, "hardly anything was sent");

    section("Bob has each line once, in order, and so has Alice");
    let of_alice = alice.texts_with("bob");
    check(Ok(of_alice.clone()), acknowledged).unwrap();
    let of_bob = wait("bob to have every line", || {
        let seen = bob.texts_with("alice");
        (seen.len() >= acknowledged).then_some(seen)
    });
    check(Ok(of_bob.clone()), acknowledged).unwrap();
    let expected: Vec<String> = (0..acknowledged)
        .map(|number| format!("line {number}"))
        .collect();
    assert!(of_alice == expected && of_bob == expected, "not in order");
}
