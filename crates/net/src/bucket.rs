// SPDX-License-Identifier: MIT OR Apache-2.0
//! The token bucket: how many frames may pass now, and when the next one may.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Rate;

/// Sources remembered before full buckets are swept out. A full bucket says nothing, so forgetting it changes nothing.
const SOURCES_SWEEP: usize = 4096;

/// Tokens of one source. Time comes as an argument.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let rate = Rate {
            per_second: rate.per_second.max(1),
            burst: rate.burst.max(1),
        };
        Self {
            rate,
            tokens: f64::from(rate.burst),
            filled: now,
        }
    }

    /// Takes one token, going into debt if there is none, and says how long to wait before acting on it.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-self.tokens / f64::from(self.rate.per_second))
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64()
            * f64::from(self.rate.per_second);
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst));
        self.filled = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= f64::from(self.rate.burst)
    }
}

/// The buckets of all sources of one relay. They outlive the streams, so reconnecting does not refill them.
#[derive(Clone, Debug)]
pub(crate) struct SourceBuckets {
    rate: Rate,
    sources: Arc<Mutex<HashMap<IpAddr, Bucket>>>,
}

impl SourceBuckets {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            sources: Arc::default(),
        }
    }

    /// Takes one token of `source`; see [`Bucket::take`]. The lock is never held across an await.
    pub(crate) fn take(&self, source: IpAddr, now: Instant) -> Duration {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_SWEEP && !sources.contains_key(&source) {
            sources.retain(|_, bucket| !bucket.is_full(now));
        }
        sources
            .entry(source)
            .or_insert_with(|| Bucket::new(self.rate, now))
            .take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(
            Rate {
                per_second: 10,
                burst: 5,
            },
            start,
        );
        assert!((0..5).all(|_| bucket.take(start).is_zero()));
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        assert_eq!(bucket.take(start), Duration::from_millis(200));
        assert!(bucket.take(start + Duration::from_secs(1)).is_zero());
    }

    #[test]
    fn sources_are_counted_apart_and_outlive_their_streams() {
        let start = Instant::now();
        let buckets = SourceBuckets::new(Rate {
            per_second: 1,
            burst: 1,
        });
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(buckets.take(a, start).is_zero());
        assert!(!buckets.clone().take(a, start).is_zero());
        assert!(buckets.take(b, start).is_zero());
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let start = Instant::now();
        let buckets = SourceBuckets::new(Rate {
            per_second: 10,
            burst: 10,
        });
        for n in 0..u32::try_from(SOURCES_SWEEP).unwrap_or(u32::MAX) {
            buckets.take(IpAddr::from(n.to_be_bytes()), start);
        }
        buckets.take(
            IpAddr::from([255, 0, 0, 1]),
            start + Duration::from_secs(60),
        );
        assert_eq!(
            buckets
                .sources
                .lock()
                .map(|sources| sources.len())
                .unwrap_or(0),
            1
        );
    }
}
