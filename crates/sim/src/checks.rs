// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checks: what must hold at every step, whatever goes wrong.
//!
//! I1 what was promised is there after any death · I2 each message has its effect once · I3 one envelope number, one
//! ciphertext · I4 nothing is confirmed that is not stored · I5 a hole is told · I8 events are numbered without a gap ·
//! I9 memory is bounded · I12 what cannot be read stops the engine.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_engine::query::{self, ContentView, HistoryItem};
use comptoir_engine::rows::key::{Key, THREAD};
use comptoir_engine::rows::thread::Thread;
use comptoir_engine::{Event, EventRecord, MessageAt, RelayCall, Scan, Send, Step, View as _};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::EnvelopeKind;
use comptoir_protocol::frame::{Item, PeerFrame, RelayRequest};
use comptoir_protocol::id::{DeviceId, Lane, Mid, RelayKey, Rid, Sid, ThreadId};
use sha2::{Digest, Sha256};

use crate::items::Items;
use crate::node::Running;

/// An envelope by thread, author and number.
pub(crate) type Delivery = (ThreadId, DeviceId, u64);

type Stream = (u32, DeviceId, Lane);

/// What was seen so far, and what is wrong.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) violation: Option<String>,
    /// Messages received by node, thread, author and lane, as the durable log tells.
    received: BTreeMap<usize, BTreeMap<Stream, BTreeSet<u64>>>,
    /// Holes that were told of, by node and stream.
    told: BTreeMap<usize, BTreeMap<Stream, Vec<(u64, u64)>>>,
    /// Ciphertexts by author, thread and envelope number.
    envelopes: BTreeMap<(DeviceId, ThreadId, u64), [u8; 32]>,
    deposits: BTreeMap<(Sid, Mid), [u8; 32]>,
    /// Deliveries that arrived, by receiver and sender, on their present wire.
    arrived: BTreeMap<(usize, usize), BTreeMap<u64, Delivery>>,
    /// Messages that a node told were erased.
    erased: BTreeMap<usize, BTreeSet<(u32, DeviceId, Lane, u64)>>,
    /// What relays handed out: acknowledging it is checked.
    items: Items,
}

impl Checks {
    /// A node comes up: its log must be whole, and is the truth about what it received.
    pub(crate) fn on_started(&mut self, node: usize, running: &Running) -> Result<(), String> {
        let events = query::events(&running.core.committed(), 0, usize::MAX)
            .map_err(|error| error.to_string())?;
        let first = events.first().map_or(1, |(number, _)| *number);
        for (expected, (number, _)) in (first..).zip(&events) {
            if expected != *number {
                return Err(format!(
                    "I8: after event {} of node {node} stands {number}",
                    expected - 1
                ));
            }
        }
        self.received.insert(node, BTreeMap::new());
        self.told.insert(node, BTreeMap::new());
        self.erased.insert(node, BTreeSet::new());
        events
            .iter()
            .try_for_each(|(_, record)| self.on_event(node, &record.event))?;
        self.check_erased(node, running)
    }

    /// Before anything of a step is durable: its events follow each other.
    pub(crate) fn on_step(&mut self, node: usize, step: &Step) -> Result<(), String> {
        self.items.on_step(node, step);
        for pair in step.events.windows(2) {
            if pair[0].0 + 1 != pair[1].0 {
                return Err(format!(
                    "I8: after event {} of node {node} comes {}",
                    pair[0].0, pair[1].0
                ));
            }
        }
        Ok(())
    }

    /// A step is durable and about to act.
    pub(crate) fn on_durable(
        &mut self,
        node: usize,
        events: &[(u64, Event)],
        sends: &[Send],
        calls: &[RelayCall],
        running: Option<&Running>,
    ) -> Result<(), String> {
        let Some(running) = running else {
            return Ok(());
        };
        if let Some((number, _)) = events
            .first()
            .filter(|(number, _)| *number != running.newest_event + 1)
        {
            return Err(format!(
                "I8: after event {} of node {node} comes {number}",
                running.newest_event
            ));
        }
        events
            .iter()
            .try_for_each(|(_, event)| self.on_event(node, event))?;
        self.check_log(node, events, running)?;
        if events
            .iter()
            .any(|(_, event)| matches!(event, Event::MessageChanged { .. }))
        {
            self.check_erased(node, running)?;
        }
        if events
            .iter()
            .any(|(_, event)| matches!(event, Event::MessagesReceived { .. }))
        {
            self.check_gaps(node, running)?;
        }
        sends
            .iter()
            .try_for_each(|send| self.on_send(node, send, running))?;
        calls
            .iter()
            .try_for_each(|call| self.on_call(node, call, running))
    }

    /// What a step shows stands in the log as well.
    fn check_log(
        &self,
        node: usize,
        events: &[(u64, Event)],
        running: &Running,
    ) -> Result<(), String> {
        let Some((last, _)) = events.last() else {
            return Ok(());
        };
        let stored = query::events(
            &running.core.committed(),
            last - events.len() as u64,
            events.len(),
        )
        .map_err(|error| error.to_string())?;
        let stored: Vec<(u64, Event)> = stored
            .into_iter()
            .map(|(number, EventRecord { event, .. })| (number, event))
            .collect();
        if stored == events {
            Ok(())
        } else {
            Err(format!(
                "I8: node {node} showed events that its log does not hold"
            ))
        }
    }

    fn on_event(&mut self, node: usize, event: &Event) -> Result<(), String> {
        match event {
            Event::MessagesReceived {
                thread,
                author,
                lane,
                from,
                to,
                ..
            } => {
                let received = self
                    .received
                    .entry(node)
                    .or_default()
                    .entry((*thread, *author, *lane))
                    .or_default();
                match (*from..=*to).find(|sequence| !received.insert(*sequence)) {
                    Some(sequence) => {
                        Err(format!("I2: node {node} received message {sequence} twice"))
                    }
                    None => Ok(()),
                }
            }
            Event::GapSeen {
                thread,
                author,
                lane,
                from,
                to,
                ..
            } => {
                self.told
                    .entry(node)
                    .or_default()
                    .entry((*thread, *author, *lane))
                    .or_default()
                    .push((*from, *to));
                Ok(())
            }
            Event::MessageChanged {
                thread,
                author,
                lane,
                sequence,
                erased: true,
                ..
            } => {
                let erased = self.erased.entry(node).or_default();
                erased.insert((*thread, *author, *lane, *sequence));
                Ok(())
            }
            Event::ChainBroken { sequence, .. } => {
                Err(format!("node {node} saw the chain broken at {sequence}"))
            }
            Event::CloneSuspected { ours, seen, .. } => Err(format!(
                "node {node} suspects a clone: {ours} against {seen}"
            )),
            _ => Ok(()),
        }
    }

    /// What was erased once is never shown again.
    fn check_erased(&self, node: usize, running: &Running) -> Result<(), String> {
        for (thread, author, lane, sequence) in self.erased.get(&node).into_iter().flatten() {
            let at = MessageAt {
                thread: *thread,
                author: *author,
                lane: *lane,
                sequence: *sequence,
            };
            let shown = query::message(&running.core.committed(), at);
            match shown.map_err(|error| error.to_string())? {
                Some(message) if message.content != ContentView::Erased => {
                    return Err(format!(
                        "node {node} shows message {sequence}, which was erased"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every hole among what was received was told of.
    fn check_gaps(&self, node: usize, running: &Running) -> Result<(), String> {
        let none = BTreeMap::new();
        let told = self.told.get(&node).unwrap_or(&none);
        for (number, thread) in threads(running)? {
            for author in &thread.authors {
                for lane in [Lane::Service, Lane::Promotion] {
                    let told = told
                        .get(&(number, author.device, lane))
                        .map(Vec::as_slice)
                        .unwrap_or_default();
                    for (from, to) in author.track(lane).have.gaps() {
                        let known = (from..=to).all(|sequence| {
                            told.iter()
                                .any(|(from, to)| (*from..=*to).contains(&sequence))
                        });
                        if !known {
                            return Err(format!(
                                "I5: node {node} misses {from} to {to} and told of no gap"
                            ));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn on_send(&mut self, node: usize, send: &Send, running: &Running) -> Result<(), String> {
        match PeerFrame::from_bytes(&send.frame) {
            Ok(PeerFrame::Deliver { parcel, .. }) => {
                let ParcelContent::Envelope(envelope) = &parcel.content else {
                    return Ok(());
                };
                let hash = Sha256::digest(envelope.to_bytes()).into();
                let key = (parcel.author, envelope.thread, parcel.sequence);
                match self.envelopes.insert(key, hash) {
                    Some(other) if other != hash => Err(format!(
                        "I3: envelope {} of node {node} was encrypted twice",
                        parcel.sequence
                    )),
                    _ => Ok(()),
                }
            }
            Ok(PeerFrame::Committed { up_to }) => self.check_confirmed(node, up_to, running),
            Ok(PeerFrame::Refused { number, .. }) => {
                for ((to, _), arrived) in &mut self.arrived {
                    if *to == node {
                        arrived.remove(&number);
                    }
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(format!("node {node} sent a frame that is none: {error}")),
        }
    }

    fn on_call(&mut self, node: usize, call: &RelayCall, running: &Running) -> Result<(), String> {
        if let RelayRequest::Ack { .. } = &call.request {
            let dropped = self.items.on_acknowledged(node, call, running)?;
            return check_stored(node, "let a relay drop", dropped.into_iter(), running);
        }
        let RelayRequest::Put { sid, mid, blob, .. } = &call.request else {
            return Ok(());
        };
        let hash = Sha256::digest(blob).into();
        match self.deposits.insert((*sid, *mid), hash) {
            Some(other) if other != hash => Err("I3: two deposits of one name differ".to_owned()),
            _ => Ok(()),
        }
    }

    /// A relay answers a fetch of a box; the answer may still be lost.
    pub(crate) fn on_fetch(&mut self, node: usize, call: u64, rid: Rid) {
        self.items.on_fetch(node, call, rid);
    }

    /// Items arrive at an engine.
    pub(crate) fn on_items(
        &mut self,
        node: usize,
        relay: RelayKey,
        call: u64,
        items: &[Item],
        running: Option<&Running>,
    ) -> Result<(), String> {
        running.map_or(Ok(()), |running| {
            self.items.on_arrived(node, relay, call, items, running)
        })
    }

    /// Every delivery up to `up_to` must stand in the committed rows now.
    fn check_confirmed(
        &mut self,
        node: usize,
        up_to: u64,
        running: &Running,
    ) -> Result<(), String> {
        let arrived = self.arrived.iter_mut().filter(|((to, _), _)| *to == node);
        let mut confirmed = Vec::new();
        for (_, arrived) in arrived {
            let later = arrived.split_off(&(up_to + 1));
            confirmed.extend(std::mem::replace(arrived, later).into_values());
        }
        check_stored(node, "confirmed", confirmed.into_iter(), running)
    }

    pub(crate) fn on_connected(&mut self, one: usize, other: usize) {
        self.arrived.insert((one, other), BTreeMap::new());
        self.arrived.insert((other, one), BTreeMap::new());
    }

    /// A frame arrives; nobody says that it is stored.
    pub(crate) fn on_frame(&mut self, from: usize, to: usize, bytes: &[u8]) {
        let Ok(PeerFrame::Deliver { number, parcel }) = PeerFrame::from_bytes(bytes) else {
            return;
        };
        if let Some(delivery) = delivery(&parcel) {
            self.arrived
                .entry((to, from))
                .or_default()
                .insert(number, delivery);
        }
    }
}

/// The envelope that a parcel delivers, where it carries messages.
pub(crate) fn delivery(parcel: &Parcel) -> Option<Delivery> {
    match &parcel.content {
        ParcelContent::Envelope(envelope) if envelope.kind == EnvelopeKind::Application => {
            Some((envelope.thread, parcel.author, parcel.sequence))
        }
        _ => None,
    }
}

/// I4: whatever is confirmed stands in the committed rows.
fn check_stored(
    node: usize,
    verb: &str,
    confirmed: impl Iterator<Item = Delivery>,
    running: &Running,
) -> Result<(), String> {
    let confirmed: Vec<Delivery> = confirmed.collect();
    if confirmed.is_empty() {
        return Ok(());
    }
    let threads = threads(running)?;
    for (thread, author, sequence) in confirmed {
        let stored = threads
            .iter()
            .find(|(_, known)| known.id == thread)
            .is_some_and(|(_, known)| {
                known
                    .authors
                    .iter()
                    .any(|known| known.device == author && known.envelopes.contains(sequence))
            });
        if !stored {
            return Err(format!(
                "I4: node {node} {verb} envelope {sequence} and does not have it"
            ));
        }
    }
    Ok(())
}

/// The committed threads of a node, with their numbers.
fn threads(running: &Running) -> Result<Vec<(u32, Thread)>, String> {
    let rows = running
        .core
        .committed()
        .scan(Scan::all(Key::of(THREAD)))
        .map_err(|error| error.to_string())?;
    let read = |(key, row): &(Vec<u8>, Vec<u8>)| {
        let number = u32::from_be_bytes(key.get(1..5)?.try_into().ok()?);
        Some((number, Thread::from_bytes(row.get(1..)?).ok()?))
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// A message as a history shows it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) own: bool,
    pub(crate) sequence: u64,
    /// None where it was erased.
    pub(crate) text: Option<String>,
}

/// A thread in the order of places; gaps as errors.
pub(crate) fn transcript(running: &Running, thread: u32) -> Result<Vec<Said>, String> {
    let page = query::history(
        &running.core.committed(),
        thread,
        query::From::Start,
        usize::MAX - 1,
    )
    .map_err(|error| error.to_string())?;
    let items = page.ok_or("the thread is gone")?.items;
    let read = |item: HistoryItem| match item {
        HistoryItem::Message(message) => {
            let text = match message.content {
                ContentView::Text(text) => Some(text),
                ContentView::Erased => None,
                other => return Err(format!("a message shows {other:?}")),
            };
            Ok(Said {
                own: message.own,
                sequence: message.place.sequence,
                text,
            })
        }
        HistoryItem::Gap { from, to, .. } => Err(format!("I5: {from} to {to} are missing")),
    };
    items.into_iter().map(read).collect()
}
