// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time: always an argument, never read here.

use crate::wire_map;

/// One moment of one run of one machine. Deadlines count `mono_ms` within one `boot`, dates are `wall_ms`, and neither
/// decides whether a commit is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Milliseconds since 1970, as the machine believes. May jump either way.
    pub wall_ms: u64,
    /// Milliseconds of a clock that only rises, while `boot` stays the same.
    pub mono_ms: u64,
    /// Which run of the machine `mono_ms` belongs to.
    pub boot: [u8; 16],
}
wire_map!(Time { 0 => wall_ms, 1 => mono_ms, 2 => boot });

/// How far in the future a sender's clock may be believed when a date is shown.
pub const SENDER_AHEAD_MS_MAX: u64 = 2 * 60 * 1000;

/// The date to show for a message: the sender's own, but never later than its receipt and two minutes.
#[must_use]
pub fn shown_ms(sender_wall_ms: u64, received_wall_ms: u64) -> u64 {
    sender_wall_ms.min(received_wall_ms.saturating_add(SENDER_AHEAD_MS_MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

    ///
    #[test]
    fn a_clock_in_the_future_is_clamped_and_one_in_the_past_is_shown() {
        assert_eq!(super::shown_ms(1_000, 5_000), 1_000);
        assert_eq!(super::shown_ms(9_000_000, 5_000), 125_000);
        assert_eq!(super::shown_ms(u64::MAX, u64::MAX), u64::MAX);
    }
}
