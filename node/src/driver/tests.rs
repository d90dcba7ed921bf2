// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver over a disk that takes nothing, and over rows that cannot be read.

use std::path::Path;
use std::time::Instant;

use comptoir_engine::rows::key;
use comptoir_engine::rows::reach::Relay;
use comptoir_engine::{Command, NewMessage, Phrase, RelayCondition, Scan, View as _};
use comptoir_protocol::body::Body;
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::frame::RelayAnswer;
use comptoir_protocol::id::{Lane, RelayKey};
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_store::{Access, Floor, OpenOptions};
use rand_core::SeedableRng as _;
use tokio::sync::watch;

use super::*;

fn driver(folder: &Path, floor: Floor) -> (Driver, DriverHandle) {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let options = OpenOptions {
        floor,
        ..OpenOptions::default()
    };
    let store = Store::open(folder, &Access::KeyFile, &options, &mut rng).unwrap();
    let (handle, jobs) = DriverHandle::new();
    let newest = watch::channel(0).0;
    let carriers = Carriers::new(None, None, Arc::default(), handle.clone(), newest);
    let (carriers, clock) = (Arc::new(carriers), Clock::new([1; 16]));
    let opened = Driver::open(Config::default(), store, carriers, clock, rng, jobs);
    (opened.unwrap(), handle)
}

fn command(command: Command) -> (Job, oneshot::Receiver<Result<Answer, CommandError>>) {
    let (waiting, heard) = oneshot::channel();
    let job = Job::Command {
        persona: comptoir_engine::MAIN,
        command,
        idempotency: None,
        waiting,
    };
    (job, heard)
}

fn persona() -> Command {
    Command::CreatePersona {
        phrase: Phrase(crate::Node::new_phrase().unwrap()),
        name: "Alice".into(),
    }
}

impl Driver {
    /// Decides and commits, and hands out what a relay would be asked.
    fn decides(&mut self, input: Input) -> Vec<comptoir_engine::RelayCall> {
        let now = self.clock.now();
        let decided = self
            .engine
            .handle(input, now, &mut self.rng, &self.core.view());
        let Step { writes, calls, .. } = decided.unwrap();
        self.core.commit(writes).unwrap();
        calls
    }

    fn commands(&mut self, command: Command) -> Vec<comptoir_engine::RelayCall> {
        let (id, idempotency) = (CommandId(self.next_command), None);
        self.next_command += 1;
        self.decides(Input::Command {
            id,
            persona: comptoir_engine::MAIN,
            command,
            idempotency,
        })
    }

    /// Read from the relay's own row: a view of it would read the boxes, too.
    fn relay_condition(&self) -> RelayCondition {
        let rows = self.core.committed().scan(Scan::all(vec![key::RELAY]));
        let (_, row) = rows.unwrap().remove(0);
        Relay::from_bytes(&row[1..]).unwrap().condition
    }
}

/// The engine waits for one answer a call. One that it cannot take, for a row it cannot read, is not waited for any
/// longer: it counts as none, which is told and tried again.
#[test]
fn an_answer_of_a_relay_that_cannot_be_taken_counts_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let (mut driver, _handle) = driver(folder.path(), Floor::NONE);
    driver.decides(Input::Opened { endpoint: None });
    driver.commands(persona());
    let relay = RelayDescriptor {
        key: RelayKey([9; 32]),
        addresses: vec!["/ip4/127.0.0.1/tcp/9".into()],
    };
    let of_relay = |news| Input::Relay {
        relay: RelayKey([9; 32]),
        news,
    };
    let mut calls = driver.commands(Command::AddRelay {
        relay,
        ticket: None,
    });
    calls.extend(driver.decides(of_relay(RelayNews::Up)));
    assert_eq!(driver.relay_condition(), RelayCondition::Up);
    let boxes = driver.core.view().scan(Scan::all(vec![key::BOX])).unwrap();
    assert!(!boxes.is_empty() && !calls.is_empty());
    let damage = |row: comptoir_engine::Row| Write::Put {
        key: row.0,
        value: vec![0xff; 3],
        scope: None,
    };
    driver
        .core
        .commit(boxes.into_iter().map(damage).collect())
        .unwrap();

    let answer = Ok(RelayAnswer::Denied);
    driver.step(of_relay(RelayNews::Answer {
        call: calls[0].call,
        answer,
    }));
    driver.writer.as_ref().unwrap().flush().unwrap();
    assert!(driver.carriers.trouble().engine.is_some(), "it was taken");
    assert_eq!(driver.relay_condition(), RelayCondition::Down);
}

#[test]
fn nothing_is_taken_out_of_the_queue_behind_a_failed_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (mut driver, handle) = driver(folder.path(), Floor::NONE);
    let (first, mut heard_first) = command(persona());
    let (behind, mut heard_behind) = command(persona());
    handle.add(first);
    handle.commit_failed(0, "the disk is full".into());
    handle.add(behind);
    assert_eq!(driver.next_batch().unwrap().len(), 2);
    assert!(heard_first.try_recv().is_err());
    assert!(!driver.drain_while_down());
    assert!(matches!(
        heard_behind.try_recv(),
        Ok(Err(CommandError::ReadOnly))
    ));
}

/// Many at once and again, on a disk that stays full: each hears so within seconds, though nothing gets better.
#[test]
fn on_a_full_disk_every_command_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (mut making, _) = driver(folder.path(), Floor::NONE);
    making.decides(Input::Opened { endpoint: None });
    making.commands(persona());
    making.close();
    let full = Floor {
        least_bytes: u64::MAX,
        times_store: 0,
    };
    for round in 0..20_u64 {
        let (driver, handle) = driver(folder.path(), full);
        let running = std::thread::spawn(move || driver.run(None));
        let mut waiting = Vec::new();
        for number in 0..40 {
            let body = Body::text(format!("{round} {number}"));
            let send = Command::Send {
                thread: 0,
                lane: Lane::Service,
                messages: vec![NewMessage { body }],
            };
            let name = Command::CreatePersona {
                phrase: Phrase(crate::Node::new_phrase().unwrap()),
                name: format!("{number}"),
            };
            for asked in [send, name] {
                let (job, heard) = command(asked);
                handle.add(job);
                waiting.push(heard);
            }
            handle.add(Job::Input(Input::Tick));
            std::thread::sleep(Duration::from_micros(round * 20));
        }
        let begun = Instant::now();
        for mut heard in waiting {
            let told = loop {
                match heard.try_recv() {
                    Ok(told) => break told,
                    Err(oneshot::error::TryRecvError::Empty) => {
                        let waited = begun.elapsed();
                        assert!(waited < Duration::from_secs(10), "round {round}: no answer");
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(closed) => panic!("round {round}: {closed}"),
                }
            };
            let said = matches!(
                told,
                Err(CommandError::DiskFull(_) | CommandError::ReadOnly | CommandError::Refused(_))
            );
            assert!(said, "round {round}: {told:?}");
        }
        let (done, _) = oneshot::channel();
        handle.add(Job::Stop(done));
        running.join().unwrap();
    }
}
