// SPDX-License-Identifier: MIT OR Apache-2.0
//! The amendments: what an author says later of one of its messages, another text or that it goes.
//!
//! An amendment acts on the row of its message, in the commit that takes it in, and is kept nowhere else. An erasure
//! stands over every edit, and among edits the one of the largest place: in whatever order and however often they come,
//! the history ends up the same. What comes before its message waits for it.

use comptoir_protocol::body::{Body, BodyKinds, Content};
use comptoir_protocol::envelope::Message;
use comptoir_protocol::id::{Lane, MessageId};
use comptoir_protocol::limits::ENVELOPE_MESSAGES_MAX;
use comptoir_protocol::place::Place;
use comptoir_protocol::tag::body_kind;
use comptoir_protocol::time::shown_ms;

use crate::outgoing::run_key;
use crate::rows::key::{self, Key, lane_byte, u64_at};
use crate::rows::thread::{Amend, Item, RunPart};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::MessageAt;
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::turn::{Turn, read_row};

/// Amendments of one thread that wait for their messages: with 16 KiB each, 4 MiB.
// Full: a further one is counted and forgotten; its message will show as it was first written.
const WAITING_MAX: u32 = 256;

/// An amendment as an author said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// The author's number for the amendment itself.
    pub(crate) sequence: u64,
    /// What it is about.
    pub(crate) message: MessageId,
    /// The text; none erases.
    pub(crate) text: Option<String>,
    /// For how long the text is there, s.
    pub(crate) lives_s: Option<u32>,
}

/// Who said something, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Index of the author.
    pub(crate) author: u16,
    pub(crate) lane: Lane,
    pub(crate) height: u64,
    pub(crate) sent_ms: u64,
}

/// One message by the numbers its rows lie under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    author: u16,
    lane: Lane,
    sequence: u64,
}

/// What an amendment found.
enum Found {
    /// Its message, and changed it.
    Changed,
    /// Its message, in which something stands that it does not stand over; or that is deleted.
    Unchanged,
    /// A message that has no such form: not a text, or nothing for the user.
    Unfit,
    /// No message yet, or one that only a newer version reads.
    NotYet,
}

/// An arrival with its messages together, and which rows they lie in.
pub(crate) struct Arrival {
    pub(crate) number: u64,
    pub(crate) whole: RunPart,
    first_part: u16,
    behind: u16,
}

impl Turn<'_> {
    /// `Command::Edit`.
    pub(crate) fn on_edit(
        &mut self,
        persona: u16,
        at: MessageAt,
        text: &str,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        self.on_amend(persona, at, Some(text.to_owned()))
    }

    /// `Command::Erase`.
    pub(crate) fn on_erase(
        &mut self,
        persona: u16,
        at: MessageAt,
        only_here: bool,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(loaded) = self.thread_of(persona, at.thread)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let own = loaded.thread.authors[0].device == at.author;
        if own && !only_here {
            self.put_thread(loaded);
            return self.on_amend(persona, at, None);
        }
        let erased = self.erase_here(&loaded, at)?;
        self.put_thread(loaded);
        if !erased {
            return Ok(Err(Refusal::NoSuchMessage));
        }
        self.tell_changed(persona, at, true);
        Ok(Ok(Answer::Done))
    }

    /// Amends an own message: here in this step, at the other side when it gets there.
    fn on_amend(
        &mut self,
        persona: u16,
        at: MessageAt,
        text: Option<String>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut loaded) = self.thread_of(persona, at.thread)? else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let done = self.amend_own(&mut loaded, at, text)?;
        let contact = loaded.thread.contact;
        self.put_thread(loaded);
        if let (Ok(_), Some(contact)) = (&done, contact) {
            self.push_outbox(contact)?;
        }
        Ok(done)
    }

    fn amend_own(
        &mut self,
        loaded: &mut Loaded,
        at: MessageAt,
        text: Option<String>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(contact) = loaded.thread.contact else {
            return Ok(Err(Refusal::NoSuchThread));
        };
        let author = loaded.thread.authors[0].device;
        if at.author != author {
            return Ok(Err(Refusal::NotYours));
        }
        let target = Target {
            author: 0,
            lane: at.lane,
            sequence: at.sequence,
        };
        let item = self.item_at(loaded.number, target)?;
        let Some(item) = item.filter(|item| !item.silent) else {
            return Ok(Err(Refusal::NoSuchMessage));
        };
        // What was erased here alone can still be erased for everybody.
        if item.kind == 0 && (text.is_some() || item.amended.is_some()) {
            return Ok(Err(Refusal::Erased));
        }
        if let Some(refusal) = self.may_not_send(loaded, contact, at.lane)? {
            return Ok(Err(refusal));
        }
        let lives_s = self.rest_s(item.ends_ms);
        let message = match amending(loaded, at, &item, text.as_deref(), lives_s) {
            Ok(message) => message,
            Err(error) => {
                let why = error.to_string();
                return Ok(Err(Refusal::BadMessage { why }));
            }
        };
        let height = loaded.thread.height_seen + 1;
        let appended = self.append_own(loaded, at.lane, vec![message], true, lives_s)?;
        let place = Place {
            height,
            author,
            sequence: appended.from,
        };
        self.enqueue_batch(loaded, appended)?;
        let said_ms = self.now.wall_ms;
        let amend = Amend {
            place,
            text,
            said_ms,
            ends_ms: item.ends_ms,
        };
        self.amend(loaded, target, amend)?;
        Ok(Ok(Answer::Done))
    }

    /// Takes in what another says of its messages. Whatever is not its to say is counted and does nothing.
    pub(crate) fn on_amendments(
        &mut self,
        loaded: &mut Loaded,
        said: &Said,
        amendments: Vec<Amendment>,
    ) -> Result<(), EngineError> {
        for amendment in amendments {
            let Some(target) = target_of(loaded, said, &amendment) else {
                self.memory.counters.bodies_refused += 1;
                continue;
            };
            let place = Place {
                height: said.height,
                author: loaded.thread.authors[usize::from(said.author)].device,
                sequence: amendment.sequence,
            };
            let amend = Amend {
                place,
                text: amendment.text,
                said_ms: shown_ms(said.sent_ms, self.now.wall_ms),
                ends_ms: self.ends_ms(amendment.lives_s),
            };
            self.amend(loaded, target, amend)?;
        }
        Ok(())
    }

    /// Messages came: what waited for them acts.
    pub(crate) fn apply_waiting(
        &mut self,
        loaded: &mut Loaded,
        author: u16,
        lane: Lane,
        (from, to): (u64, u64),
    ) -> Result<(), EngineError> {
        if loaded.thread.amends_waiting.is_none() {
            return Ok(());
        }
        let prefix = Key::of(key::AMEND)
            .u32(loaded.number)
            .u16(author)
            .u8(lane_byte(lane));
        let rows = self.scan(
            Scan::all(prefix.clone())
                .starting_at(prefix.u64(from))
                .limited(ENVELOPE_MESSAGES_MAX),
        )?;
        for (row_key, row) in rows {
            let Some(sequence) = u64_at(&row_key, 8).filter(|sequence| *sequence <= to) else {
                break;
            };
            let amend: Amend = read_row(&row_key, &row)?;
            self.delete(row_key);
            count_waiting(loaded, -1);
            let target = Target {
                author,
                lane,
                sequence,
            };
            self.amend(loaded, target, amend)?;
        }
        Ok(())
    }

    /// Lets an amendment act, or wait.
    fn amend(
        &mut self,
        loaded: &mut Loaded,
        target: Target,
        amend: Amend,
    ) -> Result<(), EngineError> {
        match self.rewrite(loaded, target, &amend)? {
            Found::Changed => {
                let at = MessageAt {
                    thread: loaded.number,
                    author: loaded.thread.authors[usize::from(target.author)].device,
                    lane: target.lane,
                    sequence: target.sequence,
                };
                self.tell_changed(loaded.thread.persona, at, amend.text.is_none());
            }
            Found::Unchanged => {}
            Found::Unfit => self.memory.counters.bodies_refused += 1,
            Found::NotYet => self.wait_for_message(loaded, target, &amend)?,
        }
        Ok(())
    }

    fn wait_for_message(
        &mut self,
        loaded: &mut Loaded,
        target: Target,
        amend: &Amend,
    ) -> Result<(), EngineError> {
        let row = Key::of(key::AMEND)
            .u32(loaded.number)
            .u16(target.author)
            .u8(lane_byte(target.lane))
            .u64(target.sequence);
        match self.load::<Amend>(row.clone())? {
            Some(waiting) if !amend.stands_over(&waiting) => return Ok(()),
            Some(_) => {}
            None if loaded.thread.amends_waiting.unwrap_or(0) >= WAITING_MAX => {
                self.memory.counters.bodies_refused += 1;
                return Ok(());
            }
            None => count_waiting(loaded, 1),
        }
        self.note_waiting_ends(loaded.number, amend);
        self.put_said(row, amend, loaded.scope(amend.ends_ms))
    }

    /// Lets an amendment act on the row of its message.
    fn rewrite(
        &mut self,
        loaded: &Loaded,
        target: Target,
        amend: &Amend,
    ) -> Result<Found, EngineError> {
        let thread = loaded.number;
        let Target {
            author,
            lane,
            sequence,
        } = target;
        let Some((_, entry)) = self.batch_at(thread, author, lane, sequence)? else {
            return Ok(Found::NotYet);
        };
        let Some(mut arrival) = self.arrival(thread, entry.arrival)? else {
            return Ok(Found::Unchanged);
        };
        let Some(item) = item_of(&mut arrival.whole, sequence) else {
            return Ok(Found::Unchanged);
        };
        if item.silent {
            // What ended says nothing any more, and nothing is said of it.
            let ended = item.kind == 0;
            return Ok(if ended {
                Found::Unchanged
            } else {
                Found::Unfit
            });
        }
        if mutant!(self.config, KeepsErased) && author > 0 && amend.text.is_none() {
            return Ok(Found::Unchanged);
        }
        let by_arrival = mutant!(self.config, EditsByArrival);
        let stands = match item.amended {
            // An edit does nothing to what is gone; an erasure for everybody is noted where one was made here.
            _ if item.kind == 0 => amend.text.is_some() || item.amended.is_some(),
            Some(place) => amend.text.is_some() && place >= amend.place && !by_arrival,
            None => false,
        };
        if stands {
            return Ok(Found::Unchanged);
        }
        let Some(text) = &amend.text else {
            let was_here = item.kind != 0;
            *item = erased(amend.said_ms, Some(amend.place), item.ends_ms);
            self.put_arrival(loaded, arrival)?;
            return Ok(if was_here {
                Found::Changed
            } else {
                Found::Unchanged
            });
        };
        let message = item.message();
        let Ok(reworded) = Body::reworded(&message, text) else {
            return Ok(if is_newer_text(&message) {
                Found::NotYet
            } else {
                Found::Unfit
            });
        };
        *item = Item {
            body: reworded.body,
            kind: reworded.kind,
            edited_ms: amend.said_ms,
            silent: false,
            amended: Some(amend.place),
            ends_ms: item.ends_ms,
        };
        self.put_arrival(loaded, arrival)?;
        Ok(Found::Changed)
    }

    /// Takes a message's bytes out of its row, at this node alone; false when there is none.
    fn erase_here(&mut self, loaded: &Loaded, at: MessageAt) -> Result<bool, EngineError> {
        let authors = &loaded.thread.authors;
        let author = authors.iter().position(|author| author.device == at.author);
        let Some(author) = author.and_then(|author| u16::try_from(author).ok()) else {
            return Ok(false);
        };
        let Some((_, entry)) = self.batch_at(loaded.number, author, at.lane, at.sequence)? else {
            return Ok(false);
        };
        let Some(mut arrival) = self.arrival(loaded.number, entry.arrival)? else {
            return Ok(false);
        };
        let item = item_of(&mut arrival.whole, at.sequence);
        let Some(item) = item.filter(|item| !item.silent && item.kind != 0) else {
            return Ok(false);
        };
        *item = erased(self.now.wall_ms, None, item.ends_ms);
        self.put_arrival(loaded, arrival)?;
        Ok(true)
    }

    fn item_at(&self, thread: u32, target: Target) -> Result<Option<Item>, EngineError> {
        let Target {
            author,
            lane,
            sequence,
        } = target;
        let Some((_, entry)) = self.batch_at(thread, author, lane, sequence)? else {
            return Ok(None);
        };
        let arrival = self.arrival(thread, entry.arrival)?;
        Ok(arrival.and_then(|mut arrival| item_of(&mut arrival.whole, sequence).cloned()))
    }

    /// An arrival with its messages together; none when it is gone, or about to go with all that is deleted here.
    pub(crate) fn arrival(&self, thread: u32, number: u64) -> Result<Option<Arrival>, EngineError> {
        // Written again, it would lie under a key that outlives the deletion.
        let deleted: Option<u64> = self.load(Key::of(key::DELETING).u32(thread))?;
        if deleted.is_some_and(|limit| number < limit) {
            return Ok(None);
        }
        let parts = self.parts(thread, number)?;
        let (Some((first_part, _)), Some((last, _))) = (parts.first(), parts.last()) else {
            return Ok(None);
        };
        let (first_part, behind) = (*first_part, last + 1);
        let whole = parts
            .into_iter()
            .map(|(_, part)| part)
            .reduce(|mut all, part| {
                all.items.extend(part.items);
                all
            });
        Ok(whole.map(|whole| Arrival {
            number,
            whole,
            first_part,
            behind,
        }))
    }

    pub(crate) fn put_arrival(
        &mut self,
        loaded: &Loaded,
        arrival: Arrival,
    ) -> Result<(), EngineError> {
        let thread = loaded.number;
        let Arrival {
            number,
            whole,
            first_part,
            behind,
        } = arrival;
        let end = self.put_parts(loaded, number, first_part, whole)?;
        for part in end..behind {
            self.delete(run_key(thread, number).u16(part));
        }
        Ok(())
    }

    fn tell_changed(&mut self, persona: u16, at: MessageAt, erased: bool) {
        let MessageAt {
            thread,
            author,
            lane,
            sequence,
        } = at;
        self.event(Event::MessageChanged {
            persona,
            thread,
            author,
            lane,
            sequence,
            erased,
        });
    }
}

/// The message that says an amendment, checked against what it amends.
fn amending(
    loaded: &Loaded,
    at: MessageAt,
    item: &Item,
    text: Option<&str>,
    lives_s: Option<u32>,
) -> Result<Message, comptoir_protocol::error::DecodeError> {
    let message = MessageId {
        thread: loaded.thread.id,
        author: at.author,
        lane: at.lane,
        sequence: at.sequence,
    };
    match text {
        Some(text) => {
            Body::reworded(&item.message(), text)?;
            let mut body = Body::edit(message, text);
            body.header.expires_after_s = lives_s;
            body.to_message()
        }
        None => Body::erase(message).to_message(),
    }
}

/// What an amendment is about, if it is its author's to amend: a message of the same account, in the same thread and
/// lane, and before it.
fn target_of(loaded: &Loaded, said: &Said, amendment: &Amendment) -> Option<Target> {
    let MessageId {
        thread,
        author,
        lane,
        sequence,
    } = amendment.message;
    let authors = &loaded.thread.authors;
    let index = authors.iter().position(|known| known.device == author)?;
    let index = u16::try_from(index).ok()?;
    // In a thread of two the first author is this account, every other one the contact's.
    let same_account = (index == 0) == (said.author == 0);
    let before = index != said.author || sequence < amendment.sequence;
    (thread == loaded.thread.id && lane == said.lane && sequence > 0 && same_account && before)
        .then_some(Target {
            author: index,
            lane,
            sequence,
        })
}

fn item_of(whole: &mut RunPart, sequence: u64) -> Option<&mut Item> {
    let index = sequence.checked_sub(whole.from)?;
    whole.items.get_mut(usize::try_from(index).ok()?)
}

fn erased(edited_ms: u64, amended: Option<Place>, ends_ms: Option<u64>) -> Item {
    Item {
        body: Vec::new(),
        kind: 0,
        edited_ms,
        silent: false,
        amended,
        ends_ms,
    }
}

/// A text with something in it that only a newer version reads.
fn is_newer_text(message: &Message) -> bool {
    let body = Body::from_message(message, &BodyKinds::released());
    message.kind == body_kind::TEXT
        && body.is_ok_and(|body| matches!(body.content, Content::Unknown { .. }))
}

fn count_waiting(loaded: &mut Loaded, change: i32) {
    let waiting = loaded.thread.amends_waiting.unwrap_or(0);
    let waiting = waiting.saturating_add_signed(change);
    loaded.thread.amends_waiting = (waiting > 0).then_some(waiting);
    loaded.dirty = true;
}
