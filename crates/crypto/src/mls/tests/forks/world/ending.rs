// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end: all that is under way arrives, days pass, who is lost is helped, and then it is judged.

use super::*;

impl World {
    pub(super) fn quiets(&mut self) {
        for round in 0..ROUNDS {
            for at in 0..self.devices.len() {
                while !self.devices[at].inbox.is_empty() {
                    self.hears_one(at);
                }
            }
            if self.stragglers().is_empty() {
                break;
            }
            // What is lost is said again, until it has come through.
            let lossy = round + 1 < ROUNDS;
            (0..self.devices.len()).for_each(|at| self.acknowledges(at, lossy));
        }
        for at in 0..self.devices.len() {
            while !self.devices[at].inbox.is_empty() {
                self.hears_one(at);
            }
        }
    }

    pub(super) fn calms_down(&mut self) {
        self.quiets();
        self.pass(73 * HOUR_MS);
        self.ticks();
        self.quiets();
        for round in 0..20 {
            let stragglers = self.stragglers();
            if stragglers.is_empty() {
                return;
            }
            let core = self.core();
            let way = self.way(core);
            for at in stragglers {
                if round == 0 {
                    self.told.stragglers += 1;
                }
                let origin = self.devices[at].origin;
                assert!(
                    round > 0 || origin.is_some_and(|origin| !way.contains(&origin)),
                    "seed {}: device {at} came in on the way that all are on, and is elsewhere",
                    self.seed
                );
                self.helps(at);
                self.quiets();
            }
        }
        panic!("seed {}: no end", self.seed);
    }

    pub(super) fn ticks(&mut self) {
        let now = self.now;
        for device in &mut self.devices {
            if let Some(thread) = &mut device.thread {
                thread.tick(&device.rows, now).unwrap();
                device.stores();
            }
        }
    }

    /// The state most are in.
    pub(super) fn core(&self) -> ParentHash {
        let mut heads: BTreeMap<ParentHash, usize> = BTreeMap::new();
        for device in self.devices.iter().filter(|device| device.is_active()) {
            *heads.entry(device.head().unwrap()).or_default() += 1;
        }
        *heads.iter().max_by_key(|(_, count)| **count).unwrap().0
    }

    pub(super) fn in_core(&self) -> BTreeSet<DeviceId> {
        let core = self.core();
        let inside = self
            .devices
            .iter()
            .find(|device| device.head() == Some(core))
            .unwrap();
        let live = inside.thread.as_ref().unwrap().live();
        live.members().iter().map(|member| member.device).collect()
    }

    /// Members of the state most are in who are elsewhere.
    pub(super) fn stragglers(&self) -> Vec<usize> {
        let (core, members) = (self.core(), self.in_core());
        (0..self.devices.len())
            .filter(|at| members.contains(&self.devices[*at].id()))
            .filter(|at| self.devices[*at].head() != Some(core) && self.devices[*at].tries < 5)
            .collect()
    }

    pub(super) fn way(&self, from: ParentHash) -> BTreeSet<ParentHash> {
        let mut way = BTreeSet::from([from]);
        let mut at = from;
        while let Some(parent) = self.parents.get(&at) {
            way.insert(*parent);
            at = *parent;
        }
        way
    }

    /// A member offers its state to one whose way in was lost.
    pub(super) fn helps(&mut self, at: usize) {
        let core = self.core();
        let helper = (0..self.devices.len())
            .find(|other| self.devices[*other].head() == Some(core))
            .unwrap();
        let returned = self.devices[at].thread.is_some() && self.comes_back_at(at, helper);
        if !returned {
            // No leaf key that the tree knows: somebody takes the leaf out.
            self.takes_out(at, helper);
        }
    }

    pub(super) fn takes_out(&mut self, at: usize, helper: usize) {
        let id = self.devices[at].id();
        let live = self.devices[helper].thread.as_ref().unwrap().live();
        let leaf = live
            .members()
            .iter()
            .find(|member| member.device == id)
            .map(|member| member.leaf_index);
        let core = self.core();
        for by in 0..self.devices.len() {
            let Some(leaf) = leaf.filter(|_| self.devices[by].head() == Some(core)) else {
                continue;
            };
            let made = self.makes(by, |thread, rows, seed, now| {
                let made = thread.remove(rows, &[leaf], seed, now)?;
                Ok((made.commit, Vec::new(), made.summary))
            });
            if made.is_some() {
                return;
            }
        }
        self.devices[at].tries += 1;
    }

    pub(super) fn judges(mut self) -> Told {
        let core = self.core();
        let members = self.in_core();
        let inside: BTreeSet<usize> = (0..self.devices.len())
            .filter(|at| members.contains(&self.devices[*at].id()))
            .filter(|at| self.devices[*at].tries < 5)
            .collect();
        for at in &inside {
            assert_eq!(self.devices[*at].head(), Some(core), "seed {}", self.seed);
        }
        for at in 0..self.devices.len() {
            if !inside.contains(&at) && self.devices[at].is_active() {
                self.told.unaware += 1;
            }
        }
        self.says_again_what_was_missed(&inside);
        for id in 0..self.said.len() {
            let missing = self.missing(id, &inside);
            if inside.contains(&self.said[id].author) {
                assert!(
                    missing.is_empty(),
                    "seed {}: {missing:?} lack message {id}",
                    self.seed
                );
            } else {
                self.told.gone_with_author += missing.len();
            }
        }
        // And they talk on.
        for at in &inside {
            let id = self.said.len();
            while self.said.len() == id {
                self.says(*at, None);
            }
            self.quiets();
            for reader in inside.iter().filter(|reader| *reader != at) {
                assert!(
                    self.devices[*reader].read.contains(&id),
                    "seed {}",
                    self.seed
                );
            }
        }
        self.told
    }

    /// Members of the state a message was sent in, all the time since, who have not read it.
    pub(super) fn missing(&self, id: usize, inside: &BTreeSet<usize>) -> Vec<usize> {
        let said = &self.said[id];
        let could = |reader: &usize| {
            let device = &self.devices[*reader];
            device.origin.is_none() || device.came_in <= id
        };
        said.readers
            .intersection(inside)
            .copied()
            .filter(|reader| !self.devices[*reader].read.contains(&id))
            .filter(could)
            .collect()
    }

    /// What a member of its state has not read is of a state that it forgot before the message came, or never learnt:
    /// its author, who keeps it until all have acknowledged it, says it again.
    pub(super) fn says_again_what_was_missed(&mut self, inside: &BTreeSet<usize>) {
        for id in 0..self.said.len() {
            let (said, mut missing) = (&self.said[id], self.missing(id, inside));
            for reader in &missing {
                let thread = self.devices[*reader].thread.as_ref().unwrap();
                assert!(
                    !thread.branches().contains(said.state),
                    "seed {}: {reader} knows the state of message {id} and has not read it",
                    self.seed
                );
            }
            let author = said.author;
            self.told.said_again += usize::from(!missing.is_empty());
            // Again and again: the power may fail before it is stored.
            for _ in 0..5 {
                if !missing.is_empty() && inside.contains(&author) {
                    self.says(author, Some(id));
                    self.quiets();
                    missing = self.missing(id, inside);
                }
            }
        }
    }
}
