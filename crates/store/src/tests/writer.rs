// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer thread.

use std::sync::{Arc, Mutex, mpsc};

use comptoir_engine::{Scan, View};
use comptoir_kv::{Disk, Failure};

use super::{open_core, put};
use crate::{Seq, StoreError, Writer};

#[test]
fn durability_is_told_in_order_and_never_before_the_disk_has_it() {
    let disk = Disk::new();
    let core = Arc::new(open_core(&disk).unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let (its_told, its_core) = (Arc::clone(&told), Arc::clone(&core));
    let writer = Writer::start(Arc::clone(&core), move |durable| {
        let durable: Seq = durable.unwrap();
        let rows = its_core.committed().scan(Scan::all([1])).unwrap().len() as u64;
        assert!(
            rows >= durable.0,
            "told {durable:?} with {rows} rows on disk"
        );
        its_told.lock().unwrap().push(durable);
    })
    .unwrap();
    for step in 0..2000_u32 {
        let seq = writer
            .submit(vec![put(&[&[1][..], &step.to_be_bytes()].concat(), b"row")])
            .unwrap();
        assert_eq!(seq, Seq(u64::from(step) + 1));
    }
    writer.flush().unwrap();
    drop(writer);
    let told = told.lock().unwrap();
    assert!(told.is_sorted());
    assert_eq!(told.last(), Some(&Seq(2000)));
}

#[test]
fn dropping_the_writer_commits_what_was_submitted() {
    let disk = Disk::new();
    let core = Arc::new(open_core(&disk).unwrap());
    let writer = Writer::start(Arc::clone(&core), |_| {}).unwrap();
    for step in 0..100 {
        writer.submit(vec![put(&[1, step], b"row")]).unwrap();
    }
    drop(writer);
    disk.crash();
    assert_eq!(
        open_core(&disk)
            .unwrap()
            .committed()
            .scan(Scan::all([1]))
            .unwrap()
            .len(),
        100
    );
}

#[test]
fn a_failure_is_told_once_and_ends_everything_behind_it() {
    let disk = Disk::new();
    let core = Arc::new(open_core(&disk).unwrap());
    let (sender, receiver) = mpsc::channel();
    let writer = Writer::start(Arc::clone(&core), move |durable| {
        sender.send(durable.map_err(|_| ())).unwrap()
    })
    .unwrap();
    writer.submit(vec![put(&[1, 0], b"kept")]).unwrap();
    writer.flush().unwrap();
    disk.fail_commit(0, Failure::Nothing);
    let mut refused = 0;
    for step in 1..50 {
        refused += u32::from(writer.submit(vec![put(&[1, step], b"lost")]).is_err());
        std::thread::yield_now();
    }
    assert!(matches!(writer.flush(), Err(StoreError::Stopped(_))));
    assert!(matches!(
        writer.submit(vec![put(&[1, 99], b"lost")]),
        Err(StoreError::Stopped(_))
    ));
    drop(writer);
    let told: Vec<_> = receiver.iter().collect();
    assert_eq!(told, [Ok(Seq(1)), Err(())], "{refused} refused");
    core.reopen(Arc::new(disk.open().unwrap())).unwrap();
    assert_eq!(core.view().scan(Scan::all([1])).unwrap().len(), 1);
}

#[test]
fn a_callback_that_panics_leaves_nobody_waiting() {
    let disk = Disk::new();
    let core = Arc::new(open_core(&disk).unwrap());
    let writer = Writer::start(core, |_| panic!("the driver is gone")).unwrap();
    writer.submit(vec![put(&[1], b"1")]).unwrap();
    while writer.flush().is_ok() {
        if writer.submit(vec![put(&[1], b"2")]).is_err() {
            break;
        }
    }
}
