// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faults of the store in memory.

use super::{Kv, KvError, check_numbered, numbered, put};
use crate::{Disk, Failure};

#[test]
fn a_crash_cuts_the_handle_off_and_keeps_what_was_committed() {
    let disk = Disk::new();
    let store = disk.open().unwrap();
    store.commit(&put(b"a", b"1")).unwrap();
    disk.crash();
    assert!(matches!(store.get(b"a"), Err(KvError::Poisoned(_))));
    assert!(matches!(
        store.commit(&put(b"a", b"2")),
        Err(KvError::Poisoned(_))
    ));
    assert_eq!(disk.open().unwrap().get(b"a").unwrap().unwrap(), b"1");
}

#[test]
fn a_failed_commit_stops_the_store_whether_it_was_written_or_not() {
    for (failure, commits) in [(Failure::Nothing, 3), (Failure::Written, 4)] {
        let disk = Disk::new();
        let store = disk.open().unwrap();
        disk.fail_commit(3, failure);
        for number in 0..3 {
            store.commit(&numbered(number)).unwrap();
        }
        assert!(matches!(
            store.commit(&numbered(3)),
            Err(KvError::Poisoned(_))
        ));
        assert!(matches!(
            store.commit(&numbered(4)),
            Err(KvError::Poisoned(_))
        ));
        check_numbered(&disk.open().unwrap(), commits).unwrap();
    }
}

#[test]
fn lost_commits_are_told_until_they_are_accepted() {
    let disk = Disk::new();
    let store = disk.open().unwrap();
    for number in 0..20 {
        store.commit(&numbered(number)).unwrap();
    }
    disk.crash();
    assert_eq!(disk.lose_last(6), 6);
    assert!(matches!(disk.open(), Err(KvError::Lost { commits: 6 })));
    let store = disk.open_accepting_loss().unwrap();
    assert_eq!(store.stats().unwrap().commits_lost, 6);
    check_numbered(&store, 14).unwrap();
    disk.open().unwrap();
}

#[test]
fn a_rollback_of_the_whole_disk_shows_nothing() {
    let disk = Disk::new();
    let store = disk.open().unwrap();
    store.commit(&numbered(0)).unwrap();
    let snapshot = disk.snapshot();
    store.commit(&numbered(1)).unwrap();
    disk.roll_back(&snapshot);
    assert!(store.get(b"a").is_err());
    check_numbered(&disk.open().unwrap(), 1).unwrap();
}

#[test]
fn a_full_disk_refuses_puts_and_lets_deletions_pass() {
    let disk = Disk::new();
    let store = disk.open().unwrap();
    store.commit(&put(b"a", b"1")).unwrap();
    disk.set_full(true);
    assert!(store.commit(&put(b"b", b"1")).unwrap_err().is_refusal());
    store.commit(&[(b"a".to_vec(), None)].into()).unwrap();
    disk.set_full(false);
    store.commit(&put(b"b", b"1")).unwrap();
}
