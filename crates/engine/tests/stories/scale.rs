// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many: ten thousand threads in 25 MiB of engine memory, and more boxes at a relay than one call may name.

use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key;
use comptoir_engine::rows::thread::Thread;
use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::{AccountId, PeerKey, ThreadId};

use crate::world::World;

const THREADS: u32 = 10_000;
const MEMORY_BYTES_MAX: usize = 25 << 20;

fn row<T: Wire>(row: &[u8]) -> T {
    T::from_bytes(&row[1..]).unwrap()
}

fn bytes<T: Wire>(record: &T) -> Vec<u8> {
    [vec![1], record.to_bytes()].concat()
}

/// Copies the one thread of a node, with its contact, under other names.
fn multiply(world: &mut World, at: usize) {
    let thread = world.thread(at);
    let rows = &mut world.nodes[at].view.0;
    let under = |space: u8, number: u32| [vec![space], number.to_be_bytes().to_vec()].concat();
    let contact_row: Contact = row(&rows[&under(key::CONTACT, 1)]);
    let thread_row: Thread = row(&rows[&under(key::THREAD, thread)]);
    let template: Vec<_> = rows
        .iter()
        .filter(|(key, _)| key.starts_with(&under(key::MLS, thread)))
        .map(|(key, row)| (key.clone(), row.clone()))
        .collect();
    for number in 100..100 + THREADS {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&number.to_be_bytes());
        let mut contact = Contact {
            account: AccountId(name),
            thread: Some(number),
            ..contact_row.clone()
        };
        contact.endpoints[0].key = PeerKey(name);
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let copy = Thread {
            id: ThreadId(id),
            contact: Some(number),
            ..thread_row.clone()
        };
        rows.insert(under(key::CONTACT, number), bytes(&contact));
        rows.insert(under(key::THREAD, number), bytes(&copy));
        for (key, row) in &template {
            let mut copied = key.clone();
            copied[1..5].copy_from_slice(&number.to_be_bytes());
            rows.insert(copied, row.clone());
        }
    }
}

#[test]
fn ten_thousand_threads_fit_in_memory_loaded_or_not() {
    let mut world = World::of_friends();
    multiply(&mut world, 0);
    world.restart(0);
    assert_eq!(
        query::threads(&world.nodes[0].view, 1).unwrap().len() as u32,
        THREADS + 1
    );
    let idle = world.nodes[0].engine.memory_bytes();
    assert!(idle < MEMORY_BYTES_MAX, "{idle} bytes before any is used");
    // Each is used once: every contact of theirs connects, and is told what we have.
    for number in 100..100 + THREADS {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&number.to_be_bytes());
        world.input(
            0,
            Input::PeerConnected {
                peer: PeerKey(name),
            },
        );
    }
    let used = world.nodes[0].engine.memory_bytes();
    assert!(used < MEMORY_BYTES_MAX, "{used} bytes after all were used");
    println!("engine memory: {idle} bytes with 10,000 threads opened, {used} after each was used");
}

const CONTACTS: u32 = 300;

/// Contacts without a thread, copied from the one there is: enough to have boxes.
fn know_many(world: &mut World, at: usize) {
    let rows = &mut world.nodes[at].view.0;
    let under = |number: u32| [vec![key::CONTACT], number.to_be_bytes().to_vec()].concat();
    let contact_row: Contact = row(&rows[&under(1)]);
    for number in 100..100 + CONTACTS {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&number.to_be_bytes());
        let contact = Contact {
            account: AccountId(name),
            thread: None,
            endpoints: Vec::new(),
            capabilities: Vec::new(),
            ..contact_row.clone()
        };
        rows.insert(under(number), bytes(&contact));
    }
}

///
#[test]
fn more_boxes_than_one_call_may_name_are_subscribed_to_in_pages() {
    let mut world = World::of_friends();
    know_many(&mut world, 0);
    world.restart(0);
    let relay = world.add_relay();
    let ticket = None;
    world.ask(0, Command::AddRelay { relay, ticket }).unwrap();
    world.pass(600_000);
    // One for each contact, and the front door.
    let boxes = CONTACTS as usize + 2;
    assert_eq!(world.relays[0].subscribed.len(), boxes);
    let fetches = world.relays[0].fetches;
    assert!(fetches <= 3 * boxes, "{fetches} looks into {boxes} boxes");
    // Another connection: all of them again, in two calls.
    let subscribes = world.relays[0].subscribes;
    world.go_offline(0);
    assert!(world.relays[0].subscribed.is_empty());
    world.go_online(0);
    world.pass(60_000);
    assert_eq!(world.relays[0].subscribed.len(), boxes);
    assert_eq!(world.relays[0].subscribes - subscribes, 2);
    assert!(world.relays[0].fetches - fetches <= 2 * boxes);
}
