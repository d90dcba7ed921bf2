// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a stranger to the program types, and what it answers.

use std::fs;
use std::process::{Command, Stdio};

use crate::binary::{Background, Folder, retry};

const ANYWHERE: [&str; 2] = ["--listen", "/ip4/127.0.0.1/tcp/0"];

/// Makes a home whose key lies in a file, and starts its daemon.
fn up(folder: &Folder, home: &str, name: &str) -> Background {
    let words = format!("{home}.words");
    let init = ["init", "--no-passphrase", "--phrase-file", &words, "--name"];
    folder.run(home, &[&init[..], &[name]].concat()).good();
    folder
        .background(home, &[&["up"][..], &ANYWHERE[..]].concat())
        .0
}

#[test]
fn a_home_named_from_here_is_found_from_anywhere() {
    let folder = Folder::new("relative");
    let _alice = up(&folder, "alice", "Alice");
    let mut command = Command::new(env!("CARGO_BIN_EXE_comptoir"));
    let home = folder.path("alice");
    command.current_dir("/").arg("--home").arg(&home);
    let status = command.arg("status").stdin(Stdio::null()).output().unwrap();
    let (data, talk) = (
        String::from_utf8(status.stdout).unwrap(),
        String::from_utf8_lossy(&status.stderr),
    );
    assert!(status.status.success(), "{talk}");
    assert!(data.contains(home.to_str().unwrap()), "{data}");
}

#[test]
fn a_name_that_cannot_be_taken_is_refused_before_a_phrase_is_handed_over() {
    let folder = Folder::new("names");
    let long = "x".repeat(65);
    for name in ["", " ", long.as_str()] {
        let init = ["init", "--no-passphrase", "--phrase-file", "w", "--name"];
        let refused = folder.run("alice", &[&init[..], &[name]].concat());
        assert_eq!(refused.status, 2, "{}", refused.talk);
    }
    assert!(!folder.path("w").exists() && !folder.path("alice").exists());

    let _alice = up(&folder, "alice", "Alice");
    let add = |word: &str, more: &[&str]| {
        let add = ["personas", "add", word, "--phrase-file", "w"];
        folder.run("alice", &[&add[..], more].concat())
    };
    assert_eq!(add("main", &[]).status, 6);
    assert_eq!(add("Not A Word", &[]).status, 2);
    assert_eq!(add("work", &["--name", &long]).status, 2);
    assert!(!folder.path("w").exists(), "no phrase for nothing");
    let made = add("work", &["--name", "Alice at work"]);
    assert_eq!(made.status, 0, "{}", made.talk);
    let again = add("other", &[]);
    assert!(
        again.status == 6 && again.talk.contains("this phrase is persona work already"),
        "{}",
        again.talk
    );

    let phrase = fs::read(folder.path("alice.words")).unwrap();
    fs::write(folder.path("second.words"), phrase).unwrap();
    let init = ["init", "--no-passphrase", "--phrase-file", "second.words"];
    let second = folder.run("second", &init);
    assert!(
        second.status == 0 && second.talk.contains("the account is a NEW one"),
        "{}",
        second.talk
    );
}

#[test]
fn a_setting_that_is_a_text_takes_what_looks_like_a_number_but_not_nothing() {
    let folder = Folder::new("settings");
    let _alice = up(&folder, "alice", "Alice");
    assert_eq!(folder.run("alice", &["settings", "main.name="]).status, 2);
    folder.run("alice", &["settings", "main.name=42"]).good();
    let shown = folder.run("alice", &["settings", "main.name"]).good();
    assert!(shown.contains("\"42\""), "{shown}");
    let unclear = ["settings", "main.read_receipts=maybe"];
    assert_eq!(folder.run("alice", &unclear).status, 2);
    assert!(!folder.run("alice", &["logs"]).good().is_empty());
}

#[test]
fn what_a_stranger_writes_never_passes_for_a_line_of_ours() {
    let folder = Folder::new("lines");
    let _alice = up(&folder, "alice", "Alice");
    let _bob = up(&folder, "bob", "Bob\nctc_9    Carol\u{1b}[2J");
    let invite = folder.run("alice", &["invite"]).good();
    let reason = "hi\nreq_9    Carol\u{202e}";
    let add = ["add", invite.trim(), "--reason", reason];
    folder.run("bob", &add).good();
    retry("the request comes", || {
        folder.run("alice", &["requests"]).good().contains("req_1")
    });
    let requests = folder.run("alice", &["requests"]).good();
    assert_eq!(requests.lines().count(), 1, "{requests}");
    folder.run("alice", &["accept", "req_1"]).good();
    let contacts = folder.run("alice", &["contacts"]).good();
    assert_eq!(contacts.lines().count(), 1, "{contacts}");
    retry("bob may write", || {
        let text = "yes\n2026-01-01T00:00:00.000Z me: I owe you\u{9b}1m";
        folder.run("bob", &["send", "Alice", text]).status == 0
    });
    retry("the message comes", || {
        folder
            .run("alice", &["history", "ctc_1"])
            .data
            .contains("yes")
    });
    for command in [&["history", "ctc_1"][..], &["threads"], &["chat", "ctc_1"]] {
        let shown = folder.run("alice", command).good();
        assert!(
            !shown.lines().any(|line| line.starts_with("2026-01-01")),
            "{shown}"
        );
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault_and_a_home_that_is_not_there_is_said() {
    let folder = Folder::new("pipes");
    let log = folder.path("home/comptoir.log");
    fs::create_dir(folder.path("home")).unwrap();
    assert_eq!(folder.run("home", &["logs"]).status, 5);
    fs::write(log, "a line of the log\n".repeat(20_000)).unwrap();
    let commands = [&["completions", "bash"][..], &["logs", "--last", "20000"]];
    for arguments in commands {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comptoir"));
        command.arg("--home").arg(folder.path("home"));
        command.args(arguments).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*talk), (Some(0), ""));
    }
    let service = folder.run("home", &["service", "install", "--print"]);
    assert_eq!(service.status, 5, "{}", service.talk);
    let down = folder.run("home", &["status"]);
    assert_eq!((down.status, down.talk.lines().count()), (3, 1));
}
