// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small world of devices: what they do, what travels, what is lost, and what must hold at the end.

mod deeds;
mod ending;
mod hearing;

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
}
