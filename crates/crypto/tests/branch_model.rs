// SPDX-License-Identifier: MIT OR Apache-2.0
//! A model of rank and finality, searched exhaustively for three members and three commits, over the real `Branches`.
//!
//! A *world* says which three commits there can be: who makes each, in which state, and what it does. A step makes one,
//! shows one to one member, acknowledges, passes one acknowledgement to one member, or lets three days pass for one
//! member. What is never passed on is lost; what is passed on twice changes nothing. In half of the worlds the third
//! member is malicious: it makes commits in any state at any time, two on one parent, shows them to whom it likes, and
//! acknowledges anything. Every state that steps can lead to is visited once, and from each of them the honest are
//! given all they know of each other.
//!
//! It finds what it should: with time looked at before acknowledgements, or with voices counted between two majorities,
//! a commit that two honest members acknowledged loses to one that Mallory shows later.
//!
//! The search is 60 lines of our own: Stateright would bring 39 crates, an HTTP server among them, into a lock file
//! that stands beside keys.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeSet, HashMap, VecDeque};

use comptoir_crypto::branch::{Branches, Class, Commit, Committer, Patience, Rank, Standing, Who};
use comptoir_crypto::mls::ThreadKind;
use comptoir_protocol::id::{AccountId, DeviceId, ParentHash};
use comptoir_protocol::time::Time;

const MEMBERS: usize = 3;
const COMMITS: usize = 3;
const MALLORY: usize = 2;

/// What a commit of a world does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Removes(usize),
    Adds,
    Updates,
}

/// A commit that may be made. `parent` is a commit before it, or the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    parent: Option<usize>,
    author: usize,
    does: Does,
}

struct World {
    planned: Vec<Planned>,
    honest: Vec<usize>,
    /// Bits of the members that are in the state after each commit.
    members: Vec<u8>,
    commits: Vec<Commit>,
    heads: HashMap<u16, Option<u8>>,
}

/// What one member knows: commits, acknowledgements (a row of commits for each member), commits three days old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Knows {
    commits: u8,
    acknowledged: [u8; MEMBERS],
    old: u8,
}

/// A state of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Model {
    made: u8,
    knows: [Knows; MEMBERS],
    /// Commits that a majority acknowledged, all of it honest.
    kept: u8,
    /// For each of those: the siblings that no honest member knew at that time.
    later: [u8; COMMITS],
}

/// What the search came across, so that it cannot be empty.
#[derive(Debug, Default)]
struct Seen {
    states: u64,
    worlds: u64,
    parted: u64,
    shown_later: u64,
    two_majorities: u64,
    moves_max: u64,
}

fn bit(at: usize) -> u8 {
    1 << at
}

fn has(bits: u8, at: usize) -> bool {
    bits & bit(at) != 0
}

fn who(member: usize) -> Who {
    Who {
        account: AccountId([member as u8; 32]),
        device: DeviceId([member as u8; 32]),
    }
}

fn state(at: Option<usize>) -> ParentHash {
    ParentHash([at.map_or(0xff, |at| at as u8); 32])
}

fn hour(hours: u64) -> Time {
    let ms = hours * 3_600_000;
    Time {
        wall_ms: ms,
        mono_ms: ms,
        boot: [0; 16],
    }
}

fn people(bits: u8) -> BTreeSet<Who> {
    (0..8).filter(|at| has(bits, *at)).map(who).collect()
}

impl World {
    /// `None` if a commit could not be made: its author or whom it removes is not there, or an honest author would
    /// commit twice in one state.
    fn new(planned: Vec<Planned>, malicious: bool) -> Option<Self> {
        let honest: Vec<usize> = (0..MEMBERS)
            .filter(|member| !malicious || *member != MALLORY)
            .collect();
        let (mut members, mut commits) = (Vec::new(), Vec::new());
        for (at, commit) in planned.iter().enumerate() {
            let before: u8 = commit.parent.map_or(0b111, |parent| members[parent]);
            let (class, after) = match commit.does {
                Does::Removes(whom) if has(before, whom) => {
                    (Class::RemovesOther, before & !bit(whom))
                }
                Does::Removes(_) => return None,
                Does::Adds => (Class::Adds, before | bit(MEMBERS + at)),
                Does::Updates => (Class::Rest, before),
            };
            let twice = planned[..at]
                .iter()
                .any(|other| (other.parent, other.author) == (commit.parent, commit.author));
            if !has(before, commit.author) || twice && honest.contains(&commit.author) {
                return None;
            }
            let (parent, child) = (state(commit.parent), state(Some(at)));
            let leaf_index = Some(commit.author as u32);
            members.push(after);
            commits.push(Commit {
                parent,
                child,
                committer: Committer {
                    who: who(commit.author),
                    leaf_index,
                },
                rank: Rank::new(class, Standing::Owner, parent, leaf_index, child),
                members: people(after),
            });
        }
        Some(Self {
            planned,
            honest,
            members,
            commits,
            heads: HashMap::new(),
        })
    }

    fn members_of(&self, at: Option<usize>) -> u8 {
        at.map_or(0b111, |at| self.members[at])
    }

    fn is_below(&self, mut below: Option<usize>, above: usize) -> bool {
        while let Some(at) = below {
            if at == above {
                return true;
            }
            below = self.planned[at].parent;
        }
        false
    }

    /// The head, by the real code. The same knowledge is told in three orders.
    fn head(&mut self, knows: &Knows) -> Option<usize> {
        let key = knows.key();
        if let Some(head) = self.heads.get(&key) {
            return head.map(usize::from);
        }
        let known = (0..COMMITS).filter(|at| has(knows.commits, *at));
        let forwards: Vec<usize> = known.collect();
        let mut backwards: Vec<usize> = forwards.iter().rev().copied().collect();
        backwards.sort_by_key(|at| self.depth(*at));
        let heads = [
            self.told(knows, &forwards, false),
            self.told(knows, &forwards, true),
            self.told(knows, &backwards, true),
        ];
        assert!(
            heads.iter().all(|head| *head == heads[0]),
            "the order of arrival decides: {:?} {knows:?} {heads:?}",
            self.planned
        );
        let head = (0..COMMITS).find(|at| state(Some(*at)) == heads[0]);
        self.heads.insert(key, head.map(|at| at as u8));
        head
    }

    fn depth(&self, at: usize) -> usize {
        self.planned[at]
            .parent
            .map_or(0, |parent| 1 + self.depth(parent))
    }

    fn told(&self, knows: &Knows, order: &[usize], acknowledged_first: bool) -> ParentHash {
        let patience = Patience::of(ThreadKind::Group);
        let mut branches = Branches::new(state(None), people(0b111), patience, hour(0));
        let acknowledge = |branches: &mut Branches| {
            for (member, row) in knows.acknowledged.iter().enumerate() {
                for at in (0..COMMITS).filter(|at| has(*row, *at)) {
                    branches.acknowledge(who(member), state(Some(at)));
                }
            }
        };
        if acknowledged_first {
            acknowledge(&mut branches);
        }
        // Twice, as whoever was refused for committing too often comes again once somebody followed.
        for _ in 0..2 {
            for at in order {
                let since = if has(knows.old, *at) {
                    hour(0)
                } else {
                    hour(100)
                };
                branches.learn(self.commits[*at].clone(), since).ok();
            }
            acknowledge(&mut branches);
        }
        branches.head(hour(100))
    }
}

impl Knows {
    fn key(&self) -> u16 {
        let [a, b, c] = self.acknowledged.map(u16::from);
        u16::from(self.commits) | a << 3 | b << 6 | c << 9 | u16::from(self.old) << 12
    }
}

/// Learns a commit, and that its author is in its state.
fn learn(world: &World, knows: &mut Knows, at: usize) {
    knows.commits |= bit(at);
    acknowledge(world, knows, world.planned[at].author, at);
}

/// Counts an acknowledgement for a commit and all above it.
fn acknowledge(world: &World, knows: &mut Knows, member: usize, at: usize) {
    let mut next = Some(at);
    while let Some(at) = next {
        knows.acknowledged[member] |= bit(at);
        next = world.planned[at].parent;
    }
}

/// Whether a member can open a commit: it knows the state it was made in and is in it.
fn opens(world: &World, knows: &Knows, member: usize, at: usize) -> bool {
    let parent = world.planned[at].parent;
    !has(knows.commits, at)
        && parent.is_none_or(|parent| has(knows.commits, parent))
        && has(world.members_of(parent), member)
}

/// Every state one step away.
fn steps(world: &mut World, model: &Model) -> Vec<Model> {
    let mut next = Vec::new();
    for member in world.honest.clone() {
        let knows = model.knows[member];
        let head = world.head(&knows);
        let step = |change: &dyn Fn(&mut Model, &mut Knows)| {
            let mut after = *model;
            let mut knows = knows;
            change(&mut after, &mut knows);
            after.knows[member] = knows;
            after
        };
        for at in 0..COMMITS {
            let Planned { parent, author, .. } = world.planned[at];
            let is_made = has(model.made, at);
            if author == member && !is_made && head == parent {
                next.push(step(&|after, knows| {
                    after.made |= bit(at);
                    learn(world, knows, at);
                }));
            }
            let is_there = is_made || !world.honest.contains(&author);
            if is_there && opens(world, &knows, member, at) {
                next.push(step(&|after, knows| {
                    after.made |= bit(at);
                    learn(world, knows, at);
                }));
            }
            if !has(knows.commits, at) {
                continue;
            }
            for other in (0..MEMBERS).filter(|other| *other != member) {
                let said = if world.honest.contains(&other) {
                    has(model.knows[other].acknowledged[other], at)
                } else {
                    has(world.members[at], other)
                };
                if said && !has(knows.acknowledged[other], at) {
                    next.push(step(&|_, knows| acknowledge(world, knows, other, at)));
                }
            }
        }
        if let Some(at) = head
            && has(world.members[at], member)
        {
            next.push(step(&|_, knows| acknowledge(world, knows, member, at)));
        }
        next.push(step(&|_, knows| knows.old = knows.commits));
    }
    for after in &mut next {
        note_majorities(world, after);
    }
    next
}

/// Notes each commit that more than half acknowledged, all honest, and what was not known to any of them then.
fn note_majorities(world: &World, model: &mut Model) {
    let known = world
        .honest
        .iter()
        .fold(0, |known, member| known | model.knows[*member].commits);
    for at in 0..COMMITS {
        let Planned { parent, author, .. } = world.planned[at];
        let voters = world.members_of(parent);
        let said = |member: &&usize| {
            has(voters, **member) && has(model.knows[**member].acknowledged[**member], at)
        };
        let honest = world.honest.iter().filter(said).count() as u32;
        let is_sibling = |other: &usize| *other != at && world.planned[*other].parent == parent;
        // Whoever commits twice in one state ranks last, also afterwards.
        let equivocates = (0..COMMITS)
            .filter(is_sibling)
            .any(|other| world.planned[other].author == author);
        if honest * 2 > voters.count_ones() && !has(model.kept, at) && !equivocates {
            model.kept |= bit(at);
            model.later[at] = (0..COMMITS)
                .filter(is_sibling)
                .filter(|other| !has(known, *other))
                .fold(0, |bits, other| bits | bit(other));
        }
    }
}

/// Gives the honest all they know of each other until nothing changes; says how often one of them moved.
fn share(world: &mut World, model: &mut Model) -> u64 {
    let honest = world.honest.clone();
    let mut moves = 0;
    for _ in 0..64 {
        let before = *model;
        let mut all = Knows::default();
        for member in &honest {
            all.commits |= model.knows[*member].commits;
            let rows = model.knows[*member].acknowledged;
            for (all, row) in all.acknowledged.iter_mut().zip(rows) {
                *all |= row;
            }
        }
        for member in &honest {
            let mut knows = model.knows[*member];
            let head = world.head(&knows);
            for at in 0..COMMITS {
                if has(all.commits, at) && opens(world, &knows, *member, at) {
                    learn(world, &mut knows, at);
                }
                for (other, row) in all.acknowledged.iter().enumerate() {
                    if has(knows.commits, at) && has(*row, at) {
                        acknowledge(world, &mut knows, other, at);
                    }
                }
            }
            let after = world.head(&knows);
            moves += u64::from(after != head);
            if let Some(at) = after
                && has(world.members[at], *member)
            {
                acknowledge(world, &mut knows, *member, at);
            }
            model.knows[*member] = knows;
        }
        if *model == before {
            return moves;
        }
    }
    panic!("members move for ever: {:?} {model:?}", world.planned);
}

/// What must hold in every state; the error says what does not.
fn check(world: &mut World, model: &Model, seen: &mut Seen) -> Result<(), &'static str> {
    let honest = world.honest.clone();
    let heads: Vec<_> = honest
        .iter()
        .map(|member| world.head(&model.knows[*member]))
        .collect();
    seen.parted += u64::from(heads.windows(2).any(|pair| pair[0] != pair[1]));

    let mut shared = *model;
    let mut moves = share(world, &mut shared);
    if honest.iter().all(|member| shared.knows[*member].old == 0) {
        one_head(world, &shared)?;
    }
    for member in &honest {
        shared.knows[*member].old = shared.knows[*member].commits;
    }
    moves += share(world, &mut shared);
    one_head(world, &shared)?;
    seen.moves_max = seen.moves_max.max(moves);

    let head = world.head(&shared.knows[honest[0]]);
    for at in (0..COMMITS).filter(|at| has(model.kept, *at)) {
        for other in (0..COMMITS).filter(|other| has(model.later[at], *other)) {
            let is_known = has(shared.knows[honest[0]].commits, other);
            seen.shown_later += u64::from(is_known);
            if world.is_below(head, other) {
                return Err(
                    "a commit that an honest majority acknowledged lost to one shown later",
                );
            }
        }
    }
    let final_here = |at: &usize| {
        let voters = world.members_of(world.planned[*at].parent);
        let rows = shared.knows[honest[0]].acknowledged;
        let said = (0..MEMBERS).filter(|row| has(voters, *row) && has(rows[*row], *at));
        said.count() as u32 * 2 > voters.count_ones()
    };
    let finals: Vec<usize> = (0..COMMITS).filter(final_here).collect();
    let same_fork =
        |a: usize, b: usize| a != b && world.planned[a].parent == world.planned[b].parent;
    let two = finals
        .iter()
        .any(|a| finals.iter().any(|b| same_fork(*a, *b)));
    seen.two_majorities += u64::from(two);
    Ok(())
}

/// All honest members are in one state; one that was removed cannot see further than its removal.
fn one_head(world: &mut World, model: &Model) -> Result<(), &'static str> {
    let heads: Vec<(usize, Option<usize>)> = world
        .honest
        .clone()
        .into_iter()
        .map(|member| (member, world.head(&model.knows[member])))
        .collect();
    let is_behind = |member: usize, head: Option<usize>, other: Option<usize>| {
        !has(world.members_of(head), member) && head.is_some_and(|at| world.is_below(other, at))
    };
    for (member, head) in &heads {
        for (other, their_head) in &heads {
            let alike = head == their_head
                || is_behind(*member, *head, *their_head)
                || is_behind(*other, *their_head, *head);
            if !alike {
                return Err("honest members who know the same are in two states");
            }
        }
    }
    Ok(())
}

/// Visits every state of a world once, the nearest first.
fn search(world: &mut World, seen: &mut Seen) {
    let start = Model::default();
    let mut before: HashMap<Model, Model> = HashMap::from([(start, start)]);
    let mut todo = VecDeque::from([start]);
    while let Some(model) = todo.pop_front() {
        if let Err(fault) = check(world, &model, seen) {
            let mut way = vec![model];
            while way[way.len() - 1] != start {
                way.push(before[&way[way.len() - 1]]);
            }
            way.reverse();
            panic!("{fault}: {:?}\n{way:#?}", world.planned);
        }
        for next in steps(world, &model) {
            before.entry(next).or_insert_with(|| {
                todo.push_back(next);
                model
            });
        }
    }
    seen.states += before.len() as u64;
    seen.worlds += 1;
}

/// Every set of three commits.
fn worlds(malicious: bool) -> Vec<World> {
    let mut all = BTreeSet::new();
    let parents = [
        [None, None, None],
        [None, None, Some(0)],
        [None, Some(0), Some(0)],
        [None, Some(0), Some(1)],
    ];
    let does = |author: usize| {
        let removes = (0..MEMBERS)
            .filter(move |whom| *whom != author)
            .map(Does::Removes);
        removes.chain([Does::Adds, Does::Updates])
    };
    let one = |parent: Option<usize>| {
        (0..MEMBERS).flat_map(move |author| {
            does(author).map(move |does| Planned {
                parent,
                author,
                does,
            })
        })
    };
    for [first, second, third] in parents {
        for a in one(first) {
            for b in one(second) {
                for c in one(third) {
                    all.insert(canonical([a, b, c]));
                }
            }
        }
    }
    all.into_iter()
        .filter_map(|planned| World::new(planned.to_vec(), malicious))
        .collect()
}

/// Siblings with nothing below them in one order. Names are not interchangeable: turns tell them apart.
fn canonical(mut planned: [Planned; COMMITS]) -> [Planned; COMMITS] {
    let parents = planned.map(|commit| commit.parent);
    let is_leaf = |at: usize| !parents.contains(&Some(at));
    // Such siblings stand next to each other in every shape below.
    for first in 0..COMMITS {
        let alike = |at: &usize| is_leaf(*at) && parents[*at] == parents[first];
        let end = (first..COMMITS).take_while(alike).count() + first;
        planned[first..end].sort();
    }
    planned
}

/// Searches one in `every` of the worlds.
fn search_all(malicious: bool, every: usize) {
    let mut seen = Seen::default();
    for mut world in worlds(malicious).into_iter().step_by(every) {
        search(&mut world, &mut seen);
    }
    println!(
        "branch.model_states {} (malicious {malicious}, one world in {every}: {seen:?})",
        seen.states
    );
    assert!(seen.parted > 0 && seen.shown_later > 0 && seen.two_majorities > 0);
}

///
#[test]
fn with_a_malicious_third_the_honest_end_in_one_state_and_what_they_made_final_stays() {
    search_all(true, 1);
}

///
#[test]
fn three_honest_members_end_in_one_state() {
    search_all(false, 40);
}

/// every world of three honest members, some 80 million states. Minutes and gigabytes.
#[test]
#[ignore = "takes a quarter of an hour"]
fn three_honest_members_end_in_one_state_in_every_world() {
    search_all(false, 1);
}
