// SPDX-License-Identifier: MIT OR Apache-2.0
//! The power fails under the real program: sender, receiver, relay.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comptoir::{ContentView, HistoryItem, Home};
use comptoir_engine::query;
use comptoir_store::{Access, Floor, OpenOptions, Store};
use comptoir_tests::person::binary;
use comptoir_tests::powercut::{Cut, Moment, Recording, Trace, now, record};
use comptoir_tests::{Person, Relay, section};
use serde_json::Value;

use crate::asked;
use crate::kills::{check, met, numbered_lines};

/// Cuts of a home and a share of kept writes, in CI; `COMPTOIR_CUTS` asks for more.
const CUTS: u32 = 60;

/// Of these so many are also opened by the program itself.
const CUTS_OF_PROGRAM: u32 = 3;

/// How long Alice talks under the tracer.
const TALK: Duration = Duration::from_secs(6);

/// Takes the command out of a recording, to start it.
fn command(recording: &mut Recording) -> Command {
    std::mem::replace(&mut recording.command, Command::new("true"))
}

/// When how many lines, from the first on, were known to be safe.
#[derive(Default)]
struct Safe(Vec<(Moment, usize)>);

impl Safe {
    fn at(&self, moment: Moment) -> usize {
        self.0
            .iter()
            .filter(|(at, _)| *at <= moment)
            .map(|(_, lines)| *lines)
            .max()
            .unwrap_or(0)
    }
}

/// How many of Alice's lines, from the first on, have reached this state or a later one.
fn lines_in(alice: &Person, states: &[&str]) -> usize {
    let history: Vec<Value> = alice.must(&["history", "bob"]);
    history
        .iter()
        .take_while(|message| {
            message["state"]
                .as_str()
                .is_some_and(|state| states.contains(&state))
        })
        .count()
}

/// The texts in the store of a home that nobody runs.
fn texts(home: &Path) -> Result<Vec<String>, String> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let options = OpenOptions {
        floor: Floor::NONE,
        ..OpenOptions::default()
    };
    let store = Store::open(
        &Home::new(home).store(),
        &Access::KeyFile,
        &options,
        &mut rng,
    );
    let core = store.map_err(|error| error.to_string())?.core();
    let view = core.committed();
    let read = |error: comptoir_engine::ViewError| error.to_string();
    let mut texts = Vec::new();
    for persona in query::personas(&view).map_err(read)? {
        let threads = query::threads(&view, persona.persona).map_err(read)?;
        for thread in threads.iter().filter(|thread| thread.contact.is_some()) {
            let page = query::history(&view, thread.thread, query::From::Start, usize::MAX)
                .map_err(read)?;
            for item in page.map_or(Vec::new(), |page| page.items) {
                if let HistoryItem::Message(message) = item
                    && let ContentView::Text(text) = message.content
                {
                    texts.push(text);
                }
            }
        }
    }
    Ok(texts)
}

/// The texts as the program itself shows them.
fn texts_by_program(home: &Path, with: &str) -> Result<Vec<String>, String> {
    std::panic::catch_unwind(|| {
        let mut person = Person::of_home(home, "somebody");
        person.comes_up();
        let texts = person.texts_with(with);
        person.goes_down();
        texts
    })
    .map_err(|_| "the program does not come up".to_owned())
}

/// Cuts the power of one home again and again.
fn cut_power(home: &Path, trace: &Trace, safe: &Safe, with: &str) -> Vec<String> {
    let cuts = asked("COMPTOIR_CUTS", CUTS);
    let (began, ended) = trace.span();
    let mut faults = Vec::new();
    let is_control = std::env::var_os("COMPTOIR_CONTROL_BIN").is_some();
    for kept_of_256 in [0, 128] {
        for cut in 0..cuts {
            let seed = u64::from(cut) * 7919 + u64::from(kept_of_256);
            let at = match safe.0.get(seed as usize * 31 % safe.0.len().max(1)) {
                Some((at, _)) if cut % 2 == 0 => *at,
                _ => began + (ended - began) * u64::from(cut) / u64::from(cuts),
            };
            let image = tempfile::tempdir().unwrap();
            let image = image.path().join("home");
            trace.image(
                home,
                &image,
                Cut {
                    at,
                    kept_of_256,
                    seed,
                },
            );
            // A control keeps no watermark, so only the control itself can open what it wrote.
            let mut outcome = match is_control {
                true => Ok(()),
                false => check(texts(&image), safe.at(at)),
            };
            if outcome.is_ok() && (is_control || cut < CUTS_OF_PROGRAM) {
                outcome = check(texts_by_program(&image, with), safe.at(at));
            }
            faults.extend(
                outcome
                    .err()
                    .map(|fault| format!("{fault} (cut {cut}, {kept_of_256} of 256 kept)")),
            );
        }
    }
    println!("{} cuts of {}: {faults:?}", 2 * cuts, home.display());
    faults
}

#[test]
fn a_power_cut_of_sender_or_receiver_loses_nothing_acknowledged() {
    let world = tempfile::tempdir().unwrap();
    let relay = Relay::open(world.path(), "relay");
    let (mut alice, mut bob) = met(world.path(), &relay);
    alice.goes_down();
    bob.goes_down();

    section("Alice talks to Bob, every system call of both recorded");
    let mut of_alice = record(alice.home(), &world.path().join("alice.trace"), &binary());
    let mut of_bob = record(bob.home(), &world.path().join("bob.trace"), &binary());
    alice.comes_up_under(command(&mut of_alice));
    bob.comes_up_under(command(&mut of_bob));
    let stop = Arc::new(AtomicBool::new(false));
    let answers = alice.sends_as_they_come("bob", numbered_lines(Arc::clone(&stop)));
    let begun = std::time::Instant::now();
    let mut at_bob = Safe::default();
    while begun.elapsed() < TALK {
        let lines = lines_in(&alice, &["delivered", "read"]);
        at_bob.0.push((now(), lines));
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    let at_alice = Safe(
        answers
            .iter()
            .enumerate()
            .map(|(number, at)| (at, number + 1))
            .collect(),
    );
    alice.goes_down();
    bob.goes_down();
    println!(
        "{} lines acknowledged, {} confirmed",
        at_alice.at(Moment::MAX),
        at_bob.at(Moment::MAX)
    );
    assert!(
        at_alice.at(Moment::MAX) > 100 && at_bob.at(Moment::MAX) > 100,
        "hardly anything was said"
    );

    section("The power fails under Alice, and under Bob");
    let mut faults = cut_power(alice.home(), &of_alice.finish(), &at_alice, "bob");
    faults.extend(cut_power(bob.home(), &of_bob.finish(), &at_bob, "alice"));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_power_cut_of_a_relay_loses_nothing_it_took() {
    let world = tempfile::tempdir().unwrap();
    let mut relay = Relay::open(world.path(), "relay");
    let (mut alice, mut bob) = met(world.path(), &relay);
    bob.goes_down();
    let bob_before = world.path().join("bob.before");
    copy(bob.home(), &bob_before);

    section("Alice talks to Bob, who is away; every system call of the relay is recorded");
    relay.is_killed();
    let mut of_relay = record(relay.home(), &world.path().join("relay.trace"), &binary());
    relay.starts_under(command(&mut of_relay));
    let stop = Arc::new(AtomicBool::new(false));
    let answers = alice.sends_as_they_come("bob", numbered_lines(Arc::clone(&stop)));
    let begun = std::time::Instant::now();
    let mut safe = Safe::default();
    while begun.elapsed() < TALK {
        let lines = lines_in(&alice, &["stored", "delivered", "read"]);
        safe.0.push((now(), lines));
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    let said = answers.iter().count();
    alice.goes_down();
    relay.goes_down();
    let trace = of_relay.finish();
    println!("{said} lines said, {} at the relay", safe.at(Moment::MAX));
    assert!(
        safe.at(Moment::MAX) > 50,
        "hardly anything reached the relay"
    );

    section("The power fails under the relay; Bob comes back and Alice does not");
    let moments: Vec<Moment> = safe
        .0
        .iter()
        .filter(|(_, lines)| *lines > 0)
        .map(|(at, _)| *at)
        .collect();
    for (cut, kept_of_256) in [(1, 0), (2, 128), (3, 0), (3, 128)] {
        let at = moments[(moments.len() - 1) * cut / 3];
        std::fs::remove_dir_all(bob.home()).unwrap();
        copy(&bob_before, bob.home());
        let recorded = world.path().join(format!("relay.{cut}.{kept_of_256}"));
        trace.image(
            relay.home(),
            &recorded,
            Cut {
                at,
                kept_of_256,
                seed: cut as u64,
            },
        );
        let aside = world.path().join("relay.aside");
        std::fs::rename(relay.home(), &aside).unwrap();
        copy(&recorded, relay.home());
        relay.starts();
        bob.comes_up_unreachable();
        let seen = bob.sees("alice", safe.at(at));
        check(Ok(seen), safe.at(at)).unwrap();
        bob.goes_down();
        relay.is_killed();
        std::fs::remove_dir_all(relay.home()).unwrap();
        std::fs::rename(&aside, relay.home()).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(status.success());
}
