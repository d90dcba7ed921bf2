// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: how many descriptors and how much memory this process may use.

use std::fs;

/// What is assumed where the limit cannot be read: the usual soft limit.
const DESCRIPTORS_ASSUMED: u64 = 1024;

/// The soft limit of open files, from the kernel's own table.
pub(crate) fn descriptors_max() -> u64 {
    fs::read_to_string("/proc/self/limits")
        .ok()
        .and_then(|text| parse_descriptors(&text))
        .unwrap_or(DESCRIPTORS_ASSUMED)
}

fn parse_descriptors(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    match line.split_whitespace().nth(3)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Bytes of memory this process may use: the cgroup's limit, else the machine's memory. `None`: neither is known.
pub(crate) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| parse_kib(&text, "MemTotal:"));
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    match (group, machine) {
        (Some(group), Some(machine)) => Some(u64::min(group, machine)),
        (group, machine) => group.or(machine),
    }
}

/// Bytes of memory this process holds now. `None` where the kernel does not say.
pub(crate) fn resident_bytes() -> Option<u64> {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| parse_kib(&text, "VmRSS:"))
}

fn parse_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 20000                files\n";
        assert_eq!(parse_descriptors(limits), Some(1024));
        assert_eq!(
            parse_descriptors("Max open files unlimited unlimited files"),
            None.or(Some(u64::MAX))
        );
        assert_eq!(parse_descriptors("nothing"), None);
        assert_eq!(parse_kib("VmRSS:\t   2048 kB\n", "VmRSS:"), Some(2 << 20));
        assert_eq!(parse_kib("VmRSS: many kB", "VmRSS:"), None);
    }
}
