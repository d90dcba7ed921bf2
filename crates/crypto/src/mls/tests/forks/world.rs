// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small world of devices: what they do, what travels, what is lost, and what must hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_protocol::Signed;
use comptoir_protocol::acknowledgement::AckVector;
use comptoir_protocol::id::{DeviceId, ParentHash, PublicKey};
use comptoir_protocol::time::Time;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::keys::LinkKey;
use crate::mls::branched::{BranchedThread, Moved};
use crate::mls::tests::*;
use crate::mls::thread::CommitSummary;

const STEPS: usize = 60;
const HOUR_MS: u64 = 3_600_000;
/// Rounds of acknowledgements at the end.
const ROUNDS: usize = 4;

type Store = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a run went through.
#[derive(Debug, Default)]
pub(super) struct Told {
    commits: usize,
    rivals: usize,
    moves: usize,
    entered: usize,
    back: usize,
    crashes: usize,
    messages: usize,
    read_off_the_way: usize,
    said_again: usize,
    stragglers: usize,
    unaware: usize,
    /// Envelopes opened once more after their state was forgotten; the engine knows them by their run.
    opened_again: usize,
    gone_with_author: usize,
}

impl Told {
    pub(super) fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.rivals += other.rivals;
        self.moves += other.moves;
        self.entered += other.entered;
        self.back += other.back;
        self.crashes += other.crashes;
        self.messages += other.messages;
        self.read_off_the_way += other.read_off_the_way;
        self.said_again += other.said_again;
        self.stragglers += other.stragglers;
        self.unaware += other.unaware;
        self.opened_again += other.opened_again;
        self.gone_with_author += other.gone_with_author;
    }
}

#[derive(Clone)]
enum Item {
    Commit(ParentHash, Vec<u8>),
    Message(ParentHash, Vec<u8>),
    Acknowledgement(Signed<AckVector>),
    Welcome(usize, Vec<u8>),
}

struct Said {
    author: usize,
    state: ParentHash,
    readers: BTreeSet<usize>,
}

struct Device {
    person: Person,
    rows: Store,
    thread: Option<BranchedThread>,
    /// The rows from before it came back, until that is settled: the leaf key the others may still know.
    before: Option<Store>,
    package: Option<KeyPackageSecret>,
    inbox: Vec<usize>,
    parked: Vec<usize>,
    /// Messages read, by their number; envelopes opened, by their bytes.
    read: BTreeSet<usize>,
    opened: BTreeSet<Vec<u8>>,
    committed: BTreeSet<(PublicKey, ParentHash)>,
    /// The state it came in at; none for those of the beginning.
    origin: Option<ParentHash>,
    came_in: usize,
    /// How often nobody could take its dead leaf out: perhaps there is no owner left.
    tries: usize,
}

impl Device {
    fn new(person: Person) -> Self {
        Self {
            person,
            rows: Store::new(),
            thread: None,
            before: None,
            package: None,
            inbox: Vec::new(),
            parked: Vec::new(),
            read: BTreeSet::new(),
            opened: BTreeSet::new(),
            committed: BTreeSet::new(),
            origin: None,
            came_in: 0,
            tries: 0,
        }
    }

    fn id(&self) -> DeviceId {
        self.person.account.device_key.id()
    }

    fn stores(&mut self) {
        let changes = self.thread.as_mut().unwrap().take_changes(Ratchet::Write);
        for (key, change) in changes {
            match change {
                RowChange::Put(row) => self.rows.insert(key, row),
                RowChange::Delete => self.rows.remove(&key),
            };
        }
    }

    fn is_active(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| thread.live().is_active())
    }

    fn head(&self) -> Option<ParentHash> {
        self.thread.as_ref().map(BranchedThread::head)
    }
}

pub(super) struct World {
    seed: u64,
    rng: ChaCha20Rng,
    now: Time,
    devices: Vec<Device>,
    items: Vec<Item>,
    said: Vec<Said>,
    parents: BTreeMap<ParentHash, ParentHash>,
    link: LinkKey,
    told: Told,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let size = 3 + (rng.next_u32() % 5) as usize;
        let link = LinkKey::generate(&mut rng);
        let owner = Person::new(seed * 1_000).account.keys.account();
        let mut context = ComptoirContext::new(thread_id(seed), ThreadKind::Group);
        context.join_links = vec![link.public()];
        context.roles = vec![RoleEntry {
            account: owner,
            role: Role::Owner,
        }];
        let now = Time {
            wall_ms: NOW_MS,
            mono_ms: NOW_MS,
            boot: [1; 16],
        };
        let mut devices: Vec<_> = group_in(context, size, seed)
            .into_iter()
            .map(|node| {
                let mut device = Device::new(node.person);
                device.thread = Some(BranchedThread::new(node.thread, now));
                device.rows = node.rows;
                device.stores();
                device
            })
            .collect();
        for number in 0..3 {
            devices.push(Device::new(Person::new(seed * 1_000 + 500 + number)));
        }
        Self {
            seed,
            rng,
            now,
            devices,
            items: Vec::new(),
            said: Vec::new(),
            parents: BTreeMap::new(),
            link,
            told: Told::default(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pass(&mut self, ms: u64) {
        self.now.wall_ms += ms;
        self.now.mono_ms += ms;
    }

    pub(super) fn run(mut self) -> Told {
        for _ in 0..STEPS {
            self.pass(60_000);
            let device = self.below(self.devices.len());
            match self.below(10) {
                0 | 1 => self.commits(device),
                2..=4 => self.says(device, None),
                _ => {
                    for _ in 0..=self.below(6) {
                        self.hears_one(device);
                    }
                }
            }
        }
        self.calms_down();
        self.judges()
    }

    // What devices do.

    fn crashes(&mut self, at: usize) {
        self.told.crashes += 1;
        let device = &mut self.devices[at];
        device.thread = Some(BranchedThread::load(&device.rows, self.now).unwrap());
    }

    /// Whether the power fails before what was done is stored; else it is stored, and may fail after.
    fn is_lost(&mut self, at: usize) -> bool {
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

    fn sends(&mut self, from: usize, item: Item) {
        let number = self.items.len();
        self.items.push(item);
        for (at, device) in self.devices.iter_mut().enumerate() {
            if at != from {
                device.inbox.push(number);
            }
        }
    }

    fn says(&mut self, at: usize, again: Option<usize>) {
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

    fn commits(&mut self, at: usize) {
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
    fn makes(
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

    fn notes(&mut self, parent: ParentHash, child: ParentHash) {
        self.told.commits += 1;
        if self.parents.values().any(|known| *known == parent) {
            self.told.rivals += 1;
        }
        self.parents.insert(child, parent);
    }

    fn adds(&mut self, at: usize) {
        let free = (0..self.devices.len()).find(|other| self.devices[*other].thread.is_none());
        if let Some(new) = free {
            self.invites(at, new);
        }
    }

    fn invites(&mut self, at: usize, new: usize) {
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

    fn removes(&mut self, at: usize) {
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

    fn changes_roles(&mut self, at: usize) {
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

    fn someone_else_inside(&mut self, at: usize) -> Option<usize> {
        let inside: Vec<_> = (0..self.devices.len())
            .filter(|other| *other != at && self.devices[*other].is_active())
            .collect();
        (!inside.is_empty()).then(|| inside[self.below(inside.len())])
    }

    fn enters(&mut self, at: usize) {
        if let Some(other) = self.someone_else_inside(at) {
            self.enters_at(at, other);
        }
    }

    fn enters_at(&mut self, at: usize, other: usize) {
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
    fn comes_back(&mut self, at: usize) {
        if let Some(other) = self.someone_else_inside(at)
            && self.devices[at].is_active()
        {
            self.comes_back_at(at, other);
        }
    }

    fn comes_back_at(&mut self, at: usize, other: usize) -> bool {
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

    fn begins(&mut self, at: usize, thread: MlsThread) {
        let now = self.now;
        let device = &mut self.devices[at];
        device.origin = Some(thread.parent());
        device.came_in = self.said.len();
        match &mut device.thread {
            Some(known) => known.replace(thread, now),
            none => *none = Some(BranchedThread::new(thread, now)),
        }
        device.stores();
        device.inbox.append(&mut device.parked);
    }

    // What reaches them.

    fn hears_one(&mut self, at: usize) {
        let waiting = self.devices[at].inbox.len();
        if waiting == 0 {
            return;
        }
        // Order is random, and nothing comes much later than what was sent after it.
        let pick = self.below(waiting.min(12));
        let number = self.devices[at].inbox.remove(pick);
        let item = self.items[number].clone();
        if !self.hears(at, &item) {
            self.devices[at].parked.push(number);
        } else if self.one_in(5) || self.devices[at].thread.is_some() && self.is_lost(at) {
            self.devices[at].inbox.push(number);
        }
    }

    /// Whether it could be dealt with.
    fn hears(&mut self, at: usize, item: &Item) -> bool {
        let now = self.now;
        if let Item::Welcome(to, bytes) = item {
            if *to == at {
                self.is_welcomed(at, bytes);
            }
            return true;
        }
        let device = &mut self.devices[at];
        let Some(thread) = &mut device.thread else {
            return false;
        };
        let moved = match item {
            Item::Commit(parent, bytes) => {
                match thread.receive_commit(&device.rows, *parent, bytes, now) {
                    Ok(received) => {
                        if !received.known {
                            device.inbox.append(&mut device.parked);
                        }
                        received.moved
                    }
                    Err(ReceiveError::UnknownParent { .. }) => return false,
                    Err(ReceiveError::Tree(_) | ReceiveError::Process(ProcessError::Own)) => None,
                    Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
                }
            }
            Item::Message(state, bytes) => return self.reads(at, *state, bytes),
            Item::Acknowledgement(vector) => match thread.acknowledge(&device.rows, vector, now) {
                Ok(moved) => moved,
                Err(AcknowledgeError::NotAMember) => None,
                Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
            },
            Item::Welcome(..) => None,
        };
        self.follows_up(at, moved);
        true
    }

    fn reads(&mut self, at: usize, state: ParentHash, bytes: &[u8]) -> bool {
        let device = &mut self.devices[at];
        let thread = device.thread.as_mut().unwrap();
        let off_the_way = state != thread.head() && thread.branches().contains(state);
        match thread.decrypt(&device.rows, state, bytes, &state.0) {
            Ok(opened) => {
                let id = u64::from_be_bytes(opened.plaintext.try_into().unwrap()) as usize;
                if self.is_lost(at) {
                    let again = self.items.len();
                    self.items.push(Item::Message(state, bytes.to_vec()));
                    self.devices[at].inbox.push(again);
                    return true;
                }
                let device = &mut self.devices[at];
                let first = device.opened.insert(bytes.to_vec());
                let is_kept = device.thread.as_ref().unwrap().branches().contains(state);
                assert!(
                    first || !is_kept,
                    "seed {}: {at} opened an envelope twice in a state that it keeps",
                    self.seed
                );
                device.read.insert(id);
                self.told.read_off_the_way += usize::from(off_the_way);
                self.told.opened_again += usize::from(!first);
            }
            Err(ReadError::UnknownState { .. }) => return false,
            Err(ReadError::Decrypt(
                DecryptError::Own | DecryptError::Used | DecryptError::Removed,
            )) => {}
            Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
        }
        true
    }

    fn is_welcomed(&mut self, at: usize, welcome: &[u8]) {
        let device = &self.devices[at];
        let Some(package) = &device.package else {
            return;
        };
        if device.is_active() && device.before.is_some() {
            return;
        }
        if let Ok(joined) = MlsThread::join(welcome, package) {
            self.begins(at, joined.thread);
        }
    }

    fn follows_up(&mut self, at: usize, moved: Option<Moved>) {
        if moved.is_some() {
            self.told.moves += 1;
            let head = self.devices[at].head().unwrap();
            assert_ne!(moved.map(|moved| moved.from), Some(head));
        }
        if self.one_in(2) {
            self.acknowledges(at, true);
        }
    }

    fn acknowledges(&mut self, at: usize, lossy: bool) {
        let seed = self.seed;
        if !self.devices[at].is_active() {
            return;
        }
        let thread = self.devices[at].thread.as_mut().unwrap();
        let vector = AckVector {
            thread: thread_id(seed),
            incarnation: 1,
            parent: thread.head(),
            entries: Vec::new(),
        };
        let signed = thread.sign(&vector);
        self.devices[at].stores();
        let number = self.items.len();
        self.items.push(Item::Acknowledgement(signed));
        for other in 0..self.devices.len() {
            if other != at && !(lossy && self.one_in(5)) {
                self.devices[other].inbox.push(number);
            }
        }
    }

    // The end.

    fn quiets(&mut self) {
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

    fn calms_down(&mut self) {
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

    fn ticks(&mut self) {
        let now = self.now;
        for device in &mut self.devices {
            if let Some(thread) = &mut device.thread {
                thread.tick(&device.rows, now).unwrap();
                device.stores();
            }
        }
    }

    /// The state most are in.
    fn core(&self) -> ParentHash {
        let mut heads: BTreeMap<ParentHash, usize> = BTreeMap::new();
        for device in self.devices.iter().filter(|device| device.is_active()) {
            *heads.entry(device.head().unwrap()).or_default() += 1;
        }
        *heads.iter().max_by_key(|(_, count)| **count).unwrap().0
    }

    fn in_core(&self) -> BTreeSet<DeviceId> {
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
    fn stragglers(&self) -> Vec<usize> {
        let (core, members) = (self.core(), self.in_core());
        (0..self.devices.len())
            .filter(|at| members.contains(&self.devices[*at].id()))
            .filter(|at| self.devices[*at].head() != Some(core) && self.devices[*at].tries < 5)
            .collect()
    }

    fn way(&self, from: ParentHash) -> BTreeSet<ParentHash> {
        let mut way = BTreeSet::from([from]);
        let mut at = from;
        while let Some(parent) = self.parents.get(&at) {
            way.insert(*parent);
            at = *parent;
        }
        way
    }

    /// A member offers its state to one whose way in was lost.
    fn helps(&mut self, at: usize) {
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

    fn takes_out(&mut self, at: usize, helper: usize) {
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

    fn judges(mut self) -> Told {
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
    fn missing(&self, id: usize, inside: &BTreeSet<usize>) -> Vec<usize> {
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
    fn says_again_what_was_missed(&mut self, inside: &BTreeSet<usize>) {
        for id in 0..self.said.len() {
            let (said, missing) = (&self.said[id], self.missing(id, inside));
            for reader in &missing {
                let thread = self.devices[*reader].thread.as_ref().unwrap();
                assert!(
                    !thread.branches().contains(said.state),
                    "seed {}: {reader} knows the state of message {id} and has not read it",
                    self.seed
                );
            }
            let author = said.author;
            if !missing.is_empty() && inside.contains(&author) {
                self.told.said_again += 1;
                self.says(author, Some(id));
                self.quiets();
            }
        }
    }
}
