// SPDX-License-Identifier: MIT OR Apache-2.0
//! What devices do, and lose when the power fails.

use super::*;

impl World {
    pub(super) fn crashes(&mut self, at: usize) {
        self.told.crashes += 1;
        let device = &mut self.devices[at];
        device.thread = Some(BranchedThread::load(&device.rows, self.now).unwrap());
    }

    /// Whether the power fails before what was done is stored; else it is stored, and may fail after.
    pub(super) fn is_lost(&mut self, at: usize) -> bool {
        if self.one_in(10) {
            self.crashes(at);
            return true;
        }
        self.devices[at].stores();
        if self.one_in(10) {
            self.crashes(at);
        }
        false
    }

    pub(super) fn sends(&mut self, from: usize, item: Item) {
        let number = self.items.len();
        self.items.push(item);
        for (at, device) in self.devices.iter_mut().enumerate() {
            if at != from {
                device.inbox.push(number);
            }
        }
    }

    pub(super) fn says(&mut self, at: usize, again: Option<usize>) {
        if !self.devices[at].is_active() {
            return;
        }
        let id = again.unwrap_or(self.said.len());
        let device = &mut self.devices[at];
        let seed = device.person.seed();
        let thread = device.thread.as_mut().unwrap();
        let (state, members) = (thread.head(), thread.live().members());
        let bytes = thread
            .encrypt(&(id as u64).to_be_bytes(), &state.0, seed)
            .unwrap();
        if self.is_lost(at) {
            return;
        }
        let devices: BTreeSet<_> = members.iter().map(|member| member.device).collect();
        let readers: BTreeSet<_> = (0..self.devices.len())
            .filter(|other| *other != at && devices.contains(&self.devices[*other].id()))
            .collect();
        match again {
            Some(id) => self.said[id].state = state,
            None => {
                self.told.messages += 1;
                self.said.push(Said {
                    author: at,
                    state,
                    readers,
                });
            }
        }
        self.sends(at, Item::Message(state, bytes));
    }

    pub(super) fn commits(&mut self, at: usize) {
        let choice = self.below(12);
        let outside = self.devices[at].thread.is_none();
        match (choice, outside) {
            (0..=2, true) => self.enters(at),
            (_, true) => {}
            (0 | 1, false) => self.comes_back(at),
            (2 | 3, false) => self.adds(at),
            (4 | 5, false) => self.removes(at),
            (6, false) => self.changes_roles(at),
            (_, false) => {
                self.makes(at, |thread, rows, seed, now| {
                    let made = thread.self_update(rows, seed, now)?;
                    Ok((made.commit, Vec::new(), made.summary))
                });
            }
        }
    }

    /// Makes a commit, notes that its leaf made none in that state before, and sends it.
    pub(super) fn makes(
        &mut self,
        at: usize,
        make: impl FnOnce(
            &mut BranchedThread,
            &Store,
            crate::StepSeed,
            Time,
        ) -> Result<(Vec<u8>, Vec<u8>, CommitSummary), CommitError>,
    ) -> Option<Vec<u8>> {
        let now = self.now;
        if !self.devices[at].is_active() {
            return None;
        }
        let device = &mut self.devices[at];
        let seed = device.person.seed();
        let thread = device.thread.as_mut().unwrap();
        let (key, head) = (thread.live().own_leaf_key(), thread.head());
        let (commit, welcome, summary) = match make(thread, &device.rows, seed, now) {
            Ok(made) => made,
            Err(CommitError::Fault(_)) => {
                assert_eq!(thread.head(), head, "seed {}", self.seed);
                return None;
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        };
        if self.is_lost(at) {
            return None;
        }
        let first = self.devices[at].committed.insert((key, summary.parent));
        assert!(first, "seed {}: a leaf commits once in a state", self.seed);
        self.notes(summary.parent, summary.child);
        self.sends(at, Item::Commit(summary.parent, commit));
        Some(welcome)
    }

    pub(super) fn notes(&mut self, parent: ParentHash, child: ParentHash) {
        self.told.commits += 1;
        if self.parents.values().any(|known| *known == parent) {
            self.told.rivals += 1;
        }
        self.parents.insert(child, parent);
    }

    pub(super) fn adds(&mut self, at: usize) {
        let free = (0..self.devices.len()).find(|other| self.devices[*other].thread.is_none());
        if let Some(new) = free {
            self.invites(at, new);
        }
    }

    pub(super) fn invites(&mut self, at: usize, new: usize) {
        let (package, secret) = self.devices[new].person.package();
        let package = verify_key_package(&package, NOW_MS).unwrap();
        let welcome = self.makes(at, |thread, rows, seed, now| {
            let made = thread.add(rows, std::slice::from_ref(&package), seed, now)?;
            Ok((made.commit, made.welcome, made.summary))
        });
        if let Some(welcome) = welcome {
            self.devices[new].package = Some(secret);
            self.sends(at, Item::Welcome(new, welcome));
        }
    }

    pub(super) fn removes(&mut self, at: usize) {
        if !self.devices[at].is_active() {
            return;
        }
        let live = self.devices[at].thread.as_ref().unwrap().live();
        let own = live.own_leaf_index();
        let leaves: Vec<_> = live
            .members()
            .into_iter()
            .map(|member| member.leaf_index)
            .filter(|leaf| *leaf != own)
            .collect();
        if leaves.len() < 2 {
            return;
        }
        let gone = leaves[self.below(leaves.len())];
        self.makes(at, |thread, rows, seed, now| {
            let made = thread.remove(rows, &[gone], seed, now)?;
            Ok((made.commit, Vec::new(), made.summary))
        });
    }

    pub(super) fn changes_roles(&mut self, at: usize) {
        if !self.devices[at].is_active() {
            return;
        }
        let live = self.devices[at].thread.as_ref().unwrap().live();
        let members = live.members();
        let mut context = live.context().clone();
        let account = members[self.below(members.len())].account;
        context.roles.retain(|entry| entry.account != account);
        let role = if self.one_in(3) {
            Role::Owner
        } else {
            Role::Admin
        };
        context.roles.push(RoleEntry { account, role });
        context.roles.sort_by_key(|entry| entry.account);
        self.makes(at, |thread, rows, seed, now| {
            let made = thread.change_context(rows, &context, seed, now)?;
            Ok((made.commit, Vec::new(), made.summary))
        });
    }

    pub(super) fn someone_else_inside(&mut self, at: usize) -> Option<usize> {
        let inside: Vec<_> = (0..self.devices.len())
            .filter(|other| *other != at && self.devices[*other].is_active())
            .collect();
        (!inside.is_empty()).then(|| inside[self.below(inside.len())])
    }

    pub(super) fn enters(&mut self, at: usize) {
        if let Some(other) = self.someone_else_inside(at) {
            self.enters_at(at, other);
        }
    }

    pub(super) fn enters_at(&mut self, at: usize, other: usize) {
        let offer = self.devices[other]
            .thread
            .as_ref()
            .unwrap()
            .live()
            .offer()
            .unwrap();
        let device = &mut self.devices[at];
        let (leaf, seed) = (device.person.leaf(), device.person.seed());
        let Ok(entered) = MlsThread::enter(&offer, &self.link, &leaf, seed) else {
            return;
        };
        let FromOutside { parent, commit } = entered.commit;
        self.notes(parent, entered.thread.parent());
        self.told.entered += 1;
        self.begins(at, entered.thread);
        self.sends(at, Item::Commit(parent, commit));
    }

    /// Its disk is rolled back, and it comes back into somebody's state.
    pub(super) fn comes_back(&mut self, at: usize) {
        if let Some(other) = self.someone_else_inside(at)
            && self.devices[at].is_active()
        {
            self.comes_back_at(at, other);
        }
    }

    pub(super) fn comes_back_at(&mut self, at: usize, other: usize) -> bool {
        let offer = self.devices[other]
            .thread
            .as_ref()
            .unwrap()
            .live()
            .offer()
            .unwrap();
        let device = &mut self.devices[at];
        // The newest leaf first; should that way in have been lost, the one from before.
        let stores = [Some(device.rows.clone()), device.before.clone()];
        for store in stores.into_iter().flatten() {
            let old = MlsThread::load(&store).unwrap();
            let (leaf, seeds) = (
                device.person.leaf(),
                [device.person.seed(), device.person.seed()],
            );
            let Ok(back) = old.come_back(&offer, &leaf, seeds) else {
                continue;
            };
            let [first, second] = back.commits;
            device.before = Some(store);
            self.notes(first.parent, second.parent);
            self.notes(second.parent, back.thread.parent());
            self.told.back += 1;
            self.begins(at, back.thread);
            self.sends(at, Item::Commit(first.parent, first.commit));
            self.sends(at, Item::Commit(second.parent, second.commit));
            return true;
        }
        false
    }

    pub(super) fn begins(&mut self, at: usize, thread: MlsThread) {
        let now = self.now;
        let device = &mut self.devices[at];
        device.origin = Some(thread.parent());
        device.came_in = self.said.len();
        match &mut device.thread {
            Some(known) => known.replace(thread, now).unwrap(),
            none => *none = Some(BranchedThread::new(thread, now)),
        }
        device.stores();
        device.inbox.append(&mut device.parked);
    }
}
