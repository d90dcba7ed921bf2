// SPDX-License-Identifier: MIT OR Apache-2.0
//! The world: everybody and everything in it, on a clock that jumps from one happening to the next.

use std::collections::BTreeMap;

use comptoir_engine::{Config, Input, RelayCall, RelayNews, Unreachable};
use comptoir_protocol::frame::RelayAnswer;
use comptoir_protocol::id::{PeerKey, RelayKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::checks::Checks;
use crate::faults::Faults;
use crate::node::Node;
use crate::relay::Relay;
use crate::tally::Tally;
use crate::trace::Trace;
use crate::wires::Wire;

/// A relay looks after its boxes so often, as the real one does.
const RELAY_SWEEP_MS: u64 = 10_000;
/// A dead node or relay is started again within this time.
const DEATH_MS_MAX: u64 = 60_000;
const TURNS_BETWEEN_LOOKS: usize = 16;

/// Everything there is.
pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) rng: ChaCha20Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    pub(crate) next: u64,
    texts: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) relays: Vec<Relay>,
    pub(crate) wires: BTreeMap<(usize, usize), Wire>,
    /// What goes wrong at present.
    pub(crate) faults: Faults,
    /// How often it did.
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
    pub(crate) checks: Checks,
    /// Inputs given to engines.
    pub(crate) inputs: u64,
    /// The pause between two sweeps of a relay.
    pub(crate) relay_sweep_ms: u64,
}

/// What will happen at some time.
pub(crate) enum Happening {
    /// The engine asked to be woken.
    Wake { node: usize, life: u64 },
    /// A commit under way ends.
    Commit { node: usize, life: u64 },
    /// A dead node is started.
    Start { node: usize },
    /// A dead relay is started.
    RelayStart { relay: usize },
    /// The relay's own work.
    RelaySweep { relay: usize },
    /// A dial comes to its end.
    Dialled {
        from: usize,
        life: u64,
        peer: PeerKey,
    },
    /// A frame arrives.
    Frame {
        from: usize,
        to: usize,
        wire: u64,
        bytes: Vec<u8>,
    },
    /// A call arrives at a relay.
    Request {
        node: usize,
        life: u64,
        relay: RelayKey,
        session: Option<u64>,
        call: Box<RelayCall>,
    },
    /// A relay's answer arrives, or the time for it is over.
    Answer {
        node: usize,
        life: u64,
        relay: RelayKey,
        session: Option<u64>,
        call: u64,
        answer: Option<Box<RelayAnswer>>,
    },
    /// A relay says something unasked.
    Push {
        node: usize,
        relay: RelayKey,
        session: u64,
        answer: Box<RelayAnswer>,
    },
    /// A user does something.
    Act {
        node: usize,
        act: crate::wishes::Act,
    },
    /// The disk of a node has room again.
    DiskFree { node: usize },
}

impl World {
    /// A world of `nodes` people and `relays` relays, the relays up, nobody there yet.
    pub(crate) fn new(seed: u64, nodes: usize, relays: usize, config: &Config) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = ChaCha20Rng::from_seed(bytes);
        let relays: Vec<Relay> = (0..relays).map(|_| Relay::new(&mut rng)).collect();
        let nodes: Vec<Node> = (0..nodes)
            .map(|number| Node::new(number, &mut rng, config.clone()))
            .collect();
        let mut world = Self {
            now_ms: 1_000,
            rng,
            queue: BTreeMap::new(),
            next: 0,
            texts: 0,
            nodes,
            relays,
            wires: BTreeMap::new(),
            faults: Faults::none(),
            tally: Tally::default(),
            trace: Trace::default(),
            checks: Checks::default(),
            inputs: 0,
            relay_sweep_ms: RELAY_SWEEP_MS,
        };
        for relay in 0..world.relays.len() {
            world.later(RELAY_SWEEP_MS, Happening::RelaySweep { relay });
        }
        for (node, known) in world.nodes.iter().enumerate() {
            world.checks.introduce(known.peer, node);
        }
        world
    }

    /// What is wrong with this world, if anything was seen.
    pub(crate) fn violation(&self) -> Option<&str> {
        self.checks.violation.as_deref()
    }

    /// The hash over everything that left a node so far.
    pub(crate) fn trace(&self) -> [u8; 32] {
        self.trace.digest()
    }

    pub(crate) fn later(&mut self, after_ms: u64, happening: Happening) {
        self.queue
            .insert((self.now_ms + after_ms, self.next), happening);
        self.next += 1;
    }

    pub(crate) fn chance(&mut self, in_ten_thousand: u32) -> bool {
        in_ten_thousand > 0 && self.rng.next_u32() % 10_000 < in_ten_thousand
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// Lets happen what is next; false when nothing is, when it lies behind `until_ms`, or when something is wrong.
    pub(crate) fn turn(&mut self, until_ms: u64) -> bool {
        if self.violation().is_some() {
            return false;
        }
        match self.queue.first_key_value() {
            Some(((at_ms, _), _)) if *at_ms <= until_ms => {}
            _ => {
                self.now_ms = self.now_ms.max(until_ms);
                return false;
            }
        }
        if let Some(((at_ms, _), happening)) = self.queue.pop_first() {
            self.now_ms = self.now_ms.max(at_ms);
            self.happens(happening);
        }
        true
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { node, life } => self.on_wake(node, life),
            Happening::Commit { node, life } => self.on_commit(node, life),
            Happening::Start { node } => self.start(node),
            Happening::RelayStart { relay } => self.relays[relay].start(),
            Happening::RelaySweep { relay } => {
                let now = self.relay_time();
                self.relays[relay].sweep(now);
                self.later(self.relay_sweep_ms, Happening::RelaySweep { relay });
            }
            Happening::Dialled { from, life, peer } => self.on_dialled(from, life, peer),
            Happening::Frame {
                from,
                to,
                wire,
                bytes,
            } => self.on_frame(from, to, wire, bytes),
            Happening::Request {
                node,
                life,
                relay,
                session,
                call,
            } => self.on_request(node, life, relay, session, &call),
            Happening::Answer {
                node,
                life,
                relay,
                session,
                call,
                answer,
            } => {
                if self.nodes[node].life == life {
                    let alive = session.is_some() && session == self.session(node, relay);
                    let answer = answer.filter(|_| alive).map(|answer| *answer);
                    self.on_relay_answer(node, relay, call, answer.ok_or(Unreachable));
                }
            }
            Happening::Push {
                node,
                relay,
                session,
                answer,
            } => {
                if self.session(node, relay) == Some(session) {
                    self.give(
                        node,
                        Input::Relay {
                            relay,
                            news: RelayNews::Pushed(*answer),
                        },
                    );
                }
            }
            Happening::Act { node, act } => self.on_act(node, act),
            Happening::DiskFree { node } => self.nodes[node].disk.set_full(false),
        }
    }

    /// Time at a relay: its clock is right.
    pub(crate) fn relay_time(&self) -> comptoir_protocol::time::Time {
        let mut time = self.nodes[0].time(self.now_ms);
        time.wall_ms = time.wall_ms.saturating_add_signed(-self.nodes[0].skew_ms);
        time
    }

    /// A number no other text has.
    pub(crate) fn next_text(&mut self) -> u64 {
        self.texts += 1;
        self.texts
    }

    pub(crate) fn delay(&mut self) -> u64 {
        1 + self.below(self.faults.delay_ms_max.max(1))
    }

    /// How long a dead node or relay stays dead.
    pub(crate) fn death_ms(&mut self) -> u64 {
        1 + self.below(DEATH_MS_MAX)
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, for_ms: u64) {
        let until_ms = self.now_ms + for_ms;
        while self.turn(until_ms) {}
    }

    /// Lets time pass until something is so.
    pub(crate) fn until(
        &mut self,
        at_most_ms: u64,
        what: &str,
        so: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let until_ms = self.now_ms + at_most_ms;
        while !so(self) {
            // A look costs more than a turn: let some happen in between.
            for _ in 0..TURNS_BETWEEN_LOOKS {
                if !self.turn(until_ms) {
                    return match (self.violation(), so(self)) {
                        (Some(violation), _) => Err(violation.to_owned()),
                        (None, true) => Ok(()),
                        (None, false) => {
                            Err(format!("waited {} minutes for {what}", at_most_ms / 60_000))
                        }
                    };
                }
            }
        }
        Ok(())
    }
}
