// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outgoing: from bodies to a batch in the history, and from the batch to an envelope in the outbox.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{
    Batch, Chain, Envelope, EnvelopeKind, Message, authenticated_data,
};
use comptoir_protocol::id::Lane;
use comptoir_protocol::limits::{ENVELOPE_BYTES_MAX, ENVELOPE_MESSAGES_MAX, MESSAGE_BYTES_MAX};
use comptoir_protocol::tag::body_kind;

use crate::rows::key::{self, Key, lane_byte};
use crate::rows::thread::{
    Cargo, Item, OutboxBody, OutboxState, PlaceEntry, RunPart, SequenceEntry, Tip,
};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::NewMessage;
use crate::seam::error::EngineError;
use crate::thread_cache::Loaded;
use crate::turn::Turn;

/// What a row of messages may hold: a value of 4 KiB less what the store puts around it.
pub(crate) const RUN_ROW_BYTES_MAX: usize = 3_500;

/// What a batch may hold, so that its envelope fits a deposit: an envelope less MLS framing (under 256 bytes with its
/// signature and tag) and the batch's own head (under 4 KiB with 128 heads).
const BATCH_BYTES_MAX: usize = ENVELOPE_BYTES_MAX - 256 - 4 * 1024;

/// What CBOR adds to a message inside a batch, and a body inside its row.
const MESSAGE_ROOM_BYTES: usize = 16;

// The largest message fits a batch alone, so no envelope of ours ever needs to travel as a blob.
const _: () = assert!(MESSAGE_BYTES_MAX + MESSAGE_ROOM_BYTES <= BATCH_BYTES_MAX);
/// What the place of an amendment takes in a row: a device of 32 bytes, two numbers and their heads.
const AMENDED_BYTES: usize = 32 + 2 * 9 + 8;

/// What the end of a message takes in a row: a number and its heads.
const ENDS_BYTES: usize = 10;

/// A batch as it was added to a history.
pub(crate) struct Appended {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) batch: Batch,
    /// Under which its rows lie.
    arrival: u64,
    /// When its messages end.
    ends_ms: Option<u64>,
}

/// How messages lie in the history.
pub(crate) struct Placed<'m> {
    pub(crate) author: u16,
    pub(crate) lane: Lane,
    pub(crate) first: u64,
    pub(crate) height: u64,
    pub(crate) wall_ms: u64,
    pub(crate) sent_ms: u64,
    pub(crate) messages: &'m [Message],
    pub(crate) silent: &'m [bool],
    /// For how long each is there, s.
    pub(crate) lives_s: &'m [Option<u32>],
    pub(crate) held_back: bool,
    pub(crate) late: bool,
}

impl Turn<'_> {
    /// `Command::Send`: one envelope, or as few as the messages fit in.
    pub(crate) fn on_send(
        &mut self,
        persona: u16,
        thread: u32,
        lane: Lane,
        messages: &[NewMessage],
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut loaded) = self.thread_of(persona, thread)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let Some(contact) = loaded.thread.contact else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        if let Some(refusal) = self.may_not_send(&loaded, contact, lane)? {
            self.put_thread(loaded);
            return Ok(Err(refusal));
        }
        if messages.is_empty() || messages.len() > ENVELOPE_MESSAGES_MAX {
            let (got, max) = (messages.len() as u64, ENVELOPE_MESSAGES_MAX as u64);
            return Ok(Err(Refusal::TooLong {
                what: "a send".into(),
                got,
                max,
            }));
        }
        let mut wire = Vec::with_capacity(messages.len());
        for message in messages {
            match message.body.to_message() {
                Ok(wire_message) => {
                    wire.push((message.body.header.expires_after_s, wire_message));
                }
                Err(error) => {
                    return Ok(Err(Refusal::BadMessage {
                        why: error.to_string(),
                    }));
                }
            }
        }
        let (mut first, mut last) = (0, 0);
        for (lives_s, group) in split_to_fit(wire) {
            let appended = self.append_own(&mut loaded, lane, group, false, lives_s)?;
            first = if first == 0 { appended.from } else { first };
            last = appended.to;
            self.counted.sent += appended.batch.messages.len() as u64;
            self.enqueue_batch(&mut loaded, appended)?;
        }
        let author = loaded.thread.authors[0].device;
        self.put_thread(loaded);
        self.push_outbox(contact)?;
        Ok(Ok(Answer::Sent {
            thread,
            author,
            lane,
            from: first,
            to: last,
        }))
    }

    /// Why nothing can be said to a contact now.
    pub(crate) fn may_not_send(
        &self,
        loaded: &Loaded,
        contact: u32,
        lane: Lane,
    ) -> Result<Option<Refusal>, EngineError> {
        let contact = self.contact(contact)?;
        if contact.blocked {
            return Ok(Some(Refusal::Blocked));
        }
        if !contact.takes(lane, self.now.wall_ms) {
            return Ok(Some(Refusal::NoPromotions));
        }
        let (waiting_bytes, max) = (loaded.thread.outbox_bytes, self.config.outbox_bytes_max);
        Ok((waiting_bytes > max).then_some(Refusal::OutboxFull { waiting_bytes, max }))
    }

    /// Says something of the node's own to a contact: numbered, encrypted and delivered like any message, not shown.
    pub(crate) fn say(&mut self, thread: u32, messages: Vec<Message>) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        let Some(contact) = loaded.thread.contact else {
            self.put_thread(loaded);
            return Ok(());
        };
        let appended = self.append_own(&mut loaded, Lane::Service, messages, true, None)?;
        self.enqueue_batch(&mut loaded, appended)?;
        self.put_thread(loaded);
        self.push_outbox(contact)
    }

    /// Adds messages of this device to a history, all there for as long. The thread is to be given back.
    pub(crate) fn append_own(
        &mut self,
        loaded: &mut Loaded,
        lane: Lane,
        messages: Vec<Message>,
        silent: bool,
        lives_s: Option<u32>,
    ) -> Result<Appended, EngineError> {
        let ends_ms = self.ends_ms(lives_s);
        let heads = heads_seen(loaded);
        let boot = self.boot_number(loaded.thread.persona);
        let height = loaded
            .thread
            .height_seen
            .checked_add(1)
            .ok_or(EngineError::Exhausted("heights"))?;
        let own = &mut loaded.thread.authors[0];
        let device = own.device;
        let track = own.track_mut(lane);
        let first = track.have.last() + 1;
        let previous = track.tips.last().map_or(Chain::START, |tip| tip.chain);
        let batch = Batch {
            lane,
            first_sequence: first,
            previous,
            heads,
            boot,
            sent_ms: self.now.wall_ms,
            messages,
        };
        let to = batch.last_sequence();
        let _ = track.have.insert_run(first, to);
        track.tips = vec![Tip {
            sequence: to,
            chain: batch.chain_after(device),
        }];
        let placed = Placed {
            author: 0,
            lane,
            first,
            height,
            wall_ms: self.now.wall_ms,
            sent_ms: self.now.wall_ms,
            messages: &batch.messages,
            silent: &vec![silent; batch.messages.len()],
            lives_s: &vec![lives_s; batch.messages.len()],
            held_back: false,
            late: false,
        };
        let arrival = loaded.thread.arrival_next;
        self.place(loaded, &placed)?;
        Ok(Appended {
            from: first,
            to,
            batch,
            arrival,
            ends_ms,
        })
    }

    /// Writes a batch into the history: its rows by arrival, an entry by place and one by sequence.
    pub(crate) fn place(
        &mut self,
        loaded: &mut Loaded,
        placed: &Placed<'_>,
    ) -> Result<(), EngineError> {
        let Placed {
            author,
            lane,
            first,
            height,
            wall_ms,
            sent_ms,
            messages,
            silent,
            lives_s,
            held_back,
            late,
        } = *placed;
        let number = loaded.number;
        let arrival = loaded.thread.arrival_next;
        loaded.thread.arrival_next += 1;
        if !held_back {
            loaded.thread.last_ms = loaded.thread.last_ms.max(wall_ms);
        }
        loaded.dirty = true;
        let mut items: Vec<Item> = messages
            .iter()
            .zip(silent)
            .map(|(message, silent)| Item::received(message, *silent))
            .collect();
        for (item, lives_s) in items.iter_mut().zip(lives_s) {
            item.ends_ms = self.ends_ms(*lives_s);
            if let Some(ends_ms) = item.ends_ms {
                self.note_ending(number, arrival, ends_ms, None);
            }
        }
        let whole = RunPart {
            author,
            lane,
            from: first,
            wall_ms,
            items,
            held_back,
            late,
            height,
            sent_ms,
        };
        self.put_parts(loaded, arrival, 0, whole)?;
        let to = first + messages.len() as u64 - 1;
        let rank = loaded.thread.authors[usize::from(author)].rank;
        let by_place = Key::of(key::PLACE)
            .u32(number)
            .u64(height)
            .u64(rank)
            .u8(lane_byte(lane))
            .u64(first);
        self.put(
            by_place,
            &PlaceEntry {
                arrival,
                to,
                author,
            },
        );
        let by_sequence = Key::of(key::SEQUENCE)
            .u32(number)
            .u16(author)
            .u8(lane_byte(lane))
            .u64(to);
        self.put(
            by_sequence,
            &SequenceEntry {
                arrival,
                from: first,
                height,
            },
        );
        Ok(())
    }

    /// Writes messages of one arrival into as many rows as they need, from this part on; the number behind the last. What
    /// ends in another week lies in another row.
    pub(crate) fn put_parts(
        &mut self,
        loaded: &Loaded,
        arrival: u64,
        first_part: u16,
        whole: RunPart,
    ) -> Result<u16, EngineError> {
        let thread = loaded.number;
        let RunPart { from, items, .. } = whole;
        let mut row = RunPart {
            items: Vec::new(),
            ..whole
        };
        let (mut bytes, mut part) = (0, first_part);
        for (sequence, item) in (from..).zip(items) {
            let size = item.row_bytes();
            let parts = bytes + size > RUN_ROW_BYTES_MAX
                || loaded.scope_of_part(&row) != loaded.scope(item.ends_ms);
            if parts && !row.items.is_empty() {
                let scope = loaded.scope_of_part(&row);
                self.put_said(run_key(thread, arrival).u16(part), &row, scope)?;
                row.items.clear();
                (bytes, row.from, part) = (0, sequence, part + 1);
            }
            bytes += size;
            row.items.push(item);
        }
        let scope = loaded.scope_of_part(&row);
        self.put_said(run_key(thread, arrival).u16(part), &row, scope)?;
        Ok(part + 1)
    }

    /// Puts a batch into the outbox: encrypted at once when no other copy of this device can be writing, else when that
    /// is known. The thread is to be given back.
    pub(crate) fn enqueue_batch(
        &mut self,
        loaded: &mut Loaded,
        appended: Appended,
    ) -> Result<(), EngineError> {
        let Appended {
            from,
            to,
            batch,
            arrival,
            ends_ms,
        } = appended;
        let envelope = loaded.thread.envelope_next;
        if let Some(ends_ms) = ends_ms {
            self.note_ending(loaded.number, arrival, ends_ms, Some(envelope));
        }
        loaded.thread.envelope_next += 1;
        // What waits as plaintext goes first: an author's envelopes carry its messages in order.
        let in_turn = loaded.thread.authors[0].track(batch.lane).sealed + 1 == from;
        let body = if in_turn && self.may_encrypt(loaded) {
            OutboxBody::Sealed {
                parcel: self.seal_batch(loaded, envelope, batch.lane, to, &batch.to_bytes())?,
            }
        } else {
            OutboxBody::Plain {
                batch: batch.to_bytes(),
            }
        };
        let state = OutboxState {
            cargo: Cargo::Messages,
            lane: batch.lane,
            from,
            to,
            made_ms: self.now.wall_ms,
            stored: Vec::new(),
            bytes: 0,
            late_tries: None,
            ends_ms,
            period: None,
        };
        self.put_outbox(loaded, envelope, &body, state)
    }

    /// Encrypts a batch. The send ratchet has moved; its row is among the writes of this step.
    pub(crate) fn seal_batch(
        &mut self,
        loaded: &mut Loaded,
        sequence: u64,
        lane: Lane,
        to: u64,
        batch: &[u8],
    ) -> Result<Vec<u8>, EngineError> {
        loaded.thread.authors[0].track_mut(lane).sealed = to;
        loaded.dirty = true;
        let seed = self.seed();
        let (thread, incarnation) = (loaded.thread.id, loaded.thread.incarnation);
        let author = loaded.thread.authors[0].device;
        let mls = self.mls(loaded)?;
        let (parent, kind) = (mls.parent(), EnvelopeKind::Application);
        let bound = authenticated_data(thread, incarnation, parent, lane, kind);
        let bytes = mls
            .encrypt(batch, &bound, seed)
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        let envelope = Envelope {
            thread,
            incarnation,
            parent,
            lane,
            kind,
            bytes,
        };
        Ok(Parcel {
            lane,
            author,
            sequence,
            content: ParcelContent::Envelope(envelope),
        }
        .to_bytes())
    }
}

impl Item {
    /// A message as it came, or was written. What an amendment says is kept where it applies, and nowhere else.
    pub(crate) fn received(message: &Message, silent: bool) -> Self {
        let amends = silent && matches!(message.kind, body_kind::EDIT | body_kind::ERASE);
        Item {
            body: if amends {
                Vec::new()
            } else {
                message.body.clone()
            },
            kind: message.kind,
            edited_ms: 0,
            silent,
            amended: None,
            ends_ms: None,
        }
    }

    /// The message as it is to be read.
    pub(crate) fn message(&self) -> Message {
        Message {
            kind: self.kind,
            body: self.body.clone(),
        }
    }

    fn row_bytes(&self) -> usize {
        let amended = self.amended.map_or(0, |_| AMENDED_BYTES);
        let ends = self.ends_ms.map_or(0, |_| ENDS_BYTES);
        self.body.len() + MESSAGE_ROOM_BYTES + amended + ends
    }
}

/// The newest message seen of every other author and lane: an author's own order is its sequence and needs no naming.
fn heads_seen(loaded: &Loaded) -> Vec<(comptoir_protocol::id::DeviceId, Lane, u64)> {
    let mut heads = Vec::new();
    for author in &loaded.thread.authors[1..] {
        for lane in [Lane::Service, Lane::Promotion] {
            let last = author.track(lane).have.last();
            if last > 0 {
                heads.push((author.device, lane, last));
            }
        }
    }
    heads.sort_unstable();
    heads
}

/// Messages, and for how long they are there, s.
type Lived<M> = (Option<u32>, M);

/// Splits messages, in order, into as few batches as fit an envelope each. Those of one batch are there for as long: its
/// envelope lies under one key, which goes when all of them are gone.
fn split_to_fit(messages: Vec<Lived<Message>>) -> Vec<Lived<Vec<Message>>> {
    let mut groups: Vec<Lived<Vec<Message>>> = Vec::new();
    let mut bytes = usize::MAX;
    for (lives_s, message) in messages {
        let size = message.body.len() + MESSAGE_ROOM_BYTES;
        bytes = bytes.saturating_add(size);
        match groups.last_mut() {
            Some((group_lives_s, group))
                if bytes <= BATCH_BYTES_MAX && *group_lives_s == lives_s =>
            {
                group.push(message);
            }
            _ => {
                groups.push((lives_s, vec![message]));
                bytes = size;
            }
        }
    }
    groups
}

/// The key under which the rows of one arrival lie, without the part.
pub(crate) fn run_key(thread: u32, arrival: u64) -> Key {
    Key::of(key::RUN).u32(thread).u64(arrival)
}
