// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of an older build: `tests/fixtures/engine/record-1.rows` was written before messages could be amended, promotions
//! allowed and kept bodies read again. It must open for as long as record version 1 is read.
//!
//! The file holds each row as `key length u16 ‖ key ‖ value length u32 ‖ value`, and is never written anew.

use comptoir_engine::rows::key;
use comptoir_engine::*;

use crate::upkeep::at;
use crate::world::{MapView, World};

const FIXTURE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/engine/record-1.rows"
));

/// The monotonic time at which it was written, and a little.
const LATER_MS: u64 = 3_600_000;

fn take<'f>(rest: &mut &'f [u8], count: usize) -> &'f [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn older_rows() -> MapView {
    let (mut rest, mut view) = (FIXTURE, MapView::default());
    while !rest.is_empty() {
        let length = u16::from_be_bytes(take(&mut rest, 2).try_into().unwrap());
        let key = take(&mut rest, usize::from(length)).to_vec();
        let length = u32::from_be_bytes(take(&mut rest, 4).try_into().unwrap());
        let value = take(&mut rest, length as usize).to_vec();
        view.0.insert(key, value);
    }
    view
}

///
#[test]
fn rows_of_an_older_build_open_and_go_on() {
    let mut world = World::new(&["Alice"]);
    world.nodes[0].view = older_rows();
    world.now_ms = LATER_MS;
    world.open(0);
    world.settle();
    let was = [
        "hello Bob",
        "hello Alice",
        "edited at home",
        "Erased",
        "waiting at the relay",
        "waiting at home",
    ];
    assert_eq!(world.texts(0), was);
    let outbox = world.outbox(0);
    let own = world.messages(0);
    // What was erased when that was a thing of one node alone can be erased for everybody.
    for (message, text) in [(&own[0], Some("hello, Bob")), (&own[3], None)] {
        let message = at(message);
        let command = match text {
            Some(text) => Command::Edit {
                message,
                text: text.to_owned(),
            },
            None => Command::Erase {
                message,
                only_here: false,
            },
        };
        world.ask(0, command).unwrap();
    }
    assert_eq!(world.texts(0)[0], "hello, Bob");
    assert_eq!(world.outbox(0), outbox + 2);
    world.say(0, "and on");
    world.restart(0);
    world.pass(5_000);
    assert_eq!(world.texts(0).last().unwrap(), "and on");
    let left = Scan::all(vec![key::REREADING]);
    assert_eq!(world.nodes[0].view.scan(left).unwrap(), []);
}
