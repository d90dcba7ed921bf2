// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who wins at a fork: rank, then acknowledgements, then time.

use super::*;

///
#[test]
fn class_comes_before_role_and_role_before_turn() {
    let rank = |class, standing, leaf, child: &str| {
        Rank::new(class, standing, state("root"), Some(leaf), state(child))
    };
    let removal_by_an_admin = rank(Class::RemovesOther, Standing::Admin, 1, "a");
    let addition_by_an_owner = rank(Class::Adds, Standing::Owner, 2, "b");
    let update_by_an_owner = rank(Class::Rest, Standing::Owner, 3, "c");
    let update_by_an_admin = rank(Class::Rest, Standing::Admin, 4, "d");
    let updates_by_members =
        [5, 6, 7, 8].map(|leaf| rank(Class::Rest, Standing::Member, leaf, "e"));
    assert!(removal_by_an_admin < addition_by_an_owner);
    assert!(addition_by_an_owner < update_by_an_owner);
    assert!(update_by_an_owner < update_by_an_admin);
    for update in updates_by_members {
        assert!(update_by_an_admin < update);
    }
}

/// nobody is first in every state.
#[test]
fn among_equals_the_turn_goes_round() {
    let first_of = |state_name: &str| {
        let rank = |leaf| {
            let parent = state(state_name);
            Rank::new(
                Class::Rest,
                Standing::Member,
                parent,
                Some(leaf),
                state("x"),
            )
        };
        (0..5).min_by_key(|leaf| rank(*leaf)).unwrap()
    };
    let mut firsts = [0; 5];
    for n in 0..1000 {
        firsts[first_of(&format!("state {n}")) as usize] += 1;
    }
    for first in firsts {
        assert!((150..250).contains(&first), "of 1,000: {firsts:?}");
    }
}

/// while nobody has acknowledged anything the smaller rank wins, whichever came first.
#[test]
fn the_smaller_rank_wins_in_both_orders() {
    let addition = commit("root", "addition", 'a', Class::Adds, "abcn");
    let update = commit("root", "update", 'b', Class::Rest, "abc");
    for order in [[&addition, &update], [&update, &addition]] {
        let mut carol = thread("abc");
        for commit in order {
            carol.learns(commit, hour(0));
        }
        assert_eq!(carol.head(hour(0)), state("addition"));
    }
}

/// whoever commits twice on one parent loses to everybody who did not; between the two the rank decides.
#[test]
fn two_commits_of_one_leaf_rank_last() {
    let removal = commit("root", "removal", 'm', Class::RemovesOther, "bm");
    let addition = commit("root", "addition", 'm', Class::Adds, "abmn");
    let update = commit("root", "update", 'b', Class::Rest, "abm");
    let mut alice = thread("abm");
    alice.learns(&removal, hour(0)).learns(&update, hour(0));
    assert_eq!(alice.head(hour(0)), state("removal"));
    alice.learns(&addition, hour(0));
    assert_eq!(alice.head(hour(0)), state("update"));

    let mut bob = thread("abm");
    bob.learns(&addition, hour(0)).learns(&removal, hour(0));
    assert_eq!(bob.head(hour(0)), state("removal"));
}

/// more than half, not half; and a smaller rank that comes later changes nothing.
#[test]
fn what_more_than_half_acknowledged_stays() {
    let update = commit("root", "update", 'a', Class::Rest, "abcd");
    let addition = commit("root", "addition", 'd', Class::Adds, "abcdn");
    let mut carol = thread("abcd");
    carol.learns(&update, hour(0)).hears("b", "update");
    assert_eq!(carol.finality(state("update"), hour(0)), None);
    carol.hears("c", "update");
    let by_three = Some(Finality::Acknowledged);
    assert_eq!(carol.finality(state("update"), hour(0)), by_three);
    carol.learns(&addition, hour(0));
    assert_eq!(carol.head(hour(0)), state("update"));
}

/// whoever acknowledges a state acknowledges all above it, and making a commit is acknowledging it.
#[test]
fn a_state_below_speaks_for_those_above() {
    let one = commit("root", "one", 'a', Class::Rest, "abc");
    let two = commit("one", "two", 'b', Class::Rest, "abc");
    let mut carol = thread("abc");
    carol.learns(&one, hour(0));
    assert_eq!(carol.finality(state("one"), hour(0)), None);
    carol.learns(&two, hour(0));
    let by_both = Some(Finality::Acknowledged);
    assert_eq!(carol.finality(state("one"), hour(0)), by_both);
    assert_eq!(carol.finality(state("two"), hour(0)), None);
}

/// an account has one voice, with however many devices.
#[test]
fn an_account_with_three_devices_has_one_voice() {
    let mut members = people("bc");
    members.extend([0, 1, 2].map(|number| device('a', number)));
    let patience = Patience::of(ThreadKind::Group);
    let mut carol = Branches::new(state("root"), members.clone(), patience, hour(0));
    let mut update = commit("root", "update", 'a', Class::Rest, "");
    update.members = members;
    carol.learns(&update, hour(0));
    for number in [1, 2] {
        carol.acknowledge(device('a', number), state("update"));
    }
    assert_eq!(carol.finality(state("update"), hour(0)), None);
    carol.hears("b", "update");
    assert!(carol.finality(state("update"), hour(0)).is_some());
}

/// in the thread of one account with itself every device has a voice, else each commit were final at once.
#[test]
fn among_ones_own_devices_each_has_a_voice() {
    let members: BTreeSet<Who> = [0, 1, 2].map(|number| device('a', number)).into();
    let patience = Patience::of(ThreadKind::Own);
    let mut phone = Branches::new(state("root"), members.clone(), patience, hour(0));
    let mut update = commit("root", "update", 'a', Class::Rest, "");
    update.members = members;
    phone.learns(&update, hour(0));
    assert_eq!(phone.finality(state("update"), hour(0)), None);
    phone.acknowledge(device('a', 1), state("update"));
    assert!(phone.finality(state("update"), hour(0)).is_some());
}

/// the reason for the largest rank. Alice and Bob acknowledged the removal of Mallory, two of three, but Bob's
/// acknowledgement has not reached Alice when Mallory shows her a smaller rank. She goes over and says so. Counting
/// would now find a tie, Bob's voice against Mallory's, and the smaller rank would undo what was final.
#[test]
fn who_went_over_without_knowing_comes_back() {
    let removal = by_role(
        "root",
        "m out",
        'a',
        (Class::RemovesOther, Standing::Admin),
        "ab",
    );
    let revenge = by_role(
        "root",
        "b out",
        'm',
        (Class::RemovesOther, Standing::Owner),
        "am",
    );
    let mut alice = thread("abm");
    alice.learns(&removal, hour(0)).learns(&revenge, hour(0));
    assert_eq!(alice.head(hour(0)), state("b out"));
    alice.hears("a", "b out");
    assert_eq!(alice.head(hour(0)), state("b out"));

    alice.hears("b", "m out");
    assert_eq!(alice.head(hour(0)), state("m out"));
    let mut bob = thread("abm");
    bob.learns(&removal, hour(0)).hears("b", "m out");
    bob.learns(&revenge, hour(0)).hears("a", "b out");
    assert_eq!(bob.head(hour(0)), state("m out"));
}

/// after 72 hours without a majority the voices are counted, whoever raised it for two counts for neither, and
/// a tie goes by rank.
#[test]
fn after_three_days_voices_are_counted() {
    let addition = commit("root", "addition", 'a', Class::Adds, "abcdefgn");
    let update = commit("root", "update", 'b', Class::Rest, "abcdefg");
    let mut carol = thread("abcdefg");
    carol.learns(&addition, hour(0)).learns(&update, hour(0));
    carol.hears("c", "update");
    assert_eq!(carol.head(hour(71)), state("addition"));
    assert_eq!(carol.head(hour(72)), state("update"));
    carol.hears("c", "addition");
    assert_eq!(carol.head(hour(72)), state("addition"));
    carol.hears("d", "update");
    assert_eq!(carol.head(hour(72)), state("update"));
}

/// what stands against acknowledgements is acknowledgements. Who has known a child for a year, alone, follows
/// the majority all the same.
#[test]
fn time_never_stands_against_a_majority() {
    let mine = commit("root", "mine", 'a', Class::Adds, "abcn");
    let theirs = commit("root", "theirs", 'b', Class::Rest, "abc");
    let mut alice = thread("abc");
    alice.learns(&mine, hour(0));
    let year = hour(365 * 24);
    assert_eq!(alice.finality(state("mine"), year), Some(Finality::Age));
    alice.learns(&theirs, year).hears("c", "theirs");
    assert_eq!(alice.head(year), state("theirs"));
}

/// 24 hours between two.
#[test]
fn a_pair_waits_one_day() {
    let patience = Patience::of(ThreadKind::Pair);
    let mut alice = Branches::new(state("root"), people("ab"), patience, hour(0));
    alice.learns(&commit("root", "update", 'a', Class::Rest, "ab"), hour(0));
    assert_eq!(alice.finality(state("update"), hour(23)), None);
    assert_eq!(
        alice.finality(state("update"), hour(24)),
        Some(Finality::Age)
    );
}

/// age is counted by the clock that only rises, and by the wall clock where the machine was started anew.
#[test]
fn a_clock_that_jumps_makes_nothing_older() {
    let mut alice = thread("abc");
    alice.learns(&commit("root", "update", 'a', Class::Rest, "abc"), hour(0));
    let mut jumped = hour(1);
    jumped.wall_ms += 100 * 24 * 60 * 60 * 1000;
    assert_eq!(alice.finality(state("update"), jumped), None);
    let mut restarted = hour(80);
    restarted.mono_ms = 5;
    restarted.boot = [2; 16];
    assert!(alice.finality(state("update"), restarted).is_some());
}

/// an acknowledgement may come before its commit.
#[test]
fn an_early_acknowledgement_waits_for_its_commit() {
    let mut carol = thread("abc");
    let did = carol.acknowledge(who('b'), state("update"));
    assert_eq!(did, Acknowledged::Ahead);
    carol.learns(&commit("root", "update", 'a', Class::Rest, "abc"), hour(0));
    assert!(carol.finality(state("update"), hour(0)).is_some());
}
