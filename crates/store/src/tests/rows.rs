// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows: the two views, groups, failures, sealing.

use std::collections::BTreeMap;

use comptoir_engine::{Scan, View};
use comptoir_kv::{Batch, Disk, Failure, KEY_BYTES_MAX, Kv};
use rand_core::Rng;

use super::{all, delete, key, open_core, put, rng};
use crate::{Core, Seq, StoreError};

#[test]
fn the_engine_sees_what_is_submitted_and_others_what_is_durable() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![put(b"\x01a", b"1"), put(b"\x01b", b"1")])
        .unwrap();
    let seq = core
        .submit(vec![
            put(b"\x01a", b"2"),
            delete(b"\x01b"),
            put(b"\x01c", b"2"),
        ])
        .unwrap();
    assert_eq!(core.view().get(b"\x01a").unwrap().unwrap(), b"2");
    assert_eq!(core.view().get(b"\x01b").unwrap(), None);
    assert_eq!(core.committed().get(b"\x01a").unwrap().unwrap(), b"1");
    assert_eq!(core.committed().get(b"\x01b").unwrap().unwrap(), b"1");
    assert_eq!(core.committed().get(b"\x01c").unwrap(), None);
    assert!(core.durable() < seq);
    assert_eq!(core.commit_group().unwrap(), Some(seq));
    assert_eq!(core.durable(), seq);
    assert_eq!(all(&core.view()), all(&core.committed()));
    assert_eq!(core.commit_group().unwrap(), None);
}

/// Both views against two maps, under random submissions, group commits and scans.
#[test]
fn scans_agree_with_a_map_whatever_is_pending() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    let (mut pending, mut committed) = (BTreeMap::new(), BTreeMap::new());
    let mut rng = rng();
    let mut below = |bound: u32| rng.next_u32() % bound;
    for _ in 0..3000 {
        match below(4) {
            0 => {
                let mut writes = BTreeMap::new();
                for _ in 0..1 + below(4) {
                    let key = vec![1 + below(2) as u8, below(6) as u8, below(6) as u8];
                    writes.insert(
                        key,
                        (below(3) > 0).then(|| vec![below(256) as u8; below(40) as usize]),
                    );
                }
                let batch = writes.iter().map(|(key, value)| match value {
                    Some(value) => put(key, value),
                    None => delete(key),
                });
                core.submit(batch.collect()).unwrap();
                for (key, value) in writes {
                    match value {
                        Some(value) => pending.insert(key, value),
                        None => pending.remove(&key),
                    };
                }
            }
            1 if below(3) == 0 => {
                core.commit_group().unwrap();
                committed.clone_from(&pending);
            }
            _ => {
                let prefix = vec![1 + below(2) as u8];
                let prefix = if below(2) == 0 {
                    prefix
                } else {
                    [prefix[0], below(6) as u8].to_vec()
                };
                let from = (below(2) == 0)
                    .then(|| vec![1 + below(2) as u8, below(6) as u8, below(6) as u8]);
                let scan = Scan {
                    prefix,
                    from,
                    reverse: below(2) == 0,
                    limit: below(12) as usize,
                };
                assert_eq!(
                    core.view().scan(scan.clone()).unwrap(),
                    expected(&pending, &scan),
                    "{scan:?}"
                );
                assert_eq!(
                    core.committed().scan(scan.clone()).unwrap(),
                    expected(&committed, &scan),
                    "{scan:?}"
                );
            }
        }
    }
}

fn expected(rows: &BTreeMap<Vec<u8>, Vec<u8>>, scan: &Scan) -> Vec<(Vec<u8>, Vec<u8>)> {
    let begins = |key: &Vec<u8>| match &scan.from {
        Some(from) if scan.reverse => key <= from,
        Some(from) => key >= from,
        None => true,
    };
    let rows = rows
        .iter()
        .filter(|(key, _)| key.starts_with(&scan.prefix) && begins(key));
    let mut rows: Vec<_> = rows
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if scan.reverse {
        rows.reverse();
    }
    rows.truncate(scan.limit);
    rows
}

#[test]
fn steps_that_wait_share_one_commit_and_a_key_they_share_is_written_once() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    let before = core.stats().unwrap().commits;
    for step in 0..100_u8 {
        core.submit(vec![put(b"\x01counter", &[step]), put(&[2, step], &[step])])
            .unwrap();
    }
    assert_eq!(core.commit_group().unwrap(), Some(Seq(100)));
    assert_eq!(core.stats().unwrap().commits, before + 1);
    drop(core);
    let core = open_core(&disk).unwrap();
    assert_eq!(core.committed().get(b"\x01counter").unwrap().unwrap(), [99]);
    assert_eq!(core.committed().scan(Scan::all([2])).unwrap().len(), 100);
}

#[test]
fn a_failed_commit_takes_three_steps_behind_it_along() {
    for (failure, kept) in [(Failure::Nothing, 1), (Failure::Written, 2)] {
        let disk = Disk::new();
        let core = open_core(&disk).unwrap();
        core.commit(vec![put(&[1, 0], b"kept")]).unwrap();
        disk.fail_commit(0, failure);
        core.submit(vec![put(&[1, 1], b"fails")]).unwrap();
        let group = core.commit_group();
        assert!(matches!(group, Err(StoreError::Kv(_))), "{group:?}");
        for step in 2..5 {
            let refused = core.submit(vec![put(&[1, step], b"behind")]);
            assert!(
                matches!(refused, Err(StoreError::Stopped(_))),
                "{refused:?}"
            );
        }
        core.reopen(std::sync::Arc::new(disk.open().unwrap()))
            .unwrap();
        assert_eq!(all(&core.view()).len(), kept);
        core.commit(vec![put(&[1, 9], b"goes on")]).unwrap();
        assert_eq!(all(&core.committed()).len(), kept + 1);
    }
}

#[test]
fn what_was_submitted_behind_a_failing_group_is_never_seen_again() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    disk.fail_commit(0, Failure::Nothing);
    for step in 0..3 {
        core.submit(vec![put(&[1, step], &[0; 1 << 19])]).unwrap();
        core.submit(vec![put(&[2, step], &[0; 1 << 19])]).unwrap();
    }
    core.commit_group().unwrap_err();
    assert_eq!(core.waiting_bytes(), 0);
    core.reopen(std::sync::Arc::new(disk.open().unwrap()))
        .unwrap();
    assert_eq!(all(&core.view()), []);
    assert_eq!(core.durable(), core.submitted());
}

#[test]
fn a_full_disk_stops_the_group_and_the_same_files_go_on() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    disk.set_full(true);
    core.submit(vec![put(&[1, 1], b"x")]).unwrap();
    let Err(StoreError::Kv(error)) = core.commit_group() else {
        panic!("a full disk took a row")
    };
    assert!(error.is_refusal());
    disk.set_full(false);
    let kv = core.release_kv().expect("a refusal leaves the files sound");
    core.reopen(kv).unwrap();
    core.commit(vec![put(&[1, 1], b"x")]).unwrap();
}

#[test]
fn nothing_readable_lies_on_disk() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    let secret = b"meet me at the counter";
    core.commit(vec![put(&[1, 1], secret)]).unwrap();
    core.acknowledge("a webhook of a shop", 4, 9).unwrap();
    drop(core);
    for (_, value) in disk.open().unwrap().scan(&[], None, false, 99).unwrap() {
        for text in [&secret[..], b"webhook"] {
            assert!(!value.windows(text.len()).any(|window| window == text));
        }
    }
}

#[test]
fn equal_values_are_sealed_differently_every_time() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![put(&[1, 1], b"same"), put(&[1, 2], b"same")])
        .unwrap();
    let sealed = |row| disk.open().unwrap().get(&[1, row]).unwrap().unwrap();
    let first = sealed(1);
    assert_ne!(first, sealed(2));
    let core = Core::open(
        std::sync::Arc::new(disk.open().unwrap()),
        &key(),
        &mut <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([6; 32]),
    )
    .unwrap();
    core.commit(vec![put(&[1, 1], b"same")]).unwrap();
    assert_ne!(first, sealed(1));
}

#[test]
fn a_moved_swapped_cut_or_flipped_value_is_refused() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    core.commit(vec![
        put(&[1, 1], b"one"),
        put(&[1, 2], b"two"),
        put(&[2, 1], b"other space"),
    ])
    .unwrap();
    drop(core);
    let kv = disk.open().unwrap();
    let one = kv.get(&[1, 1]).unwrap().unwrap();
    let mut flipped = one.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let values = [
        kv.get(&[1, 2]).unwrap().unwrap(),
        kv.get(&[2, 1]).unwrap().unwrap(),
        one[..30].to_vec(),
        flipped,
    ];
    for value in values {
        let kv = disk.open().unwrap();
        kv.commit(&Batch::from([(vec![1, 1], Some(value))]))
            .unwrap();
        let core = open_core(&disk).unwrap();
        assert!(core.committed().get(&[1, 1]).is_err());
        assert!(core.view().scan(Scan::all([1])).is_err());
        assert_eq!(core.view().get(&[1, 2]).unwrap().unwrap(), b"two");
    }
}

#[test]
fn another_key_is_told_before_anything_is_read() {
    let disk = Disk::new();
    open_core(&disk)
        .unwrap()
        .commit(vec![put(&[1], b"1")])
        .unwrap();
    let other = comptoir_crypto::at_rest::RootStoreKey::from_bytes([8; 32]);
    let opened = Core::open(
        std::sync::Arc::new(disk.open().unwrap()),
        &other,
        &mut rng(),
    );
    assert!(matches!(opened, Err(StoreError::WrongKey)));
}

#[test]
fn keys_and_values_out_of_bounds_are_refused_whole() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    let large = vec![0; comptoir_kv::VALUE_BYTES_MAX];
    for bad in [
        put(b"", b""),
        put(&[0], b""),
        put(&[0xe0], b"header"),
        delete(&[0xe1]),
        put(&[0xff, 1], b""),
        put(&vec![1; KEY_BYTES_MAX + 1], b""),
        put(&[1], &large),
    ] {
        assert!(core.submit(vec![put(&[1, 1], b"good"), bad]).is_err());
        assert_eq!(core.view().get(&[1, 1]).unwrap(), None);
    }
    core.commit(vec![put(&vec![1; KEY_BYTES_MAX], &large[..1 << 19])])
        .unwrap();
}

#[test]
fn steps_that_write_nothing_cost_no_commit_and_keep_their_turn() {
    let core = open_core(&Disk::new()).unwrap();
    let before = core.stats().unwrap().commits;
    let seq = core.submit(Vec::new()).unwrap();
    assert_eq!(core.commit_group().unwrap(), Some(seq));
    assert_eq!(
        (core.stats().unwrap().commits, core.durable()),
        (before, seq)
    );
    core.submit(vec![put(&[1], b"1")]).unwrap();
    let seq = core.submit(Vec::new()).unwrap();
    assert!(core.durable() < seq);
    assert_eq!(core.commit_group().unwrap(), Some(seq));
    assert_eq!(core.stats().unwrap().commits, before + 1);
}
