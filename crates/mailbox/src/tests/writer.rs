// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer's thread: many requests, one commit, answers after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use comptoir_kv::{Failure, Kv, KvError};
use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::id::RelayKey;
use comptoir_protocol::signed::public_key;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::world::{Cap, World, generous, is_stored, mid, name, relay_key};
use crate::{Config, Done, Incoming, KvMailbox, Limits, MailboxError, MailboxWriter, Outcome};

fn incoming(world: &mut World, cap: &Cap, name: u32) -> Incoming {
    let request = RelayRequest::Put {
        sid: cap.sid,
        capability: cap.id,
        mid: mid(name),
        expires_s: 60,
        blob: vec![1; 99],
    };
    let frame = world.signed(&cap.writer, &request);
    Incoming::open(
        &frame,
        &RelayKey(public_key(&relay_key()).0),
        &world.challenge,
    )
    .unwrap()
}

/// Hands the world's relay to a writer; `restart` takes the world back.
fn writer(world: &mut World) -> MailboxWriter {
    world.restart();
    let mailbox = std::mem::replace(&mut world.mailbox, World::open().mailbox);
    MailboxWriter::start(mailbox, ChaCha20Rng::from_seed([4; 32])).unwrap()
}

/// Submits all, and collects what each came to, in the order of the answers.
fn submit_all(
    world: &mut World,
    writer: &MailboxWriter,
    cap: &Cap,
    names: &[u32],
) -> Vec<Result<Done, MailboxError>> {
    let (sender, answers) = channel();
    for name in names {
        let sender = sender.clone();
        let request = incoming(world, cap, *name);
        writer
            .submit(
                request,
                world.now,
                Box::new(move |done| sender.send(done).unwrap()),
            )
            .unwrap();
    }
    drop(sender);
    answers.iter().collect()
}

#[test]
fn requests_that_wait_together_share_commits_and_see_one_another() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let writer = writer(&mut world);
    let before = world.kv.stats().unwrap().commits;
    // Each name twice: the second must be known although the first is not durable yet.
    let names: Vec<u32> = (1..=300).flat_map(|name| [name, name]).collect();
    let answers = submit_all(&mut world, &writer, &cap, &names);
    let commits = world.kv.stats().unwrap().commits - before;
    assert_eq!(answers.len(), 600);
    let (stored, known): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .map(Result::unwrap)
        .partition(|done| matches!(&done.outcome, Outcome::Answer(answer) if is_stored(answer)));
    assert_eq!((stored.len(), known.len()), (300, 300));
    assert!(
        known
            .iter()
            .all(|done| done.outcome == Outcome::Answer(RelayAnswer::Duplicate))
    );
    assert!(stored.iter().all(|done| done.pushes.len() == 1));
    assert!(commits < 600, "{commits} commits");
    writer.close();
    world.restart();
    let expected: Vec<u32> = (1..=300).collect();
    assert_eq!(world.names(&own, &own.reader), expected);
}

#[test]
fn a_commit_that_fails_under_the_writer_answers_nobody_as_stored() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let writer = writer(&mut world);
    world.disk.fail_commit(0, Failure::Nothing);
    let names: Vec<u32> = (1..=50).collect();
    let answers = submit_all(&mut world, &writer, &cap, &names);
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(Result::is_err));
    writer.close();
    world.restart();
    assert_eq!(world.names(&own, &own.reader), [0; 0]);
    assert!(is_stored(&world.put(&cap, 1, vec![1; 99])));
}

#[test]
fn a_writer_that_is_closed_first_does_what_it_took() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let writer = writer(&mut world);
    let (sender, answers) = channel();
    for name in 1..=100 {
        let sender = sender.clone();
        let request = incoming(&mut world, &cap, name);
        writer
            .submit(
                request,
                world.now,
                Box::new(move |done| sender.send(done).unwrap()),
            )
            .unwrap();
    }
    drop(sender);
    writer.close();
    assert_eq!(answers.iter().filter(Result::is_ok).count(), 100);
    world.restart();
    assert_eq!(world.names(&own, &own.reader).len(), 100);
}

#[test]
fn the_writer_sweeps_between_requests() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put_for(&cap, 1, vec![1; 99], 1);
    let rows = world.rows();
    world.later(1_000);
    let writer = writer(&mut world);
    loop {
        let (sender, answer) = channel();
        writer
            .sweep(world.now, move |more| sender.send(more).unwrap())
            .unwrap();
        if !answer.recv().unwrap().unwrap() {
            break;
        }
    }
    assert_eq!(world.rows(), rows - 2);
}

/// A disk that takes its time, and may be full for its first commit.
struct Slow(Arc<dyn Kv>, AtomicBool);

impl Kv for Slow {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.0.get(key)
    }
    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, KvError> {
        self.0.scan(prefix, from, reverse, limit)
    }
    fn commit(&self, batch: &comptoir_kv::Batch) -> Result<(), KvError> {
        std::thread::sleep(Duration::from_millis(3));
        if self.1.swap(false, Ordering::Relaxed) {
            return Err(KvError::Full {
                free_bytes: 0,
                needed_bytes: 1,
            });
        }
        self.0.commit(batch)
    }
    fn slots(&self) -> Result<Option<Vec<comptoir_kv::Slot>>, KvError> {
        self.0.slots()
    }
    fn write_slots(&self, slots: &BTreeMap<u32, comptoir_kv::Slot>) -> Result<(), KvError> {
        self.0.write_slots(slots)
    }
    fn stats(&self) -> Result<comptoir_kv::Stats, KvError> {
        self.0.stats()
    }
    fn room(&self) -> Result<(), KvError> {
        self.0.room()
    }
    fn compact(&self) -> Result<bool, KvError> {
        self.0.compact()
    }
    fn close(&self) -> Result<(), KvError> {
        self.0.close()
    }
}

fn slow_writer(world: &World, full_once: bool) -> MailboxWriter {
    let config = Config {
        key: relay_key(),
        addresses: vec![],
        open: true,
        limits: Limits::default(),
    };
    let kv = Slow(Arc::clone(&world.kv), AtomicBool::new(full_once));
    let mailbox = KvMailbox::open(Arc::new(kv), config).unwrap();
    MailboxWriter::start(mailbox, ChaCha20Rng::from_seed([4; 32])).unwrap()
}

#[test]
fn a_slow_disk_makes_requests_wait_in_order_and_the_queue_say_busy() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let writer = slow_writer(&world, false);
    let requests: Vec<Incoming> = (1..=6_000)
        .map(|name| incoming(&mut world, &cap, name))
        .collect();
    let (sender, answers) = channel();
    let mut busy = 0;
    for request in requests {
        loop {
            let (sender, id) = (sender.clone(), request.request_id());
            let done = Box::new(move |done: Result<Done, MailboxError>| {
                assert_eq!(done.unwrap().request_id, id);
                sender.send(id).unwrap();
            });
            match writer.submit(request.clone(), world.now, done) {
                Ok(()) => break,
                Err(MailboxError::Busy { .. }) => busy += 1,
                Err(error) => panic!("{error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    drop(sender);
    writer.close();
    let answered: Vec<u64> = answers.try_iter().collect();
    assert!(busy > 0, "the queue was never full");
    assert_eq!(answered.len(), 6_000);
    assert!(answered.is_sorted());
    assert_eq!(world.fetch(&own, &own.reader).len(), 6_000);
}

#[test]
fn a_failed_commit_takes_along_what_was_decided_over_it() {
    for failure in [Failure::Nothing, Failure::Written] {
        let mut world = World::open();
        let own = world.thread_box();
        let cap = world.grant(&own, generous());
        let writer = writer(&mut world);
        world.disk.fail_commit(2, failure);
        let names: Vec<u32> = (1..=400).collect();
        let answers = submit_all(&mut world, &writer, &cap, &names);
        writer.close();
        let stored = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(answers.len(), 400);
        assert!(stored < 400);
        world.restart();
        // Everything that was answered is there; at most one batch more than that.
        let there = world.fetch(&own, &own.reader).len();
        assert!(there >= stored, "{there} of {stored}");
        if matches!(failure, Failure::Nothing) {
            assert_eq!(there, stored);
        }
    }
}

#[test]
fn a_disk_that_fills_under_the_writer_keeps_what_was_answered_and_nothing_else() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let writer = slow_writer(&world, true);
    let names: Vec<u32> = (1..=300).collect();
    let answers = submit_all(&mut world, &writer, &cap, &names);
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert!(
        failed > 1,
        "nothing was decided over the commit that failed"
    );
    // What came after the failure was refused, or stored once there was room again: told apart by the receipts.
    let stored: Vec<u32> = answers.iter().flatten().filter_map(stored_name).collect();
    writer.close();
    world.restart();
    assert_eq!(world.names(&own, &own.reader), stored);
}

fn stored_name(done: &Done) -> Option<u32> {
    match &done.outcome {
        Outcome::Answer(RelayAnswer::Stored { receipt }) => {
            Some(name(&receipt.clone().verify().unwrap().mid))
        }
        _ => None,
    }
}
