// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stories of the binary, as somebody with a terminal and the README lives them.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod binary;
mod embedding;
mod odd;
mod public_api;
mod walk;

use std::fs;

use binary::{Folder, retry};

#[test]
fn a_newcomer_with_an_invite_and_no_relay_is_met() {
    let folder = Folder::new("newcomer");
    let (_relay, relay_link) = folder.background(
        "relay",
        &["relay", "run", "--open", "--listen", "/ip4/127.0.0.1/tcp/0"],
    );
    fs::write(folder.path("passphrase"), "correct horse\n").unwrap();
    // A bare file name for the phrase: it lies in the working folder.
    let lock = ["--passphrase-file", "passphrase"];
    let init = [
        "init",
        "--name",
        "Alice",
        "--relay",
        relay_link.as_str(),
        "--phrase-file",
        "alice.words",
    ];
    folder.run("alice", &[&init[..], &lock[..]].concat()).good();
    let (_alice, _) = folder.background(
        "alice",
        &[&["up", "--listen", "/ip4/127.0.0.1/tcp/0"][..], &lock[..]].concat(),
    );
    assert_eq!(
        folder.run("alice", &["contacts"]).good(),
        "",
        "an empty list is no line"
    );

    let invite = folder.run("alice", &["invite"]).good();
    let init = [
        "init",
        "--name",
        "Bob",
        "--invite",
        invite.trim(),
        "--phrase-file",
        "bob.words",
        "--no-passphrase",
    ];
    folder.run("bob", &init).good();
    let (_bob, _) = folder.background("bob", &["up", "--listen", "/ip4/127.0.0.1/tcp/0"]);
    retry("bob's request comes", || {
        folder.run("alice", &["requests"]).good().contains("Bob")
    });
    assert_eq!(folder.run("alice", &["accept", "nobody"]).status, 5);
    folder.run("alice", &["accept", "bob"]).good();
    retry("bob hears of it", || {
        folder.run("bob", &["send", "alice", "hello"]).status == 0
    });
    retry("the message comes", || {
        folder
            .run("alice", &["history", "Bob"])
            .good()
            .contains("Bob: hello")
    });

    let digits = |text: String| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let (hers, his) = (
        folder.run("alice", &["verify", "Bob"]).good(),
        folder.run("bob", &["verify", "Alice"]).good(),
    );
    assert_eq!(digits(hers).len(), 60);
    assert_eq!(
        digits(folder.run("alice", &["verify", "Bob"]).good()),
        digits(his)
    );

    let second = folder.run("alice", &[&["up"][..], &lock[..]].concat());
    assert!(
        second.status == 1 && second.talk.contains("in use by process"),
        "{}",
        second.talk
    );
    let convert = folder.run(
        "alice",
        &[&["store", "convert", "--to", "redb"][..], &lock[..]].concat(),
    );
    assert!(
        convert.status == 1 && convert.talk.contains("in use by process"),
        "{}",
        convert.talk
    );

    let lines = folder.run_with_stdin("bob", &["send", "Alice", "-", "--lines"], "one\n\nthree\n");
    assert_eq!(
        (lines.status, lines.data.lines().count()),
        (0, 2),
        "{}",
        lines.talk
    );
    let log = fs::read_to_string(folder.path("alice/comptoir.log")).unwrap();
    assert!(
        !log.contains("hello") && !log.contains("correct horse"),
        "{log}"
    );
}

#[test]
fn what_init_refuses_leaves_nothing_that_hinders_the_next() {
    let folder = Folder::new("refused");
    let bad_link = folder.run(
        "home",
        &[
            "init",
            "--relay",
            "nonsense",
            "--phrase-file",
            "words",
            "--no-passphrase",
        ],
    );
    assert_eq!(bad_link.status, 2, "{}", bad_link.talk);
    assert!(!folder.path("words").exists() && !folder.path("home").exists());

    let empty = folder.run_with_stdin(
        "home",
        &["init", "--phrase-file", "words", "--passphrase-stdin"],
        "\n",
    );
    assert_eq!(empty.status, 2, "{}", empty.talk);

    fs::write(folder.path("words"), "two words\n").unwrap();
    let bad_phrase = folder.run(
        "home",
        &["init", "--phrase-file", "words", "--no-passphrase"],
    );
    assert!(
        bad_phrase.status == 1 && bad_phrase.talk.contains("24 words"),
        "{}",
        bad_phrase.talk
    );

    fs::remove_file(folder.path("words")).unwrap();
    let init = ["init", "--phrase-file", "words", "--passphrase-stdin"];
    let made = folder.run_with_stdin("home", &init, "secret\n");
    assert_eq!(made.status, 0, "{}", made.talk);
    let again = folder.run_with_stdin("home", &init, "secret\n");
    assert_eq!(again.status, 6, "{}", again.talk);
    let wrong = folder.run_with_stdin("home", &["up", "--passphrase-stdin"], "wrong\n");
    assert!(
        wrong.status == 1 && wrong.talk.contains("wrong passphrase"),
        "{}",
        wrong.talk
    );

    for engine in ["redb", "sled"] {
        let there = folder.run_with_stdin(
            "home",
            &["store", "convert", "--to", engine, "--passphrase-stdin"],
            "secret\n",
        );
        assert_eq!(there.status, 0, "{}", there.talk);
    }
    assert_eq!(
        folder
            .run("home", &["service", "install", "--print"])
            .status,
        2,
        "nobody could type the passphrase"
    );
    let unit = folder
        .run(
            "home",
            &["service", "install", "--print", "--passphrase-file", "p"],
        )
        .good();
    assert!(
        unit.contains(&format!(
            "--passphrase-file \"{}\"",
            folder.path("p").display()
        )),
        "{unit}"
    );
    assert_eq!(folder.run("home", &["status"]).status, 3);
}
