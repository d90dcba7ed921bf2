// SPDX-License-Identifier: MIT OR Apache-2.0
//! What somebody hostile, or merely wrong, brings to the real binary.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod disk;
mod links;
mod network;
mod proxy;
mod schema;
mod search;

use std::path::Path;
use std::process::Output;

use comptoir_tests::{Person, Relay, wait};

/// Lets two people meet by a link.
fn meet(inviting: &Person, following: &Person) {
    following.follows(&inviting.invites());
    inviting.accepts();
    inviting.can_write_to(following.name);
    following.can_write_to(inviting.name);
}

/// Two people who know each other by one relay alone.
fn met_through(world: &Path, relay: &Relay, names: [&'static str; 2]) -> (Person, Person) {
    let [mut one, mut other] = names.map(|name| Person::new(world, name));
    for person in [&mut one, &mut other] {
        person.comes_up_unreachable();
        person.must(&["relay", "add", relay.link()]);
    }
    // An invite needs a box that answers can go to.
    for person in [&one, &other] {
        wait("the relay to be up", || {
            (person.must(&["relay", "list"])[0][0]["state"] == "up").then_some(())
        });
    }
    meet(&one, &other);
    (one, other)
}

/// The exit status and what was said to the person.
fn outcome(output: &Output) -> (Option<i32>, String) {
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), talk)
}
