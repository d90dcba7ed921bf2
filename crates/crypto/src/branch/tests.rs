// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stories of branches. States have names, people are letters, hours pass by hand.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod choosing;
mod forgetting;
mod hostile;
mod orders;

use std::collections::BTreeSet;

use comptoir_protocol::id::{AccountId, DeviceId, ParentHash};
use comptoir_protocol::time::Time;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::mls::ThreadKind;

/// Somebody with one device.
pub(super) fn who(name: char) -> Who {
    device(name, 0)
}

/// One of somebody's devices.
pub(super) fn device(name: char, number: u8) -> Who {
    let mut device = [name as u8; 32];
    device[0] = number;
    Who {
        account: AccountId([name as u8; 32]),
        device: DeviceId(device),
    }
}

pub(super) fn people(names: &str) -> BTreeSet<Who> {
    names.chars().map(who).collect()
}

pub(super) fn state(name: &str) -> ParentHash {
    ParentHash(Sha256::digest(name).into())
}

/// So many hours after the thread was made.
pub(super) fn hour(hours: u64) -> Time {
    let ms = hours * 60 * 60 * 1000;
    Time {
        wall_ms: 1_800_000_000_000 + ms,
        mono_ms: ms,
        boot: [1; 16],
    }
}

/// A thread of `names` in its first state, `root`.
pub(super) fn thread(names: &str) -> Branches {
    let patience = Patience::of(ThreadKind::Group);
    Branches::new(state("root"), people(names), patience, hour(0))
}

/// A commit by `by` that leaves `members` in the thread. Everybody's leaf index is their letter.
pub(super) fn commit(parent: &str, child: &str, by: char, class: Class, members: &str) -> Commit {
    by_role(parent, child, by, (class, Standing::Member), members)
}

pub(super) fn by_role(
    parent: &str,
    child: &str,
    by: char,
    (class, standing): (Class, Standing),
    members: &str,
) -> Commit {
    let (parent, child) = (state(parent), state(child));
    let leaf_index = Some(u32::from(by));
    Commit {
        parent,
        child,
        committer: Committer {
            who: who(by),
            leaf_index,
        },
        rank: Rank::new(class, standing, parent, leaf_index, child),
        members: people(members),
    }
}

/// What one member has, with the names of the stories.
pub(super) trait Told {
    fn learns(&mut self, commit: &Commit, now: Time) -> &mut Self;
    fn hears(&mut self, names: &str, of: &str) -> &mut Self;
}

impl Told for Branches {
    fn learns(&mut self, commit: &Commit, now: Time) -> &mut Self {
        self.learn(commit.clone(), now).unwrap();
        self
    }

    fn hears(&mut self, names: &str, of: &str) -> &mut Self {
        for name in names.chars() {
            let did = self.acknowledge(who(name), state(of));
            assert!(
                matches!(did, Acknowledged::New | Acknowledged::Known),
                "{name} of {of}: {did:?}"
            );
        }
        self
    }
}
