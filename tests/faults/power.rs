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

use crate::check::{Fault, arrived, check, none};
use crate::kills::{met, numbered_lines};
use crate::numbers;

/// Cuts of a home and a share of kept writes, in CI; `COMPTOIR_CUTS` asks for more.
const CUTS: u32 = 60;

/// Cuts of a relay and a share of kept writes, in CI: each takes a relay and a person, started.
const CUTS_OF_RELAY: u32 = 4;

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
    /// The moment of a cut: of every second one right after something was found safe, of the others any.
    fn moment(&self, trace: &Trace, cut: u32, kept_of_256: u8) -> Moment {
        let at = seed(cut, kept_of_256) as usize * 31 % self.0.len().max(1);
        match self.0.get(at) {
            Some((at, _)) if cut.is_multiple_of(2) => *at,
            _ => trace.moment(cut),
        }
    }

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
fn texts(home: &Path) -> Result<Vec<String>, Fault> {
    read_texts(home).map_err(Fault::Unopened)
}

fn read_texts(home: &Path) -> Result<Vec<String>, String> {
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
fn texts_by_program(home: &Path, with: &str) -> Result<Vec<String>, Fault> {
    does("the program does not come up", || {
        let mut person = Person::of_home(home, "somebody");
        person.comes_up();
        let texts = person.texts_with(with);
        person.goes_down();
        texts
    })
}

/// Something that panics when a program does not do what it must.
fn does<T>(otherwise: &str, what: impl FnOnce() -> T) -> Result<T, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(what))
        .map_err(|_| Fault::Unopened(otherwise.to_owned()))
}

/// Cuts the power of one home again and again.
fn cut_power(home: &Path, trace: &Trace, safe: &Safe, with: &str) -> Vec<(Fault, String)> {
    let cuts = numbers("COMPTOIR_CUTS", CUTS);
    let first = cuts.start;
    let is_control = std::env::var_os("COMPTOIR_CONTROL_BIN").is_some();
    let mut found = Vec::new();
    for kept_of_256 in [0, 128] {
        for number in cuts.clone() {
            let cut = Cut {
                at: safe.moment(trace, number, kept_of_256),
                kept_of_256,
                seed: seed(number, kept_of_256),
            };
            let image = tempfile::tempdir().unwrap();
            let image = image.path().join("home");
            trace.image(home, &image, cut);
            let mut outcome = Ok(());
            // A control keeps no watermark, so only the control itself can open what it wrote.
            if !is_control {
                outcome = texts(&image).and_then(|texts| check(&texts, safe.at(cut.at)));
            }
            if outcome.is_ok() && (is_control || number - first < CUTS_OF_PROGRAM) {
                outcome =
                    texts_by_program(&image, with).and_then(|texts| check(&texts, safe.at(cut.at)));
            }
            let place = || {
                format!(
                    "{}, cut {number}, {kept_of_256} of 256 kept",
                    home.display()
                )
            };
            found.extend(outcome.err().map(|fault| (fault, place())));
        }
    }
    println!(
        "{} cuts of {}: {} faults",
        2 * cuts.len(),
        home.display(),
        found.len()
    );
    found
}

fn seed(cut: u32, kept_of_256: u8) -> u64 {
    u64::from(cut) * 7919 + u64::from(kept_of_256)
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
    let mut found = cut_power(alice.home(), &of_alice.finish(), &at_alice, "bob");
    found.extend(cut_power(bob.home(), &of_bob.finish(), &at_bob, "alice"));
    let tries = 4 * numbers("COMPTOIR_CUTS", CUTS).len() as u32;
    none("powercut", tries, &found);
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
    let (cuts, mut found) = (numbers("COMPTOIR_CUTS", CUTS_OF_RELAY), Vec::new());
    for kept_of_256 in [0, 128] {
        for number in cuts.clone() {
            let cut = Cut {
                at: safe.moment(&trace, number, kept_of_256),
                kept_of_256,
                seed: seed(number, kept_of_256),
            };
            std::fs::remove_dir_all(bob.home()).unwrap();
            copy(&bob_before, bob.home());
            std::fs::remove_dir_all(relay.home()).unwrap();
            trace.image(relay.home(), relay.home(), cut);
            let outcome = bob_gets(&mut relay, &mut bob, safe.at(cut.at));
            let place = || format!("relay, cut {number}, {kept_of_256} of 256 kept");
            found.extend(outcome.err().map(|fault| (fault, place())));
        }
    }
    none("powercut", 2 * cuts.len() as u32, &found);
}

/// What Bob finds at a relay after a cut: as many lines as were known to be safe there.
fn bob_gets(relay: &mut Relay, bob: &mut Person, safe: usize) -> Result<(), Fault> {
    does("the relay does not start", || relay.starts())?;
    let seen = does("bob does not come up", || {
        bob.comes_up_unreachable();
        let seen = arrived(bob, "alice", safe);
        bob.goes_down();
        seen
    });
    relay.is_killed();
    check(&seen?, safe)
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
