// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store alone: killed at random points, and its disk cut off at others.

use std::ops::Range;
use std::time::Duration;

use comptoir_tests::records::{Records, Tally, Verdict, cut_power};
use comptoir_tests::{section, tally};

use crate::numbers;

const ENGINES: [&str; 2] = ["sled", "redb"];

/// Kills an engine, in CI; `COMPTOIR_KILLS` asks for more.
const KILLS: u32 = 60;

/// Cuts an engine and a share of kept writes, in CI; `COMPTOIR_CUTS` asks for more.
const CUTS: u32 = 60;

/// A store is killed so often before a new one takes its place.
const KILLS_A_STORE: u32 = 20;

/// Records written before the power fails: a few hundred commits, several segments of sled's log.
const RECORDS: u64 = 1_500;

/// Kills an appending process at a random point, again and again, and checks after each.
fn kill_loop(records: &Records, kills: Range<u32>) -> (Tally, u64) {
    let mut tally = Tally::default();
    let mut acknowledged_in_all = 0;
    let mut folder = tempfile::tempdir().unwrap();
    let mut next = 0;
    for kill in kills {
        let home = folder.path().join("store");
        let running = records.starts(&home, next);
        // One in five dies while opening.
        let pause = u64::from(kill).wrapping_mul(2_654_435_761) % 60;
        if kill % 5 != 4 {
            running.opens();
        }
        std::thread::sleep(Duration::from_millis(pause + 2));
        let acknowledged = running.is_killed().all().max(next);
        acknowledged_in_all += acknowledged - next;
        let verdict = records.check(&home, acknowledged);
        let fresh = !matches!(verdict, Verdict::Whole { .. }) || (kill + 1) % KILLS_A_STORE == 0;
        next = match verdict {
            Verdict::Whole { next } => next,
            _ => 0,
        };
        tally.add(verdict);
        if fresh {
            folder = tempfile::tempdir().unwrap();
            next = 0;
        }
    }
    (tally, acknowledged_in_all)
}

fn count(of: &str, found: &Tally) {
    let tries = found.whole + found.lost + found.unopened;
    let counts = [
        ("tries", tries),
        ("lost", found.lost),
        ("unopened", found.unopened),
    ];
    tally(of, &counts.map(|(name, count)| (name, u64::from(count))));
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    for engine in ENGINES {
        let (tally, acknowledged) =
            kill_loop(&Records::honest(engine), numbers("COMPTOIR_KILLS", KILLS));
        println!("{engine}: {acknowledged} records acknowledged; {tally}");
        count("kill", &tally);
        assert_eq!((tally.lost, tally.unopened), (0, 0), "{tally}");
        assert!(
            acknowledged > 1000,
            "hardly anything was written: {acknowledged}"
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    for engine in ENGINES {
        section(engine);
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("store");
        let records = Records::honest(engine);
        let recorded = records.recorded(&home, &folder.path().join("trace"), RECORDS);
        let (bytes, syncs) = recorded.0.weight();
        println!(
            "{} acknowledgements, {bytes} bytes written, {syncs} syncs",
            recorded.1.times()
        );
        assert_eq!(recorded.1.all(), RECORDS);
        for kept_of_256 in [0, 128] {
            let tally = cut_power(
                &records,
                &home,
                &recorded,
                numbers("COMPTOIR_CUTS", CUTS),
                kept_of_256,
            );
            println!("{kept_of_256} of 256 unsynced writes kept: {tally}");
            count("powercut", &tally);
            assert_eq!((tally.lost, tally.unopened), (0, 0), "{tally}");
        }
    }
}

/// The tests above would be worth nothing if they found nothing in a store that is broken.
#[test]
fn broken_stores_are_caught() {
    section("A writer that acknowledges before it commits, killed");
    let broken = Records::control("sled", "broken-ack");
    let (tally, acknowledged) = kill_loop(&broken, 0..20);
    println!("{acknowledged} records acknowledged; {tally}");
    assert!(tally.lost >= 10, "{tally}");
    comptoir_tests::tally("kill.control", &[("caught", 1)]);

    section("sled with its guards off, cut off");
    let unguarded = Records::control("sled", "unguarded");
    let (tally, _) = kill_loop(&unguarded, 0..10);
    assert_eq!(
        (tally.lost, tally.unopened),
        (0, 0),
        "a kill keeps the page cache, so it shows nothing: {tally}"
    );
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("store");
    let recorded = unguarded.recorded(&home, &folder.path().join("trace"), RECORDS);
    assert_eq!(recorded.1.all(), RECORDS);
    for kept_of_256 in [0, 128] {
        let tally = cut_power(&unguarded, &home, &recorded, 0..30, kept_of_256);
        println!("{kept_of_256} of 256 unsynced writes kept: {tally}");
        assert!(tally.lost + tally.unopened >= 20, "{tally}");
    }
    comptoir_tests::tally("powercut.control", &[("caught", 1)]);
}
