// SPDX-License-Identifier: MIT OR Apache-2.0
//! sled's snapshots, cut off while one was written and damaged later; and segments of its log destroyed.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::EngineKind;
use super::damage::{Outcome, copy, flip, killed_after, log_of, outcome_after, written_end};

/// A handful of segments, each of which loses other rows when it goes.
const COMMITS: u64 = 2_400;

/// sled's segments, as its configuration has them by default.
const SEGMENT_BYTES: u64 = 512 << 10;

fn killed() -> tempfile::TempDir {
    killed_after(EngineKind::Sled, COMMITS)
}

fn outcome(folder: &Path) -> Outcome {
    outcome_after(folder, EngineKind::Sled, COMMITS)
}

/// A killed store, opened once more and killed again: now it has a snapshot.
fn reopened() -> (tempfile::TempDir, PathBuf) {
    let folder = killed();
    assert_eq!(outcome(folder.path()), Outcome::Whole);
    let snapshot = snapshots(folder.path()).pop().expect("opening writes one");
    (folder, snapshot)
}

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder.join("data-1.sled"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| name(path).starts_with("snap."))
        .collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// A copy of a store, and the same file in it.
fn copied(folder: &Path, file: &Path) -> (tempfile::TempDir, PathBuf) {
    let target = tempfile::tempdir().unwrap();
    copy(folder, target.path());
    let file = target.path().join(file.strip_prefix(folder).unwrap());
    (target, file)
}

/// The next snapshot, half written: the power failed while sled opened.
#[test]
fn an_unfinished_snapshot_costs_nothing() {
    let first = killed();
    let (second, snapshot) = reopened();
    let whole = fs::read(&snapshot).unwrap();
    let mut damaged = vec![
        whole[..whole.len() / 2].to_vec(),
        whole[..whole.len() - 1].to_vec(),
    ];
    damaged.extend([0, 1, 12, 13, 100].map(|bytes| whole[..bytes].to_vec()));
    damaged.extend([0, 40, whole.len() - 12, whole.len() - 1].map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        flipped
    }));
    let unfinished = format!("{}.generating", name(&snapshot));
    let later = "snap.7FFFFFFFFFFFFFFF.generating".to_owned();
    for source in [first.path(), second.path()] {
        for bytes in &damaged {
            for unfinished in [&unfinished, &later] {
                let (folder, log) = copied(source, &log_of(source, EngineKind::Sled));
                fs::write(log.with_file_name(unfinished), bytes).unwrap();
                assert_eq!(
                    outcome(folder.path()),
                    Outcome::Whole,
                    "{} bytes",
                    bytes.len()
                );
                assert!(
                    snapshots(folder.path())
                        .iter()
                        .all(|path| !name(path).ends_with(".generating"))
                );
            }
        }
    }
}

/// A snapshot counts from the moment of its final name, and was synced before: damage to it is damage to the disk.
#[test]
fn a_snapshot_damaged_under_its_name_is_refused() {
    let (source, snapshot) = reopened();
    let bytes = fs::metadata(&snapshot).unwrap().len();
    for cut in [0, 1, 12, bytes / 2, bytes - 1] {
        let (folder, file) = copied(source.path(), &snapshot);
        fs::File::options()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_len(cut))
            .unwrap();
        assert_eq!(outcome(folder.path()), Outcome::Refused, "cut to {cut}");
        assert!(file.exists(), "it is not touched");
    }
    // The eight bytes before the sum are a length that sled does not read.
    for at in [0, 1, bytes / 3, bytes / 2, bytes - 13, bytes - 4, bytes - 1] {
        let (folder, file) = copied(source.path(), &snapshot);
        flip(&file, at);
        assert_eq!(outcome(folder.path()), Outcome::Refused, "flipped at {at}");
    }
}

/// With a snapshot and without one: what lay in a segment that is gone is missed, not passed over. `outcome` compares
/// every row, and fails by itself when a store that opens has not all of them.
#[test]
fn a_destroyed_segment_is_never_passed_in_silence() {
    let first = killed();
    let (second, _) = reopened();
    for source in [first.path(), second.path()] {
        let log = log_of(source, EngineKind::Sled);
        let segments = written_end(&log) / SEGMENT_BYTES + 1;
        let mut outcomes = Vec::new();
        for segment in 0..segments {
            let header = (0, 40);
            let (whole, half) = ((0, SEGMENT_BYTES), (SEGMENT_BYTES / 2, SEGMENT_BYTES / 2));
            for (from, bytes) in [header, whole, half, (100 << 10, 8)] {
                let (folder, log) = copied(source, &log);
                zero(&log, segment * SEGMENT_BYTES + from, bytes);
                outcomes.push(outcome(folder.path()));
            }
        }
        println!("{segments} segments: {outcomes:?}");
        assert!(segments > 4, "the log is too short to lose a part of it");
        let noticed = outcomes
            .iter()
            .filter(|outcome| **outcome != Outcome::Whole);
        assert!(noticed.count() as u64 > segments, "{outcomes:?}");
    }
}

fn zero(file: &Path, from: u64, bytes: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    let end = file.metadata().unwrap().len();
    let zeros = vec![0; bytes.min(end.saturating_sub(from)) as usize];
    file.write_all_at(&zeros, from).unwrap();
}
