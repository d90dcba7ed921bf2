// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fetching: what lies in our boxes, taken in and then let go.

use comptoir_crypto::deposit;
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::{ErrorCode, Item, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, RelayKey, Rid};
use comptoir_protocol::limits::{CHUNK_BYTES_MAX, RELAY_ACK_SEQUENCES_MAX, SUBSCRIBE_BOXES_MAX};

use crate::memory::{Call, Source};
use crate::rows::key::{self, Key};
use crate::rows::reach::{BoxStage, OwnBox, Purpose, Relay};
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::seam::input::Unreachable;
use crate::timers::Timer;
use crate::turn::Turn;

/// Items asked for at once.
const FETCH_ITEMS: u16 = 64;

/// How often all boxes are looked into: a relay whose word of news was lost, or that forgot a box, is found out.
const LOOK_MS: u64 = 60 * 60 * 1000;
/// An item that could not be taken is fetched again after this.
const FETCH_AGAIN_MS: u64 = 10_000;

impl Turn<'_> {
    /// Asks a relay to tell of news in our boxes there, those it was not asked for yet, a page a call. Returns them.
    pub(crate) fn subscribe(&mut self, number: u32, relay: &Relay) -> Vec<Rid> {
        let mut wanted = Vec::new();
        for (rid, link) in self.memory.boxes.iter() {
            if link.relay == relay.descriptor.key
                && !link.subscribed
                && matches!(self.box_row(link.own_box), Ok(Some(own_box)) if own_box.relay == number)
            {
                wanted.push(*rid);
            }
        }
        let mut asked = Vec::new();
        for page in wanted.chunks(SUBSCRIBE_BOXES_MAX) {
            if !self.relay_has_room(relay.descriptor.key) {
                // What is left is asked for with the next look.
                let due = self.now.mono_ms + self.config.retry_first_ms;
                self.memory
                    .timers
                    .set_earlier(Timer::Relay { relay: number }, due);
                break;
            }
            self.mark_subscribed(page, true);
            asked.extend_from_slice(page);
            let rids = page.to_vec();
            self.call(
                &relay.descriptor,
                RelayRequest::Subscribe { rids: rids.clone() },
                Some(relay.reader.clone()),
                Call::Subscribe { rids },
            );
        }
        asked
    }

    /// A page that the relay refused, or that it never heard of, is asked for again with the next look.
    pub(crate) fn on_subscribed(
        &mut self,
        rids: &[Rid],
        answer: &Result<RelayAnswer, Unreachable>,
    ) {
        if !matches!(answer, Ok(RelayAnswer::Ok)) {
            self.mark_subscribed(rids, false);
        }
    }

    fn mark_subscribed(&mut self, rids: &[Rid], subscribed: bool) {
        for rid in rids {
            self.memory
                .boxes
                .change(rid, |link| link.subscribed = subscribed);
        }
    }

    /// Fetches from the boxes at a relay that may hold something: after a connection, and from time to time, all of
    /// them; else those newly subscribed to and those where something was left.
    pub(crate) fn look(&mut self, number: u32, relay: RelayKey, fresh: &[Rid]) {
        let now = self.now.mono_ms;
        let pause = self.jittered(LOOK_MS);
        let all = self.memory.relays.change(&relay, |link| {
            let over = link.looked_until_ms <= now;
            if over {
                link.looked_until_ms = now + pause;
            }
            over
        });
        let all = all.unwrap_or(true);
        let due: Vec<Rid> = self
            .memory
            .boxes
            .iter()
            .filter(|(rid, link)| {
                link.relay == relay && (all || link.left || fresh.binary_search(rid).is_ok())
            })
            .map(|(rid, _)| *rid)
            .collect();
        for rid in due {
            self.memory.boxes.change(&rid, |link| link.left = false);
            self.fetch_soon(relay, rid);
        }
        self.memory
            .timers
            .set_if_unset(Timer::Relay { relay: number }, now + LOOK_MS);
    }

    /// Notes that a box is to be fetched from.
    pub(crate) fn fetch_soon(&mut self, relay: RelayKey, rid: Rid) {
        if let Some(link) = self.memory.boxes.get(&rid).copied()
            && link.quiet_until_ms > self.now.mono_ms
        {
            self.memory.boxes.change(&rid, |link| link.left = true);
            self.serve_relay_at(link.own_box, link.quiet_until_ms);
            return;
        }
        let busy = self.memory.boxes.change(&rid, |link| {
            link.again |= link.fetching;
            link.fetching
        });
        if busy == Some(false) {
            self.memory.fetch_due.insert((relay, rid), ());
        }
    }

    /// Fetches from boxes that are due while the relay takes calls.
    pub(crate) fn pump_fetches(&mut self, relay: RelayKey) -> Result<(), EngineError> {
        while self.relay_has_room(relay) {
            let range = (relay, Rid([0; 32]))..=(relay, Rid([255; 32]));
            let Some((_, rid)) = self
                .memory
                .fetch_due
                .range(range)
                .next()
                .map(|(due, ())| *due)
            else {
                return Ok(());
            };
            self.memory.fetch_due.remove(&(relay, rid));
            let Some(link) = self.memory.boxes.get(&rid).copied() else {
                continue;
            };
            let Some(own_box) = self.box_row(link.own_box)? else {
                continue;
            };
            let Some(row) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
                continue;
            };
            self.memory.boxes.change(&rid, |link| link.fetching = true);
            let request = RelayRequest::Fetch {
                rid,
                after_sequence: link.after,
                items_max: FETCH_ITEMS,
                bytes_max: u32::try_from(CHUNK_BYTES_MAX).unwrap_or(u32::MAX),
                wait_s: 0,
            };
            self.call(
                &row.descriptor,
                request,
                Some(row.reader.clone()),
                Call::Fetch { rid },
            );
        }
        Ok(())
    }

    pub(crate) fn on_fetched(
        &mut self,
        relay: RelayKey,
        rid: Rid,
        answer: RelayAnswer,
    ) -> Result<(), EngineError> {
        let Some(link) = self.memory.boxes.get(&rid).copied() else {
            return Ok(());
        };
        self.memory
            .boxes
            .change(&rid, |link| (link.fetching, link.again) = (false, false));
        match answer {
            RelayAnswer::Items { items, more } => {
                let newest = items.last().map_or(link.after, |item| item.sequence);
                self.memory
                    .boxes
                    .change(&rid, |link| link.after = link.after.max(newest));
                // A relay that says "more" and gives nothing new is not asked again at once, or it would never end.
                let goes_on = more && newest > link.after;
                let Some(own_box) = self.box_row(link.own_box)? else {
                    return Ok(());
                };
                for item in items {
                    self.on_item(relay, rid, &own_box, item)?;
                }
                if goes_on || link.again {
                    self.fetch_soon(relay, rid);
                }
                Ok(())
            }
            RelayAnswer::Denied => match self.box_row(link.own_box)? {
                Some(own_box) if own_box.stage == BoxStage::Ready => {
                    self.on_box_lost(link.own_box, own_box)
                }
                _ => Ok(()),
            },
            // Over its rate, or its disk hiccups: the items are there.
            _ => {
                self.fetch_again(rid, link.after.saturating_add(1));
                Ok(())
            }
        }
    }

    pub(crate) fn on_item(
        &mut self,
        relay: RelayKey,
        rid: Rid,
        own_box: &OwnBox,
        item: Item,
    ) -> Result<(), EngineError> {
        let (contact, lane) = match own_box.purpose {
            Purpose::FrontDoor => {
                let source = Source::Box {
                    rid,
                    sequence: item.sequence,
                    contact: 0,
                    lane: Lane::Service,
                };
                return self.on_sealed_hello(&item.blob, own_box.persona, source);
            }
            Purpose::Boot => return Ok(()),
            Purpose::Contact { contact, lane } => (contact, lane),
        };
        let source = Source::Box {
            rid,
            sequence: item.sequence,
            contact,
            lane,
        };
        let opened = own_box.grant.as_ref().and_then(|grant| {
            deposit::open(grant.k_box.expose(), &relay, &item.mid, &item.blob).ok()
        });
        let refused = mutant!(self.config, RefusesHonest) && item.sequence.is_multiple_of(4);
        let parcel = opened
            .filter(|_| !refused)
            .and_then(|padded| Parcel::from_padded(&padded).ok());
        match parcel {
            Some(parcel) => self.on_parcel(parcel, source, item.blob.len()),
            None => {
                self.memory.counters.deposits_refused += 1;
                self.confirm(source);
                Ok(())
            }
        }
    }

    /// Lets the relay drop what is stored here.
    pub(crate) fn ack_items(&mut self, rid: Rid, sequences: Vec<u64>) -> Result<(), EngineError> {
        let Some(link) = self.memory.boxes.get(&rid).copied() else {
            return Ok(());
        };
        let Some(own_box) = self.box_row(link.own_box)? else {
            return Ok(());
        };
        let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
            return Ok(());
        };
        for sequences in sequences.chunks(RELAY_ACK_SEQUENCES_MAX) {
            let request = RelayRequest::Ack {
                rid,
                up_to: 0,
                sequences: sequences.to_vec(),
            };
            self.call(
                &relay.descriptor,
                request,
                Some(relay.reader.clone()),
                Call::Ack {
                    rid,
                    first: sequences.iter().copied().min().unwrap_or(u64::MAX),
                },
            );
        }
        Ok(())
    }

    /// A relay that could not note what it may drop hands it out again, and is told again.
    pub(crate) fn on_ack_answer(
        &mut self,
        rid: Rid,
        first: u64,
        answer: &Result<RelayAnswer, Unreachable>,
    ) {
        let code = match answer {
            Ok(RelayAnswer::Error { code, .. }) => Some(*code),
            _ => None,
        };
        let lost = matches!(answer, Err(Unreachable) | Ok(RelayAnswer::Rate { .. }));
        if lost || matches!(code, Some(ErrorCode::Storage | ErrorCode::Limit)) {
            self.fetch_again(rid, first);
        }
    }

    /// An item could not be taken: it stays at the relay and is fetched again in a while.
    pub(crate) fn fetch_again(&mut self, rid: Rid, sequence: u64) {
        self.memory.boxes.change(&rid, |link| {
            link.after = link.after.min(sequence.saturating_sub(1));
            link.left = true;
        });
        if let Some(link) = self.memory.boxes.get(&rid).copied() {
            self.serve_relay_at(link.own_box, self.now.mono_ms + FETCH_AGAIN_MS);
        }
    }

    /// The contact of a box is over its terms: what lies there stays until its next period.
    pub(crate) fn fetch_next_period(&mut self, rid: Rid, sequence: u64, begins_ms: u64) {
        self.fetch_again(rid, sequence);
        self.memory
            .boxes
            .change(&rid, |link| link.quiet_until_ms = begins_ms);
    }

    fn serve_relay_at(&mut self, own_box: u32, due_ms: u64) {
        if let Ok(Some(OwnBox { relay, .. })) = self.box_row(own_box) {
            self.memory
                .timers
                .set_earlier(Timer::Relay { relay }, due_ms);
        }
    }
}
