// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of a world: input, step, commit, and only then what the step does; with kills and failed commits between.

use std::sync::Arc;

use comptoir_engine::{Answer, Event, Input, Refusal, Step};
use comptoir_kv::Failure;
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::id::Lane;
use comptoir_protocol::identity::Endpoint;
use comptoir_store::Seq;

use crate::node::{Held, Running};
use crate::users::What;
use crate::world::{Happening, World};

/// What an engine of two people may keep in memory: some hundred KiB; a flood must not move it past this.
const ENGINE_BYTES_MAX: usize = 16 << 20;

impl World {
    /// Starts a node's life.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].running.is_some() {
            return;
        }
        match self.nodes[node].open() {
            Ok(running) => self.begin(node, running),
            Err(error) => self.fail(format!("node {node} did not start: {error}")),
        }
    }

    fn begin(&mut self, node: usize, running: Running) {
        let leaves = self.nodes[node].user.leaves_asked();
        if let Err(violation) = self.checks.on_started(node, &leaves, &running) {
            self.fail(violation);
        }
        self.nodes[node].running = Some(running);
        self.nodes[node].life += 1;
        let known = &self.nodes[node];
        let endpoint = Endpoint {
            key: known.peer,
            addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        };
        let endpoint = known.reachable.then_some(endpoint);
        self.give(node, Input::Opened { endpoint });
        self.ask_again(node);
    }

    /// Gives an engine one input and holds what follows until it is durable.
    pub(crate) fn give(&mut self, node: usize, input: Input) {
        if self.violation().is_some()
            || (self.nodes[node].asleep && !matches!(input, Input::PeerDisconnected { .. }))
        {
            return;
        }
        let now = self.nodes[node].time(self.now_ms);
        let known = &mut self.nodes[node];
        let Some(running) = &mut known.running else {
            return;
        };
        self.inputs += 1;
        let core = Arc::clone(&running.core);
        let step = match running
            .engine
            .handle(input, now, &mut known.rng, &core.view())
        {
            Ok(step) => step,
            Err(error) => return self.fail(format!("the engine of node {node} failed: {error}")),
        };
        let (bytes, wake_at) = (running.engine.memory_bytes(), step.wake_at);
        let held = Held {
            seq: Seq(0),
            step,
            wall_ms: now.wall_ms,
        };
        let seen = self.checks.on_step(node, &held, running);
        self.tally.largest("engine_bytes_max", bytes as u64);
        if bytes > ENGINE_BYTES_MAX {
            return self.fail(format!("I9: the engine of node {node} keeps {bytes} bytes"));
        }
        match seen {
            // A nought would make its silence a failure where nobody forges.
            Ok(0) => {}
            Ok(forged) => self.tally.add("forged_found", forged),
            Err(violation) => return self.fail(violation),
        }
        self.hold(node, held);
        self.wake(node, wake_at);
    }

    pub(crate) fn hold(&mut self, node: usize, mut held: Held) {
        let writes = std::mem::take(&mut held.step.writes);
        let pause = 1 + self.below(8);
        let Some(running) = &mut self.nodes[node].running else {
            return;
        };
        match running.core.submit(writes) {
            Ok(seq) => running.held.push_back(Held { seq, ..held }),
            Err(error) => {
                return self.fail(format!("the store of node {node} took nothing: {error}"));
            }
        }
        if !running.committing {
            running.committing = true;
            let life = self.nodes[node].life;
            self.later(pause, Happening::Commit { node, life });
        }
    }

    fn wake(&mut self, node: usize, wake_at: Option<u64>) {
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else {
            return;
        };
        let due = wake_at.map(|at| at.max(self.now_ms + 1));
        if due.is_some()
            && running
                .wake_at
                .is_none_or(|known| known <= self.now_ms || due < Some(known))
        {
            running.wake_at = due;
            let after = due.unwrap_or(self.now_ms) - self.now_ms;
            self.later(after, Happening::Wake { node, life });
        }
    }

    pub(crate) fn on_wake(&mut self, node: usize, life: u64) {
        let known = &mut self.nodes[node];
        // One that an earlier wish replaced has nothing to say.
        if let Some(running) = known.running.as_mut()
            && known.life == life
            && running.wake_at == Some(self.now_ms)
        {
            running.wake_at = None;
            self.give(node, Input::Tick);
        }
    }

    pub(crate) fn on_commit(&mut self, node: usize, life: u64) {
        if self.nodes[node].life != life || self.nodes[node].running.is_none() {
            return;
        }
        let fails = self.chance(self.faults.commit_fails);
        if fails {
            let failure = if self.chance(5_000) {
                Failure::Written
            } else {
                Failure::Nothing
            };
            self.nodes[node].disk.fail_commit(0, failure);
        }
        if self.chance(self.faults.disk_fills) {
            self.tally.count("disk_filled");
            self.nodes[node].disk.set_full(true);
            let wait = self.below(20_000);
            self.later(wait, Happening::DiskFree { node });
        }
        let Some(running) = &mut self.nodes[node].running else {
            return;
        };
        running.committing = false;
        let core = Arc::clone(&running.core);
        loop {
            match core.commit_group() {
                Ok(Some(seq)) => self.release(node, life, seq),
                Ok(None) => break,
                Err(_) => return self.on_commit_failed(node),
            }
            if self.nodes[node].life != life {
                return;
            }
        }
        if self.chance(self.faults.kills) {
            self.kill(node);
        }
    }

    /// Lets out what is durable.
    fn release(&mut self, node: usize, life: u64, up_to: Seq) {
        loop {
            if self.nodes[node].life != life {
                return;
            }
            let Some(running) = &mut self.nodes[node].running else {
                return;
            };
            if running.held.front().is_none_or(|held| held.seq > up_to) {
                return;
            }
            if let Some(held) = running.held.pop_front() {
                self.carry_out(node, held);
            }
        }
    }

    fn carry_out(&mut self, node: usize, held: Held) {
        let Some(running) = &mut self.nodes[node].running else {
            return;
        };
        if let Err(violation) = self.checks.on_durable(node, &held, running) {
            return self.fail(violation);
        }
        let Step {
            writes: _,
            sends,
            dials,
            calls,
            events,
            answers,
            wake_at: _,
        } = held.step;
        running.newest_event = events
            .last()
            .map_or(running.newest_event, |(number, _)| *number);
        self.count_events(&events);
        for (id, answer) in answers {
            let ask = self.nodes[node]
                .running
                .as_mut()
                .and_then(|running| running.asks.remove(&id));
            if let Some(ask) = ask {
                self.on_answer(node, ask, answer);
            }
        }
        for send in sends {
            self.trace.note(self.now_ms, node, "frame", &send.frame);
            self.send(node, send.peer, send.frame);
        }
        for dial in dials {
            self.trace.note(self.now_ms, node, "dial", &dial.peer.0);
            self.dial(node, dial.peer);
        }
        for call in calls {
            self.trace
                .note(self.now_ms, node, "call", &call.request.to_bytes());
            self.call(node, call);
        }
    }

    /// The engine knows of things that never became durable: it goes, with every step behind it.
    fn on_commit_failed(&mut self, node: usize) {
        self.tally.count("commit_failed");
        let Some(running) = self.nodes[node].running.take() else {
            return;
        };
        self.tally.largest(
            "steps_behind_failed_commit_max",
            running.held.len().saturating_sub(1) as u64,
        );
        if running.held.len() > 3 {
            self.tally.count("commit_failed_three_behind");
        }
        self.nodes[node].user.take_back(running.asks);
        self.disconnect_all(node);
        let full = matches!(self.nodes[node].disk.open(), Ok(ref kv) if comptoir_kv::Kv::room(kv).is_err());
        let wait = if full { 1_000 } else { 1 };
        self.nodes[node].life += 1;
        self.later(wait, Happening::Start { node });
    }

    /// `kill -9`: what was not committed is gone, what was on its way to the node too.
    pub(crate) fn kill(&mut self, node: usize) {
        let Some(running) = self.nodes[node].running.take() else {
            return;
        };
        self.tally.count("killed");
        self.nodes[node].user.take_back(running.asks);
        self.nodes[node].life += 1;
        self.nodes[node].disk.crash();
        self.disconnect_all(node);
        let wait = self.death_ms();
        self.later(wait, Happening::Start { node });
    }

    pub(crate) fn fail(&mut self, violation: String) {
        self.checks.violation.get_or_insert(violation);
    }

    fn on_answer(&mut self, node: usize, ask: crate::users::Ask, answer: Result<Answer, Refusal>) {
        if let Err(violation) = self.nodes[node].user.on_answer(&ask, &answer) {
            self.fail(violation);
        }
        self.tally.count(match (&ask.what, &answer) {
            (What::Promote(_), Err(Refusal::NoPromotions)) => "promotion_refused",
            (_, Err(_)) => "command_refused",
            (What::Amend { text: Some(_), .. }, Ok(_)) => "edited",
            (What::Amend { text: None, .. }, Ok(_)) => "erased",
            (What::Allow { ends_ms: Some(_) }, Ok(_)) => "promotions_allowed",
            (What::Allow { ends_ms: None }, Ok(_)) => "promotions_withdrawn",
            (What::Promote(_), Ok(_)) => "promotion_sent",
            (What::Show(_), Ok(_)) => "held_back_tapped",
            _ => "command_done",
        });
    }

    fn count_events(&mut self, events: &[(u64, Event)]) {
        for (_, event) in events {
            match event {
                Event::MessagesReceived {
                    lane: Lane::Promotion,
                    ..
                } => self.tally.count("promotion_shown"),
                Event::NotDelivered {
                    lane: Lane::Promotion,
                    ..
                } => self.tally.count("promotion_ended"),
                Event::HeldBack { .. } => self.tally.count("held_back"),
                Event::HeldBackShown { .. } => self.tally.count("held_back_shown"),
                _ => {}
            }
        }
    }
}
