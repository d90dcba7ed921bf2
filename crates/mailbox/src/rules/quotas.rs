// SPDX-License-Identifier: MIT OR Apache-2.0
//! The quota: what a capability has used of its terms.

use comptoir_protocol::capability::CapabilityTerms;

use super::call::Refusal;
use super::record::record;
use crate::config::{DAY_MS, HOUR_MS, PACKAGES_TAKEN_A_DAY_MAX};

/// Up to this many deposits a period are remembered one by one, so that `max` holds in *every* stretch of `period_s`:
/// "two a week" never lets four through in two days. 32 × 8 bytes a row.
///
/// Above it, periods follow one another from the first deposit, and two of them may meet: at most 2 × `max` in one
/// stretch. Terms that generous bound a flood, not a person's patience.
const REMEMBERED_MAX: u32 = 32;

record! {
    /// What was used in the current period.
    Usage version 1 {
        /// When the current period began; unused while deposits are remembered one by one.
        started_ms: u64,
        count: u32,
        /// Times of the last deposits, oldest first.
        recent: Vec<u64>,
        /// Key packages taken since `taken_from_ms`.
        taken: u32,
        taken_from_ms: u64,
    }
}

impl Usage {
    pub(crate) fn new() -> Self {
        Self {
            started_ms: 0,
            count: 0,
            recent: Vec::new(),
            taken: 0,
            taken_from_ms: 0,
        }
    }

    /// Counts one deposit, or says when the next one may come.
    pub(crate) fn admit(&mut self, terms: &CapabilityTerms, now_ms: u64) -> Result<(), Refusal> {
        if now_ms >= terms.not_after_ms || terms.max == 0 {
            return Err(Refusal::Denied);
        }
        if !terms.open_at(now_ms) {
            return Err(closed_hours(terms, now_ms));
        }
        let period_ms = u64::from(terms.period_s) * 1000;
        if terms.max <= REMEMBERED_MAX {
            self.admit_remembered(terms.max as usize, period_ms, now_ms)
        } else {
            self.admit_counted(terms.max, period_ms, now_ms)
        }
    }

    fn admit_remembered(&mut self, max: usize, period_ms: u64, now_ms: u64) -> Result<(), Refusal> {
        // A clock that was set back must not shut the sender out until it catches up.
        self.recent
            .retain(|at| *at <= now_ms && now_ms - at < period_ms);
        if let Some(freed_by) = self.recent.len().checked_sub(max) {
            let retry_after_ms = self.recent[freed_by] + period_ms - now_ms;
            return Err(Refusal::Rate { retry_after_ms });
        }
        self.recent.push(now_ms);
        Ok(())
    }

    fn admit_counted(&mut self, max: u32, period_ms: u64, now_ms: u64) -> Result<(), Refusal> {
        if now_ms < self.started_ms || now_ms - self.started_ms >= period_ms {
            self.started_ms = now_ms;
            self.count = 0;
        }
        if self.count >= max {
            return Err(Refusal::Rate {
                retry_after_ms: self.started_ms + period_ms - now_ms,
            });
        }
        self.count += 1;
        Ok(())
    }

    /// Deposits in the period that is running.
    pub(crate) fn used(&self, terms: &CapabilityTerms, now_ms: u64) -> u32 {
        let runs =
            |since: u64| since <= now_ms && now_ms - since < u64::from(terms.period_s) * 1000;
        if terms.max <= REMEMBERED_MAX {
            u32::try_from(self.recent.iter().filter(|at| runs(**at)).count()).unwrap_or(u32::MAX)
        } else if runs(self.started_ms) {
            self.count
        } else {
            0
        }
    }

    /// Counts one key package taken.
    pub(crate) fn admit_taking(&mut self, now_ms: u64) -> Result<(), Refusal> {
        if now_ms < self.taken_from_ms || now_ms - self.taken_from_ms >= DAY_MS {
            self.taken_from_ms = now_ms;
            self.taken = 0;
        }
        if self.taken >= PACKAGES_TAKEN_A_DAY_MAX {
            return Err(Refusal::Rate {
                retry_after_ms: self.taken_from_ms + DAY_MS - now_ms,
            });
        }
        self.taken += 1;
        Ok(())
    }
}

/// When the next open hour begins; terms without any are no terms at all.
fn closed_hours(terms: &CapabilityTerms, now_ms: u64) -> Refusal {
    let offset_ms = terms.utc_offset_min * 60_000;
    let into_hour_ms = now_ms.wrapping_add_signed(offset_ms) % HOUR_MS;
    let next_hour_ms = now_ms - into_hour_ms.min(now_ms) + HOUR_MS;
    (0..24)
        .map(|hour| next_hour_ms + hour * HOUR_MS)
        .find(|at| terms.open_at(*at))
        .map_or(Refusal::Denied, |at| Refusal::Rate {
            retry_after_ms: at - now_ms,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;
    use comptoir_protocol::capability::ALL_HOURS;

    const START: u64 = 1_800_000_000_000;

    fn terms(max: u32, period_s: u32) -> CapabilityTerms {
        CapabilityTerms {
            max,
            period_s,
            hours: ALL_HOURS,
            utc_offset_min: 0,
            max_bytes: 65_536,
            not_after_ms: u64::MAX,
        }
    }

    #[test]
    fn two_a_week_hold_in_every_stretch_of_a_week() {
        let (terms, mut usage) = (terms(2, 7 * 86_400), Usage::new());
        assert_eq!(usage.admit(&terms, START), Ok(()));
        assert_eq!(usage.admit(&terms, START + 6 * DAY_MS), Ok(()));
        assert_eq!(
            usage.admit(&terms, START + 6 * DAY_MS + 1),
            Err(Refusal::Rate {
                retry_after_ms: DAY_MS - 1
            })
        );
        assert_eq!(usage.admit(&terms, START + 7 * DAY_MS), Ok(()));
        // Fixed weeks would let a fourth through here.
        assert_eq!(
            usage.admit(&terms, START + 7 * DAY_MS + 1),
            Err(Refusal::Rate {
                retry_after_ms: 6 * DAY_MS - 1
            })
        );
    }

    #[test]
    fn generous_terms_are_counted_by_period() {
        let (terms, mut usage) = (terms(1_000, 3_600), Usage::new());
        for _ in 0..1_000 {
            assert_eq!(usage.admit(&terms, START), Ok(()));
        }
        assert_eq!(
            usage.admit(&terms, START + 1),
            Err(Refusal::Rate {
                retry_after_ms: HOUR_MS - 1
            })
        );
        assert_eq!(usage.admit(&terms, START + HOUR_MS), Ok(()));
    }

    #[test]
    fn a_clock_set_back_shuts_nobody_out() {
        let (narrow, wide) = (terms(1, 3_600), terms(100, 3_600));
        let mut usage = Usage::new();
        usage.admit(&narrow, START + 10 * DAY_MS).unwrap();
        assert_eq!(usage.admit(&narrow, START), Ok(()));
        let mut usage = Usage::new();
        for _ in 0..100 {
            usage.admit(&wide, START + 10 * DAY_MS).unwrap();
        }
        assert_eq!(usage.admit(&wide, START), Ok(()));
    }

    #[test]
    fn closed_hours_say_when_they_open() {
        // 9:00 to 17:59 in a zone of +5:30; START is 2027-01-15 08:00 UTC, 13:30 there.
        let hours = (9..18).fold(0, |hours, hour| hours | 1 << hour);
        let terms = CapabilityTerms {
            hours,
            utc_offset_min: 330,
            ..terms(100, 60)
        };
        assert_eq!(Usage::new().admit(&terms, START), Ok(()));
        // 18:00 there: closed, until 9:00 next day.
        let evening = START + 4 * HOUR_MS + HOUR_MS / 2;
        assert_eq!(Usage::new().admit(&terms, evening - 1), Ok(()));
        assert_eq!(
            Usage::new().admit(&terms, evening),
            Err(Refusal::Rate {
                retry_after_ms: 15 * HOUR_MS
            })
        );
        assert_eq!(Usage::new().admit(&terms, evening + 15 * HOUR_MS), Ok(()));
    }

    #[test]
    fn no_hours_no_number_and_no_time_left_are_denials() {
        assert_eq!(
            Usage::new().admit(
                &CapabilityTerms {
                    hours: 0,
                    ..terms(1, 1)
                },
                START
            ),
            Err(Refusal::Denied)
        );
        assert_eq!(
            Usage::new().admit(&terms(0, 1), START),
            Err(Refusal::Denied)
        );
        assert_eq!(
            Usage::new().admit(
                &CapabilityTerms {
                    not_after_ms: START,
                    ..terms(1, 1)
                },
                START
            ),
            Err(Refusal::Denied)
        );
    }
}
