// SPDX-License-Identifier: MIT OR Apache-2.0
//! Steps held, let out and refused.

use std::sync::Arc;

use comptoir_engine::Answer;
use tokio::sync::{oneshot, watch};

use super::*;
use crate::driver::effects::Claimed;
use crate::driver::queue::DriverHandle;

type Heard = oneshot::Receiver<Result<Answer, CommandError>>;

fn carriers() -> Carriers {
    let (driver, _) = DriverHandle::new();
    Carriers::new(None, None, Arc::default(), driver, watch::channel(0).0)
}

/// A step that answers one command, and what its caller hears.
fn step() -> (Effects, Heard) {
    let (waiting, heard) = oneshot::channel();
    let answer = Ok(Answer::Done);
    let effects = Effects {
        sends: Vec::new(),
        dials: Vec::new(),
        calls: Vec::new(),
        newest_event: None,
        answers: vec![Claimed { answer, waiting }],
    };
    (effects, heard)
}

#[test]
fn a_step_is_told_when_it_is_durable_whoever_comes_first() {
    let (held, carriers) = (Held::new(Seq(0)), carriers());
    let (first, mut heard_first) = step();
    held.hold(Seq(1), first, &carriers);
    assert!(heard_first.try_recv().is_err(), "told before it is durable");
    held.on_durable(Seq(2), &carriers);
    assert!(heard_first.try_recv().unwrap().is_ok());
    let (second, mut heard_second) = step();
    held.hold(Seq(2), second, &carriers);
    assert!(heard_second.try_recv().unwrap().is_ok());
}

/// The writer is told that the disk is full before the driver, which has other threads beside it, comes to hold the step.
#[test]
fn a_step_that_comes_to_be_held_after_its_commit_failed_is_refused_at_once() {
    let (held, carriers) = (Held::new(Seq(0)), carriers());
    let (first, mut heard_first) = step();
    held.hold(Seq(1), first, &carriers);
    held.on_failed(CommandError::DiskFull("no room".into()), &carriers);
    let (late, mut heard_late) = step();
    held.hold(Seq(2), late, &carriers);
    for heard in [&mut heard_first, &mut heard_late] {
        let told = heard.try_recv();
        assert!(
            matches!(told, Ok(Err(CommandError::DiskFull(_)))),
            "{told:?}"
        );
    }
}
