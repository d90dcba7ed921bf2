// SPDX-License-Identifier: MIT OR Apache-2.0
//! On the disk: what lies in a home, who may read it, and homes that cannot be opened.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use comptoir_tests::{Person, Relay, binary, section};

use crate::search::{Secret, below, found, ids_of, nothing_below, words};
use crate::{meet, outcome};

const SAID: &str = "The brass key hangs behind the third shutter";

/// `up` with nobody at the terminal, which must not come up.
fn fails_to_come_up(mut command: Command, home: &Path) -> (Option<i32>, String) {
    command
        .arg("--home")
        .arg(home)
        .args(["up", "--listen", "none", "--exit-with-stdin"]);
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    outcome(&output)
}

/// Runs the binary below a shell that would let everybody read what is made.
fn careless() -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(binary());
    command
}

/// A store of either kind, copied while it runs and after: no words, no names, no ids, no recovery phrase.
#[test]
fn nothing_readable_lies_in_a_home() {
    let world = tempfile::tempdir().unwrap();
    let mut alice =
        Person::with_passphrase(world.path(), "alice-nightingale", "correct horse battery");
    let mut bob = Person::new(world.path(), "bob-featherstone");
    alice.comes_up();
    bob.comes_up();
    meet(&alice, &bob);
    alice.sends("bob-featherstone", SAID);
    bob.sees("alice-nightingale", 1);
    bob.sends("alice-nightingale", SAID);
    alice.sees("bob-featherstone", 2);
    alice.must(&["rename", "bob-featherstone", "uncle-bartholomew"]);
    let both = [
        ids_of(&alice, "uncle-bartholomew"),
        ids_of(&bob, "alice-nightingale"),
    ]
    .concat();
    let secrets = |person: &Person, contact: &str| -> Vec<Secret> {
        let phrase =
            std::fs::read_to_string(world.path().join(format!("{}.phrase", person.name))).unwrap();
        let phrase: Vec<&str> = phrase.split_whitespace().collect();
        assert_eq!(phrase.len(), 24);
        let threes = phrase
            .windows(3)
            .map(|three| words("the recovery phrase", &three.join(" ")));
        let mut all: Vec<Secret> = both.clone();
        all.extend(threes);
        all.extend([words("words", "third shutter"), words("a contact", contact)]);
        all.extend([
            words("the passphrase", "correct horse"),
            words("a name of ours", "bartholomew"),
        ]);
        all
    };
    let (of_alice, of_bob) = (
        secrets(&alice, "featherstone"),
        secrets(&bob, "nightingale"),
    );
    for (person, secrets) in [(&alice, &of_alice), (&bob, &of_bob)] {
        let bytes = nothing_below(person.home(), secrets);
        println!(
            "{}: {bytes} bytes, {} secrets, while it runs",
            person.name,
            secrets.len()
        );
        assert!(bytes > 10_000, "there is a store");
    }
    alice.goes_down();
    bob.goes_down();
    for (person, secrets) in [(&alice, &of_alice), (&bob, &of_bob)] {
        nothing_below(person.home(), secrets);
    }
    section(
        "A home with a passphrase does not open without it, and the search finds what does lie there",
    );
    let (status, talk) = fails_to_come_up(Command::new(binary()), alice.home());
    assert_eq!(status, Some(2), "{talk}");
    assert!(talk.contains("--passphrase-file"), "{talk}");
    let planted = bob.home().join("planted");
    std::fs::write(&planted, format!("... {SAID} ...")).unwrap();
    assert_eq!(found(&of_bob, &std::fs::read(planted).unwrap()), ["words"]);
}

#[test]
fn everything_in_a_home_is_its_users_alone_whatever_the_umask() {
    let world = tempfile::tempdir().unwrap();
    let home = world.path().join("alice");
    let made = careless()
        .arg("--home")
        .arg(&home)
        .args([
            "init",
            "--name",
            "alice",
            "--no-passphrase",
            "--phrase-file",
        ])
        .arg(world.path().join("phrase"))
        .output()
        .unwrap();
    assert!(made.status.success());
    let mut alice = Person::of_home(&home, "alice");
    alice.comes_up_under(careless());
    let mut relay = Relay::open(world.path(), "relay");
    relay.goes_down();
    relay.starts_under(careless());
    let mut bob = Person::new(world.path(), "bob");
    bob.comes_up();
    alice.must(&["relay", "add", relay.link()]);
    meet(&alice, &bob);
    alice.sends("bob", SAID);
    let phrase = world.path().join("phrase");
    let all = [below(&home), below(relay.home()), vec![phrase]].concat();
    assert!(all.len() > 15, "{all:?}");
    for path in all {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let most = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & !most, 0, "{mode:o} {}", path.display());
    }
}

#[test]
fn a_second_process_on_a_home_is_told_which_one_has_it() {
    let world = tempfile::tempdir().unwrap();
    let mut alice = Person::new(world.path(), "alice");
    alice.comes_up();
    let (status, talk) = fails_to_come_up(Command::new(binary()), alice.home());
    assert_eq!(status, Some(1), "{talk}");
    let pid = alice.status()["pid"].to_string();
    assert!(
        talk.contains(&format!("is in use by process {pid}: stop it first")),
        "{talk}"
    );
    assert_eq!(alice.status()["state"], "ready", "the first goes on");
}

#[test]
fn a_home_that_cannot_be_written_to_is_refused_and_left_alone() {
    let world = tempfile::tempdir().unwrap();
    let alice = Person::new(world.path(), "alice");
    let all = below(alice.home());
    let modes: Vec<u32> = all
        .iter()
        .map(|path| std::fs::metadata(path).unwrap().permissions().mode())
        .collect();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap()
    };
    // Root may write anywhere, so as root the home is lent to nobody.
    let root = rustix::process::getuid().is_root();
    let mut command = Command::new(binary());
    if root {
        set(world.path(), 0o755);
        all.iter()
            .for_each(|path| chown(path, Some(65534), Some(65534)).unwrap());
        command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(binary());
    }
    // Folders last: nothing below a closed one could be changed.
    for path in all.iter().rev() {
        set(path, if path.is_dir() { 0o500 } else { 0o400 });
    }
    let (status, talk) = fails_to_come_up(command, alice.home());
    for (path, mode) in all.iter().zip(modes) {
        set(path, mode);
        if root {
            chown(path, Some(0), Some(0)).unwrap();
        }
    }
    assert_eq!(status, Some(1), "{talk}");
    assert!(talk.contains(alice.home().to_str().unwrap()), "{talk}");
    assert!(
        talk.contains("cannot be written to") || talk.contains("Permission denied"),
        "{talk}"
    );
    section("Writable again, it opens as before");
    let mut alice = Person::of_home(alice.home(), "alice");
    alice.comes_up();
    assert_eq!(alice.status()["state"], "ready");
}
