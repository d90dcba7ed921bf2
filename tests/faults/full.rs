// SPDX-License-Identifier: MIT OR Apache-2.0
//! The disk of somebody who is talking fills up, and has room again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use comptoir_tests::{Person, SmallDisk, section, wait};

use crate::kills::numbered_lines;

/// How often the disk fills up: which commit meets its end, and what waits behind that one, is chance.
const TIMES: u32 = 6;

/// Commands at once when it does.
const SENDERS: usize = 8;

/// Whoever asks hears why not, within this.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Less than the store wants to have free, and room enough for all else in a home.
const LEFT_BYTES: u64 = 32 << 20;

/// All of `SENDERS` ask at once, and are told that the disk is full.
fn asks_in_vain(alice: &Person, time: u32) {
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || {
                let begun = Instant::now();
                let output = alice.run(&["send", "bob", &format!("never {time} {sender}")]);
                let talk = String::from_utf8_lossy(&output.stderr);
                let took = begun.elapsed();
                assert!(took < ANSWER_MAX, "an answer took {took:?}: {talk}");
                assert_eq!(output.status.code(), Some(1), "{talk}");
                assert!(talk.contains("The disk is full"), "{talk}");
                assert!(talk.contains("free some space"), "{talk}");
            });
        }
    });
}

#[test]
fn a_full_disk_is_said_at_once_and_talk_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::of_mebibytes(160) else {
        println!("not run: this user may not mount a file system");
        return;
    };
    let world = tempfile::tempdir().unwrap();
    let (mut alice, mut bob) = (
        Person::new(disk.path(), "alice"),
        Person::new(world.path(), "bob"),
    );
    alice.comes_up();
    bob.comes_up();
    let link = alice.invites();
    bob.follows(&link);
    alice.accepts();
    alice.can_write_to("bob");
    bob.can_write_to("alice");

    section("Bob talks all the while; Alice's disk fills up, and has room again");
    let stop = Arc::new(AtomicBool::new(false));
    let answers = bob.sends_as_they_come("alice", numbered_lines(Arc::clone(&stop)));
    let mut said = Vec::new();
    for time in 0..TIMES {
        let line = format!("there is room {time}");
        wait("a disk with room to be written to", || {
            alice
                .run(&["send", "bob", &line])
                .status
                .success()
                .then_some(())
        });
        said.push(line);
        disk.fills_up(LEFT_BYTES);
        asks_in_vain(&alice, time);
        assert_eq!(alice.status()["state"], "read_only");
        let read = alice.texts_with("bob");
        assert!(read.contains(&said[0]), "what is there is read");
        disk.has_room_again();
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged = answers.iter().count();
    println!("{acknowledged} lines of bob");
    assert!(acknowledged > 100, "bob hardly spoke");

    section("Each has all that the other was told is sent, once");
    alice.sends("bob", "the last");
    said.push("the last".to_owned());
    let of_bob = |line: &String| line.starts_with("line ");
    let both = acknowledged + said.len();
    for (person, other) in [(&alice, "bob"), (&bob, "alice")] {
        let all = person.sees(other, both);
        let (bobs, alices): (Vec<String>, Vec<String>) = all.into_iter().partition(of_bob);
        assert_eq!(alices, said, "{}", person.name);
        let expected: Vec<String> = (0..acknowledged).map(|n| format!("line {n}")).collect();
        assert_eq!(bobs, expected, "{}", person.name);
    }
}
