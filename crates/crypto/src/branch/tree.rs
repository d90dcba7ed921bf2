// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of known states: who made each out of which, and which devices acknowledged it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use comptoir_protocol::id::{AccountId, DeviceId, ParentHash};
use comptoir_protocol::time::Time;
use comptoir_protocol::{wire_map, wire_number};

use super::rank::Rank;
use crate::mls::ThreadKind;

/// States on the way from the oldest kept one to the head. A longer way loses its oldest, settled or not: what then
/// comes from further up is for a resync.
pub const DEPTH_MAX: usize = 64;
/// States off the way to the head that one voter may have made. As many as the way is long, so that a side which went
/// on alone as far as ours can be learnt whole. A tree holds at most `DEPTH_MAX + COMMITS_OF_ONE_MAX * (voters + 1)`.
pub const COMMITS_OF_ONE_MAX: usize = 64;
/// Unknown states, the newest, that one device may have acknowledged before their commits come.
pub const ACKNOWLEDGED_AHEAD_MAX: usize = 8;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// One device of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
}
wire_map!(Who { 0 => account, 1 => device });

/// Who made a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Committer {
    /// The device.
    pub who: Who,
    /// Its leaf in the parent; for a resync the one it removes; `None` for whoever joins by a link.
    pub leaf_index: Option<u32>,
}
wire_map!(Committer { 0 => who, 1 => leaf_index });

impl Committer {
    /// Whether both are one leaf. Those who join by a link have none yet: they are told apart by device.
    pub(super) fn is_same_leaf(&self, other: &Self) -> bool {
        self.leaf_index == other.leaf_index && (self.leaf_index.is_some() || self.who == other.who)
    }
}

/// A commit that was judged valid in its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The state it was made in.
    pub parent: ParentHash,
    /// The state it leads to.
    pub child: ParentHash,
    /// Who made it.
    pub committer: Committer,
    /// Its rank among the commits of its parent.
    pub rank: Rank,
    /// The devices that are in the child.
    pub members: BTreeSet<Who>,
}

/// What has one voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// An account, however many devices it has: any of them acknowledges for it.
    Account,
    /// A device, in the thread of an account with itself.
    Device,
}
wire_number!(Unit, "unit of voice" { 0 => Account, 1 => Device });

/// A voice: an account's, or a device's where there is but one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Voter {
    Account(AccountId),
    Device(DeviceId),
}

impl Unit {
    pub(super) fn of(self, who: Who) -> Voter {
        match self {
            Self::Account => Voter::Account(who.account),
            Self::Device => Voter::Device(who.device),
        }
    }
}

/// How long a thread waits for acknowledgements, and what has a voice in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Epochs below a final state before its parent is forgotten.
    pub epochs: u32,
    /// Milliseconds after which a child counts as final without a majority.
    pub age_ms: u64,
    /// What has a voice.
    pub unit: Unit,
}
wire_map!(Patience { 0 => epochs, 1 => age_ms, 2 => unit });

impl Patience {
    /// 3 epochs or 24 h for two people, 5 or 72 h for all else.
    pub fn of(kind: ThreadKind) -> Self {
        let (epochs, hours) = match kind {
            ThreadKind::Pair => (3, 24),
            ThreadKind::Own | ThreadKind::Group | ThreadKind::Merchant => (5, 72),
        };
        let unit = match kind {
            ThreadKind::Own => Unit::Device,
            ThreadKind::Pair | ThreadKind::Group | ThreadKind::Merchant => Unit::Account,
        };
        Self {
            epochs,
            age_ms: hours * HOUR_MS,
            unit,
        }
    }
}

/// One known state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The commit that leads here; the root's is forgotten.
    pub(super) made: Option<Made>,
    pub(super) members: BTreeSet<Who>,
    /// Devices that acknowledged this state or one below it.
    pub(super) acknowledged: BTreeSet<Who>,
    pub(super) children: BTreeSet<ParentHash>,
    /// When it became known here.
    pub(super) since: Time,
}

/// How a state came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) parent: ParentHash,
    pub(super) committer: Committer,
    pub(super) rank: Rank,
}
wire_map!(Made { 0 => parent, 1 => committer, 2 => rank });

/// The known states of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches {
    pub(super) patience: Patience,
    pub(super) root: ParentHash,
    pub(super) states: BTreeMap<ParentHash, State>,
    /// Acknowledgements of states whose commits have not come, the newest last.
    pub(super) ahead: BTreeMap<Who, VecDeque<ParentHash>>,
}

/// What [`Branches::learn`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// The state was known.
    Known,
    /// The state is new.
    New {
        /// States that went for it: further commits by its committer on its parent, and what was built on them.
        dropped: Vec<ParentHash>,
    },
}

/// A commit was not taken into the tree, which is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// Its parent is not known, or no longer. Retryable once the parent's commit has come.
    #[error("the commit's parent {parent} is not known")]
    UnknownParent {
        /// The parent.
        parent: ParentHash,
    },
    /// Its leaf made two commits of smaller rank on this parent, which prove what a third would. Retryable once
    /// somebody else acknowledged its state.
    #[error("the committer's leaf has made two other commits on one parent")]
    Equivocated,
    /// Its maker has too many states off the way to the head. Retryable after the head moved or states were forgotten.
    #[error(
        "{kept} states of one member are known beside the thread's, the bound is {COMMITS_OF_ONE_MAX}"
    )]
    TooMany {
        /// How many are kept.
        kept: usize,
    },
}

/// What [`Branches::acknowledge`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// It counts from now on.
    New,
    /// It counted before.
    Known,
    /// The state is not known: it is kept until the commit comes, [`ACKNOWLEDGED_AHEAD_MAX`] for each device, the
    /// oldest going first.
    Ahead,
    /// The device is not in that state, or in none known: nothing was kept.
    NotAMember,
}

impl Branches {
    /// Starts from one state: a thread just made or joined.
    pub fn new(root: ParentHash, members: BTreeSet<Who>, patience: Patience, now: Time) -> Self {
        let state = State {
            made: None,
            members,
            acknowledged: BTreeSet::new(),
            children: BTreeSet::new(),
            since: now,
        };
        Self {
            patience,
            root,
            states: BTreeMap::from([(root, state)]),
            ahead: BTreeMap::new(),
        }
    }

    /// The oldest state that is kept.
    pub fn root(&self) -> ParentHash {
        self.root
    }

    /// Whether a state is known.
    pub fn contains(&self, state: ParentHash) -> bool {
        self.states.contains_key(&state)
    }

    /// Every known state, in no order that means anything.
    pub fn states(&self) -> impl Iterator<Item = ParentHash> + '_ {
        self.states.keys().copied()
    }

    /// The state that a known state was made in; `None` for the root and for states not known.
    pub fn parent(&self, state: ParentHash) -> Option<ParentHash> {
        self.states.get(&state)?.made.map(|made| made.parent)
    }

    /// Who is in a state; `None` if it is not known.
    pub fn members(&self, state: ParentHash) -> Option<&BTreeSet<Who>> {
        self.states.get(&state).map(|state| &state.members)
    }

    /// Takes a commit in. Its committer acknowledges its child by having made it. Costs a walk over the tree.
    pub fn learn(&mut self, commit: Commit, now: Time) -> Result<Learnt, LearnError> {
        let Commit {
            parent,
            child,
            committer,
            rank,
            members,
        } = commit;
        if self.contains(child) {
            return Ok(Learnt::Known);
        }
        if !self.contains(parent) {
            return Err(LearnError::UnknownParent { parent });
        }
        self.room_for(parent, committer.who, now)?;
        let waiting = self.waiting_for(child, &members);
        let backed = self.is_backed_by(&waiting, parent, committer.who);
        let thirds = self.third_of_one_leaf(parent, &committer, rank, backed)?;

        let mut dropped = Vec::new();
        for third in thirds {
            dropped.extend(self.remove_subtree(third));
        }
        let made = Made {
            parent,
            committer,
            rank,
        };
        let state = State {
            made: Some(made),
            members,
            acknowledged: BTreeSet::new(),
            children: BTreeSet::new(),
            since: now,
        };
        self.states.insert(child, state);
        self.known_mut(parent).children.insert(child);
        self.count(committer.who, child);
        for who in waiting {
            self.take_ahead(who, child);
            self.count(who, child);
        }
        Ok(Learnt::New { dropped })
    }

    /// Counts a signed acknowledgement of `state`, and so of all above it. Whoever calls has verified the signature of
    /// a leaf of `who`. Repeated, late or early ones make no difference.
    pub fn acknowledge(&mut self, who: Who, state: ParentHash) -> Acknowledged {
        let Some(known) = self.states.get(&state) else {
            return self.acknowledge_ahead(who, state);
        };
        if !known.members.contains(&who) {
            return Acknowledged::NotAMember;
        }
        if known.acknowledged.contains(&who) {
            return Acknowledged::Known;
        }
        self.count(who, state);
        Acknowledged::New
    }

    fn acknowledge_ahead(&mut self, who: Who, state: ParentHash) -> Acknowledged {
        if !self
            .states
            .values()
            .any(|known| known.members.contains(&who))
        {
            return Acknowledged::NotAMember;
        }
        let ahead = self.ahead.entry(who).or_default();
        ahead.retain(|kept| *kept != state);
        if ahead.len() == ACKNOWLEDGED_AHEAD_MAX {
            ahead.pop_front();
        }
        ahead.push_back(state);
        Acknowledged::Ahead
    }

    /// Marks a state and all above it; stops where it was marked before.
    fn count(&mut self, who: Who, state: ParentHash) {
        let mut next = Some(state);
        while let Some(at) = next {
            let state = self.known_mut(at);
            if !state.acknowledged.insert(who) {
                return;
            }
            next = state.made.map(|made| made.parent);
        }
    }

    fn waiting_for(&self, child: ParentHash, members: &BTreeSet<Who>) -> Vec<Who> {
        let waits = |who: &&Who| {
            self.ahead
                .get(*who)
                .is_some_and(|ahead| ahead.contains(&child))
        };
        members.iter().filter(waits).copied().collect()
    }

    fn take_ahead(&mut self, who: Who, child: ParentHash) {
        if let Some(ahead) = self.ahead.get_mut(&who) {
            ahead.retain(|kept| *kept != child);
            if ahead.is_empty() {
                self.ahead.remove(&who);
            }
        }
    }

    /// Refuses what would stand beside the way to the head and is one too many of its payer's.
    fn room_for(&self, parent: ParentHash, who: Who, now: Time) -> Result<(), LearnError> {
        let path = self.path(now);
        if path.last() == Some(&parent) {
            return Ok(());
        }
        let path: BTreeSet<ParentHash> = path.into_iter().collect();
        let payer = self.payer(Some(who), parent);
        let kept = self
            .states
            .iter()
            .filter(|(hash, _)| !path.contains(hash))
            .filter(|(hash, _)| self.payer(None, **hash) == payer)
            .count();
        if kept < COMMITS_OF_ONE_MAX {
            Ok(())
        } else {
            Err(LearnError::TooMany { kept })
        }
    }

    /// Whose share a state is counted in: its maker's, if that is a voter of the root; else, since whoever makes
    /// branches can fill them with accounts of their own, the nearest maker's above who is. `None`: strangers by link.
    fn payer(&self, maker: Option<Who>, below: ParentHash) -> Option<Voter> {
        let voters = self.voters(self.root);
        let mut maker = maker.map(|who| self.voter(who));
        let mut at = below;
        loop {
            if maker.is_some_and(|maker| voters.contains(&maker)) {
                return maker;
            }
            let made = self.known(at).made?;
            maker = Some(self.voter(made.committer.who));
            at = made.parent;
        }
    }

    /// Which states go when a leaf's commit comes on a parent where it made two or more: the two of smallest rank stay,
    /// since everybody must end with the same two, and every one that another voter acknowledged.
    fn third_of_one_leaf(
        &self,
        parent: ParentHash,
        committer: &Committer,
        rank: Rank,
        backed: bool,
    ) -> Result<Vec<ParentHash>, LearnError> {
        let mut of_one: Vec<(Rank, Option<ParentHash>)> = self
            .siblings_of_leaf(parent, committer)
            .map(|(hash, made)| (made.rank, Some(hash)))
            .collect();
        of_one.push((rank, None));
        of_one.sort_unstable();
        let mut dropped = Vec::new();
        for (_, third) in of_one.into_iter().skip(2) {
            match third {
                None if !backed => return Err(LearnError::Equivocated),
                Some(hash)
                    if !self.is_backed_by(
                        &self.known(hash).acknowledged,
                        parent,
                        committer.who,
                    ) =>
                {
                    dropped.push(hash);
                }
                _ => {}
            }
        }
        Ok(dropped)
    }

    pub(super) fn siblings_of_leaf<'a>(
        &'a self,
        parent: ParentHash,
        committer: &'a Committer,
    ) -> impl Iterator<Item = (ParentHash, Made)> + 'a {
        self.known(parent).children.iter().filter_map(|hash| {
            let made = self.known(*hash).made?;
            made.committer
                .is_same_leaf(committer)
                .then_some((*hash, made))
        })
    }

    /// Whether a voter of `parent` other than the maker is among those who acknowledged its child. Whom the maker brought
    /// in below does not count.
    fn is_backed_by<'a>(
        &self,
        acknowledged: impl IntoIterator<Item = &'a Who>,
        parent: ParentHash,
        maker: Who,
    ) -> bool {
        let voters = self.voters(parent);
        acknowledged
            .into_iter()
            .map(|who| self.voter(*who))
            .any(|voter| voter != self.voter(maker) && voters.contains(&voter))
    }

    /// Removes a state and all below it, and says which.
    pub(super) fn remove_subtree(&mut self, top: ParentHash) -> Vec<ParentHash> {
        if let Some(parent) = self.parent(top)
            && let Some(parent) = self.states.get_mut(&parent)
        {
            parent.children.remove(&top);
        }
        let mut gone = Vec::new();
        let mut todo = vec![top];
        while let Some(hash) = todo.pop() {
            if let Some(state) = self.states.remove(&hash) {
                todo.extend(state.children);
                gone.push(hash);
            }
        }
        gone
    }

    pub(super) fn voter(&self, who: Who) -> Voter {
        self.patience.unit.of(who)
    }

    pub(super) fn voters(&self, state: ParentHash) -> BTreeSet<Voter> {
        let members = &self.known(state).members;
        members.iter().map(|who| self.voter(*who)).collect()
    }

    pub(super) fn known(&self, state: ParentHash) -> &State {
        self.states
            .get(&state)
            .expect("parents and children of known states are known")
    }

    pub(super) fn known_mut(&mut self, state: ParentHash) -> &mut State {
        self.states
            .get_mut(&state)
            .expect("parents and children of known states are known")
    }
}
