// SPDX-License-Identifier: MIT OR Apache-2.0
//! One suite, run over every engine.

use std::collections::BTreeMap;

use super::{Arc, Batch, EngineKind, Kv, KvError, opened, put};
use crate::{Disk, KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Something that can be closed and opened again.
enum Bench {
    Folder(tempfile::TempDir, EngineKind),
    Memory(Disk),
}

impl Bench {
    fn all() -> [Self; 3] {
        let folder = || tempfile::tempdir().unwrap();
        [
            Self::Folder(folder(), EngineKind::Sled),
            Self::Folder(folder(), EngineKind::Redb),
            Self::Memory(Disk::new()),
        ]
    }

    fn open(&self) -> Arc<dyn Kv> {
        match self {
            Self::Folder(folder, engine) => opened(folder.path(), *engine),
            Self::Memory(disk) => Arc::new(disk.open().unwrap()),
        }
    }

    fn kind(&self) -> EngineKind {
        match self {
            Self::Folder(_, engine) => *engine,
            Self::Memory(_) => EngineKind::Memory,
        }
    }
}

fn each(test: impl Fn(&Bench)) {
    for bench in Bench::all() {
        println!("engine: {}", bench.kind());
        test(&bench);
    }
}

fn keys(
    store: &dyn Kv,
    prefix: &[u8],
    from: Option<&[u8]>,
    reverse: bool,
    limit: usize,
) -> Vec<Vec<u8>> {
    store
        .scan(prefix, from, reverse, limit)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn reads_what_was_committed_after_reopening() {
    each(|bench| {
        let store = bench.open();
        store.commit(&put(b"a", b"1")).unwrap();
        store
            .commit(&Batch::from([
                (b"a".to_vec(), None),
                (b"b".to_vec(), Some(b"2".to_vec())),
            ]))
            .unwrap();
        drop(store);
        let store = bench.open();
        assert_eq!(store.get(b"a").unwrap(), None);
        assert_eq!(store.get(b"b").unwrap().as_deref(), Some(b"2".as_slice()));
        let stats = store.stats().unwrap();
        assert_eq!(
            (stats.commits, stats.engine, stats.commits_lost),
            (2, bench.kind(), 0)
        );
    });
}

#[test]
fn scans_by_prefix_in_both_directions_from_a_key() {
    each(|bench| {
        let store = bench.open();
        let mut batch = Batch::new();
        for key in [
            &[1, 1][..],
            &[1, 2],
            &[1, 2, 0],
            &[1, 255],
            &[2],
            &[2, 0],
            &[255, 255],
            &[255, 255, 1],
        ] {
            batch.insert(key.to_vec(), Some(vec![]));
        }
        store.commit(&batch).unwrap();
        let store = store.as_ref();
        assert_eq!(
            keys(store, &[1], None, false, 9),
            [&[1, 1][..], &[1, 2], &[1, 2, 0], &[1, 255]]
        );
        assert_eq!(
            keys(store, &[1], None, true, 2),
            [&[1, 255][..], &[1, 2, 0]]
        );
        assert_eq!(
            keys(store, &[1], Some(&[1, 2]), false, 9),
            [&[1, 2][..], &[1, 2, 0], &[1, 255]]
        );
        assert_eq!(
            keys(store, &[1], Some(&[1, 2]), true, 9),
            [&[1, 2][..], &[1, 1]]
        );
        assert_eq!(keys(store, &[1], Some(&[0]), true, 9).len(), 0);
        assert_eq!(keys(store, &[1], Some(&[0]), false, 9).len(), 4);
        assert_eq!(keys(store, &[1], Some(&[2]), true, 9).len(), 4);
        assert_eq!(keys(store, &[1], Some(&[2]), false, 9).len(), 0);
        assert_eq!(
            keys(store, &[255, 255], None, true, 9),
            [&[255, 255, 1][..], &[255, 255]]
        );
        assert_eq!(keys(store, &[], None, false, 99).len(), 8);
        assert_eq!(keys(store, &[0], None, false, 99).len(), 0);
        assert_eq!(keys(store, &[1], None, false, 0).len(), 0);
    });
}

#[test]
fn refuses_keys_and_values_it_cannot_hold_and_goes_on() {
    each(|bench| {
        let store = bench.open();
        let refused = [
            put(b"", b""),
            put(&[0, 5], b""),
            put(&vec![1; KEY_BYTES_MAX + 1], b""),
            put(b"a", &vec![0; VALUE_BYTES_MAX + 1]),
        ];
        for batch in refused {
            let error = store.commit(&batch).unwrap_err();
            assert!(error.is_refusal(), "{error}");
        }
        assert!(matches!(store.get(&[0, b'n']), Err(KvError::ReservedKey)));
        store
            .commit(&put(&vec![1; KEY_BYTES_MAX], &vec![3; VALUE_BYTES_MAX]))
            .unwrap();
        assert_eq!(
            store.get(&vec![1; KEY_BYTES_MAX]).unwrap().unwrap(),
            vec![3; VALUE_BYTES_MAX]
        );
        assert_eq!(store.stats().unwrap().commits, 1);
    });
}

#[test]
fn large_values_shrink_grow_and_go() {
    each(|bench| {
        let store = bench.open();
        for bytes in [10, 4096, 4097, 60 * 1024, 8192, 100_000, 3, 300_000, 0] {
            let value: Vec<u8> = (0..bytes)
                .map(|at| (at % 251) as u8 ^ (bytes % 13) as u8)
                .collect();
            store.commit(&put(b"k", &value)).unwrap();
            assert_eq!(
                store.get(b"k").unwrap(),
                Some(value.clone()),
                "{bytes} bytes"
            );
            assert_eq!(
                store.scan(b"k", None, true, 9).unwrap(),
                [(b"k".to_vec(), value)],
                "{bytes} bytes"
            );
        }
        store.commit(&put(b"k", &vec![9; 50_000])).unwrap();
        store.commit(&Batch::from([(b"k".to_vec(), None)])).unwrap();
        drop(store);
        let store = bench.open();
        assert_eq!(store.get(b"k").unwrap(), None);
        assert_eq!(store.scan(&[], None, false, 9).unwrap(), []);
    });
}

/// Random batches against a map, over several openings. The generator is the test's own: its figures never change.
#[test]
fn agrees_with_a_map_over_random_batches() {
    each(|bench| {
        let mut state = 0x5eed_u64;
        let mut next = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for _ in 0..3 {
            let store = bench.open();
            for _ in 0..60 {
                let mut batch = Batch::new();
                for _ in 0..1 + next(20) {
                    let key = vec![1 + next(3) as u8, next(12) as u8, next(12) as u8];
                    let bytes = [0, 5, 300, 3500, 9000][next(5) as usize];
                    batch.insert(key, (next(4) > 0).then(|| vec![next(256) as u8; bytes]));
                }
                store.commit(&batch).unwrap();
                for (key, value) in batch {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
                let prefix = [1 + next(3) as u8];
                let (reverse, limit) = (next(2) == 0, next(30) as usize);
                let rows = model.iter().filter(|(key, _)| key.starts_with(&prefix));
                let mut expected: Vec<_> = rows
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit);
                assert!(store.scan(&prefix, None, reverse, limit).unwrap() == expected);
            }
            drop(store);
        }
        let all: Vec<_> = model.into_iter().collect();
        assert!(bench.open().scan(&[], None, false, usize::MAX).unwrap() == all);
    });
}

#[test]
fn a_scan_beside_commits_sees_a_batch_whole_or_not_at_all() {
    each(|bench| {
        let store = bench.open();
        let done = std::sync::atomic::AtomicBool::new(false);
        let batch = |round: u8| {
            Batch::from_iter((0..50).map(|row| (vec![3, row], Some(vec![round; 6000]))))
        };
        store.commit(&batch(0)).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut scans = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) || scans == 0 {
                    let rows = store.scan(&[3], None, false, 99).unwrap();
                    assert_eq!(rows.len(), 50);
                    assert!(
                        rows.iter().all(|(_, value)| *value == rows[0].1),
                        "a scan saw half of a batch"
                    );
                    let single = store.get(&[3, 9]).unwrap().unwrap();
                    assert!(
                        single.iter().all(|byte| *byte == single[0]),
                        "a read mixed two values"
                    );
                    scans += 1;
                }
            });
            for round in 1..30 {
                store.commit(&batch(round)).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().unwrap();
        });
    });
}

#[test]
fn a_closed_store_answers_nothing() {
    each(|bench| {
        let store = bench.open();
        store.commit(&put(b"a", b"1")).unwrap();
        store.close().unwrap();
        assert!(matches!(store.get(b"a"), Err(KvError::Closed)));
        assert!(matches!(
            store.scan(b"a", None, false, 1),
            Err(KvError::Closed)
        ));
        assert!(matches!(
            store.commit(&put(b"a", b"2")),
            Err(KvError::Closed)
        ));
        drop(store);
        assert_eq!(bench.open().get(b"a").unwrap().unwrap(), b"1");
    });
}

#[test]
fn sled_moves_nothing_to_files_it_never_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path(), EngineKind::Sled);
    for round in 0..40_u8 {
        let batch = Batch::from_iter((0..40).map(|row| {
            let mut key = vec![5; KEY_BYTES_MAX - 2];
            key.extend_from_slice(&[round, row]);
            (key, Some(vec![row; 4096 + 512 * usize::from(row % 2)]))
        }));
        store.commit(&batch).unwrap();
    }
    let blobs = std::fs::read_dir(folder.path().join("data-1.sled/blobs"))
        .unwrap()
        .count();
    assert_eq!(blobs, 0);
}
