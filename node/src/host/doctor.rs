// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checks of `doctor`: what is well, what is not, and what to do.

use std::io;

use comptoir_api::dto::{Check, CheckResult, Doctor, RelayState};
use comptoir_api::host::HostError;

use super::Host;
use crate::time::wall_ms;
use crate::unlock::Unlock;

/// 1 January 2026: a clock before it was never set.
const CLOCK_NOT_BEFORE_MS: u64 = 1_767_225_600_000;

/// Below this little room is left: the store itself stops at 64 MiB.
const FREE_BYTES_LOW: u64 = 256 << 20;

impl Host {
    pub(super) fn examine(&self) -> Result<Doctor, HostError> {
        let mut checks = vec![clock(), self.disk(), self.store(), self.lock()];
        checks.extend(self.reachability()?);
        Ok(Doctor { checks })
    }

    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(self.node.inner.home.dir())?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn disk(&self) -> Check {
        match self.free_bytes() {
            Err(error) => check("disk", CheckResult::NotChecked, error.to_string(), None),
            Ok(free) => {
                let detail = format!("{} MiB are free", free >> 20);
                match free {
                    ..FREE_BYTES_LOW => check(
                        "disk",
                        CheckResult::Warning,
                        detail,
                        Some("free some space"),
                    ),
                    _ => check("disk", CheckResult::Good, detail, None),
                }
            }
        }
    }

    fn store(&self) -> Check {
        let trouble = self.node.inner.carriers.trouble();
        if let Some(reason) = trouble.read_only {
            return check(
                "store",
                CheckResult::Bad,
                reason,
                Some("mend what it says; the node tries again by itself"),
            );
        }
        if let Some(reason) = trouble.engine {
            return check(
                "store",
                CheckResult::Bad,
                reason,
                Some("keep a copy of the home and report this"),
            );
        }
        match self.node.inner.core.stats() {
            Ok(stats) => check(
                "store",
                CheckResult::Good,
                format!("{}, {} MiB", stats.engine, stats.disk_bytes >> 20),
                None,
            ),
            Err(error) => check(
                "store",
                CheckResult::Bad,
                error.to_string(),
                Some("start the node again"),
            ),
        }
    }

    fn lock(&self) -> Check {
        match &self.node.inner.unlock {
            Unlock::KeyFile => {
                let detail = "the key lies in a file without passphrase: whoever copies the disk can read everything";
                check(
                    "lock",
                    CheckResult::Warning,
                    detail.to_owned(),
                    Some("make a home with a passphrase if the disk may be copied"),
                )
            }
            Unlock::Keyring => check(
                "lock",
                CheckResult::Good,
                "the keyring has the key".to_owned(),
                None,
            ),
            Unlock::Passphrase { .. } => check(
                "lock",
                CheckResult::Good,
                "a passphrase locks the key".to_owned(),
                None,
            ),
        }
    }

    fn reachability(&self) -> Result<Vec<Check>, HostError> {
        let mut relays = self.all_relays()?;
        relays.retain(|relay| relay.state != RelayState::Leaving);
        let up = relays
            .iter()
            .filter(|relay| relay.state == RelayState::Up)
            .count();
        let detail = format!("{up} of {} answer", relays.len());
        let relays = match (relays.len(), up) {
            (0, _) => check(
                "relays",
                CheckResult::Warning,
                "none: reachable only while online".to_owned(),
                Some("comptoir relay add LINK"),
            ),
            (1, 1) => check(
                "relays",
                CheckResult::Warning,
                detail,
                Some(
                    "add a second one of another operator: no single one can then hold messages back",
                ),
            ),
            (_, 0) => check(
                "relays",
                CheckResult::Bad,
                detail,
                Some("look at `comptoir relay list`, and at the network"),
            ),
            (all, up) if up < all => check(
                "relays",
                CheckResult::Warning,
                detail,
                Some("look at `comptoir relay list`"),
            ),
            _ => check("relays", CheckResult::Good, detail, None),
        };
        let listening = self.node.listen_addresses();
        let listen = match listening.len() {
            0 => check(
                "listening",
                CheckResult::Warning,
                "on nothing: nobody can dial this node".to_owned(),
                None,
            ),
            _ => check("listening", CheckResult::Good, listening.join(", "), None),
        };
        Ok(vec![relays, listen])
    }
}

fn clock() -> Check {
    match wall_ms() {
        ..CLOCK_NOT_BEFORE_MS => check(
            "clock",
            CheckResult::Bad,
            "it stands before 2026: cards and invites look as if from the future".to_owned(),
            Some("set the clock"),
        ),
        _ => check(
            "clock",
            CheckResult::Good,
            "it may be right".to_owned(),
            None,
        ),
    }
}

fn check(name: &str, result: CheckResult, detail: String, remedy: Option<&str>) -> Check {
    Check {
        name: name.to_owned(),
        result,
        detail,
        remedy: remedy.map(str::to_owned),
    }
}
