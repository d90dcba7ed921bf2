// SPDX-License-Identifier: MIT OR Apache-2.0
//! Odd circumstances: names that are no text, output nobody takes, input without an end.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::binary::Folder;

const INIT: [&str; 4] = ["init", "--no-passphrase", "--phrase-file", "words"];

fn command(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_comptoir"));
    command.current_dir(folder.path("")).stdin(Stdio::null());
    command
}

fn outcome(output: &Output) -> (Option<i32>, String) {
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!talk.contains("panicked"), "{talk}");
    (output.status.code(), talk)
}

#[test]
fn what_is_no_text_is_refused_before_anything_is_made() {
    let folder = Folder::new("no-text");
    let home = OsStr::from_bytes(b"h\xff");
    for more in [&INIT[..], &["up"], &["status"]] {
        let mut command = command(&folder);
        let output = command.arg("--home").arg(home).args(more).output().unwrap();
        let (status, talk) = outcome(&output);
        assert_eq!(status, Some(2), "{talk}");
        assert!(talk.contains("not UTF-8"), "{talk}");
    }
    let mut command = command(&folder);
    let send = command.args(["--home", "h", "send", "bob"]).arg(home);
    assert_eq!(outcome(&send.output().unwrap()).0, Some(2));
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
}

/// A phrase in a file is taken for one that has an account already.
#[test]
fn a_home_that_cannot_be_made_costs_no_phrase() {
    let folder = Folder::new("no-home");
    fs::write(folder.path("taken"), "a file").unwrap();
    let refused = folder.run("taken/home", &INIT);
    assert_eq!(refused.status, 1, "{}", refused.talk);
    assert!(!folder.path("words").exists(), "{}", refused.talk);
    let mut no_file = INIT;
    no_file[3] = "nowhere/words";
    let refused = folder.run("home", &no_file);
    assert_eq!(refused.status, 1, "{}", refused.talk);
    assert!(!folder.path("home").exists(), "an empty home stayed behind");
}

#[test]
fn what_could_not_be_printed_is_said_and_what_cannot_be_sent_too() {
    let folder = Folder::new("full-output");
    folder.run("alice", &INIT).good();
    let up = ["up", "--listen", "none"];
    let (alice, _) = folder.background("alice", &up);

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut status = command(&folder);
    let status = status.args(["--home", "alice", "status"]).stdout(full);
    let (code, talk) = outcome(&status.output().unwrap());
    assert_eq!(code, Some(1), "{talk}");
    assert!(talk.contains("not printed: No space left"), "{talk}");

    let long = "x".repeat(40_000);
    let add = folder.run_with_stdin("alice", &["add", "-"], &long);
    assert_eq!(add.status, 2, "{}", add.talk);
    assert!(add.talk.contains("more than 32768 bytes"), "{}", add.talk);
    let scope = ["tokens", "create", "t", "--scope", "read"];
    let scope = folder.run("alice", &scope);
    assert_eq!(scope.status, 2, "{}", scope.talk);
    assert!(scope.talk.contains("messages:read"), "{}", scope.talk);

    let mut watch = command(&folder);
    let watch = watch.args(["--home", "alice", "watch", "--after", "0"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    drop(watch.stdout.take());
    let begun = Instant::now();
    while watch.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            watch.kill().unwrap();
            panic!("nobody reads, and it goes on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let down = folder.run("alice", &["--json", "down"]).good();
    assert_eq!(down, "{\"stopping\":true}\n");
    drop(alice);
}

#[test]
fn a_ticket_that_gives_nothing_is_not_made() {
    let folder = Folder::new("tickets");
    for nothing in ["--boxes", "--days", "--mebibytes"] {
        let ticket = folder.run("relay", &["relay", "ticket", nothing, "0"]);
        assert_eq!(ticket.status, 2, "{}", ticket.talk);
    }
}
