// SPDX-License-Identifier: MIT OR Apache-2.0
//! What members do to one another with branches, and what comes of it.

use super::*;

const OWNER: (Class, Standing) = (Class::RemovesOther, Standing::Owner);
const ADMIN: (Class, Standing) = (Class::RemovesOther, Standing::Admin);

/// Every order of `items`.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

/// an admin removes Mallory, an owner, and all hear it. After 73 hours Mallory shows each of them alone the
/// branch it had kept back, of smaller rank.
#[test]
fn a_removed_members_branch_shown_after_73_hours_to_each_alone_moves_nobody() {
    let removal = by_role("root", "m out", 'a', ADMIN, "abcd");
    let revenge = by_role("root", "a out", 'm', OWNER, "bcdm");
    for member in ['a', 'b', 'c', 'd'] {
        let mut alone = thread("abcdm");
        alone.learns(&removal, hour(0)).hears("abcd", "m out");
        alone.learns(&revenge, hour(73)).hears("m", "a out");
        assert_eq!(alone.head(hour(73)), state("m out"), "{member}");
        assert_eq!(alone.head(hour(1000)), state("m out"), "{member}");
    }
}

/// the same, and all that each has heard in 73 hours is the removal itself and, of the acknowledgements, its own.
#[test]
fn a_removed_members_branch_moves_nobody_who_heard_one_other_voice() {
    let removal = by_role("root", "m out", 'a', ADMIN, "abcd");
    let revenge = by_role("root", "a out", 'm', OWNER, "bcdm");
    for member in ['b', 'c', 'd'] {
        let mut alone = thread("abcdm");
        alone
            .learns(&removal, hour(0))
            .hears(&member.to_string(), "m out");
        alone.learns(&revenge, hour(73));
        assert_eq!(alone.head(hour(73)), state("m out"), "{member}");
    }
    // Alice made the removal and heard nobody: her voice against Mallory's, and Mallory's rank is the smaller. She
    // comes back with the first voices that reach her.
    let mut alice = thread("abcdm");
    alice.learns(&removal, hour(0)).learns(&revenge, hour(73));
    assert_eq!(alice.head(hour(73)), state("a out"));
    alice.hears("bc", "m out");
    assert_eq!(alice.head(hour(73)), state("m out"));
}

/// neither removal undoes the other because it came first; the turn decides for everybody.
#[test]
fn two_owners_who_remove_each_other_are_judged_alike_by_all() {
    let by_alice = by_role("root", "b out", 'a', OWNER, "acd");
    let by_bob = by_role("root", "a out", 'b', OWNER, "bcd");
    let winner = if by_alice.rank < by_bob.rank {
        &by_alice
    } else {
        &by_bob
    };
    for order in orders(&[&by_alice, &by_bob]) {
        let mut carol = thread("abcd");
        for commit in order {
            carol.learns(commit, hour(0));
        }
        assert_eq!(carol.head(hour(0)), winner.child);
        assert_eq!(carol.head(hour(100)), winner.child);
    }
}

/// Alice removes Bob, Bob removes Carol, Carol removes Alice. Whatever order the three and the
/// acknowledgements of whoever is left come in, everybody ends in one state.
#[test]
fn three_owners_who_remove_each_other_in_a_ring_end_in_one_state() {
    let ring = [
        by_role("root", "b out", 'a', OWNER, "acd"),
        by_role("root", "c out", 'b', OWNER, "abd"),
        by_role("root", "a out", 'c', OWNER, "bcd"),
    ];
    let smallest = ring.iter().min_by_key(|commit| commit.rank).unwrap();
    for order in orders(&ring) {
        let mut dave = thread("abcd");
        for commit in &order {
            dave.learns(commit, hour(0));
        }
        assert_eq!(dave.head(hour(0)), smallest.child);
        // Each owner's own removal has its voice; then all go over, and the smallest has most.
        for who in people("abcd") {
            dave.acknowledge(who, smallest.child);
        }
        assert_eq!(dave.head(hour(0)), smallest.child);
        assert!(dave.finality(smallest.child, hour(0)).is_some());
    }
}

/// a resync is of the last class, so a lurker that answers every commit with one never undoes a removal or an
/// addition, and of the self-updates it undoes half.
#[test]
fn a_lurker_that_resyncs_against_every_commit_stops_nobody() {
    let mut updates = 0;
    for n in 0..1000 {
        let parent = format!("state {n}");
        let resync = commit(&parent, "resync", 'l', Class::Rest, "abl");
        for class in [Class::RemovesOther, Class::Adds] {
            assert!(commit(&parent, "x", 'a', class, "al").rank < resync.rank);
        }
        let update = commit(&parent, "update", 'a', Class::Rest, "abl");
        updates += usize::from(update.rank < resync.rank);
    }
    assert!((400..600).contains(&updates), "{updates} of 1,000");
}

/// one leaf commits on both sides of a fork. On each parent it made one commit, so neither ranks last;
/// above, its voice was raised for both and counts for neither.
#[test]
fn a_leaf_on_two_branches_has_no_voice_above_them() {
    let addition = commit("root", "addition", 'a', Class::Adds, "abcdefgmn");
    let update = commit("root", "update", 'b', Class::Rest, "abcdefgm");
    let below_addition = commit("addition", "m1", 'm', Class::Rest, "abcdefgmn");
    let below_update = commit("update", "m2", 'm', Class::Rest, "abcdefgm");
    let mut carol = thread("abcdefgm");
    carol.learns(&addition, hour(0)).learns(&update, hour(0));
    carol.learns(&below_update, hour(0));
    assert_eq!(carol.head(hour(71)), state("addition"));
    assert_eq!(carol.head(hour(72)), state("m2"));
    carol.learns(&below_addition, hour(72));
    assert_eq!(carol.head(hour(72)), state("m1"));
}

/// only who is in a state acknowledges it, and only the parent's voters count.
#[test]
fn an_acknowledgement_by_somebody_else_counts_for_nothing() {
    let addition = commit("root", "addition", 'm', Class::Adds, "abcmxyz");
    let removal = by_role("root", "m out", 'a', ADMIN, "abc");
    let mut carol = thread("abcm");
    carol.learns(&removal, hour(0)).learns(&addition, hour(0));
    assert_eq!(
        carol.acknowledge(who('q'), state("m out")),
        Acknowledged::NotAMember
    );
    assert_eq!(
        carol.acknowledge(who('q'), state("never seen")),
        Acknowledged::NotAMember
    );
    assert_eq!(
        carol.acknowledge(who('m'), state("m out")),
        Acknowledged::NotAMember
    );
    // Mallory's own crowd is in Mallory's state, and no voter of the fork.
    carol.hears("xyz", "addition");
    assert_eq!(carol.finality(state("addition"), hour(0)), None);
    assert_eq!(carol.head(hour(100)), state("m out"));
}

/// of a flood of commits by one leaf on one parent two are kept, everywhere the same two.
#[test]
fn a_flood_of_commits_on_one_parent_leaves_two() {
    let flood: Vec<Commit> = (0..100)
        .map(|n| commit("root", &format!("m {n}"), 'm', Class::Rest, "abm"))
        .collect();
    let mut ranked: Vec<_> = flood
        .iter()
        .map(|commit| (commit.rank, commit.child))
        .collect();
    ranked.sort();
    let two: BTreeSet<ParentHash> = [state("root"), ranked[0].1, ranked[1].1].into();
    for backwards in [false, true] {
        let mut alice = thread("abm");
        let mut flood = flood.clone();
        if backwards {
            flood.reverse();
        }
        for commit in flood {
            match alice.learn(commit, hour(0)) {
                Ok(_) | Err(LearnError::Equivocated) => {}
                Err(other) => panic!("{other}"),
            }
            assert!(alice.states().count() <= 3);
        }
        assert_eq!(alice.states().collect::<BTreeSet<_>>(), two);
    }
}

/// Mallory shows each member another commit, and each acknowledges the one it was shown. In whatever
/// order all of it then reaches everybody, they end in one state.
#[test]
fn who_shows_each_member_another_commit_parts_nobody() {
    let shown: Vec<Commit> = (0..4)
        .map(|n| commit("root", &format!("m {n}"), 'm', Class::Rest, "abcdm"))
        .collect();
    let told: Vec<(char, &Commit)> = "abcd".chars().zip(&shown).collect();
    let mut heads = BTreeSet::new();
    for order in orders(&told) {
        let mut alice = thread("abcdm");
        for (name, commit) in order {
            alice.acknowledge(who(name), commit.child);
            alice.learns(commit, hour(0));
        }
        assert_eq!(alice.states().count(), 5);
        heads.insert(alice.head(hour(0)));
    }
    assert_eq!(heads.len(), 1);
}

/// A third commit that was refused is taken once somebody else is found to be in its state.
#[test]
fn a_third_commit_is_taken_when_somebody_followed_it() {
    let mut three: Vec<Commit> = (0..3)
        .map(|n| commit("root", &format!("m {n}"), 'm', Class::Rest, "abcdm"))
        .collect();
    three.sort_by_key(|commit| commit.rank);
    let mut alice = thread("abcdm");
    alice.learns(&three[0], hour(0)).learns(&three[1], hour(0));
    let third = three[2].clone();
    assert_eq!(
        alice.learn(third.clone(), hour(0)),
        Err(LearnError::Equivocated)
    );
    assert_eq!(
        alice.acknowledge(who('b'), third.child),
        Acknowledged::Ahead
    );
    assert_eq!(
        alice.learn(third.clone(), hour(0)),
        Ok(Learnt::New { dropped: vec![] })
    );
    assert_eq!(alice.head(hour(0)), three[0].child);
    alice.acknowledge(who('c'), third.child);
    assert_eq!(alice.head(hour(0)), third.child);
}

/// a member that goes on committing beside the thread fills its share, and nobody else's.
#[test]
fn a_flood_beside_the_thread_is_bounded_for_each_member() {
    let mut alice = thread("abm");
    alice.learns(&commit("root", "update", 'a', Class::Rest, "abm"), hour(0));
    alice.hears("b", "update");
    let mut parent = "root".to_owned();
    for n in 0..COMMITS_OF_ONE_MAX {
        let child = format!("beside {n}");
        alice.learns(&commit(&parent, &child, 'm', Class::Rest, "abm"), hour(0));
        parent = child;
    }
    let one_more = commit(&parent, "one more", 'm', Class::Rest, "abm");
    let kept = COMMITS_OF_ONE_MAX;
    assert_eq!(
        alice.learn(one_more, hour(0)),
        Err(LearnError::TooMany { kept })
    );
    alice.learns(&commit("root", "loss", 'b', Class::Rest, "abm"), hour(0));
    alice.learns(&commit("update", "next", 'm', Class::Rest, "abm"), hour(0));
    assert_eq!(alice.head(hour(0)), state("next"));
}

/// accounts that Mallory adds beside the thread use up Mallory's share, not one of their own.
#[test]
fn a_crowd_that_one_member_brought_shares_its_share() {
    let mut alice = thread("abm");
    alice.learns(&commit("root", "update", 'a', Class::Rest, "abm"), hour(0));
    alice.hears("b", "update");
    alice.learns(
        &commit("root", "crowd", 'm', Class::Adds, "abmwxyz"),
        hour(0),
    );
    let mut refused = 0;
    let mut parent = "crowd".to_owned();
    for n in 0..2 * COMMITS_OF_ONE_MAX {
        let by = ['w', 'x', 'y', 'z'][n % 4];
        let child = format!("crowd {n}");
        match alice.learn(commit(&parent, &child, by, Class::Rest, "abmwxyz"), hour(0)) {
            Ok(_) => parent = child,
            Err(LearnError::TooMany { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, COMMITS_OF_ONE_MAX + 1);
}

/// Acknowledgements of states nobody ever shows are bounded for each device, and the newest are kept.
#[test]
fn a_flood_of_early_acknowledgements_is_bounded() {
    let mut alice = thread("abm");
    for n in 0..100 {
        alice.acknowledge(who('m'), state(&format!("nowhere {n}")));
    }
    alice.acknowledge(who('m'), state("update"));
    assert_eq!(alice.ahead.len(), 1);
    assert_eq!(alice.ahead[&who('m')].len(), ACKNOWLEDGED_AHEAD_MAX);
    alice.learns(&commit("root", "update", 'a', Class::Rest, "abm"), hour(0));
    assert!(alice.finality(state("update"), hour(0)).is_some());
}
