// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checks: what must hold at every step, whatever goes wrong.
//!
//! I1 what was promised is there after any death · I2 each message has its effect once · I3 one envelope number, one
//! ciphertext · I4 nothing is confirmed that is not stored · I5 a hole is told · I8 events are numbered without a gap ·
//! I9 memory is bounded · I11 no promotion is shown without leave · I12 what cannot be read stops the engine.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_engine::query::{self, ContentView};
use comptoir_engine::rows::key::{Key, THREAD};
use comptoir_engine::rows::thread::Thread;
use comptoir_engine::{Event, EventRecord, MessageAt, RelayCall, Scan, Send, View as _};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::EnvelopeKind;
use comptoir_protocol::frame::{Item, PeerFrame, RelayRequest};
use comptoir_protocol::id::{DeviceId, Lane, PeerKey, RelayKey, Rid, ThreadId};
use sha2::{Digest, Sha256};

use crate::confirmations::Confirmations;
use crate::items::Items;
use crate::node::{Held, Running};
use crate::promotions::Promotions;

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
    /// Nodes that received something since their holes were last looked at.
    gaps_due: BTreeSet<usize>,
    /// Ciphertexts by author, thread and envelope number.
    envelopes: BTreeMap<(DeviceId, ThreadId, u64), [u8; 32]>,
    /// What arrived on direct streams: confirming it is checked.
    confirmations: Confirmations,
    /// Messages that a node told were erased.
    erased: BTreeMap<usize, BTreeSet<(u32, DeviceId, Lane, u64)>>,
    /// What relays handed out: acknowledging it is checked.
    items: Items,
    /// Leaves for promotions, and what came without.
    pub(crate) promotions: Promotions,
}

impl Checks {
    /// A node comes up: its log must be whole, and is the truth about what it received. `leaves`: those that its user
    /// asked for and that were not answered.
    pub(crate) fn on_started(
        &mut self,
        node: usize,
        leaves: &[Option<u64>],
        running: &Running,
    ) -> Result<(), String> {
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
        self.promotions.on_started(node, leaves, running)?;
        self.check_erased(node, running)
    }

    /// Before anything of a step is durable: its events follow each other, and it says nothing of what never came.
    /// Returns how many forged items it found.
    pub(crate) fn on_step(
        &mut self,
        node: usize,
        held: &Held,
        running: &Running,
    ) -> Result<u64, String> {
        let step = &held.step;
        let forged = self.items.on_step(node, step, running)?;
        for Send { peer, frame } in &step.sends {
            self.confirmations.on_decided(node, *peer, frame)?;
        }
        self.promotions.on_step(
            node,
            held.wall_ms,
            &step.events,
            &step.answers,
            &running.asks,
        )?;
        for pair in step.events.windows(2) {
            if pair[0].0 + 1 != pair[1].0 {
                return Err(format!(
                    "I8: after event {} of node {node} comes {}",
                    pair[0].0, pair[1].0
                ));
            }
        }
        Ok(forged)
    }

    /// A step is durable and about to act.
    pub(crate) fn on_durable(
        &mut self,
        node: usize,
        held: &Held,
        running: &Running,
    ) -> Result<(), String> {
        let step = &held.step;
        let events = &step.events;
        if let Some((number, _)) = events
            .first()
            .filter(|(number, _)| *number != running.newest_event + 1)
        {
            return Err(format!(
                "I8: after event {} of node {node} comes {number}",
                running.newest_event
            ));
        }
        for (_, event) in events {
            self.on_event(node, event)?;
        }
        self.promotions
            .on_durable(node, held.wall_ms, events, &step.answers, running)?;
        self.check_log(node, events, running)?;
        let any = |wanted: fn(&Event) -> bool| events.iter().any(|(_, event)| wanted(event));
        if any(|event| matches!(event, Event::MessageChanged { .. })) {
            self.check_erased(node, running)?;
        }
        // The rows may be ahead of the events by the steps that share a commit: the last of them is looked at.
        let came = |event: &Event| {
            matches!(
                event,
                Event::MessagesReceived { .. } | Event::HeldBack { .. }
            )
        };
        if events.iter().any(|(_, event)| came(event)) {
            self.gaps_due.insert(node);
        }
        if self.gaps_due.contains(&node) && running.core.durable() == held.seq {
            self.gaps_due.remove(&node);
            self.check_gaps(node, running)?;
        }
        for send in &step.sends {
            self.on_send(node, send, running)?;
        }
        for call in &step.calls {
            self.on_call(node, call, running)?;
        }
        Ok(())
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
        self.promotions.on_event(node, event);
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
            Ok(PeerFrame::Committed { up_to }) => {
                let confirmed = self.confirmations.on_confirmed(node, send.peer, up_to)?;
                check_stored(node, "confirmed", confirmed.into_iter(), running)
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
        self.items.on_deposit(*sid, *mid, blob)
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

    /// Whose socket that is.
    pub(crate) fn introduce(&mut self, peer: PeerKey, node: usize) {
        self.confirmations.introduce(peer, node);
    }

    pub(crate) fn on_connected(&mut self, one: usize, other: usize) {
        self.confirmations.on_connected(one, other);
    }

    /// A frame arrives; nobody says that it is stored.
    pub(crate) fn on_frame(&mut self, from: usize, to: usize, bytes: &[u8]) {
        self.confirmations.on_frame(from, to, bytes);
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
pub(crate) fn threads(running: &Running) -> Result<Vec<(u32, Thread)>, String> {
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
