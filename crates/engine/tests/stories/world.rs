// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small world: engines over maps, a network that does what it is told, and a relay that only keeps things.

use std::collections::{BTreeMap, VecDeque};

use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::{PeerKey, RelayKey};
use comptoir_protocol::identity::Endpoint;
use comptoir_protocol::relay::RelayDescriptor;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::relay::FakeRelay;

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store in memory.
#[derive(Clone, Default)]
pub struct MapView(pub Rows);

impl View for MapView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError> {
        let rows = self
            .0
            .range(range.prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&range.prefix));
        let mut rows: Vec<Row> = rows
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if range.reverse {
            rows.reverse();
        }
        if let Some(from) = &range.from {
            rows.retain(|(key, _)| {
                if range.reverse {
                    key <= from
                } else {
                    key >= from
                }
            });
        }
        rows.truncate(range.limit);
        Ok(rows)
    }
}

impl MapView {
    pub fn commit(&mut self, step: &Step) {
        for write in &step.writes {
            match write.clone() {
                Write::Put { key, value } => self.0.insert(key, value),
                Write::Delete { key } => self.0.remove(&key),
            };
        }
    }
}

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
    next_command: u64,
    inbox: VecDeque<Input>,
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
    links: Vec<(usize, usize)>,
    /// What the story says about itself when it fails.
    pub told: Option<u64>,
    /// Inputs given so far.
    pub inputs: u64,
    /// Every frame that was sent: from, to, bytes.
    pub wire: Vec<(usize, usize, Vec<u8>)>,
}

pub const WALL_START: u64 = 1_800_000_000_000;

impl World {
    pub fn new(names: &[&str]) -> Self {
        let mut world = World {
            nodes: Vec::new(),
            relays: Vec::new(),
            weather: Weather::default(),
            now_ms: 1_000,
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

    pub fn time(&self) -> Time {
        Time {
            wall_ms: WALL_START + self.now_ms,
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
            addresses: vec![format!("/ip4/127.0.0.1/tcp/{at}")],
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
        for Dial { peer, .. } in step.dials {
            self.dial(at, peer);
        }
        for call in step.calls {
            self.call(at, call);
        }
    }

    fn linked(&self, at: usize, peer: PeerKey) -> Option<usize> {
        let to = self.nodes.iter().position(|node| node.key == peer)?;
        self.links.contains(&(at.min(to), at.max(to))).then_some(to)
    }

    fn dial(&mut self, at: usize, peer: PeerKey) {
        let to = self
            .nodes
            .iter()
            .position(|node| node.key == peer && node.listens && node.online);
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

    pub fn ask(&mut self, at: usize, command: Command) -> Result<Answer, Refusal> {
        self.ask_once(at, command, None)
    }

    pub fn ask_once(
        &mut self,
        at: usize,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, Refusal> {
        self.give(at, 1, command, idempotency)
    }

    pub fn ask_as(&mut self, at: usize, persona: u16, command: Command) -> Result<Answer, Refusal> {
        self.give(at, persona, command, None)
    }

    fn give(
        &mut self,
        at: usize,
        persona: u16,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, Refusal> {
        let id = CommandId(self.nodes[at].next_command);
        self.nodes[at].next_command += 1;
        self.input(
            at,
            Input::Command {
                id,
                persona,
                command,
                idempotency,
            },
        );
        let answer = self.nodes[at].answers.pop().unwrap();
        self.settle();
        answer
    }

    pub fn invite(&mut self, at: usize) -> String {
        match self.ask(
            at,
            Command::Invite {
                expires_s: 86_400,
                uses: 3,
                as_ref: false,
            },
        ) {
            Ok(Answer::Invite { link, .. }) => link,
            other => panic!("{other:?}"),
        }
    }

    pub fn add(&mut self, at: usize, link: &str) -> u32 {
        match self.ask(
            at,
            Command::Add {
                link: link.into(),
                reason: "we met at the market".into(),
            },
        ) {
            Ok(Answer::Added { contact }) => contact,
            other => panic!("{other:?}"),
        }
    }

    pub fn accept_all(&mut self, at: usize) {
        for request in query::requests(&self.nodes[at].view, 1).unwrap() {
            self.ask(
                at,
                Command::Accept {
                    request: request.request,
                },
            )
            .unwrap();
        }
    }

    /// Makes the first two nodes contacts.
    pub fn befriend(&mut self) {
        let link = self.invite(0);
        self.add(1, &link);
        self.pass(15_000);
        self.accept_all(0);
        self.pass(15_000);
    }

    /// The one thread with another that a node has.
    pub fn thread(&self, at: usize) -> u32 {
        let threads = query::threads(&self.nodes[at].view, 1).unwrap();
        assert!(
            !threads.is_empty(),
            "node {at} has no thread, input {:?}",
            self.told
        );
        threads[0].thread
    }

    pub fn say(&mut self, at: usize, text: &str) {
        let thread = self.thread(at);
        self.try_say(at, thread, &[text]).unwrap();
    }

    /// Sends a text; nobody hears anything of it yet.
    pub fn say_unheard(&mut self, at: usize, text: &str) {
        let messages = vec![NewMessage {
            body: comptoir_protocol::body::Body::text(text),
        }];
        let command = Command::Send {
            thread: self.thread(at),
            lane: comptoir_protocol::id::Lane::Service,
            messages,
        };
        let id = CommandId(self.nodes[at].next_command);
        self.nodes[at].next_command += 1;
        let (persona, idempotency) = (1, None);
        self.input(
            at,
            Input::Command {
                id,
                persona,
                command,
                idempotency,
            },
        );
        self.nodes[at].answers.pop().unwrap().unwrap();
    }

    /// A node takes what came first; what it sends waits.
    pub fn hear_one(&mut self, at: usize) {
        let input = self.nodes[at].inbox.pop_front().unwrap();
        self.input(at, input);
    }

    /// A node takes all that came; what it sends waits.
    pub fn hear_all(&mut self, at: usize) {
        for input in std::mem::take(&mut self.nodes[at].inbox) {
            self.input(at, input);
        }
    }

    /// What came to a node first is lost.
    pub fn lose_one(&mut self, at: usize) {
        self.nodes[at].inbox.pop_front().unwrap();
    }

    pub fn try_say(&mut self, at: usize, thread: u32, texts: &[&str]) -> Result<Answer, Refusal> {
        let messages = texts
            .iter()
            .map(|text| NewMessage {
                body: comptoir_protocol::body::Body::text(*text),
            })
            .collect();
        self.ask(
            at,
            Command::Send {
                thread,
                lane: comptoir_protocol::id::Lane::Service,
                messages,
            },
        )
    }

    pub fn history(&self, at: usize) -> Vec<query::HistoryItem> {
        query::history(
            &self.nodes[at].view,
            self.thread(at),
            query::From::Start,
            1_000_000,
        )
        .unwrap()
        .unwrap()
        .items
    }

    pub fn texts(&self, at: usize) -> Vec<String> {
        self.messages(at)
            .into_iter()
            .map(|message| match message.content {
                query::ContentView::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    pub fn messages(&self, at: usize) -> Vec<query::MessageView> {
        self.history(at)
            .into_iter()
            .filter_map(|item| match item {
                query::HistoryItem::Message(message) => Some(message),
                query::HistoryItem::Gap { .. } => None,
            })
            .collect()
    }

    pub fn outbox(&self, at: usize) -> u64 {
        query::threads(&self.nodes[at].view, 1)
            .unwrap()
            .iter()
            .map(|thread| thread.waiting)
            .sum()
    }

    pub fn saw(&self, at: usize, wanted: impl Fn(&Event) -> bool) -> bool {
        self.nodes[at].events.iter().any(|(_, event)| wanted(event))
    }
}
