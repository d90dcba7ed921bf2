// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scenarios: who is there, what they do, what goes wrong, and what must hold in the end.

use comptoir_crypto::Phrase;
use comptoir_engine::rows::key;
use comptoir_engine::{Command, CommandId, Config, Engine, Input, Scan, View, ViewError};
use rand_core::Rng as _;

use crate::checks::{Said, transcript};
use crate::faults::Faults;
use crate::tally::Tally;
use crate::users::{Act, What};
use crate::world::{Happening, World};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A run goes on at least until its engines have had so many inputs.
const INPUTS_MIN: u64 = 300;

/// One kind of fault is met in a round; it takes some for all of them to meet.
const ROUNDS_MIN: u64 = 3;

/// After the last fault everything must be delivered within this: two of the longest pauses between tries, and some.
const HEALING_MS: u64 = 5 * HOUR_MS;

/// Below are the engine's spaces, from here on the store's own.
const ENGINE_SPACES: u8 = 0xe0;

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Two people, both at home, no relay: kills, failing commits, broken wires.
    Pair,
    /// Two people who are hardly ever there at once, two relays.
    PairOffline,
    /// One of the two relays drops, delays, reorders, repeats and forges.
    OneEvilRelay,
    /// Relays die and come back with nothing.
    AmnesiacRelay,
    /// Three of ten requests to relays are lost, wires break all the time.
    Lossy30,
    /// Laptops that sleep for three days, clocks that jump.
    Sleep3Days,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Pair,
        Self::PairOffline,
        Self::OneEvilRelay,
        Self::AmnesiacRelay,
        Self::Lossy30,
        Self::Sleep3Days,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::PairOffline => "pair_offline",
            Self::OneEvilRelay => "one_evil_relay",
            Self::AmnesiacRelay => "amnesiac_relay",
            Self::Lossy30 => "lossy30",
            Self::Sleep3Days => "sleep_3_days",
        }
    }

    /// What must fire at least once over a thousand seeds.
    fn expected(self) -> &'static [&'static str] {
        match self {
            Self::Pair => &[
                "killed",
                "commit_failed",
                "commit_failed_three_behind",
                "wire_broken",
                "asked_again",
                "flooded",
                "disk_filled",
            ],
            Self::PairOffline => &[
                "killed",
                "commit_failed",
                "relay_killed",
                "relay_unreachable",
                "dial_failed",
                "slept",
                "relay_duplicate",
            ],
            Self::OneEvilRelay => &[
                "evil_dropped",
                "evil_delayed",
                "evil_reordered",
                "evil_forged",
                "evil_repeated",
            ],
            Self::AmnesiacRelay => &[
                "relay_killed",
                "relay_forgot",
                "relay_unreachable",
                "relay_denied",
            ],
            Self::Lossy30 => &[
                "relay_lost",
                "wire_broken",
                "dial_failed",
                "relay_duplicate",
            ],
            Self::Sleep3Days => &["slept", "clock_jumped", "relay_unreachable"],
        }
    }

    fn relays(self) -> usize {
        if self == Self::Pair { 0 } else { 2 }
    }

    fn faults(self) -> Faults {
        let common = Faults {
            delay_ms_max: 40,
            kills: 40,
            commit_fails: 30,
            ..Faults::default()
        };
        match self {
            Self::Pair => Faults {
                kills: 60,
                commit_fails: 60,
                wire_breaks: 150,
                disk_fills: 10,
                ..common
            },
            Self::PairOffline => Faults {
                dial_fails: 5_000,
                relay_kills: 20,
                ..common
            },
            Self::OneEvilRelay => Faults {
                dial_fails: 9_000,
                evil: 1_500,
                ..common
            },
            Self::AmnesiacRelay => Faults {
                dial_fails: 9_000,
                relay_kills: 100,
                relay_forgets: 5_000,
                ..common
            },
            Self::Lossy30 => Faults {
                delay_ms_max: 400,
                wire_breaks: 3_000,
                relay_losses: 3_000,
                dial_fails: 3_000,
                ..common
            },
            Self::Sleep3Days => Faults {
                dial_fails: 3_000,
                relay_kills: 20,
                ..common
            },
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: Scenario,
    /// Which seed.
    pub seed: u64,
    /// How many inputs its engines had.
    pub inputs: u64,
    /// How often every fault and refusal fired.
    pub tally: Tally,
    /// The hash over everything that left a node.
    pub trace: [u8; 32],
    /// What was wrong, if anything.
    pub violation: Option<String>,
}

impl Outcome {
    /// A run that never came to its end.
    pub(crate) fn panicked(scenario: Scenario, seed: u64) -> Self {
        Self {
            scenario,
            seed,
            inputs: 0,
            tally: Tally::default(),
            trace: [0; 32],
            violation: Some("it panicked".to_owned()),
        }
    }
}

/// Runs one seed of a scenario.
pub fn run(scenario: Scenario, seed: u64) -> Outcome {
    run_with(scenario, seed, &Config::default())
}

/// Runs one seed with engines that are told what to do.
pub(crate) fn run_with(scenario: Scenario, seed: u64, config: &Config) -> Outcome {
    let mut world = World::new(seed, 2, scenario.relays(), config);
    for what in scenario.expected().iter().chain(&["edited", "erased"]) {
        world.tally.add(what, 0);
    }
    if scenario == Scenario::OneEvilRelay {
        world.relays[0].evil = true;
    }
    if scenario == Scenario::Sleep3Days {
        world.relay_sweep_ms = MINUTE_MS;
    }
    for relay in &mut world.relays {
        relay.forgetful = scenario == Scenario::AmnesiacRelay;
    }
    let violation = play(&mut world, scenario)
        .err()
        .or_else(|| world.violation().map(str::to_owned));
    // What happened first explains what was missing in the end.
    let violation = world.violation().map(str::to_owned).or(violation);
    let tally = std::mem::take(&mut world.tally);
    Outcome {
        scenario,
        seed,
        inputs: world.inputs,
        tally,
        trace: world.trace(),
        violation,
    }
}

fn play(world: &mut World, scenario: Scenario) -> Result<(), String> {
    // Half of the worlds are bad from the first minute on, half wait until the two have met.
    let bad_from_the_start =
        world.rng.next_u32().is_multiple_of(2) && scenario != Scenario::Lossy30;
    if bad_from_the_start {
        world.faults = Faults {
            relay_forgets: 0,
            evil: 0,
            ..scenario.faults()
        };
    }
    meet(world)?;
    world.faults = scenario.faults();
    let mut rounds = 0;
    while world.inputs < INPUTS_MIN || rounds < ROUNDS_MIN {
        round(world, scenario);
        rounds += 1;
        if let Some(violation) = world.violation() {
            return Err(violation.to_owned());
        }
    }
    heal(world)?;
    agree(world)?;
    forgets_what_was_erased(world)?;
    refuses_what_it_cannot_read(world)
}

/// Two people become contacts by a link.
fn meet(world: &mut World) -> Result<(), String> {
    for node in 0..2 {
        let words = Phrase::generate(&mut world.rng).words().join(" ");
        world.wants(node, What::Persona(words));
    }
    until(world, HOUR_MS, "two personas", |world| {
        world.nodes.iter().all(|node| node.user.is_content())
    })?;
    for node in 0..2 {
        for relay in 0..world.relays.len() {
            world.wants(node, What::Relay(relay));
        }
    }
    until(world, HOUR_MS, "relays", |world| {
        world.nodes.iter().all(|node| node.user.is_content())
    })?;
    pass(world, 30_000);
    world.wants(0, What::Invite);
    until(world, HOUR_MS, "an invite", |world| {
        world.nodes[0].user.link.is_some()
    })?;
    let link = world.nodes[0].user.link.clone().unwrap_or_default();
    world.wants(1, What::Add(link));
    until(world, DAY_MS, "a request", |world| {
        world.request_at(0).is_some()
    })?;
    let request = world.request_at(0).unwrap_or_default();
    world.wants(0, What::Accept(request));
    until(world, DAY_MS, "a thread on both sides", |world| {
        world.thread_of(0).is_some() && world.thread_of(1).is_some()
    })
}

/// Some minutes, or days, in which people write and things go wrong.
fn round(world: &mut World, scenario: Scenario) {
    let length_ms = if scenario == Scenario::Sleep3Days {
        4 * DAY_MS
    } else {
        10 * MINUTE_MS
    };
    for node in 0..2 {
        for _ in 0..4 + world.below(6) {
            let at = world.below(length_ms);
            // Some write in bursts: several steps then wait for one commit, and fall with it.
            let burst = if world.below(4) == 0 { 8 } else { 1 };
            for _ in 0..burst {
                let act = wish(world, node);
                world.later(at, Happening::Act { node, act });
            }
        }
        let at = world.below(length_ms);
        match scenario {
            Scenario::Pair if world.below(4) == 0 => {
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Flood { victim: 1 - node },
                    },
                );
            }
            Scenario::PairOffline => {
                let for_ms = MINUTE_MS + world.below(8 * MINUTE_MS);
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Sleep { for_ms },
                    },
                );
            }
            Scenario::Sleep3Days => {
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Sleep { for_ms: 3 * DAY_MS },
                    },
                );
                let to_ms =
                    world.below(2 * 365 * DAY_MS).cast_signed() - (365 * DAY_MS).cast_signed();
                let at = world.below(length_ms);
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::JumpClock { to_ms: to_ms / 365 },
                    },
                );
            }
            _ => {
                let act = if world.below(3) == 0 {
                    Act::Kill
                } else {
                    Act::Break
                };
                world.later(at, Happening::Act { node, act });
            }
        }
    }
    pass(world, length_ms);
}

fn wish(world: &mut World, node: usize) -> Act {
    match world.below(14) {
        0 => Act::Ask(What::Read),
        1 => Act::Ask(What::Rename),
        chosen @ 2..=4 => {
            let number = world.next_text();
            let text = (chosen < 4).then(|| format!("<{number} from {node}, edited>"));
            let pick = world.below(u64::MAX);
            Act::Amend { pick, text }
        }
        _ => {
            let count = if world.below(5) == 0 {
                1 + world.below(64)
            } else {
                1 + world.below(3)
            };
            let number = world.next_text();
            let texts = (0..count).map(|i| format!("<{number}.{i} from {node}>"));
            Act::Ask(What::Send(texts.collect()))
        }
    }
}

/// Nothing goes wrong any more: everything promised must arrive.
fn heal(world: &mut World) -> Result<(), String> {
    world.faults = Faults::none();
    for relay in 0..world.relays.len() {
        world.relays[relay].evil = false;
    }
    for node in 0..2 {
        if world.nodes[node].asleep {
            world.on_act(node, Act::Awake);
        }
        world.nodes[node].disk.set_full(false);
        world.nodes[node].skew_ms = 0;
    }
    let promised = |world: &World| -> bool {
        let all_up = world
            .nodes
            .iter()
            .all(|node| node.running.is_some() && node.user.is_content());
        all_up && (0..2).all(|node| has_all(world, node))
    };
    until(world, HEALING_MS, "everything promised to arrive", promised)
}

/// Whether a node has every message that the other was promised, and the other knows.
fn has_all(world: &World, node: usize) -> bool {
    let (Some(thread), Some(running)) = (world.thread_of(node), world.nodes[node].running.as_ref())
    else {
        return false;
    };
    let Ok(said) = transcript(running, thread) else {
        return false;
    };
    let theirs = said.iter().filter(|said| !said.own);
    let shown: Vec<_> = theirs
        .map(|said| (said.sequence, said.text.as_deref()))
        .collect();
    shown == world.nodes[1 - node].user.shows()
}

/// Both have the same transcript: each promised message once, as it was last amended, in its author's order.
fn agree(world: &World) -> Result<(), String> {
    let read = |node: usize| {
        let running = world.nodes[node].running.as_ref().ok_or("a node is down")?;
        transcript(running, world.thread_of(node).ok_or("a thread is gone")?)
    };
    let (ours, theirs) = (read(0)?, read(1)?);
    let same = |(one, other): (&Said, &Said)| {
        one.own != other.own && one.sequence == other.sequence && one.text == other.text
    };
    if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(same) {
        return Err(format!(
            "I10: the two transcripts differ: {} and {} messages",
            ours.len(),
            theirs.len()
        ));
    }
    for (node, said) in [(0, &ours), (1, &theirs)] {
        let own = said.iter().filter(|said| said.own);
        let own: Vec<_> = own
            .map(|said| (said.sequence, said.text.as_deref()))
            .collect();
        let promised = world.nodes[node].user.shows();
        if own != promised {
            return Err(format!(
                "I1: node {node} was promised {} messages and has {}",
                promised.len(),
                own.len()
            ));
        }
    }
    Ok(())
}

/// What its author erased stands in no row of either node any more.
fn forgets_what_was_erased(world: &World) -> Result<(), String> {
    let erased: Vec<&str> = world
        .nodes
        .iter()
        .flat_map(|node| node.user.erased_texts())
        .collect();
    for (number, node) in world.nodes.iter().enumerate() {
        let Some(running) = node.running.as_ref().filter(|_| !erased.is_empty()) else {
            continue;
        };
        let view = running.core.committed();
        let rows = (0..ENGINE_SPACES).map(|space| view.scan(Scan::all(vec![space])));
        let rows: Result<Vec<_>, _> = rows.collect();
        for (key, row) in rows.map_err(|error| error.to_string())?.concat() {
            let holds = |text: &&&str| row.windows(text.len()).any(|part| part == text.as_bytes());
            if let Some(text) = erased.iter().find(holds) {
                return Err(format!(
                    "an erased text stays at node {number}: {text} in a row of space {:#04x}",
                    key.first().copied().unwrap_or(0)
                ));
            }
        }
    }
    Ok(())
}

/// I12: every kind of row, made unreadable, stops the engine with an error; it is never guessed at.
fn refuses_what_it_cannot_read(world: &mut World) -> Result<(), String> {
    let node = &mut world.nodes[0];
    let Some(running) = &node.running else {
        return Ok(());
    };
    let view = running.core.committed();
    for space in [
        key::CONTACT,
        key::THREAD,
        key::RELAY,
        key::BOX,
        key::PERSONA,
    ] {
        if view
            .scan(Scan::all(vec![space]).limited(1))
            .is_ok_and(|rows| rows.is_empty())
        {
            continue;
        }
        let newer = Newer { view: &view, space };
        let opened = Engine::open(node.config.clone(), &newer);
        let stopped = match opened {
            Err(_) => true,
            Ok(mut engine) => inputs_that_read_all().into_iter().any(|input| {
                engine
                    .handle(input, node_time(world.now_ms), &mut node.rng, &newer)
                    .is_err()
            }),
        };
        if !stopped {
            return Err(format!(
                "I12: rows of a newer version in space {space:#04x} were passed over"
            ));
        }
    }
    Ok(())
}

/// Opening reads most rows; a persona's own is read by whoever acts for it.
fn inputs_that_read_all() -> [Input; 2] {
    let command = Command::Invite {
        expires_s: 3_600,
        uses: 1,
        as_ref: false,
    };
    let (id, persona) = (CommandId(1), comptoir_engine::MAIN);
    [
        Input::Opened { endpoint: None },
        Input::Command {
            id,
            persona,
            command,
            idempotency: None,
        },
    ]
}

fn node_time(now_ms: u64) -> comptoir_protocol::time::Time {
    comptoir_protocol::time::Time {
        wall_ms: now_ms,
        mono_ms: now_ms,
        boot: [0; 16],
    }
}

/// A store in which the rows of one space were written by a version to come.
struct Newer<'v, V> {
    view: &'v V,
    space: u8,
}

impl<V: View> Newer<'_, V> {
    fn newer(&self, key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
        if key.first() == Some(&self.space)
            && let Some(version) = value.first_mut()
        {
            *version = 250;
        }
        value
    }
}

impl<V: View> View for Newer<'_, V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.view.get(key)?.map(|value| self.newer(key, value)))
    }

    fn scan(&self, range: Scan) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ViewError> {
        let rows = self.view.scan(range)?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| (key.clone(), self.newer(&key, value)))
            .collect())
    }
}

fn pass(world: &mut World, for_ms: u64) {
    let until_ms = world.now_ms + for_ms;
    while world.turn(until_ms) {}
}

/// Lets time pass until something is so.
fn until(
    world: &mut World,
    at_most_ms: u64,
    what: &str,
    so: impl Fn(&World) -> bool,
) -> Result<(), String> {
    let until_ms = world.now_ms + at_most_ms;
    while !so(world) {
        // A look costs more than a turn: let some happen in between.
        for _ in 0..16 {
            if !world.turn(until_ms) {
                return match (world.violation(), so(world)) {
                    (Some(violation), _) => Err(violation.to_owned()),
                    (None, true) => Ok(()),
                    (None, false) => Err(format!(
                        "waited {} minutes for {what}",
                        at_most_ms / MINUTE_MS
                    )),
                };
            }
        }
    }
    Ok(())
}
