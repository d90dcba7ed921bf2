// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stores in folders: opened, opened again, converted.

use std::fs;
use std::path::Path;

use comptoir_engine::{Scan, View};

use super::{put, rng};
use crate::{Access, EngineKind, Floor, OpenOptions, Store, StoreError, convert};

fn options(engine: EngineKind) -> OpenOptions {
    OpenOptions {
        engine,
        floor: Floor::NONE,
        ..OpenOptions::default()
    }
}

fn open(folder: &Path, engine: EngineKind) -> Store {
    Store::open(folder, &Access::KeyFile, &options(engine), &mut rng()).unwrap()
}

fn rows(store: &Store) -> usize {
    store.core().committed().scan(Scan::all([1])).unwrap().len()
}

#[test]
fn rows_survive_and_the_key_is_needed() {
    for engine in [EngineKind::Sled, EngineKind::Redb] {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::Passphrase(b"right");
        let store = Store::open(folder.path(), &access, &options(engine), &mut rng()).unwrap();
        store
            .core()
            .commit(vec![put(&[1, 1], b"row"), put(&[1, 2], &[9; 20_000])])
            .unwrap();
        drop(store);
        let wrong = Store::open(
            folder.path(),
            &Access::Passphrase(b"wrong"),
            &options(engine),
            &mut rng(),
        );
        assert!(matches!(wrong.map(drop), Err(StoreError::Unlock(_))));
        let store = Store::open(folder.path(), &access, &options(engine), &mut rng()).unwrap();
        assert_eq!(rows(&store), 2);
        assert_eq!(
            store.core().committed().get(&[1, 2]).unwrap().unwrap(),
            [9; 20_000]
        );
    }
}

#[test]
fn a_store_whose_lock_is_gone_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), EngineKind::Redb)
        .core()
        .commit(vec![put(&[1, 1], b"row")])
        .unwrap();
    fs::rename(folder.path().join("unlock"), folder.path().join("aside")).unwrap();
    let opened = Store::open(
        folder.path(),
        &Access::KeyFile,
        &options(EngineKind::Redb),
        &mut rng(),
    );
    assert!(matches!(opened.map(drop), Err(StoreError::Corrupt(_))));
    fs::rename(folder.path().join("aside"), folder.path().join("unlock")).unwrap();
    assert_eq!(rows(&open(folder.path(), EngineKind::Redb)), 1);
}

#[test]
fn a_stopped_store_opens_again_in_place() {
    for engine in [EngineKind::Sled, EngineKind::Redb] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), engine);
        let core = store.core();
        core.commit(vec![put(&[1, 1], b"row")]).unwrap();
        core.submit(vec![put(&[1, 2], b"not durable")]).unwrap();
        core.kv().close().unwrap();
        assert!(core.commit_group().is_err());
        assert!(core.committed().get(&[1, 1]).is_err());
        store.reopen().unwrap();
        assert_eq!(rows(&store), 1);
        core.commit(vec![put(&[1, 3], b"row")]).unwrap();
        assert_eq!(rows(&store), 2);
    }
}

#[test]
fn conversion_keeps_every_row_and_the_key() {
    for (from, to) in [
        (EngineKind::Sled, EngineKind::Redb),
        (EngineKind::Redb, EngineKind::Sled),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), from);
        for step in 0..50 {
            store
                .core()
                .commit(vec![put(&[1, step], &[step; 900])])
                .unwrap();
        }
        store.core().acknowledge("hook", 3, 4).unwrap();
        let busy = convert(folder.path(), &Access::KeyFile, to, &options(to));
        assert!(
            matches!(busy, Err(StoreError::Kv(crate::KvError::Locked { .. }))),
            "{busy:?}"
        );
        let before = store.core().committed().scan(Scan::all([1])).unwrap();
        drop(store);
        convert(folder.path(), &Access::KeyFile, to, &options(to)).unwrap();
        let store = open(folder.path(), from);
        assert_eq!(store.core().stats().unwrap().engine, to);
        assert_eq!(
            store.core().committed().scan(Scan::all([1])).unwrap(),
            before
        );
        assert_eq!(
            store.core().consumer("hook").unwrap().unwrap().acknowledged,
            3
        );
    }
}

#[test]
fn a_second_store_on_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path(), EngineKind::Sled);
    let second = Store::open(
        folder.path(),
        &Access::KeyFile,
        &options(EngineKind::Sled),
        &mut rng(),
    );
    let error = second.map(drop).unwrap_err();
    assert!(
        error.to_string().contains("is in use by process"),
        "{error}"
    );
}

#[test]
fn reopening_waits_for_room_and_reads_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), EngineKind::Sled)
        .core()
        .commit(vec![put(&[1, 1], b"row")])
        .unwrap();
    let floor = Floor {
        least_bytes: u64::MAX,
        times_store: 0,
    };
    let full = OpenOptions {
        floor,
        ..options(EngineKind::Sled)
    };
    let store = Store::open(folder.path(), &Access::KeyFile, &full, &mut rng()).unwrap();
    let core = store.core();
    assert!(core.room().is_err());
    core.submit(vec![put(&[1, 2], b"row")]).unwrap();
    assert!(matches!(
        core.commit_group(),
        Err(StoreError::Kv(crate::KvError::Full { .. }))
    ));
    for _ in 0..2 {
        assert!(matches!(
            store.reopen(),
            Err(StoreError::Kv(crate::KvError::Full { .. }))
        ));
        assert_eq!(rows(&store), 1);
    }
}
