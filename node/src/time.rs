// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clocks of this machine, as the engine wants them: wall, monotonic, and which boot it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use comptoir_protocol::time::Time;

/// Reads the machine's clocks. The monotonic one counts suspend too, so a deadline that passes while
/// the lid is closed has passed.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    boot: [u8; 16],
}

impl Clock {
    /// Learns which boot of the machine this is; where the system does not say, `fallback` (random) makes
    /// every start of the process a boot of its own, which only shortens what monotonic time can tell.
    pub(crate) fn new(fallback: [u8; 16]) -> Self {
        let named = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot = named
            .and_then(|text| parse_uuid(text.trim()))
            .unwrap_or(fallback);
        Self { boot }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        Time {
            wall_ms: wall_ms(),
            mono_ms: monotonic_ms(),
            boot: self.boot,
        }
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(hex.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

/// Milliseconds since 1970, 0 where the clock stands before it.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since the machine started, suspend included.
pub(crate) fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1000 + nanoseconds / 1_000_000
}
