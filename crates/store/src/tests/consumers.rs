// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consumers of events.

use comptoir_kv::Disk;

use super::open_core;
use crate::{CONSUMER_NAME_BYTES_MAX, CONSUMERS_MAX, StoreError};

#[test]
fn a_cursor_survives_and_never_goes_back() {
    let disk = Disk::new();
    let core = open_core(&disk).unwrap();
    assert_eq!(core.consumer("bell").unwrap(), None);
    core.acknowledge("bell", 7, 100).unwrap();
    core.acknowledge("hook", 2, 101).unwrap();
    assert_eq!(core.acknowledge("bell", 5, 102).unwrap().acknowledged, 7);
    core.acknowledge("bell", 9, 103).unwrap();
    disk.crash();
    let core = open_core(&disk).unwrap();
    let found: Vec<_> = core
        .consumers()
        .unwrap()
        .into_iter()
        .map(|it| (it.name, it.acknowledged, it.acknowledged_ms))
        .collect();
    assert_eq!(
        found,
        [("bell".to_owned(), 9, 103), ("hook".to_owned(), 2, 101)]
    );
    assert!(core.forget_consumer("bell").unwrap());
    assert!(!core.forget_consumer("bell").unwrap());
    assert_eq!(core.consumers().unwrap().len(), 1);
    core.acknowledge("new", 1, 104).unwrap();
    assert_eq!(core.consumers().unwrap().len(), 2);
}

#[test]
fn names_and_numbers_are_bounded() {
    let core = open_core(&Disk::new()).unwrap();
    for name in ["", &"x".repeat(CONSUMER_NAME_BYTES_MAX + 1)] {
        assert!(matches!(
            core.acknowledge(name, 1, 0),
            Err(StoreError::Refused(_))
        ));
    }
    for number in 0..CONSUMERS_MAX {
        core.acknowledge(&format!("c{number}"), 1, 0).unwrap();
    }
    assert!(matches!(
        core.acknowledge("one more", 1, 0),
        Err(StoreError::Refused(_))
    ));
    core.acknowledge("c3", 2, 0).unwrap();
    assert!(core.forget_consumer("c200").unwrap());
    core.acknowledge("one more", 1, 0).unwrap();
    assert_eq!(core.consumers().unwrap().len(), CONSUMERS_MAX);
}
