// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of a world: input, step, commit, and only then what the step does; with kills and failed commits between.

use std::sync::Arc;

use comptoir_engine::{Answer, Input, Refusal, Step};
use comptoir_kv::Failure;
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::identity::Endpoint;
use comptoir_store::Seq;

use crate::node::Running;
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
        let shown = self.checks.on_started(node, &running);
        if let Err(violation) = shown {
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
        self.tally.largest("engine_bytes_max", bytes as u64);
        if bytes > ENGINE_BYTES_MAX {
            return self.fail(format!("I9: the engine of node {node} keeps {bytes} bytes"));
        }
        if let Err(violation) = self.checks.on_step(node, &step) {
            return self.fail(violation);
        }
        self.hold(node, step);
        self.wake(node, wake_at);
    }

    fn hold(&mut self, node: usize, mut step: Step) {
        let writes = std::mem::take(&mut step.writes);
        let pause = 1 + self.below(8);
        let Some(running) = &mut self.nodes[node].running else {
            return;
        };
        match running.core.submit(writes) {
            Ok(seq) => running.held.push_back((seq, step)),
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
        if self.nodes[node].life == life {
            if let Some(running) = &mut self.nodes[node].running {
                running.wake_at = None;
            }
            self.give(node, Input::Tick);
        }
    }

    /// A commit ends: well, or not, or with the death of the node.
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
            if running.held.front().is_none_or(|(seq, _)| *seq > up_to) {
                return;
            }
            if let Some((_, step)) = running.held.pop_front() {
                self.carry_out(node, step);
            }
        }
    }

    fn carry_out(&mut self, node: usize, step: Step) {
        let Step {
            writes: _,
            sends,
            dials,
            calls,
            events,
            answers,
            wake_at: _,
        } = step;
        if let Err(violation) = self.checks.on_durable(
            node,
            &events,
            &sends,
            &calls,
            self.nodes[node].running.as_ref(),
        ) {
            return self.fail(violation);
        }
        if let Some(running) = &mut self.nodes[node].running {
            running.newest_event = events
                .last()
                .map_or(running.newest_event, |(number, _)| *number);
        }
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
        match (&ask.what, &answer) {
            (_, Err(_)) => self.tally.count("command_refused"),
            (What::Amend { text: Some(_), .. }, Ok(_)) => self.tally.count("edited"),
            (What::Amend { text: None, .. }, Ok(_)) => self.tally.count("erased"),
            _ => {}
        }
    }
}
