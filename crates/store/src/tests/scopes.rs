// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scopes: what is destroyed cannot be had from anything the disk still holds, and what is not destroyed stays, whatever
//! fails in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use comptoir_engine::{Scan, Scope, Scopes, View, Write};
use comptoir_kv::{Batch, Disk, FREE_SLOT, Failure, Kv, SLOT_BYTES, SLOTS_FILE};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{all, delete, key, open_core, put, rng};
use crate::core::{DESTROYING, HEADER};
use crate::{Access, Core, EngineKind, Floor, OpenOptions, Store, StoreError, convert};

const TEXT: &[u8] = b"meet me at the counter";

fn scope(thread: u32, generation: u32) -> Scope {
    Scope {
        thread,
        generation,
        period: 0,
    }
}

fn put_in(scope: Scope, key: &[u8], value: &[u8]) -> Write {
    Write::Put {
        key: key.to_vec(),
        value: value.to_vec(),
        scope: Some(scope),
    }
}

fn one(scope: Scope) -> Write {
    Write::Destroy(Scopes::One(scope))
}

/// The rows as they lie on a disk, sealed.
fn rows_on(disk: &Disk) -> Vec<(Vec<u8>, Vec<u8>)> {
    disk.open()
        .unwrap()
        .scan(&[], None, false, usize::MAX)
        .unwrap()
}

fn used_slots(disk: &Disk) -> usize {
    let slots = disk.open().unwrap().slots().unwrap().unwrap();
    slots.iter().filter(|slot| **slot != FREE_SLOT).count()
}

/// Whatever of the text can be had with the root key from these old versions of rows beside these slots.
fn had_from(old_rows: &[(Vec<u8>, Vec<u8>)], slots_of: &Disk) -> Vec<Vec<u8>> {
    let slots = slots_of.open().unwrap().slots().unwrap().unwrap();
    let disk = Disk::new();
    let kv = disk.open().unwrap();
    let batch: Batch = old_rows
        .iter()
        .filter(|(key, _)| key[0] != DESTROYING)
        .map(|(key, value)| (key.clone(), Some(value.clone())))
        .collect();
    kv.write_slots(&(0..).zip(slots).collect::<BTreeMap<_, _>>())
        .unwrap();
    kv.commit(&batch).unwrap();
    let core = Core::open(Arc::new(kv), &key(), &mut rng()).unwrap();
    let opened = old_rows
        .iter()
        .filter(|(key, _)| (1..0xe0).contains(&key[0]))
        .filter_map(|(key, _)| core.committed().get(key).ok().flatten());
    opened.collect()
}

///
#[test]
fn what_is_destroyed_cannot_be_had_from_old_rows_with_the_root_key() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![
        put_in(scope(1, 0), &[7, 1], TEXT),
        put_in(scope(1, 0), &[7, 2], b"edited later"),
        put_in(scope(2, 0), &[7, 3], b"another thread"),
        put(&[5, 1], b"counters"),
    ])
    .unwrap();
    drop(core);
    let before = rows_on(&disk);
    assert_eq!(had_from(&before, &disk).len(), 4);
    let core = open_core(&disk).unwrap();
    core.commit(vec![delete(&[7, 1]), delete(&[7, 2]), one(scope(1, 0))])
        .unwrap();
    drop(core);
    let mut left = had_from(&before, &disk);
    left.sort();
    assert_eq!(left, [&b"another thread"[..], b"counters"]);
    assert_eq!(used_slots(&disk), 1);
}

///
#[test]
fn older_generations_of_a_thread_go_together_and_the_thread_goes_on() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    let period = |period| Scope {
        period,
        ..scope(1, 0)
    };
    core.commit(vec![
        put_in(period(0), &[7, 1], TEXT),
        put_in(period(2952), &[7, 2], TEXT),
        put_in(scope(1, 1), &[7, 3], b"after the deletion"),
        put_in(scope(2, 0), &[7, 4], b"another thread"),
    ])
    .unwrap();
    let before = Scopes::Before {
        thread: 1,
        generation: 1,
    };
    core.commit(vec![
        delete(&[7, 1]),
        delete(&[7, 2]),
        Write::Destroy(before),
    ])
    .unwrap();
    assert_eq!(all(&core.committed()).len(), 2);
    drop(core);
    let core = open_core(&disk).unwrap();
    assert_eq!(all(&core.committed()).len(), 2);
    core.commit(vec![put_in(scope(1, 1), &[7, 5], b"and on")])
        .unwrap();
    drop(core);
    assert_eq!(used_slots(&disk), 2);
}

/// After each failure the store opens, holds either the whole old or the whole new state, and in the end nothing
/// of the old rows can be had.
#[test]
fn a_crash_between_any_two_writes_loses_no_row_and_leaves_no_key() {
    for failure in [Failure::Nothing, Failure::Written] {
        for at_slots in [true, false] {
            for after in 0..4 {
                let story = format!("{failure:?}, slots {at_slots}, after {after}");
                println!("{story}");
                let disk = Disk::new();
                let core = open_core(&disk).unwrap();
                match at_slots {
                    true => disk.fail_slots(after, failure),
                    false => disk.fail_commit(after, failure),
                }
                let steps = [
                    vec![put_in(scope(1, 0), &[7, 1], TEXT)],
                    vec![put_in(scope(2, 0), &[7, 2], b"stays")],
                    vec![delete(&[7, 1]), one(scope(1, 0))],
                    vec![put_in(scope(1, 1), &[7, 3], b"goes on")],
                ];
                let mut old = Vec::new();
                for step in steps {
                    if core.commit(step.clone()).is_err() {
                        assert!(core.submit(step.clone()).is_err(), "{story}");
                        core.reopen(Arc::new(disk.open().unwrap())).unwrap();
                        // Whatever is there can be read.
                        let _ = all(&core.committed());
                        core.commit(step).unwrap();
                    }
                    let sealed = core.kv().get(&[7, 1]).unwrap();
                    old.extend(sealed.map(|sealed| (vec![7, 1], sealed)));
                }
                assert!(!old.is_empty(), "{story}");
                let now = all(&core.committed());
                assert_eq!(
                    now,
                    [
                        (vec![7, 2], b"stays".to_vec()),
                        (vec![7, 3], b"goes on".to_vec())
                    ],
                    "{story}"
                );
                drop(core);
                drop(open_core(&disk).unwrap());
                assert_eq!(used_slots(&disk), 2, "{story}");
                let redo = disk.open().unwrap().scan(&[DESTROYING], None, false, 9);
                assert_eq!(redo.unwrap(), [], "{story}");
                old.push(
                    rows_on(&disk)
                        .into_iter()
                        .find(|(key, _)| key == &[HEADER])
                        .unwrap(),
                );
                old.push(
                    rows_on(&disk)
                        .into_iter()
                        .find(|(key, _)| key[0] == 0xe1)
                        .unwrap(),
                );
                assert_eq!(had_from(&old, &disk), Vec::<Vec<u8>>::new(), "{story}");
            }
        }
    }
}

/// Killed, not failed: the opening alone finishes what stands on the disk.
#[test]
fn what_was_being_destroyed_when_the_process_died_is_destroyed_at_opening() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    let before = rows_on(&disk);
    let core = open_core(&disk).unwrap();
    disk.fail_slots(0, Failure::Nothing);
    core.commit(vec![delete(&[7, 1]), one(scope(1, 0))])
        .unwrap_err();
    assert_eq!(used_slots(&disk), 1);
    drop(open_core(&disk).unwrap());
    assert_eq!(used_slots(&disk), 0);
    assert!(had_from(&before, &disk).is_empty());
    // The slot is given away again, and a redo row of its former key does it no harm.
    let core = open_core(&disk).unwrap();
    core.commit(vec![put_in(scope(9, 0), &[7, 9], b"new")])
        .unwrap();
    let slots = disk.open().unwrap().slots().unwrap().unwrap();
    assert_eq!(slots.len(), 1);
}

#[test]
fn a_redo_row_leaves_a_slot_alone_that_has_another_key_by_now() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    core.commit(vec![delete(&[7, 1]), one(scope(1, 0))])
        .unwrap();
    let redo = disk
        .open()
        .unwrap()
        .scan(&[DESTROYING], None, false, 9)
        .unwrap();
    assert_eq!(redo.len(), 1);
    // A later session: its randomness is not that of the first.
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    let core = Core::open(Arc::new(disk.open().unwrap()), &key(), &mut rng).unwrap();
    core.commit(vec![put_in(scope(1, 1), &[7, 2], b"new")])
        .unwrap();
    drop(core);
    let (row, sealed) = redo.into_iter().next().unwrap();
    disk.open()
        .unwrap()
        .commit(&Batch::from([(row, Some(sealed))]))
        .unwrap();
    let core = open_core(&disk).unwrap();
    assert_eq!(core.committed().get(&[7, 2]).unwrap().unwrap(), b"new");
}

/// invariant 9.
#[test]
fn a_row_without_its_key_is_an_error_that_names_thread_and_file() {
    let spoilers: [fn(&Disk); 2] = [
        |disk| disk.damage_slot(0, [9; SLOT_BYTES]),
        |disk| disk.damage_slot(0, FREE_SLOT),
    ];
    for spoil in spoilers {
        let disk = Disk::new();
        let core = open_core(&disk).unwrap();
        core.commit(vec![
            put_in(scope(41, 0), &[7, 1], TEXT),
            put_in(scope(42, 0), &[7, 2], b"another thread"),
        ])
        .unwrap();
        drop(core);
        spoil(&disk);
        let core = open_core(&disk).unwrap();
        let errors = [
            core.committed().get(&[7, 1]).unwrap_err().to_string(),
            core.view().scan(Scan::all([7])).unwrap_err().to_string(),
        ];
        for error in errors {
            assert!(
                error.contains("thread 41") && error.contains(SLOTS_FILE),
                "{error}"
            );
        }
        assert_eq!(
            core.committed().get(&[7, 2]).unwrap().unwrap(),
            b"another thread"
        );
        // What is said since has a key of its own, and what was said stays an error.
        let mut rng = ChaCha20Rng::from_seed([6; 32]);
        let core = Core::open(Arc::new(disk.open().unwrap()), &key(), &mut rng).unwrap();
        core.commit(vec![put_in(scope(41, 0), &[7, 3], b"since")])
            .unwrap();
        assert_eq!(core.committed().get(&[7, 3]).unwrap().unwrap(), b"since");
        let error = core.committed().get(&[7, 1]).unwrap_err().to_string();
        assert!(
            error.contains("thread 41") && error.contains(SLOTS_FILE),
            "{error}"
        );
    }
}

#[test]
fn a_store_without_its_file_of_keys_is_not_opened_with_a_new_one() {
    let disk = Disk::new();
    drop(open_core(&disk).unwrap());
    disk.remove_slots();
    let error = open_core(&disk).map(drop).unwrap_err();
    assert!(error.to_string().contains(SLOTS_FILE), "{error}");
}

#[test]
fn a_full_disk_refuses_a_new_key_and_the_same_files_go_on() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    disk.set_full(true);
    core.submit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    let Err(StoreError::Kv(error)) = core.commit_group() else {
        panic!("a full disk took a key")
    };
    assert!(error.is_refusal());
    disk.set_full(false);
    core.reopen(core.release_kv().unwrap()).unwrap();
    assert_eq!(all(&core.view()), []);
    core.commit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    assert_eq!(core.committed().get(&[7, 1]).unwrap().unwrap(), TEXT);
}

#[test]
fn a_row_under_a_scope_that_the_same_commit_destroys_is_refused() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.submit(vec![one(scope(1, 0))]).unwrap();
    core.submit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    assert!(matches!(core.commit_group(), Err(StoreError::Refused(_))));
}

/// One write of the file for the first message of a thread, none for those after it, one for all threads of a group.
#[test]
fn a_key_costs_one_write_and_its_later_rows_none() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    disk.fail_slots(1, Failure::Nothing);
    for row in 2..50 {
        core.commit(vec![put_in(scope(1, 0), &[7, row], TEXT)])
            .unwrap();
    }
    let many = (2..200).map(|thread| put_in(scope(thread, 0), &[8, thread as u8], TEXT));
    core.commit(many.collect()).unwrap();
    core.commit(vec![put_in(scope(999, 0), &[9], TEXT)])
        .unwrap_err();
}

/// A disk that lost commits gives back what was deleted, and no key of it.
#[test]
fn what_comes_back_with_an_accepted_loss_is_not_in_the_way() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![
        put_in(scope(1, 0), &[7, 1], TEXT),
        put_in(scope(2, 0), &[7, 2], b"stays"),
    ])
    .unwrap();
    core.commit(vec![delete(&[7, 1]), one(scope(1, 0))])
        .unwrap();
    disk.crash();
    assert_eq!(disk.lose_last(1), 1);
    let kv = disk.open_accepting_loss().unwrap();
    let core = Core::open(Arc::new(kv), &key(), &mut rng()).unwrap();
    assert_eq!(all(&core.view()), [(vec![7, 2], b"stays".to_vec())]);
}

/// As many keys as ten thousand threads have; told for whoever compares machines.
#[test]
fn ten_thousand_keys_are_read_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_folder(folder.path(), EngineKind::Redb);
    let rows = (0..10_000_u32).map(|thread| {
        let row = [&[7][..], &thread.to_be_bytes()].concat();
        put_in(scope(thread, 0), &row, TEXT)
    });
    let made = std::time::Instant::now();
    let core = store.core();
    core.commit(rows.collect()).unwrap();
    let made = made.elapsed();
    let kv = core.kv();
    let keys = crate::scopes::ScopeKeys::new(&super::key(), &mut rng());
    let loaded = std::time::Instant::now();
    keys.load(kv.as_ref(), &core.sealer).unwrap();
    let loaded = loaded.elapsed();
    println!("10,000 keys: {made:?} to make with a row each, {loaded:?} to read");
    assert!(loaded < std::time::Duration::from_secs(2), "{loaded:?}");
    drop(kv);
    store.close();
    let store = open_folder(folder.path(), EngineKind::Redb);
    assert_eq!(
        store.core().committed().scan(Scan::all([7])).unwrap().len(),
        10_000
    );
}

#[test]
fn old_values_of_a_row_and_rows_of_other_scopes_are_told_apart() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![
        put_in(scope(1, 0), &[7, 1], TEXT),
        put_in(scope(2, 0), &[7, 2], TEXT),
        put(&[7, 3], b"as older stores hold it"),
    ])
    .unwrap();
    drop(core);
    let sealed = |row| disk.open().unwrap().get(&[7, row]).unwrap().unwrap();
    let (one, two) = (sealed(1), sealed(2));
    // The name of another scope on a row opens nothing.
    let mut renamed = one.clone();
    renamed[8..20].copy_from_slice(&two[8..20]);
    for (row, value) in [(2, &one), (1, &two), (1, &renamed)] {
        let kv = disk.open().unwrap();
        kv.commit(&Batch::from([(vec![7, row], Some(value.clone()))]))
            .unwrap();
        let core = Core::open(Arc::new(kv), &key(), &mut rng()).unwrap();
        assert!(core.committed().get(&[7, row]).is_err());
        assert_eq!(
            core.committed().get(&[7, 3]).unwrap().unwrap(),
            b"as older stores hold it"
        );
        let back = Batch::from([
            (vec![7, 1], Some(one.clone())),
            (vec![7, 2], Some(two.clone())),
        ]);
        core.kv().commit(&back).unwrap();
    }
}

fn options(engine: EngineKind) -> OpenOptions {
    OpenOptions {
        engine,
        floor: Floor::NONE,
        ..OpenOptions::default()
    }
}

fn open_folder(folder: &Path, engine: EngineKind) -> Store {
    Store::open(folder, &Access::KeyFile, &options(engine), &mut rng()).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        match path.is_dir() {
            true => copy_folder(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// The whole folder as it was before, every old segment of it, beside the file of keys as it is now.
#[test]
fn the_old_folder_with_todays_keys_gives_nothing_back() {
    for engine in [EngineKind::Sled, EngineKind::Redb] {
        let (folder, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open_folder(folder.path(), engine);
        let core = store.core();
        core.commit(vec![put_in(scope(1, 0), &[7, 1], b"first words")])
            .unwrap();
        core.commit(vec![
            put_in(scope(1, 0), &[7, 1], TEXT),
            put_in(scope(2, 0), &[7, 2], b"another thread"),
        ])
        .unwrap();
        store.close();
        copy_folder(folder.path(), old.path());
        let store = open_folder(folder.path(), engine);
        let commit = store.core().commit(vec![delete(&[7, 1]), one(scope(1, 0))]);
        commit.unwrap();
        store.close();
        fs::copy(folder.path().join(SLOTS_FILE), old.path().join(SLOTS_FILE)).unwrap();
        let store = open_folder(old.path(), engine);
        let core = store.core();
        let error = core.committed().get(&[7, 1]).unwrap_err();
        assert!(error.to_string().contains("thread 1"), "{error}");
        assert_eq!(
            core.committed().get(&[7, 2]).unwrap().unwrap(),
            b"another thread"
        );
        // And no file holds the text as it was said.
        for root in [folder.path(), old.path()] {
            for bytes in files(root) {
                assert!(!bytes.windows(TEXT.len()).any(|window| window == TEXT));
            }
        }
    }
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![fs::read(&path).unwrap()],
        })
        .collect()
}

///
#[test]
fn conversion_keeps_every_key_and_copies_none() {
    for (from, to) in [
        (EngineKind::Sled, EngineKind::Redb),
        (EngineKind::Redb, EngineKind::Sled),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open_folder(folder.path(), from);
        for thread in 1..20 {
            let row = [7, thread as u8];
            store
                .core()
                .commit(vec![put_in(scope(thread, 0), &row, TEXT)])
                .unwrap();
        }
        let gone = vec![delete(&[7, 3]), one(scope(3, 0))];
        store.core().commit(gone).unwrap();
        store.close();
        let keys = fs::read(folder.path().join(SLOTS_FILE)).unwrap();
        convert(folder.path(), &Access::KeyFile, to, &options(to)).unwrap();
        assert_eq!(fs::read(folder.path().join(SLOTS_FILE)).unwrap(), keys);
        let store = open_folder(folder.path(), to);
        assert_eq!(
            store.core().committed().scan(Scan::all([7])).unwrap().len(),
            18
        );
    }
}

#[test]
fn a_cut_or_garbled_file_of_keys_loses_what_it_lost_and_nothing_else() {
    for spoil in [
        (|bytes| bytes.truncate(SLOT_BYTES + 40)) as fn(&mut Vec<u8>),
        |bytes| bytes[SLOT_BYTES + 40..2 * SLOT_BYTES].fill(0),
        |bytes| bytes.extend([7; 77]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open_folder(folder.path(), EngineKind::Sled);
        for thread in 0..2 {
            let row = [7, thread as u8];
            store
                .core()
                .commit(vec![put_in(scope(thread, 0), &row, TEXT)])
                .unwrap();
        }
        store.close();
        let path = folder.path().join(SLOTS_FILE);
        let mut bytes = fs::read(&path).unwrap();
        let whole = bytes.clone();
        spoil(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let store = open_folder(folder.path(), EngineKind::Sled);
        let core = store.core();
        assert_eq!(core.committed().get(&[7, 0]).unwrap().unwrap(), TEXT);
        let second = core.committed().get(&[7, 1]);
        assert_eq!(second.is_ok(), bytes.starts_with(&whole), "{second:?}");
        // What does not open is nobody's: a new key lies behind it.
        core.commit(vec![put_in(scope(5, 0), &[7, 5], TEXT)])
            .unwrap();
        store.close();
        let after = fs::read(&path).unwrap();
        assert_eq!(
            after.len(),
            (bytes.len().div_ceil(SLOT_BYTES) + 1) * SLOT_BYTES
        );
        assert_eq!(after[..bytes.len()], bytes);
    }
}

#[test]
fn the_file_of_keys_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open_folder(folder.path(), EngineKind::Redb);
    store
        .core()
        .commit(vec![put_in(scope(1, 0), &[7, 1], TEXT)])
        .unwrap();
    let path = folder.path().join(SLOTS_FILE);
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
