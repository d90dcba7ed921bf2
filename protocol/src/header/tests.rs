// SPDX-License-Identifier: MIT OR Apache-2.0
//! A statement names the one before it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;
use crate::samples::header;

///
#[test]
fn a_statement_names_the_one_before_it_and_the_first_names_none() {
    let reread = |header: StatementHeader| StatementHeader::from_bytes(&header.to_bytes());
    assert!(reread(header()).is_ok());
    assert!(
        reread(StatementHeader {
            sequence: 1,
            previous: None,
            ..header()
        })
        .is_ok()
    );
    assert!(
        reread(StatementHeader {
            sequence: 1,
            ..header()
        })
        .is_err()
    );
    assert!(
        reread(StatementHeader {
            previous: None,
            ..header()
        })
        .is_err()
    );
    assert!(
        reread(StatementHeader {
            sequence: 0,
            previous: None,
            ..header()
        })
        .is_err()
    );
}
