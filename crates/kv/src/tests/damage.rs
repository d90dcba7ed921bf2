// SPDX-License-Identifier: MIT OR Apache-2.0
//! Damaged files: a store opens with everything it acknowledged, or says that it does not; never in silence.
//!
//! The store to be damaged is written by a process that is then killed, as a disk would be found after a fall: a clean
//! close would leave nothing in the log to recover.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{EngineKind, KvError, check_numbered, numbered, open, opened, options};
use crate::Options;

const COMMITS: u64 = 600;

/// The part of these tests that is killed.
#[test]
fn child_commits_until_killed() {
    let Ok(folder) = std::env::var("COMPTOIR_KV_TEST_COMMIT") else {
        return;
    };
    let engine = std::env::var("COMPTOIR_KV_TEST_ENGINE")
        .unwrap()
        .parse()
        .unwrap();
    let store = opened(Path::new(&folder), engine);
    let commits = std::env::var("COMPTOIR_KV_TEST_COMMITS").unwrap();
    for number in 0..commits.parse().unwrap() {
        store.commit(&numbered(number)).unwrap();
    }
    println!("committed");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// A folder with 600 acknowledged commits, whose process was killed.
fn killed(engine: EngineKind) -> tempfile::TempDir {
    killed_after(engine, COMMITS)
}

/// A folder with so many acknowledged commits, whose process was killed.
pub(super) fn killed_after(engine: EngineKind, commits: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::damage::child_commits_until_killed",
            "--nocapture",
        ])
        .env("COMPTOIR_KV_TEST_COMMIT", folder.path())
        .env("COMPTOIR_KV_TEST_ENGINE", engine.name())
        .env("COMPTOIR_KV_TEST_COMMITS", commits.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("committed")));
    child.kill().unwrap();
    child.wait().unwrap();
    folder
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(super) fn log_of(folder: &Path, engine: EngineKind) -> PathBuf {
    match engine {
        EngineKind::Redb => folder.join("data-1.redb/rows.redb"),
        _ => folder.join("data-1.sled/db"),
    }
}

pub(super) fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// What opening and reading everything gave.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Whole,
    Lost,
    Refused,
}

fn outcome(folder: &Path, engine: EngineKind) -> Outcome {
    outcome_after(folder, engine, COMMITS)
}

/// The same of a folder with so many commits.
pub(super) fn outcome_after(folder: &Path, engine: EngineKind, all: u64) -> Outcome {
    let read = open(&options(folder, engine)).and_then(|store| check_numbered(store.as_ref(), all));
    match read {
        Ok(()) => Outcome::Whole,
        Err(KvError::Lost { commits }) => {
            assert!(commits > 0 && commits <= all);
            Outcome::Lost
        }
        Err(KvError::Corrupt(_) | KvError::Poisoned(_)) => Outcome::Refused,
        Err(error) => panic!("{error:?}"),
    }
}

/// The last byte that is not zero: the end of what was written, in a file that is allocated ahead.
pub(super) fn written_end(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64
}

fn damaged(source: &Path, engine: EngineKind, damage: impl FnOnce(&Path)) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    copy(source, folder.path());
    damage(&log_of(folder.path(), engine));
    outcome(folder.path(), engine)
}

#[test]
fn a_killed_store_opens_whole() {
    for engine in EngineKind::ON_DISK {
        assert_eq!(outcome(killed(engine).path(), engine), Outcome::Whole);
    }
}

#[test]
fn a_cut_log_is_never_opened_in_silence() {
    for engine in EngineKind::ON_DISK {
        let source = killed(engine);
        let end = written_end(&log_of(source.path(), engine));
        let mut outcomes = Vec::new();
        for cut in [1, 40, 300, 3_000, 20_000, 60_000] {
            outcomes.push(damaged(source.path(), engine, |log| {
                OpenOptions::new()
                    .write(true)
                    .open(log)
                    .unwrap()
                    .set_len(end - cut)
                    .unwrap();
            }));
        }
        println!("{engine}: {outcomes:?}");
        assert!(
            outcomes.iter().any(|outcome| *outcome != Outcome::Whole),
            "{engine}: no cut was noticed"
        );
    }
}

#[test]
fn flipped_bits_are_never_opened_in_silence() {
    for engine in EngineKind::ON_DISK {
        let source = killed(engine);
        let end = written_end(&log_of(source.path(), engine));
        let mut outcomes = Vec::new();
        let tail = [1, 17, 90, 400, 5_000].map(|before| end - before);
        let spread = (1..24).map(|step| end * step / 24 + step);
        for at in tail.into_iter().chain(spread) {
            outcomes.push(damaged(source.path(), engine, |log| flip(log, at)));
        }
        println!("{engine}: {outcomes:?}");
        assert!(
            outcomes.iter().any(|outcome| *outcome != Outcome::Whole),
            "{engine}: no flip was noticed"
        );
    }
}

#[test]
fn sled_settings_come_back_from_their_copy() {
    let source = killed(EngineKind::Sled);
    let bytes = fs::metadata(source.path().join("data-1.sled/conf"))
        .unwrap()
        .len();
    for at in 0..bytes {
        let folder = tempfile::tempdir().unwrap();
        copy(source.path(), folder.path());
        flip(&folder.path().join("data-1.sled/conf"), at);
        assert_eq!(
            outcome(folder.path(), EngineKind::Sled),
            Outcome::Whole,
            "byte {at}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    copy(source.path(), folder.path());
    fs::write(folder.path().join("data-1.sled/conf"), [0; 62]).unwrap();
    assert_eq!(outcome(folder.path(), EngineKind::Sled), Outcome::Whole);
}

#[test]
fn the_watermark_survives_one_torn_slot_and_not_two() {
    let source = killed(EngineKind::Sled);
    let damaged = |at: &[u64]| {
        let folder = tempfile::tempdir().unwrap();
        copy(source.path(), folder.path());
        at.iter()
            .for_each(|at| flip(&folder.path().join("data-1.sled/watermark"), *at));
        outcome(folder.path(), EngineKind::Sled)
    };
    assert_eq!(damaged(&[10]), Outcome::Whole);
    assert_eq!(damaged(&[100]), Outcome::Whole);
    assert_eq!(damaged(&[10, 100]), Outcome::Refused);

    fs::remove_file(source.path().join("data-1.sled/watermark")).unwrap();
    assert_eq!(outcome(source.path(), EngineKind::Sled), Outcome::Refused);
}

#[test]
fn another_key_does_not_accept_the_watermark() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path(), EngineKind::Sled)
        .commit(&numbered(0))
        .unwrap();
    let error = open(&Options {
        watermark_key: [1; 32],
        ..options(folder.path(), EngineKind::Sled)
    })
    .map(drop);
    assert!(matches!(error, Err(KvError::Corrupt(_))), "{error:?}");
}

#[test]
fn an_old_log_put_back_is_a_loss_until_it_is_accepted() {
    for engine in EngineKind::ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        let old = tempfile::tempdir().unwrap();
        let store = opened(folder.path(), engine);
        (0..5).for_each(|number| store.commit(&numbered(number)).unwrap());
        drop(store);
        copy(folder.path(), old.path());
        let store = opened(folder.path(), engine);
        (5..12).for_each(|number| store.commit(&numbered(number)).unwrap());
        drop(store);

        let data = log_of(folder.path(), engine)
            .parent()
            .unwrap()
            .to_path_buf();
        let watermark = fs::read(data.join("watermark")).unwrap();
        fs::remove_dir_all(&data).unwrap();
        copy(log_of(old.path(), engine).parent().unwrap(), &data);
        fs::write(data.join("watermark"), watermark).unwrap();

        for _ in 0..2 {
            let error = open(&options(folder.path(), engine)).map(drop).unwrap_err();
            assert!(matches!(error, KvError::Lost { commits: 7 }), "{error}");
        }
        let store = open(&Options {
            accept_loss: true,
            ..options(folder.path(), engine)
        })
        .unwrap();
        assert_eq!(store.stats().unwrap().commits_lost, 7);
        check_numbered(store.as_ref(), 5).unwrap();
        drop(store);
        check_numbered(opened(folder.path(), engine).as_ref(), 5).unwrap();
    }
}
