// SPDX-License-Identifier: MIT OR Apache-2.0
//! The same knowledge in every order: random threads, each told many times over.

use comptoir_protocol::Wire as _;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::*;

/// One thing that can be told.
#[derive(Clone)]
enum Item {
    Commit(Commit),
    Acknowledgement(Who, ParentHash),
}

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}

/// A thread's whole history: 3 to 7 members, up to 14 commits anywhere, with additions, removals and equivocation, and
/// acknowledgements by whoever is in a state. Whoever acknowledges a state has acknowledged those above, and whoever
/// commits in one has acknowledged it.
fn history(rng: &mut ChaCha20Rng) -> (String, Vec<Item>) {
    let names = "abcdefg"[..3 + below(rng, 5)].to_owned();
    let mut states = vec![("root".to_owned(), names.clone())];
    let mut items = Vec::new();
    for n in 0..1 + below(rng, 14) {
        let (parent, members) = states[below(rng, states.len())].clone();
        let by = members.chars().nth(below(rng, members.len())).unwrap();
        let other = members.chars().nth(below(rng, members.len())).unwrap();
        let (class, after) = match below(rng, 3) {
            0 if other != by => (Class::RemovesOther, members.replace(other, "")),
            1 => (
                Class::Adds,
                format!("{members}{}", char::from(b'A' + n as u8)),
            ),
            _ => (Class::Rest, members),
        };
        let standing = [Standing::Owner, Standing::Admin, Standing::Member][below(rng, 3)];
        let child = format!("state {n}");
        followed(&mut items, by, state(&parent));
        items.push(Item::Commit(by_role(
            &parent,
            &child,
            by,
            (class, standing),
            &after,
        )));
        states.push((child, after));
    }
    for _ in 0..below(rng, 40) {
        let (name, members) = &states[below(rng, states.len())];
        let by = members.chars().nth(below(rng, members.len())).unwrap();
        followed(&mut items, by, state(name));
    }
    (names, items)
}

/// Acknowledges a state and all above it.
fn followed(items: &mut Vec<Item>, by: char, state: ParentHash) {
    let mut at = Some(state);
    while let Some(acknowledged) = at {
        items.push(Item::Acknowledgement(who(by), acknowledged));
        at = items.iter().find_map(|item| match item {
            Item::Commit(commit) if commit.child == acknowledged => Some(commit.parent),
            _ => None,
        });
    }
}

fn shuffle(items: &mut [Item], rng: &mut ChaCha20Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

/// Tells all of it in this order, and again what could not be taken yet, until nothing changes.
fn tell(names: &str, items: &[Item]) -> Branches {
    let mut branches = thread(names);
    loop {
        let before = branches.clone();
        for item in items {
            match item {
                Item::Commit(commit) => match branches.learn(commit.clone(), hour(0)) {
                    Ok(_) | Err(LearnError::UnknownParent { .. } | LearnError::Equivocated) => {}
                    Err(other) => panic!("{other}"),
                },
                Item::Acknowledgement(who, state) => {
                    branches.acknowledge(*who, *state);
                }
            }
        }
        let grew = |branches: &Branches| {
            let acknowledged = |state| branches.known(state).acknowledged.len();
            branches
                .states()
                .map(|state| (state, acknowledged(state)))
                .collect::<Vec<_>>()
        };
        if grew(&branches) == grew(&before) {
            return branches;
        }
    }
}

/// no order of arrival decides anything, young or old.
#[test]
fn the_same_knowledge_in_any_order_is_the_same_way_to_the_head() {
    for seed in 0..200 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (names, mut items) = history(&mut rng);
        let first = tell(&names, &items);
        for _ in 0..20 {
            shuffle(&mut items, &mut rng);
            let again = tell(&names, &items);
            for now in [hour(0), hour(72)] {
                assert_eq!(again.path(now), first.path(now), "seed {seed}");
            }
        }
    }
}

/// members that move, say so, and are heard, stop moving; and then all are in one state. Everybody starts with
/// its own part of the history.
#[test]
fn members_who_hear_all_of_each_other_end_in_one_state() {
    let mut moves_max = 0;
    for seed in 0..100 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (names, items) = history(&mut rng);
        let mut items = items;
        let now = if seed % 2 == 0 { hour(0) } else { hour(72) };
        let mut moves = 0;
        let mut heads = Vec::new();
        // A round: everybody acknowledges where it is, some of it is lost, and everybody hears what is known.
        for round in 0.. {
            assert!(round < 30, "seed {seed} moves for ever");
            let mut next = Vec::new();
            for (at, name) in names.chars().enumerate() {
                let mut heard = items.clone();
                if round < 10 {
                    heard.retain(|_| below(&mut rng, 5) > 0);
                }
                let head = tell(&names, &heard).head(now);
                next.push(head);
                moves += usize::from(heads.get(at).is_some_and(|before| *before != head));
                items.push(Item::Acknowledgement(who(name), head));
            }
            let settled = round >= 10 && next == heads;
            heads = next;
            if settled {
                break;
            }
        }
        assert!(
            heads.windows(2).all(|pair| pair[0] == pair[1]),
            "seed {seed}"
        );
        moves_max = moves_max.max(moves);
    }
    println!("at most {moves_max} moves");
}

/// forgetting never moves the head.
#[test]
fn forgetting_never_moves_the_head() {
    for seed in 0..400 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (names, items) = history(&mut rng);
        let mut branches = tell(&names, &items);
        for hours in [0, 24, 72, 100, 144, 1000] {
            let head = branches.head(hour(hours));
            let before: BTreeSet<ParentHash> = branches.states().collect();
            let gone = branches.forget(hour(hours));
            assert_eq!(branches.head(hour(hours)), head, "seed {seed}");
            let left: BTreeSet<ParentHash> = branches.states().collect();
            let gone: BTreeSet<ParentHash> = gone.into_iter().collect();
            assert_eq!(
                before.difference(&gone).copied().collect::<BTreeSet<_>>(),
                left
            );
        }
    }
}

/// What is on disk is what was in memory, and anything else than a tree is refused.
#[test]
fn a_tree_is_read_back_as_it_was() {
    for seed in 0..100 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (names, items) = history(&mut rng);
        let mut branches = tell(&names, &items);
        branches.acknowledge(who('a'), state("not seen yet"));
        let row = branches.to_bytes();
        assert_eq!(Branches::from_bytes(&row).unwrap(), branches);
        for cut in 0..row.len() {
            assert!(Branches::from_bytes(&row[..cut]).is_err());
        }
        for _ in 0..50 {
            let mut bent = row.clone();
            let at = below(&mut rng, bent.len());
            bent[at] ^= 1 << below(&mut rng, 8);
            if let Ok(read) = Branches::from_bytes(&bent) {
                read.head(hour(72));
            }
        }
    }
}
