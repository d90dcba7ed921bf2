// SPDX-License-Identifier: MIT OR Apache-2.0
//! Acknowledgements from outside.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;
use crate::samples::ack_vector;

fn reread(entries: Vec<AckEntry>) -> Result<AckVector, DecodeError> {
    AckVector::from_bytes(
        &AckVector {
            entries,
            ..ack_vector()
        }
        .to_bytes(),
    )
}

fn entry(author: u8, lane: Lane) -> AckEntry {
    AckEntry {
        author: DeviceId([author; 32]),
        lane,
        runs: Runs::up_to(3),
    }
}

///
#[test]
fn each_author_and_lane_is_named_once_and_ascending() {
    assert!(reread(vec![]).is_ok());
    assert!(
        reread(vec![
            entry(1, Lane::Service),
            entry(1, Lane::Promotion),
            entry(2, Lane::Service)
        ])
        .is_ok()
    );
    assert!(reread(vec![entry(1, Lane::Service), entry(1, Lane::Service)]).is_err());
    assert!(reread(vec![entry(2, Lane::Service), entry(1, Lane::Service)]).is_err());
}

///
#[test]
fn entries_and_ranges_are_bounded() {
    let many = (0..=ACK_ENTRIES_MAX as u64).map(|number| {
        let mut author = [0; 32];
        author[..8].copy_from_slice(&number.to_be_bytes());
        AckEntry {
            author: DeviceId(author),
            ..entry(0, Lane::Service)
        }
    });
    let many: Vec<AckEntry> = many.collect();
    assert!(reread(many.clone()).is_err());
    assert!(reread(many[1..].to_vec()).is_ok());
    let holes = (1..=200).map(|hole| (hole * 2 + 1, hole * 2 + 1)).collect();
    let runs = Runs::from_parts(0, holes).unwrap();
    let holed = |author| AckEntry {
        runs: runs.clone(),
        ..entry(author, Lane::Service)
    };
    assert!(reread((0..5).map(holed).collect()).is_ok());
    assert!(reread((0..6).map(holed).collect()).is_err(), "1,200 ranges");
}
