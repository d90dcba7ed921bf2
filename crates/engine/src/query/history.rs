// SPDX-License-Identifier: MIT OR Apache-2.0
//! The history of a thread: its messages in the order of their places, and where some are missing.

use comptoir_protocol::body::{Body, BodyHeader, BodyKinds, Content};
use comptoir_protocol::envelope::Message;
use comptoir_protocol::id::Lane;
use comptoir_protocol::place::Place;
use comptoir_protocol::time::shown_ms;

use super::read;
use super::threads::outbox_states;
use super::{ContentView, HistoryItem, HistoryPage, MessageView};
use crate::rows::key::{self, Key, lane_byte};
use crate::rows::thread::{Item, OutboxState, PlaceEntry, RunPart, SequenceEntry, Thread};
use crate::seam::command::MessageAt;
use crate::seam::event::MessageState;
use crate::seam::view::{Row, Scan, View, ViewError};

/// Entries by place read at once.
const PAGE: usize = 64;

/// Where a page of a history lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The newest messages.
    Newest,
    /// The first ones.
    Start,
    /// The nearest ones before this message.
    Before(MessageAt),
    /// The nearest ones after this message.
    After(MessageAt),
}

/// A page of a thread, oldest first. What is held back or not for the user is left out. `None` when there is no such
/// thread, or no such message to go on from.
pub fn history(
    view: &impl View,
    thread: u32,
    from: From,
    limit: usize,
) -> Result<Option<HistoryPage>, ViewError> {
    let Some(reader) = Reader::open(view, thread)? else {
        return Ok(None);
    };
    let (reverse, start) = match from {
        From::Newest => (true, None),
        From::Start => (false, None),
        From::Before(at) | From::After(at) => match reader.key_of(&at)? {
            Some(key) => (matches!(from, From::Before(_)), Some((key, at))),
            None => return Ok(None),
        },
    };
    reader.page(reverse, start, limit).map(Some)
}

/// One message; `None` when it is not here.
pub fn message(view: &impl View, at: MessageAt) -> Result<Option<MessageView>, ViewError> {
    let Some(reader) = Reader::open(view, at.thread)? else {
        return Ok(None);
    };
    let Some(key) = reader.key_of(&at)? else {
        return Ok(None);
    };
    let Some(row) = view.get(&key)? else {
        return Ok(None);
    };
    let entry: PlaceEntry = read::read(&key, &row)?;
    let messages = reader.messages(entry.arrival)?;
    Ok(messages
        .into_iter()
        .find(|message| message.place.sequence == at.sequence))
}

/// One thread being read.
pub(super) struct Reader<'v, V: View> {
    view: &'v V,
    number: u32,
    thread: Thread,
    kinds: BodyKinds,
    owed: Vec<(u64, OutboxState)>,
}

impl<'v, V: View> Reader<'v, V> {
    pub(super) fn open(view: &'v V, number: u32) -> Result<Option<Self>, ViewError> {
        let Some(thread): Option<Thread> = read::one(view, Key::of(key::THREAD).u32(number))?
        else {
            return Ok(None);
        };
        let owed = outbox_states(view, number)?;
        Ok(Some(Self {
            view,
            number,
            thread,
            kinds: BodyKinds::released(),
            owed,
        }))
    }

    /// The key of the entry by place that holds a message.
    fn key_of(&self, at: &MessageAt) -> Result<Option<Vec<u8>>, ViewError> {
        let Some(author) = self
            .thread
            .authors
            .iter()
            .position(|author| author.device == at.author)
        else {
            return Ok(None);
        };
        let Ok(index) = u16::try_from(author) else {
            return Ok(None);
        };
        let prefix = Key::of(key::SEQUENCE)
            .u32(self.number)
            .u16(index)
            .u8(lane_byte(at.lane));
        let from = prefix.clone().u64(at.sequence);
        let rows = self
            .view
            .scan(Scan::all(prefix).starting_at(from).limited(1))?;
        let Some((key, row)) = rows.first() else {
            return Ok(None);
        };
        let entry: SequenceEntry = read::read(key, row)?;
        if entry.from > at.sequence {
            return Ok(None);
        }
        let place = Key::of(key::PLACE)
            .u32(self.number)
            .u64(entry.height)
            .u64(self.thread.authors[author].rank);
        Ok(Some(place.u8(lane_byte(at.lane)).u64(entry.from).into()))
    }

    fn page(
        &self,
        reverse: bool,
        start: Option<(Vec<u8>, MessageAt)>,
        limit: usize,
    ) -> Result<HistoryPage, ViewError> {
        let mut found: Vec<MessageView> = Vec::new();
        let mut from = start.as_ref().map(|(key, _)| key.clone());
        // One more than asked for tells whether there are more.
        'pages: loop {
            let rows = self.rows(reverse, from.take())?;
            let last = rows.len() < PAGE;
            for (key, row) in rows {
                let entry: PlaceEntry = read::read(&key, &row)?;
                let mut messages = self.messages(entry.arrival)?;
                if let Some((_, at)) = start.as_ref().filter(|(at_key, _)| *at_key == key) {
                    messages.retain(|message| {
                        let sequence = message.place.sequence;
                        if reverse {
                            sequence < at.sequence
                        } else {
                            sequence > at.sequence
                        }
                    });
                }
                if reverse {
                    messages.reverse();
                }
                found.extend(messages.into_iter().filter(|message| !message.held_back));
                if found.len() > limit {
                    break 'pages;
                }
                from = Some(beside(key, reverse));
            }
            if last {
                break;
            }
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        if reverse {
            found.reverse();
        }
        Ok(HistoryPage {
            items: self.with_gaps(found),
            has_more,
        })
    }

    fn rows(&self, reverse: bool, from: Option<Vec<u8>>) -> Result<Vec<Row>, ViewError> {
        let mut scan = Scan::all(Key::of(key::PLACE).u32(self.number)).limited(PAGE);
        scan.reverse = reverse;
        scan.from = from;
        self.view.scan(scan)
    }

    /// The messages of one arrival, in their order; what only the node was told is left out.
    pub(super) fn messages(&self, arrival: u64) -> Result<Vec<MessageView>, ViewError> {
        let parts: Vec<(Vec<u8>, RunPart)> =
            read::all(self.view, Key::of(key::RUN).u32(self.number).u64(arrival))?;
        let mut messages = Vec::new();
        for (_, part) in parts {
            let author = usize::from(part.author);
            for (sequence, item) in (part.from..).zip(&part.items) {
                if !item.silent && author < self.thread.authors.len() {
                    messages.push(self.message(&part, sequence, item));
                }
            }
        }
        Ok(messages)
    }

    fn message(&self, part: &RunPart, sequence: u64, item: &Item) -> MessageView {
        let author = &self.thread.authors[usize::from(part.author)];
        let own = part.author == 0;
        let (content, header) = self.content(item);
        MessageView {
            thread: self.number,
            place: Place {
                height: part.height,
                author: author.device,
                sequence,
            },
            lane: part.lane,
            own,
            content,
            shown_ms: shown_ms(part.sent_ms, part.wall_ms),
            arrived_ms: part.wall_ms,
            state: own.then(|| self.state(part.lane, sequence)),
            read: own || sequence <= author.track(part.lane).read,
            edited_ms: item.edited_ms,
            late: part.late,
            held_back: part.held_back,
            header,
        }
    }

    fn content(&self, item: &Item) -> (ContentView, BodyHeader) {
        if item.body.is_empty() {
            return (ContentView::Erased, BodyHeader::default());
        }
        let message = Message {
            kind: item.kind,
            body: item.body.clone(),
        };
        match Body::from_message(&message, &self.kinds) {
            Ok(Body {
                header,
                content: Content::Text(text),
            }) => (ContentView::Text(text.text), header),
            Ok(Body {
                header,
                content: Content::Unknown { kind, .. },
            }) => (
                ContentView::NeedsNewer {
                    kind,
                    fallback: header.fallback.clone(),
                },
                header,
            ),
            Ok(Body { header, content }) => (
                ContentView::Other {
                    kind: content.kind(),
                    bytes: item.body.clone(),
                },
                header,
            ),
            // Whoever sent it broke the rules of its kind: nothing of it is shown but that it was there.
            Err(_) => (
                ContentView::NeedsNewer {
                    kind: item.kind,
                    fallback: None,
                },
                BodyHeader::default(),
            ),
        }
    }

    fn state(&self, lane: Lane, sequence: u64) -> MessageState {
        let track = self.thread.authors[0].track(lane);
        if sequence <= track.read {
            return MessageState::Read;
        }
        if track.delivered.contains(sequence) || track.acked.contains(sequence) {
            return MessageState::Delivered;
        }
        let covers =
            |state: &OutboxState| state.lane == lane && (state.from..=state.to).contains(&sequence);
        match self.owed.iter().find(|(_, state)| covers(state)) {
            Some((_, state)) if !state.stored.is_empty() => MessageState::Stored,
            _ => MessageState::Queued,
        }
    }

    /// Puts a marker before every message whose predecessor by the same author is not here.
    fn with_gaps(&self, messages: Vec<MessageView>) -> Vec<HistoryItem> {
        let mut items = Vec::with_capacity(messages.len());
        for message in messages {
            let author = self
                .thread
                .authors
                .iter()
                .find(|author| author.device == message.place.author);
            let before = author.and_then(|author| {
                let gaps = author.track(message.lane).have.gaps();
                gaps.into_iter()
                    .find(|(_, to)| to + 1 == message.place.sequence)
            });
            if let Some((from, to)) = before {
                items.push(HistoryItem::Gap {
                    author: message.place.author,
                    lane: message.lane,
                    from,
                    to,
                });
            }
            items.push(HistoryItem::Message(message));
        }
        items
    }
}

/// The key just behind `key` in the direction of a scan.
fn beside(mut key: Vec<u8>, reverse: bool) -> Vec<u8> {
    if !reverse {
        key.push(0);
        return key;
    }
    // All keys of the space have one length, so the largest smaller one is the number before.
    for byte in key.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    key
}
