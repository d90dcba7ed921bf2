// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small world: engines over maps, a network that does what it is told, and a relay that only keeps things.

use std::collections::VecDeque;

use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::{PeerKey, RelayKey};
use comptoir_protocol::identity::Endpoint;
use comptoir_protocol::relay::RelayDescriptor;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub use crate::map_view::MapView;
use crate::relay::FakeRelay;

pub struct Node {
    pub engine: Engine,
    pub view: MapView,
    pub rng: ChaCha20Rng,
    pub config: Config,
    pub key: PeerKey,
    pub listens: bool,
    pub online: bool,
    pub events: Vec<(u64, Event)>,
    pub answers: Vec<Result<Answer, Refusal>>,
    pub steps: u64,
    wake_at: Option<u64>,
    pub next_command: u64,
    pub inbox: VecDeque<Input>,
}

/// What the world does to frames.
#[derive(Default)]
pub struct Weather {
    /// Every frame arrives twice.
    pub duplicate: bool,
    /// Frames of one flush arrive in the opposite order.
    pub reverse: bool,
    /// Frames also go back to whoever sent them.
    pub reflect: bool,
    /// Nobody can connect to anybody.
    pub no_direct: bool,
    /// After this many inputs of the world, the engine that had the last one is dropped and opened again.
    pub reopen_after: Option<u64>,
}

pub struct World {
    pub nodes: Vec<Node>,
    pub relays: Vec<FakeRelay>,
    pub weather: Weather,
    pub now_ms: u64,
    /// How far everybody's wall clock is wrong.
    pub wall_skew_ms: i64,
    links: Vec<(usize, usize)>,
    /// What the story says about itself when it fails.
    pub told: Option<u64>,
    /// Inputs given so far.
    pub inputs: u64,
    /// Every frame that was sent: from, to, bytes.
    pub wire: Vec<(usize, usize, Vec<u8>)>,
}

/// Where a node listens.
pub fn address_of(at: usize) -> String {
    format!("/ip4/127.0.0.1/tcp/{at}")
}

pub const WALL_START: u64 = 1_800_000_000_000;

impl World {
    pub fn new(names: &[&str]) -> Self {
        let mut world = World {
            nodes: Vec::new(),
            relays: Vec::new(),
            weather: Weather::default(),
            now_ms: 1_000,
            wall_skew_ms: 0,
            links: Vec::new(),
            told: None,
            inputs: 0,
            wire: Vec::new(),
        };
        for (at, name) in names.iter().enumerate() {
            world.add_node(at, name, Config::default());
        }
        world
    }

    /// Alice and Bob, who have met and can connect to each other.
    pub fn of_friends() -> Self {
        let mut world = World::new(&["Alice", "Bob"]);
        world.befriend();
        world
    }

    /// Alice and Bob, who have met, use one relay, and can connect to each other as well.
    pub fn of_friends_with_a_relay() -> Self {
        let mut world = World::new(&["Alice", "Bob"]);
        world.add_relay_for(&[0, 1]);
        world.pass(1_000);
        world.befriend();
        world
    }

    /// Alice and Bob, who have met over one relay and have no direct way.
    pub fn of_friends_over_a_relay() -> Self {
        World::of_friends_over_relays(1)
    }

    /// Alice and Bob, who have met over so many relays and have no direct way.
    pub fn of_friends_over_relays(count: usize) -> Self {
        let mut world = World::new(&["Alice", "Bob"]);
        for _ in 0..count {
            world.add_relay_for(&[0, 1]);
        }
        world.weather.no_direct = true;
        world.pass(1_000);
        world.befriend();
        world
    }

    pub fn add_node(&mut self, at: usize, name: &str, config: Config) {
        let mut rng = ChaCha20Rng::seed_from_u64(at as u64 + 100);
        let phrase = comptoir_crypto::Phrase::generate(&mut rng)
            .words()
            .join(" ");
        let view = MapView::default();
        let engine = Engine::open(config.clone(), &view).unwrap();
        self.nodes.push(Node {
            engine,
            view,
            rng,
            config,
            key: PeerKey([at as u8 + 1; 32]),
            listens: true,
            online: true,
            events: Vec::new(),
            answers: Vec::new(),
            steps: 0,
            wake_at: None,
            next_command: 0,
            inbox: VecDeque::new(),
        });
        self.open(at);
        let created = self.ask(
            at,
            Command::CreatePersona {
                phrase: Phrase(phrase),
                name: name.into(),
            },
        );
        assert!(
            matches!(created, Ok(Answer::Persona { persona: 1, .. })),
            "{created:?}"
        );
    }

    pub fn add_relay(&mut self) -> RelayDescriptor {
        let seed = [200 + self.relays.len() as u8; 32];
        let signing = comptoir_crypto::keys::BoxOwnerKey::from_secret(&seed);
        let key = RelayKey(signing.public().0);
        let descriptor = RelayDescriptor {
            key,
            addresses: vec![format!("/ip4/10.0.0.{}/tcp/1", self.relays.len() + 1)],
        };
        self.relays
            .push(FakeRelay::new(descriptor.clone(), signing));
        descriptor
    }

    /// A new relay that these nodes use.
    pub fn add_relay_for(&mut self, nodes: &[usize]) -> RelayDescriptor {
        let relay = self.add_relay();
        for node in nodes {
            let (relay, ticket) = (relay.clone(), None);
            self.ask(*node, Command::AddRelay { relay, ticket })
                .unwrap();
        }
        relay
    }

    pub fn time(&self) -> Time {
        Time {
            wall_ms: (WALL_START + self.now_ms).saturating_add_signed(self.wall_skew_ms),
            mono_ms: self.now_ms,
            boot: [7; 16],
        }
    }

    pub fn open(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.engine = Engine::open(node.config.clone(), &node.view).unwrap();
        node.inbox.clear();
        let endpoint = node.listens.then(|| Endpoint {
            key: node.key,
            addresses: vec![address_of(at)],
        });
        self.input(at, Input::Opened { endpoint });
    }

    /// The node's process ends and begins again: connections, calls and memory are gone.
    pub fn restart(&mut self, at: usize) {
        self.cut(at);
        for relay in &mut self.relays {
            relay.forget_client(at);
        }
        self.open(at);
        self.settle();
    }

    fn cut(&mut self, at: usize) {
        let lost: Vec<_> = self
            .links
            .iter()
            .copied()
            .filter(|(a, b)| *a == at || *b == at)
            .collect();
        self.links.retain(|(a, b)| *a != at && *b != at);
        for (a, b) in lost {
            let other = if a == at { b } else { a };
            let peer = self.nodes[at].key;
            self.nodes[other]
                .inbox
                .push_back(Input::PeerDisconnected { peer });
        }
    }

    pub fn go_offline(&mut self, at: usize) {
        self.cut(at);
        let keys: Vec<PeerKey> = self.nodes.iter().map(|node| node.key).collect();
        self.nodes[at].online = false;
        for (other, peer) in keys.into_iter().enumerate() {
            if other != at {
                self.nodes[at]
                    .inbox
                    .push_back(Input::PeerDisconnected { peer });
            }
        }
        let relays: Vec<RelayKey> = self
            .relays
            .iter()
            .map(|relay| relay.descriptor.key)
            .collect();
        for relay in relays {
            self.nodes[at].inbox.push_back(Input::Relay {
                relay,
                news: RelayNews::Down,
            });
        }
        for relay in &mut self.relays {
            relay.forget_client(at);
        }
        self.settle();
    }

    pub fn go_online(&mut self, at: usize) {
        self.nodes[at].online = true;
        let relays: Vec<RelayKey> = self
            .relays
            .iter()
            .map(|relay| relay.descriptor.key)
            .collect();
        for relay in relays {
            self.nodes[at].inbox.push_back(Input::Relay {
                relay,
                news: RelayNews::Up,
            });
        }
        self.settle();
    }

    /// Gives one input and carries out its step.
    pub fn input(&mut self, at: usize, input: Input) {
        let now = self.time();
        self.inputs += 1;
        let node = &mut self.nodes[at];
        let step = node
            .engine
            .handle(input, now, &mut node.rng, &node.view)
            .unwrap();
        node.steps += 1;
        node.view.commit(&step);
        node.events.extend(step.events.iter().cloned());
        node.answers
            .extend(step.answers.iter().map(|(_, answer)| answer.clone()));
        node.wake_at = step.wake_at;
        self.carry_out(at, step);
    }

    fn carry_out(&mut self, at: usize, step: Step) {
        let mut sends = step.sends;
        if self.weather.reverse {
            sends.reverse();
        }
        for Send { peer, frame } in sends {
            let Some(to) = self.linked(at, peer) else {
                continue;
            };
            self.wire.push((at, to, frame.clone()));
            let me = self.nodes[at].key;
            let times = if self.weather.duplicate { 2 } else { 1 };
            for _ in 0..times {
                self.nodes[to].inbox.push_back(Input::Frame {
                    peer: me,
                    bytes: frame.clone(),
                });
            }
            if self.weather.reflect {
                self.nodes[at]
                    .inbox
                    .push_back(Input::Frame { peer, bytes: frame });
            }
        }
        for Dial { peer, addresses } in step.dials {
            self.dial(at, peer, &addresses);
        }
        for call in step.calls {
            self.call(at, call);
        }
    }

    fn linked(&self, at: usize, peer: PeerKey) -> Option<usize> {
        let to = self.nodes.iter().position(|node| node.key == peer)?;
        self.links.contains(&(at.min(to), at.max(to))).then_some(to)
    }

    fn dial(&mut self, at: usize, peer: PeerKey, addresses: &[String]) {
        let to = self
            .nodes
            .iter()
            .position(|node| node.key == peer && node.listens && node.online)
            .filter(|to| addresses.contains(&address_of(*to)));
        let (Some(to), true, false) = (to, self.nodes[at].online, self.weather.no_direct) else {
            self.nodes[at].inbox.push_back(Input::DialFailed { peer });
            return;
        };
        let link = (at.min(to), at.max(to));
        if !self.links.contains(&link) {
            self.links.push(link);
            let me = self.nodes[at].key;
            self.nodes[to]
                .inbox
                .push_back(Input::PeerConnected { peer: me });
        }
        self.nodes[at]
            .inbox
            .push_back(Input::PeerConnected { peer });
    }

    fn call(&mut self, at: usize, call: RelayCall) {
        let key = call.relay.key;
        // What a real relay could not read must not be sent.
        assert_eq!(
            comptoir_protocol::frame::RelayRequest::from_bytes(&call.request.to_bytes()).unwrap(),
            call.request
        );
        call.request.check().unwrap();
        let now = self.time().wall_ms;
        let relay = self
            .relays
            .iter_mut()
            .find(|relay| relay.descriptor.key == key);
        let answer = match relay {
            Some(relay) if relay.up && self.nodes[at].online => {
                let signer = call.signer.as_ref().map(|seed| {
                    comptoir_crypto::keys::BoxOwnerKey::from_secret(seed.expose()).public()
                });
                Ok(relay.answer(at, call.request, signer, now))
            }
            _ => Err(Unreachable),
        };
        self.nodes[at].inbox.push_back(Input::Relay {
            relay: key,
            news: RelayNews::Answer {
                call: call.call,
                answer,
            },
        });
        for relay in &mut self.relays {
            for (client, news) in std::mem::take(&mut relay.pushes) {
                if self.nodes[client].online {
                    let news = RelayNews::Pushed(news);
                    self.nodes[client].inbox.push_back(Input::Relay {
                        relay: relay.descriptor.key,
                        news,
                    });
                }
            }
        }
    }

    /// Everything that follows at once.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(at) = self.nodes.iter().position(|node| !node.inbox.is_empty()) else {
                return;
            };
            let input = self.nodes[at].inbox.pop_front().unwrap();
            self.input(at, input);
            if self
                .weather
                .reopen_after
                .is_some_and(|after| self.inputs >= after)
            {
                self.weather.reopen_after = None;
                self.reopen_quietly(at);
            }
        }
        panic!("the world does not come to rest");
    }

    /// The engine is dropped and opened again, and only what was connected is said again.
    fn reopen_quietly(&mut self, at: usize) {
        let inbox = std::mem::take(&mut self.nodes[at].inbox);
        self.cut(at);
        for relay in &mut self.relays {
            relay.forget_client(at);
        }
        self.open(at);
        // Answers to calls of before come all the same, and are nobody's.
        let frames = inbox.into_iter().filter(|input| {
            matches!(
                input,
                Input::Relay {
                    news: RelayNews::Answer { .. },
                    ..
                }
            )
        });
        let frames: Vec<Input> = frames.collect();
        self.nodes[at].inbox.extend(frames);
    }

    /// Lets time pass, waking whoever wants to be woken.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        self.settle();
        loop {
            let next = self
                .nodes
                .iter()
                .filter_map(|node| node.wake_at)
                .min()
                .unwrap_or(u64::MAX)
                .max(self.now_ms);
            if next > end {
                break;
            }
            self.now_ms = next.max(self.now_ms + 1);
            for at in 0..self.nodes.len() {
                if self.nodes[at]
                    .wake_at
                    .is_some_and(|wake| wake <= self.now_ms)
                {
                    self.input(at, Input::Tick);
                }
            }
            self.settle();
        }
        self.now_ms = end;
    }
}
