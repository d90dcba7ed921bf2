// SPDX-License-Identifier: MIT OR Apache-2.0
//! The promotions: under which leave they came, what is held back, and how it came to be shown.
//!
//! I11 says that no promotion is shown without a leave that lasts. What a leave is, the user says here, not the engine:
//! the last one that a node answered. What is held back is shown by a tap or not at all, and is there for thirty days.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_engine::query::{self, ContentView};
use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key::{CONTACT, Key};
use comptoir_engine::{
    Answer, CommandId, Event, MAIN, MessageAt, MessageState, Refusal, Scan, View as _,
};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::id::Lane;

use crate::node::Running;
use crate::transcript::{at, transcript};
use crate::users::{Ask, What};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// PROTOCOL 5: what is held back is kept this long.
pub(crate) const KEPT_MS: u64 = 30 * DAY_MS;

/// Answers of a step, with what was asked.
pub(crate) type Answers = [(CommandId, Result<Answer, Refusal>)];
/// Wall time at which a leave ends; none without one.
type Leave = Option<u64>;

/// What nodes know of promotions.
#[derive(Default)]
pub(crate) struct Promotions {
    /// By node: the leave on its disk.
    leaves: BTreeMap<usize, Leave>,
    /// By node: the leave its engine goes by; ahead of the disk by what waits for a commit.
    present: BTreeMap<usize, Leave>,
    /// By node: messages held back, with the wall time until which they stay.
    held: BTreeMap<usize, BTreeMap<MessageAt, u64>>,
    /// By node: promotions that came under a leave, or were asked for.
    shown: BTreeMap<usize, BTreeSet<MessageAt>>,
    /// By node: own promotions that are on a relay, or were told to be given up.
    settled: BTreeMap<usize, BTreeSet<u64>>,
}

impl Promotions {
    /// A node comes up: of several leaves that were asked for and not answered, one may have reached its disk.
    pub(crate) fn on_started(
        &mut self,
        node: usize,
        asked: &[Leave],
        running: &Running,
    ) -> Result<(), String> {
        let stored = stored_leave(running)?;
        let known = self.leaves.get(&node).copied().flatten();
        if stored != known && stored.is_some() && !asked.contains(&stored) {
            return Err(format!(
                "I11: node {node} has the leave {stored:?}, and neither {known:?} nor {asked:?} was given up"
            ));
        }
        if stored.is_none() && known.is_some() && asked.is_empty() {
            return Err(format!("node {node} lost the leave {known:?}"));
        }
        self.leaves.insert(node, stored);
        self.present.insert(node, stored);
        Ok(())
    }

    /// Before a step is durable: what it shows is shown under a leave, or was asked for.
    pub(crate) fn on_step(
        &mut self,
        node: usize,
        wall_ms: u64,
        events: &[(u64, Event)],
        answers: &Answers,
        asks: &BTreeMap<CommandId, Ask>,
    ) -> Result<(), String> {
        let leave = self.present.entry(node).or_default();
        let tapped = asked(answers, asks).any(|what| matches!(what, What::Show(_)));
        for (_, event) in events {
            match event {
                Event::MessagesReceived {
                    lane: Lane::Promotion,
                    from,
                    ..
                } if leave.is_none_or(|ends_ms| ends_ms <= wall_ms) => {
                    return Err(format!(
                        "I11: node {node} shows promotion {from} at {wall_ms}, under the leave {leave:?}"
                    ));
                }
                Event::HeldBackShown { from, .. } if !tapped => {
                    return Err(format!(
                        "I11: node {node} shows {from}, which was held back, unasked"
                    ));
                }
                _ => {}
            }
        }
        if let Some(changed) = change(wall_ms, events, answers, asks) {
            *leave = changed;
        }
        Ok(())
    }

    /// A step is durable.
    pub(crate) fn on_durable(
        &mut self,
        node: usize,
        wall_ms: u64,
        events: &[(u64, Event)],
        answers: &Answers,
        running: &Running,
    ) -> Result<(), String> {
        if let Some(changed) = change(wall_ms, events, answers, &running.asks) {
            self.leaves.insert(node, changed);
        }
        for (_, event) in events {
            self.on_event(node, event);
            match event {
                Event::HeldBack { .. } => self.note_held(node, wall_ms, running)?,
                Event::HeldBackShown { .. } => check_shown(node, event, running)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What the log of a node tells.
    pub(crate) fn on_event(&mut self, node: usize, event: &Event) {
        match event {
            Event::MessagesReceived {
                lane: Lane::Promotion,
                ..
            }
            | Event::HeldBackShown { .. } => {
                let held = self.held.entry(node).or_default();
                let shown = self.shown.entry(node).or_default();
                for at in messages(event) {
                    held.remove(&at);
                    shown.insert(at);
                }
            }
            Event::NotDelivered {
                lane: Lane::Promotion,
                from,
                to,
                ..
            }
            | Event::MessagesMoved {
                lane: Lane::Promotion,
                from,
                to,
                state: MessageState::Stored,
                ..
            } => self.settled.entry(node).or_default().extend(*from..=*to),
            _ => {}
        }
    }

    fn note_held(&mut self, node: usize, wall_ms: u64, running: &Running) -> Result<(), String> {
        let found = query::held_back(&running.core.committed(), MAIN, None, usize::MAX)
            .map_err(|error| error.to_string())?;
        let held = self.held.entry(node).or_default();
        for view in found {
            held.entry(at(&view.message)).or_insert(wall_ms + KEPT_MS);
        }
        Ok(())
    }

    /// What is shown was allowed or asked for, and what is held back is there.
    pub(crate) fn check(
        &self,
        node: usize,
        wall_ms: u64,
        thread: u32,
        running: &Running,
    ) -> Result<(), String> {
        let nothing = BTreeSet::new();
        let shown = self.shown.get(&node).unwrap_or(&nothing);
        for said in transcript(running, thread)? {
            let theirs = !said.own && said.at.lane == Lane::Promotion;
            if theirs && !shown.contains(&said.at) {
                return Err(format!(
                    "I11: node {node} shows promotion {}, which came without leave and which nobody asked for",
                    said.at.sequence
                ));
            }
        }
        for (at, ends_ms) in self.held.get(&node).into_iter().flatten() {
            let found = query::message(&running.core.committed(), *at);
            let found = found.map_err(|error| error.to_string())?;
            let there = found.is_some_and(|found| matches!(found.content, ContentView::Text(_)));
            if !there && *ends_ms > wall_ms {
                return Err(format!(
                    "node {node} lost message {}, which was held back, {} ms too early",
                    at.sequence,
                    ends_ms - wall_ms
                ));
            }
        }
        Ok(())
    }

    /// Whether an own promotion needs no more waiting for: a relay has it, or it was told to be given up.
    pub(crate) fn is_settled(&self, node: usize, sequence: u64) -> bool {
        let settled = self.settled.get(&node);
        settled.is_some_and(|settled| settled.contains(&sequence))
    }
}

fn asked<'a>(
    answers: &'a Answers,
    asks: &'a BTreeMap<CommandId, Ask>,
) -> impl Iterator<Item = &'a What> {
    let done = answers.iter().filter(|(_, answer)| answer.is_ok());
    done.filter_map(|(id, _)| asks.get(id).map(|ask| &ask.what))
}

/// The leave that a step gives or takes back. An answer that is only said again changes nothing, and tells of nothing.
fn change(
    wall_ms: u64,
    events: &[(u64, Event)],
    answers: &Answers,
    asks: &BTreeMap<CommandId, Ask>,
) -> Option<Leave> {
    let told = events
        .iter()
        .any(|(_, event)| matches!(event, Event::ContactChanged { .. }));
    let mut leaves = asked(answers, asks).filter_map(|what| match what {
        What::Allow { ends_ms } => Some(ends_ms.filter(|ends_ms| *ends_ms > wall_ms)),
        _ => None,
    });
    leaves.next().filter(|_| told)
}

/// The leave that a node's disk holds.
fn stored_leave(running: &Running) -> Result<Leave, String> {
    let rows = running
        .core
        .committed()
        .scan(Scan::all(Key::of(CONTACT)))
        .map_err(|error| error.to_string())?;
    let mut contacts = rows
        .iter()
        .filter_map(|(_, row)| Contact::from_bytes(row.get(1..)?).ok());
    Ok(contacts.find_map(|contact| Some(contact.promotions?.not_after_ms)))
}

/// The messages an event is about.
fn messages(event: &Event) -> Vec<MessageAt> {
    match event {
        Event::MessagesReceived {
            thread,
            author,
            lane,
            from,
            to,
            ..
        }
        | Event::HeldBackShown {
            thread,
            author,
            lane,
            from,
            to,
            ..
        } => (*from..=*to)
            .map(|sequence| MessageAt {
                thread: *thread,
                author: *author,
                lane: *lane,
                sequence,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// One tap shows what was held back.
fn check_shown(node: usize, event: &Event, running: &Running) -> Result<(), String> {
    for at in messages(event) {
        let found = query::message(&running.core.committed(), at);
        match found.map_err(|error| error.to_string())? {
            Some(message) if message.held_back => {
                return Err(format!(
                    "node {node} was asked for message {} and holds it back",
                    at.sequence
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
