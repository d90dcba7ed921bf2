// SPDX-License-Identifier: MIT OR Apache-2.0
//! Batches: what an opened envelope says, on its way into the history: its numbers, its chain, its place.

use comptoir_protocol::envelope::{Batch, Chain};
use comptoir_protocol::frame::RefusalReason;
use comptoir_protocol::id::Lane;
use comptoir_protocol::runs::Inserted;

use crate::amendments::Said;
use crate::bodies::Heard;
use crate::held_back::{is_held_back, without_content};
use crate::incoming::Taken;
use crate::memory::Source;
use crate::outgoing::Placed;
use crate::rows::key::{self, Key, lane_byte};
use crate::rows::thread::{SequenceEntry, Tip, Track};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::turn::{Turn, read_row};

impl Turn<'_> {
    /// Stores a batch, unless its author left more holes than are kept or numbers a message again that is here already.
    pub(crate) fn store_batch(
        &mut self,
        loaded: &mut Loaded,
        author: usize,
        allowed: bool,
        batch: &Batch,
        source: Source,
    ) -> Result<Taken, EngineError> {
        let (lane, first, to) = (batch.lane, batch.first_sequence, batch.last_sequence());
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let device = loaded.thread.authors[author].device;
        let mut track = loaded.thread.authors[author].track(lane).clone();
        let last = track.have.last();
        // One message more under numbers that are taken would show in place of what was said.
        if track.have.touches(first, to) && !track.have.covers(first, to) {
            return Ok(Taken::Refused(RefusalReason::Malformed));
        }
        match track.have.insert_run(first, to) {
            Inserted::Full => return Ok(Taken::Refused(RefusalReason::Busy)),
            // The same messages in another envelope: acknowledged again, not shown again.
            Inserted::Known => {
                self.memory.counters.duplicates += 1;
                return Ok(Taken::Done);
            }
            Inserted::New => {}
        }
        let late = first <= last;
        if !join_chain(&mut track, batch, device) {
            self.memory.counters.chains_broken += 1;
            self.event(Event::ChainBroken {
                persona,
                thread,
                author: device,
                sequence: first,
            });
        }
        *loaded.thread.authors[author].track_mut(lane) = track;
        self.read_heads(loaded, batch)?;
        let height = self.height_of(loaded, batch)?;
        loaded.thread.height_seen = loaded.thread.height_seen.max(height);
        let held_back = is_held_back(lane, allowed, self.lane_of(source));
        let Heard {
            silent,
            lives_s,
            shown,
            amendments,
        } = if held_back {
            self.read_held_back(batch)
        } else {
            self.read_bodies(loaded, author, batch)
        };
        let kept = !held_back || self.keep_back(loaded, shown);
        let emptied = if kept {
            Vec::new()
        } else {
            without_content(batch)
        };
        let placed = Placed {
            author: u16::try_from(author).map_err(|_| EngineError::Exhausted("authors"))?,
            lane,
            first,
            height,
            wall_ms: self.now.wall_ms,
            sent_ms: batch.sent_ms,
            messages: if kept { &batch.messages } else { &emptied },
            silent: if kept {
                &silent
            } else {
                &vec![true; silent.len()]
            },
            lives_s: if kept {
                &lives_s
            } else {
                &vec![None; silent.len()]
            },
            held_back,
            late,
        };
        let index = placed.author;
        self.place(loaded, &placed)?;
        if !held_back {
            let said = Said {
                author: index,
                lane,
                height,
                sent_ms: batch.sent_ms,
            };
            self.on_amendments(loaded, &said, amendments)?;
        }
        self.apply_waiting(loaded, index, lane, (first, to))?;
        self.count_received(shown, source);
        self.tell_of_batch(loaded, device, lane, (first, to), last, held_back, shown);
        Ok(Taken::Done)
    }

    #[allow(clippy::too_many_arguments, reason = "what an event says of a batch")]
    fn tell_of_batch(
        &mut self,
        loaded: &mut Loaded,
        author: comptoir_protocol::id::DeviceId,
        lane: Lane,
        (from, to): (u64, u64),
        last: u64,
        held_back: bool,
        shown: u64,
    ) {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let late = from <= last;
        if late {
            self.memory.counters.gaps_filled += 1;
            self.event(Event::GapFilled {
                persona,
                thread,
                author,
                lane,
                from,
                to,
            });
        } else if from > last + 1 {
            self.memory.counters.gaps_seen += 1;
            self.event(Event::GapSeen {
                persona,
                thread,
                author,
                lane,
                from: last + 1,
                to: from - 1,
            });
        }
        if held_back {
            self.memory.counters.held_back += 1;
            if let Some(contact) = loaded.thread.contact {
                self.event(Event::HeldBack {
                    persona,
                    contact,
                    count: loaded.thread.held_back,
                });
            }
        } else if shown > 0 {
            loaded.thread.unread += shown;
            self.event(Event::MessagesReceived {
                persona,
                thread,
                author,
                lane,
                from,
                to,
                late,
            });
        }
    }

    fn count_received(&mut self, shown: u64, source: Source) {
        self.counted.received += shown;
        match source {
            Source::Peer { .. } => self.counted.received_direct += shown,
            Source::Box { rid, .. } => {
                if let Some(link) = self.memory.boxes.get(&rid) {
                    self.counted.through(link.relay, 0, shown);
                }
            }
        }
    }

    /// One more than the largest height among the messages a batch names. In a thread of two these are our own, which
    /// we always know, so both sides compute the same places whatever is missing.
    fn height_of(&self, loaded: &Loaded, batch: &Batch) -> Result<u64, EngineError> {
        let mut largest = 0;
        for (device, lane, sequence) in &batch.heads {
            let Some(author) = loaded
                .thread
                .authors
                .iter()
                .position(|author| author.device == *device)
            else {
                continue;
            };
            let author = u16::try_from(author).map_err(|_| EngineError::Exhausted("authors"))?;
            largest = largest.max(
                self.height_at(loaded.number, author, *lane, *sequence)?
                    .unwrap_or(0),
            );
        }
        Ok(largest.saturating_add(1))
    }

    fn height_at(
        &self,
        thread: u32,
        author: u16,
        lane: Lane,
        sequence: u64,
    ) -> Result<Option<u64>, EngineError> {
        Ok(self
            .batch_at(thread, author, lane, sequence)?
            .map(|(_, entry)| entry.height))
    }

    /// Where a message's batch lies: its last sequence and its entry.
    pub(crate) fn batch_at(
        &self,
        thread: u32,
        author: u16,
        lane: Lane,
        sequence: u64,
    ) -> Result<Option<(u64, SequenceEntry)>, EngineError> {
        let prefix = Key::of(key::SEQUENCE)
            .u32(thread)
            .u16(author)
            .u8(lane_byte(lane));
        let rows = self.scan(
            Scan::all(prefix.clone())
                .starting_at(prefix.u64(sequence))
                .limited(1),
        )?;
        let Some((row_key, row)) = rows.first() else {
            return Ok(None);
        };
        let entry: SequenceEntry = read_row(row_key, row)?;
        let to = key::u64_at(row_key, 8).unwrap_or(0);
        Ok((entry.from <= sequence).then_some((to, entry)))
    }

    /// What the other side says it has of us. A message we do not remember was written by another copy of this device,
    /// or by us before the disk went back.
    fn read_heads(&mut self, loaded: &mut Loaded, batch: &Batch) -> Result<(), EngineError> {
        let own = &loaded.thread.authors[0];
        let ahead = batch
            .heads
            .iter()
            .filter(|head| head.0 == own.device)
            .find(|head| head.2 > own.track(head.1).sealed);
        match ahead {
            Some(head) => {
                let ours = own.track(head.1).sealed;
                self.freeze(loaded, ours, head.2);
            }
            None => self.prove_safe(loaded),
        }
        Ok(())
    }

    /// The lane of the box something came through; none for a direct stream.
    fn lane_of(&self, source: Source) -> Option<Lane> {
        match source {
            Source::Box { lane, .. } => Some(lane),
            Source::Peer { .. } => None,
        }
    }
}

/// Joins a batch to its author's chain; false when it contradicts what is known on either side of it.
fn join_chain(track: &mut Track, batch: &Batch, author: comptoir_protocol::id::DeviceId) -> bool {
    let (first, to) = (batch.first_sequence, batch.last_sequence());
    let after = batch.chain_after(author);
    let mut sound = true;
    if first == 1 {
        sound &= batch.previous == Chain::START;
    } else if let Some(at) = track.tips.iter().position(|tip| tip.sequence == first - 1) {
        sound &= track.tips.remove(at).chain == batch.previous;
    } else {
        track.expected.push(Tip {
            sequence: first - 1,
            chain: batch.previous,
        });
    }
    match track.expected.iter().position(|tip| tip.sequence == to) {
        Some(at) => sound &= track.expected.remove(at).chain == after,
        None => track.tips.push(Tip {
            sequence: to,
            chain: after,
        }),
    }
    sound
}
