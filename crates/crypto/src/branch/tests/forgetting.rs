// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is kept, and how long.

use super::*;

/// A thread of `names` with `length` states below the root, all made by `by`.
fn chain(names: &str, by: char, length: usize) -> Branches {
    let mut branches = thread(names);
    let mut parent = "root".to_owned();
    for n in 0..length {
        let child = format!("state {n}");
        branches.learns(&commit(&parent, &child, by, Class::Rest, names), hour(0));
        parent = child;
    }
    branches
}

/// a state is kept as long as anybody may still write in it.
#[test]
fn what_everybody_acknowledged_needs_no_parent() {
    let mut alice = chain("abc", 'a', 1);
    alice.hears("b", "state 0");
    assert_eq!(alice.forget(hour(0)), []);
    alice.hears("c", "state 0");
    assert_eq!(alice.forget(hour(0)), [state("root")]);
    assert_eq!(alice.root(), state("state 0"));
    assert_eq!(alice.head(hour(0)), state("state 0"));
}

/// a device that has not acknowledged may still write in the old state, though its account's other one has.
#[test]
fn a_second_device_that_is_silent_keeps_the_parent() {
    let mut members = people("ab");
    members.insert(device('b', 1));
    let patience = Patience::of(ThreadKind::Group);
    let mut alice = Branches::new(state("root"), members.clone(), patience, hour(0));
    let mut update = commit("root", "update", 'a', Class::Rest, "");
    update.members = members;
    alice.learns(&update, hour(0)).hears("b", "update");
    assert_eq!(alice.forget(hour(0)), []);
    alice.acknowledge(device('b', 1), state("update"));
    assert_eq!(alice.forget(hour(0)), [state("root")]);
}

/// five epochs below a majority, or three days.
#[test]
fn a_majority_and_five_epochs_settle_a_fork() {
    let mut alice = chain("abc", 'a', 5);
    alice.hears("b", "state 4");
    assert_eq!(alice.forget(hour(0)), []);
    let mut deeper = chain("abc", 'a', 6);
    deeper.hears("b", "state 5");
    assert_eq!(deeper.forget(hour(0)), [state("root")]);
    assert_eq!(alice.forget(hour(71)), []);
    assert_eq!(alice.forget(hour(72)).len(), 5);
    assert_eq!(alice.root(), alice.head(hour(72)));
}

/// without a majority, three days and five epochs, or six days.
#[test]
fn time_alone_settles_a_fork_later() {
    let mut alice = chain("abc", 'a', 5);
    assert_eq!(alice.forget(hour(72)), []);
    let mut deeper = chain("abc", 'a', 6);
    assert_eq!(deeper.forget(hour(71)), []);
    assert_eq!(deeper.forget(hour(72)), [state("root")]);
    assert_eq!(alice.forget(hour(143)), []);
    assert_eq!(alice.forget(hour(144)).len(), 5);
}

/// what hangs off a forgotten state goes with it, down to its leaves.
#[test]
fn losing_branches_go_with_the_fork_they_hang_from() {
    let mut alice = thread("abc");
    alice.learns(&commit("root", "win", 'a', Class::Adds, "abcn"), hour(0));
    alice.learns(&commit("root", "loss", 'b', Class::Rest, "abc"), hour(0));
    alice.learns(
        &commit("loss", "loss below", 'b', Class::Rest, "abc"),
        hour(0),
    );
    alice.hears("bc", "win");
    let gone: BTreeSet<ParentHash> = alice.forget(hour(0)).into_iter().collect();
    assert_eq!(gone, ["root", "loss", "loss below"].map(state).into());
    let late = commit("root", "late", 'c', Class::RemovesOther, "bc");
    let parent = state("root");
    assert_eq!(
        alice.learn(late, hour(0)),
        Err(LearnError::UnknownParent { parent })
    );
}

/// the way is bounded: at 64 states the oldest goes, settled or not, and the head stays.
#[test]
fn a_long_way_loses_its_oldest_states() {
    let mut alice = chain("abc", 'a', DEPTH_MAX + 9);
    let head = alice.head(hour(0));
    let gone = alice.forget(hour(0));
    assert_eq!(gone.len(), 10);
    assert_eq!(alice.path(hour(0)).len(), DEPTH_MAX);
    assert_eq!(alice.head(hour(0)), head);
}

/// Time is looked at again when it can matter, and not after.
#[test]
fn the_next_look_is_when_something_can_change() {
    let mut alice = chain("abc", 'a', 1);
    let hours = |hours: u64| Some(hours * 60 * 60 * 1000);
    assert_eq!(alice.due_in_ms(hour(0)), hours(72));
    assert_eq!(alice.due_in_ms(hour(70)), hours(2));
    assert_eq!(alice.due_in_ms(hour(72)), hours(72));
    alice.forget(hour(144));
    assert_eq!(alice.due_in_ms(hour(144)), None);
}
