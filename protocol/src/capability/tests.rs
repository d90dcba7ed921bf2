// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hours of a capability, in its owner's day.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;
use crate::samples::{NOW_MS, capability, terms};

const HOUR_MS: u64 = 3_600_000;

///
#[test]
fn the_window_is_counted_in_the_owners_day() {
    // Open 9:00 to 17:59, one and a half hours west of UTC: 10:30 to 19:29 there.
    let day = CapabilityTerms {
        hours: 0b11_1111_1110_0000_0000,
        ..terms()
    };
    let at = |minutes: u64| day.open_at(NOW_MS + minutes * 60_000);
    assert_eq!(
        [
            at(10 * 60 + 29),
            at(10 * 60 + 30),
            at(19 * 60 + 29),
            at(19 * 60 + 30)
        ],
        [false, true, true, false]
    );
    let east = CapabilityTerms {
        hours: 1,
        utc_offset_min: 14 * 60,
        ..terms()
    };
    assert!(east.open_at(NOW_MS + 10 * HOUR_MS) && !east.open_at(NOW_MS + 11 * HOUR_MS));
    assert!(
        CapabilityTerms {
            utc_offset_min: -840,
            not_after_ms: 1,
            ..terms()
        }
        .open_at(0),
        "before 1970 there"
    );
}

#[test]
fn a_capability_ends() {
    assert!(terms().open_at(terms().not_after_ms - 1));
    assert!(!terms().open_at(terms().not_after_ms));
}

#[test]
fn terms_that_cannot_be_are_refused() {
    for wrong in [
        CapabilityTerms {
            period_s: 0,
            ..terms()
        },
        CapabilityTerms {
            hours: ALL_HOURS + 1,
            ..terms()
        },
        CapabilityTerms {
            utc_offset_min: 841,
            ..terms()
        },
        CapabilityTerms {
            utc_offset_min: i64::MIN,
            ..terms()
        },
    ] {
        assert!(
            CapabilityTerms::from_bytes(&wrong.to_bytes()).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn the_relay_is_told_no_secret() {
    let (capability, bytes) = (capability(), capability().for_relay().to_bytes());
    for secret in [&capability.writer, &capability.k_box] {
        assert!(!bytes.windows(32).any(|window| window == secret.expose()));
    }
    assert!(
        !format!("{capability:?}").contains("46, 46"),
        "nor is it printed"
    );
}
