// SPDX-License-Identifier: MIT OR Apache-2.0
//! The world: nodes, relays and the wires between them, on a clock that jumps from one happening to the next.

use std::collections::BTreeMap;

use comptoir_engine::{Config, Input, RelayCall, RelayNews, Unreachable};
use comptoir_protocol::frame::{RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::{PeerKey, RelayKey};
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::checks::Checks;
use crate::faults::Faults;
use crate::node::Node;
use crate::relay::{Relay, Session};
use crate::tally::Tally;
use crate::trace::Trace;

/// A relay that does not answer is given up after this.
const RELAY_SILENCE_MS: u64 = 15_000;
/// After a link broke, the next is opened within this time.
const RELAY_PAUSE_MS_MIN: u64 = 125;
const RELAY_PAUSE_MS_MAX: u64 = 8_000;
/// A relay looks after its boxes so often, as the real one does.
const RELAY_SWEEP_MS: u64 = 10_000;
/// A dead node or relay is started again within this time.
const DEATH_MS_MAX: u64 = 60_000;

/// Everything there is.
pub struct World {
    pub(crate) now_ms: u64,
    pub(crate) rng: ChaCha20Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    texts: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) relays: Vec<Relay>,
    wires: BTreeMap<(usize, usize), Wire>,
    /// What goes wrong at present.
    pub faults: Faults,
    /// How often it did.
    pub tally: Tally,
    pub(crate) trace: Trace,
    pub(crate) checks: Checks,
    /// Inputs given to engines.
    pub inputs: u64,
    /// The pause between two sweeps of a relay.
    pub(crate) relay_sweep_ms: u64,
}

/// A connection between two nodes.
struct Wire {
    id: u64,
    /// When the last frame arrives, by direction: frames of one stream do not overtake each other.
    arrives_ms: [u64; 2],
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
    Act { node: usize, act: crate::users::Act },
    /// The disk of a node has room again.
    DiskFree { node: usize },
}

impl World {
    /// A world of `nodes` people and `relays` relays, all up, nobody acquainted.
    pub fn new(seed: u64, nodes: usize, relays: usize, config: &Config) -> Self {
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
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world
    }

    /// What is wrong with this world, if anything was seen.
    pub fn violation(&self) -> Option<&str> {
        self.checks.violation.as_deref()
    }

    /// The hash over everything that left a node so far.
    pub fn trace(&self) -> [u8; 32] {
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
    fn relay_time(&self) -> comptoir_protocol::time::Time {
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

    // Wires.

    pub(crate) fn dial(&mut self, from: usize, peer: PeerKey) {
        let life = self.nodes[from].life;
        let delay = self.delay();
        self.later(delay, Happening::Dialled { from, life, peer });
    }

    fn on_dialled(&mut self, from: usize, life: u64, peer: PeerKey) {
        if self.nodes[from].life != life {
            return;
        }
        let to = self.nodes.iter().position(|node| node.peer == peer);
        let fails = self.chance(self.faults.dial_fails);
        let met = to.filter(|to| *to != from && !fails && self.is_dialable(*to));
        match met {
            Some(to) if self.wires.contains_key(&pair(from, to)) => {}
            Some(to) => self.connect(from, to),
            None => {
                self.tally.count("dial_failed");
                self.give(from, Input::DialFailed { peer });
            }
        }
    }

    fn is_dialable(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.reachable && node.running.is_some() && !node.asleep
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.next += 1;
        self.wires.insert(
            pair(from, to),
            Wire {
                id: self.next,
                arrives_ms: [self.now_ms; 2],
            },
        );
        self.checks.on_connected(from, to);
        for (node, other) in [(from, to), (to, from)] {
            let peer = self.nodes[other].peer;
            self.give(node, Input::PeerConnected { peer });
        }
    }

    pub(crate) fn disconnect(&mut self, one: usize, other: usize) {
        if self.wires.remove(&pair(one, other)).is_some() {
            self.tally.count("wire_broken");
            for (node, gone) in [(one, other), (other, one)] {
                let peer = self.nodes[gone].peer;
                self.give(node, Input::PeerDisconnected { peer });
            }
        }
    }

    pub(crate) fn disconnect_all(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            self.disconnect(node, other);
        }
        for relay in &mut self.relays {
            relay.sessions.remove(&node);
        }
    }

    pub(crate) fn is_connected(&self, one: usize, other: usize) -> bool {
        self.wires.contains_key(&pair(one, other))
    }

    pub(crate) fn send(&mut self, from: usize, peer: PeerKey, bytes: Vec<u8>) {
        let Some(to) = self.nodes.iter().position(|node| node.peer == peer) else {
            return;
        };
        if self.chance(self.faults.wire_breaks) {
            return self.disconnect(from, to);
        }
        let delay = self.delay();
        let Some(wire) = self.wires.get_mut(&pair(from, to)) else {
            return;
        };
        let arrives_ms = &mut wire.arrives_ms[usize::from(from > to)];
        *arrives_ms = (*arrives_ms).max(self.now_ms + delay);
        let (after, id) = (*arrives_ms - self.now_ms, wire.id);
        self.later(
            after,
            Happening::Frame {
                from,
                to,
                wire: id,
                bytes,
            },
        );
    }

    fn on_frame(&mut self, from: usize, to: usize, wire: u64, bytes: Vec<u8>) {
        if self
            .wires
            .get(&pair(from, to))
            .is_some_and(|known| known.id == wire)
        {
            self.checks.on_frame(from, to, &bytes);
            let peer = self.nodes[from].peer;
            self.give(to, Input::Frame { peer, bytes });
        }
    }

    // Relays.

    fn session(&self, node: usize, relay: RelayKey) -> Option<u64> {
        let relay = self.relays.iter().find(|known| known.key() == relay)?;
        relay.sessions.get(&node).map(|session| session.id)
    }

    pub(crate) fn call(&mut self, node: usize, call: RelayCall) {
        let (life, relay, delay) = (self.nodes[node].life, call.relay.key, self.delay());
        let session = self.session(node, relay);
        self.later(
            delay,
            Happening::Request {
                node,
                life,
                relay,
                session,
                call: Box::new(call),
            },
        );
    }

    fn on_request(
        &mut self,
        node: usize,
        life: u64,
        key: RelayKey,
        sent_on: Option<u64>,
        call: &RelayCall,
    ) {
        if self.nodes[node].life != life {
            return;
        }
        let answer = |session, answer| Happening::Answer {
            node,
            life,
            relay: key,
            session,
            call: call.call,
            answer,
        };
        let Some(at) = self
            .relays
            .iter()
            .position(|relay| relay.key() == key && relay.is_up())
        else {
            self.tally.count("relay_unreachable");
            let wait = self.below(5_000);
            return self.later(wait, answer(None, None));
        };
        // What was sent on a link that is gone went with it; a new one is opened after a pause, as the real client does.
        let present = self.session(node, key);
        let paused = self.relays[at]
            .pauses
            .get(&node)
            .is_some_and(|until| *until > self.now_ms);
        if (sent_on.is_some() && sent_on != present) || (present.is_none() && paused) {
            let wait = self.below(5_000);
            return self.later(wait, answer(None, None));
        }
        if present.is_none() {
            self.open_session(node, at);
        }
        let Some(session) = self.relays[at].sessions.get(&node) else {
            return;
        };
        let (id, challenge) = (session.id, session.challenge);
        let lost = self.chance(self.faults.relay_losses);
        // Half of what is lost is the request, half the answer: then it had its effect.
        if lost && self.chance(5_000) {
            return self.lose(node, at, answer(None, None));
        }
        let signed = match &call.signer {
            Some(seed) => SignedRequest::sign(
                call.call,
                &call.request,
                &SigningKey::from_bytes(seed.expose()),
                &key,
                &challenge,
            ),
            None => SignedRequest::unsigned(call.call, &call.request),
        };
        let now = self.relay_time();
        let (said, pushes) = self.relays[at].serve(node, &signed, now, &mut self.tally);
        if let RelayRequest::Fetch { rid, .. } = &call.request {
            self.checks.on_fetch(node, call.call, *rid);
        }
        self.push(at, &pushes);
        if lost {
            return self.lose(node, at, answer(None, None));
        }
        let delay = self.delay();
        self.later(delay, answer(Some(id), Some(Box::new(said))));
        if self.chance(self.faults.relay_kills) {
            self.kill_relay(at);
        }
    }

    fn on_relay_answer(
        &mut self,
        node: usize,
        relay: RelayKey,
        call: u64,
        answer: Result<RelayAnswer, Unreachable>,
    ) {
        if let Ok(RelayAnswer::Items { items, .. }) = &answer
            && !self.nodes[node].asleep
        {
            let running = self.nodes[node].running.as_ref();
            if let Err(error) = self.checks.on_items(node, relay, call, items, running) {
                return self.fail(error);
            }
        }
        let news = RelayNews::Answer { call, answer };
        self.give(node, Input::Relay { relay, news });
    }

    fn open_session(&mut self, node: usize, at: usize) {
        let mut challenge = [0; 32];
        self.rng.fill_bytes(&mut challenge);
        self.next += 1;
        let session = Session {
            id: self.next,
            challenge,
            rids: Default::default(),
        };
        self.relays[at].sessions.insert(node, session);
        let relay = self.relays[at].key();
        self.give(
            node,
            Input::Relay {
                relay,
                news: RelayNews::Up,
            },
        );
    }

    /// What was lost took the link along.
    fn lose(&mut self, node: usize, at: usize, answer: Happening) {
        self.tally.count("relay_lost");
        self.relays[at].sessions.remove(&node);
        let pause = RELAY_PAUSE_MS_MIN + self.below(RELAY_PAUSE_MS_MAX);
        self.relays[at].pauses.insert(node, self.now_ms + pause);
        let wait = self.below(RELAY_SILENCE_MS);
        self.later(wait, answer);
        let relay = self.relays[at].key();
        self.give(
            node,
            Input::Relay {
                relay,
                news: RelayNews::Down,
            },
        );
    }

    fn push(&mut self, at: usize, pushes: &[comptoir_mailbox::News]) {
        let relay = self.relays[at].key();
        let told: Vec<(usize, u64, RelayAnswer)> = pushes
            .iter()
            .flat_map(|news| {
                let listening = self.relays[at]
                    .sessions
                    .iter()
                    .filter(|(_, session)| session.rids.contains(&news.rid));
                listening.map(|(node, session)| {
                    (
                        *node,
                        session.id,
                        RelayAnswer::News {
                            rid: news.rid,
                            sequence: news.sequence,
                        },
                    )
                })
            })
            .collect();
        for (node, session, answer) in told {
            let delay = self.delay();
            self.later(
                delay,
                Happening::Push {
                    node,
                    relay,
                    session,
                    answer: Box::new(answer),
                },
            );
        }
    }

    /// Kills a relay; it is started again after a while.
    pub(crate) fn kill_relay(&mut self, at: usize) {
        let forget = self.relays[at].forgetful && self.chance(self.faults.relay_forgets);
        self.tally.count("relay_killed");
        if forget {
            self.tally.count("relay_forgot");
        }
        let lost: Vec<usize> = self.relays[at].sessions.keys().copied().collect();
        self.relays[at].die(forget);
        let relay = self.relays[at].key();
        for node in lost {
            self.give(
                node,
                Input::Relay {
                    relay,
                    news: RelayNews::Down,
                },
            );
        }
        let wait = 1 + self.below(DEATH_MS_MAX);
        self.later(wait, Happening::RelayStart { relay: at });
    }

    /// How long a dead node stays dead.
    pub(crate) fn death_ms(&mut self) -> u64 {
        1 + self.below(DEATH_MS_MAX)
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
