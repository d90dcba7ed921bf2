// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clocks: one that all processes of this machine share, one of this process's own work, and the size of it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the machine started; the same in every process.
pub(crate) fn now_us() -> u64 {
    micros(ClockId::Monotonic)
}

/// Microseconds all threads of this process have worked.
pub(crate) fn cpu_us() -> u64 {
    micros(ClockId::ProcessCPUTime)
}

/// Bytes of memory this process holds.
pub(crate) fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        << 10
}

/// Processes that want to run, over the last minute.
pub(crate) fn load() -> f64 {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = told.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

fn micros(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    let since = Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanos);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
