// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people and a relay, killed in turns while one of them talks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comptoir_tests::{Person, Relay, section};

use crate::check::{arrived, check, none};
use crate::numbers;

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
    let kills = numbers("COMPTOIR_KILLS", KILLS);
    let tries = kills.end - kills.start;
    for kill in kills.map(u64::from) {
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
    let of_bob = arrived(&bob, "alice", acknowledged);
    let found: Vec<_> = [("alice", &of_alice), ("bob", &of_bob)]
        .into_iter()
        .filter_map(|(name, lines)| Some((check(lines, acknowledged).err()?, name.to_owned())))
        .collect();
    none("kill", tries, &found);
    let expected: Vec<String> = (0..acknowledged)
        .map(|number| format!("line {number}"))
        .collect();
    assert!(of_alice == expected && of_bob == expected, "not in order");
}
