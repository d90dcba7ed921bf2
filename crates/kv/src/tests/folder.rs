// SPDX-License-Identifier: MIT OR Apache-2.0
//! Folders: locks, rebuilds, formats, and folders that cannot be written to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{EngineKind, KvError, check_numbered, numbered, open, opened, options, put};
use crate::tests::full::Mounted;
use crate::{DirectoryLock, present, rebuild};

const ENGINES: [EngineKind; 2] = EngineKind::ON_DISK;

#[test]
fn a_second_opening_names_the_folder_and_the_process() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let _store = opened(folder.path(), engine);
        let error = open(&options(folder.path(), engine)).map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the folder {} is in use by process {}: stop it first, or name another folder",
                folder.path().display(),
                std::process::id()
            )
        );
    }
}

/// The part of the test below that runs in a process of its own.
#[test]
fn child_holds_the_folder() {
    let Ok(folder) = std::env::var("COMPTOIR_KV_TEST_HOLD") else {
        return;
    };
    let _lock = DirectoryLock::take(Path::new(&folder)).unwrap();
    println!("held");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_second_process_is_refused_until_the_first_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::folder::child_holds_the_folder",
            "--nocapture",
        ])
        .env("COMPTOIR_KV_TEST_HOLD", folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("held")));
    let refused = open(&options(folder.path(), EngineKind::Sled)).map(drop);
    match refused {
        Err(KvError::Locked { process, .. }) => assert_eq!(process, Some(child.id())),
        other => panic!("{other:?}"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    opened(folder.path(), EngineKind::Sled);
}

#[test]
fn a_new_folder_is_its_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    opened(&folder, EngineKind::Redb);
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_rebuild_keeps_every_row_in_either_direction() {
    for (from, to) in [
        (EngineKind::Sled, EngineKind::Redb),
        (EngineKind::Redb, EngineKind::Sled),
        (EngineKind::Sled, EngineKind::Sled),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(folder.path(), from);
        for number in 0..300 {
            store.commit(&numbered(number)).unwrap();
        }
        store.commit(&put(b"large", &vec![4; 70_000])).unwrap();
        drop(store);
        let rebuilt = rebuild(&options(folder.path(), from), to).unwrap();
        assert_eq!(rebuilt.engine, to);
        assert_eq!(present(folder.path()).unwrap(), Some(to));
        // The engine asked for is that of a new folder; this one says itself what it is.
        let store = opened(folder.path(), from);
        assert_eq!(store.stats().unwrap().engine, to);
        check_numbered(store.as_ref(), 300).unwrap();
        assert_eq!(store.get(b"large").unwrap().unwrap(), vec![4; 70_000]);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            3,
            "lock, current and one data folder"
        );
    }
}

#[test]
fn a_rebuild_cut_short_leaves_the_old_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), EngineKind::Sled);
    store.commit(&numbered(0)).unwrap();
    drop(store);
    fs::create_dir(folder.path().join("data-2.redb")).unwrap();
    fs::write(folder.path().join("data-2.redb/rows.redb"), b"half a file").unwrap();
    fs::write(folder.path().join("current.new"), b"comptoir-kv").unwrap();
    check_numbered(opened(folder.path(), EngineKind::Sled).as_ref(), 1).unwrap();
    assert!(!folder.path().join("data-2.redb").exists());
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path(), EngineKind::Sled);
    fs::write(
        folder.path().join("current"),
        "comptoir-kv 2\nsomething else\n",
    )
    .unwrap();
    let error = open(&options(folder.path(), EngineKind::Sled))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, KvError::Newer { found: 2, known: 1 }),
        "{error}"
    );
    assert!(folder.path().join("data-1.sled/db").exists());
}

#[test]
fn a_missing_or_mangled_current_is_told_and_nothing_is_removed() {
    for text in [
        None,
        Some(""),
        Some("comptoir-kv 1\n"),
        Some("comptoir-kv 1\ndata-9.redb\n"),
        Some("\u{fffd}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(folder.path(), EngineKind::Redb);
        store.commit(&numbered(0)).unwrap();
        drop(store);
        let current = folder.path().join("current");
        match text {
            Some(text) => fs::write(&current, text).unwrap(),
            None => fs::remove_file(&current).unwrap(),
        }
        let error = open(&options(folder.path(), EngineKind::Sled))
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, KvError::Corrupt(_)), "{text:?}: {error}");
        fs::write(&current, "comptoir-kv 1\ndata-1.redb\n").unwrap();
        check_numbered(opened(folder.path(), EngineKind::Redb).as_ref(), 1).unwrap();
    }
}

#[test]
fn a_creation_cut_short_starts_again() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        opened(folder.path(), engine);
        fs::remove_file(folder.path().join("current")).unwrap();
        let store = opened(folder.path(), engine);
        store.commit(&numbered(0)).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    let Some(mounted) = Mounted::tmpfs("16m") else {
        println!("not run: this user may not mount a file system");
        return;
    };
    let folder = mounted.path().join("home");
    opened(&folder, EngineKind::Sled)
        .commit(&numbered(0))
        .unwrap();
    mounted.remount("ro");
    let error = open(&options(&folder, EngineKind::Sled))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, KvError::ReadOnly(_)), "{error}");
    assert!(
        error.to_string().contains("cannot be written to"),
        "{error}"
    );
    let error = open(&options(&mounted.path().join("other"), EngineKind::Redb))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, KvError::ReadOnly(_)), "{error}");
    mounted.remount("rw");
    check_numbered(opened(&folder, EngineKind::Sled).as_ref(), 1).unwrap();
}
