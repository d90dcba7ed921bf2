// SPDX-License-Identifier: MIT OR Apache-2.0
//! The world: one relay on a simulated disk, its clock, and people with keys. Every request and answer crosses as bytes.

use std::sync::Arc;

use comptoir_kv::{Disk, Kv};
use comptoir_protocol::Wire;
use comptoir_protocol::capability::{ALL_HOURS, CapabilityTerms, RelayCapability};
use comptoir_protocol::frame::{
    AnswerFrame, BoxKind, Item, RelayAnswer, RelayRequest, SignedRequest,
};
use comptoir_protocol::id::{CapabilityId, Lane, Mid, PublicKey, RelayKey, Rid, Sid};
use comptoir_protocol::limits::FRAME_BYTES_MAX;
use comptoir_protocol::signed::{Signed, public_key};
use comptoir_protocol::ticket::Ticket;
use comptoir_protocol::time::Time;
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{Config, Done, Incoming, KvMailbox, Limits, News, Outcome};

pub(crate) const START_MS: u64 = 1_800_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) mailbox: KvMailbox,
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) now: Time,
    pub(crate) challenge: [u8; 32],
    pub(crate) limits: Limits,
    open: bool,
    /// Kills the relay's process before every request.
    pub(crate) restless: bool,
    /// News of the last request.
    pub(crate) news: Vec<News>,
    next_request: u64,
    next_key: u8,
}

/// A box in the hands of its owner.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) rid: Rid,
    pub(crate) sid: Sid,
    pub(crate) owner: SigningKey,
    pub(crate) reader: SigningKey,
}

/// A capability in the hands of a contact.
#[derive(Clone)]
pub(crate) struct Cap {
    pub(crate) sid: Sid,
    pub(crate) id: CapabilityId,
    pub(crate) writer: SigningKey,
}

pub(crate) fn relay_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn mailbox_on(disk: &Disk, open: bool, limits: Limits) -> (KvMailbox, Arc<dyn Kv>) {
    let kv: Arc<dyn Kv> = Arc::new(disk.open().unwrap());
    let config = Config {
        key: relay_key(),
        addresses: vec!["/dns4/relay.example/tcp/443".into()],
        open,
        limits,
    };
    (KvMailbox::open(Arc::clone(&kv), config).unwrap(), kv)
}

pub(crate) fn generous() -> CapabilityTerms {
    CapabilityTerms {
        max: 1_000_000,
        period_s: 3_600,
        hours: ALL_HOURS,
        utc_offset_min: 0,
        max_bytes: 1 << 24,
        not_after_ms: START_MS + 400 * DAY,
    }
}

impl World {
    pub(crate) fn open() -> Self {
        Self::with(
            true,
            Limits {
                puzzle_bits: 4,
                ..Limits::default()
            },
        )
    }

    pub(crate) fn closed() -> Self {
        Self::with(
            false,
            Limits {
                puzzle_bits: 4,
                ..Limits::default()
            },
        )
    }

    pub(crate) fn with(open: bool, limits: Limits) -> Self {
        let disk = Disk::new();
        let (mailbox, kv) = mailbox_on(&disk, open, limits);
        Self {
            mailbox,
            kv,
            disk,
            rng: ChaCha20Rng::from_seed([1; 32]),
            now: Time {
                wall_ms: START_MS,
                mono_ms: 0,
                boot: [0; 16],
            },
            challenge: [7; 32],
            limits,
            open,
            restless: false,
            news: Vec::new(),
            next_request: 1,
            next_key: 10,
        }
    }

    /// Kills the relay's process and starts it again on what was committed.
    pub(crate) fn restart(&mut self) {
        self.disk.crash();
        (self.mailbox, self.kv) = mailbox_on(&self.disk, self.open, self.limits);
    }

    pub(crate) fn later(&mut self, ms: u64) {
        self.now.wall_ms += ms;
        self.now.mono_ms += ms;
    }

    /// A new key, the same in every run.
    pub(crate) fn key(&mut self) -> SigningKey {
        self.next_key += 1;
        SigningKey::from_bytes(&[self.next_key; 32])
    }

    pub(crate) fn signed(&mut self, key: &SigningKey, request: &RelayRequest) -> SignedRequest {
        self.next_request += 1;
        let relay = RelayKey(public_key(&relay_key()).0);
        SignedRequest::sign(self.next_request, request, key, &relay, &self.challenge)
    }

    /// The whole way of a frame, as a relay takes it: preview, proof, rules, commit.
    pub(crate) fn send(&mut self, frame: &SignedRequest) -> Result<Done, Box<AnswerFrame>> {
        if self.restless {
            self.restart();
        }
        let bytes = frame.to_bytes();
        assert!(
            bytes.len() <= FRAME_BYTES_MAX,
            "a request of {} bytes",
            bytes.len()
        );
        let frame = SignedRequest::from_bytes(&bytes).unwrap();
        if let Some(answer) = self.mailbox.preview().refuses(&frame, self.now).unwrap() {
            return Err(Box::new(AnswerFrame {
                request_id: frame.request_id,
                answer,
            }));
        }
        let relay = RelayKey(public_key(&relay_key()).0);
        let incoming = Incoming::open(&frame, &relay, &self.challenge)?;
        let done = self
            .mailbox
            .handle_now(&incoming, self.now, &mut self.rng)
            .unwrap();
        self.news.clone_from(&done.pushes);
        Ok(done)
    }

    fn answer(&mut self, frame: &SignedRequest) -> RelayAnswer {
        let answer = match self.send(frame) {
            Err(frame) => frame.answer,
            Ok(Done {
                outcome: Outcome::Answer(answer) | Outcome::Subscribed(_, answer),
                ..
            }) => answer,
            Ok(Done {
                outcome: Outcome::Waiting { .. },
                ..
            }) => panic!("the relay waits"),
        };
        let bytes = AnswerFrame {
            request_id: frame.request_id,
            answer,
        }
        .to_bytes();
        assert!(
            bytes.len() <= FRAME_BYTES_MAX,
            "an answer of {} bytes",
            bytes.len()
        );
        AnswerFrame::from_bytes(&bytes).unwrap().answer
    }

    pub(crate) fn ask(&mut self, key: &SigningKey, request: &RelayRequest) -> RelayAnswer {
        let frame = self.signed(key, request);
        self.answer(&frame)
    }

    pub(crate) fn ask_unsigned(&mut self, request: &RelayRequest) -> RelayAnswer {
        self.next_request += 1;
        let frame = SignedRequest::unsigned(self.next_request, request);
        self.answer(&frame)
    }

    pub(crate) fn create(
        &mut self,
        owner: &SigningKey,
        readers: &[&SigningKey],
        kind: BoxKind,
        lane: Lane,
        ticket: Option<Signed<Ticket>>,
    ) -> RelayAnswer {
        // A ticket is held by its holder's reader.
        let signer = match (&ticket, readers.first()) {
            (Some(_), Some(reader)) => *reader,
            _ => owner,
        };
        let readers = readers.iter().map(|reader| public_key(reader)).collect();
        let request = RelayRequest::Create {
            owner: public_key(owner),
            readers,
            kind,
            lane,
            ttl_s: 0,
            ticket,
        };
        self.ask(signer, &request)
    }

    /// A box of a kind with one reader, on an open relay.
    pub(crate) fn own(&mut self, kind: BoxKind, lane: Lane) -> Own {
        let (owner, reader) = (self.key(), self.key());
        match self.create(&owner, &[&reader], kind, lane, None) {
            RelayAnswer::Created { rid, sid, .. } => Own {
                rid,
                sid,
                owner,
                reader,
            },
            other => panic!("no box: {other:?}"),
        }
    }

    /// A contact's box.
    pub(crate) fn thread_box(&mut self) -> Own {
        self.own(BoxKind::Thread, Lane::Service)
    }

    pub(crate) fn add_reader(&mut self, own: &Own) -> SigningKey {
        let reader = self.key();
        let answer = self.ask(
            &own.owner,
            &RelayRequest::ReaderAdd {
                rid: own.rid,
                reader: public_key(&reader),
            },
        );
        assert_eq!(answer, RelayAnswer::Ok);
        reader
    }

    pub(crate) fn grant(&mut self, own: &Own, terms: CapabilityTerms) -> Cap {
        let writer = self.key();
        let id = CapabilityId([self.next_key; 16]);
        let answer = self.grant_as(own, id, public_key(&writer), terms, Lane::Service);
        assert_eq!(answer, RelayAnswer::Ok);
        Cap {
            sid: own.sid,
            id,
            writer,
        }
    }

    pub(crate) fn grant_as(
        &mut self,
        own: &Own,
        id: CapabilityId,
        writer: PublicKey,
        terms: CapabilityTerms,
        lane: Lane,
    ) -> RelayAnswer {
        let capability = RelayCapability {
            capability: id,
            writer,
            terms,
            lane,
        };
        self.ask(
            &own.owner,
            &RelayRequest::Grant {
                rid: own.rid,
                capability,
            },
        )
    }

    pub(crate) fn put(&mut self, cap: &Cap, name: u32, blob: Vec<u8>) -> RelayAnswer {
        self.put_for(cap, name, blob, u32::MAX)
    }

    pub(crate) fn put_for(
        &mut self,
        cap: &Cap,
        name: u32,
        blob: Vec<u8>,
        expires_s: u32,
    ) -> RelayAnswer {
        let request = RelayRequest::Put {
            sid: cap.sid,
            capability: cap.id,
            mid: mid(name),
            expires_s,
            blob,
        };
        self.ask(&cap.writer, &request)
    }

    pub(crate) fn page(&mut self, own: &Own, reader: &SigningKey, after: u64) -> (Vec<Item>, bool) {
        let request = RelayRequest::Fetch {
            rid: own.rid,
            after_sequence: after,
            items_max: u16::MAX,
            bytes_max: u32::MAX,
            wait_s: 0,
        };
        match self.ask(reader, &request) {
            RelayAnswer::Items { items, more } => (items, more),
            other => panic!("no items: {other:?}"),
        }
    }

    /// All items a reader can get, over as many pages as it takes.
    pub(crate) fn fetch(&mut self, own: &Own, reader: &SigningKey) -> Vec<Item> {
        let mut all: Vec<Item> = Vec::new();
        loop {
            let (items, more) = self.page(own, reader, all.last().map_or(0, |item| item.sequence));
            all.extend(items);
            if !more {
                return all;
            }
        }
    }

    pub(crate) fn names(&mut self, own: &Own, reader: &SigningKey) -> Vec<u32> {
        self.fetch(own, reader)
            .iter()
            .map(|item| name(&item.mid))
            .collect()
    }

    pub(crate) fn ack(
        &mut self,
        own: &Own,
        reader: &SigningKey,
        up_to: u64,
        sequences: &[u64],
    ) -> RelayAnswer {
        self.ask(
            reader,
            &RelayRequest::Ack {
                rid: own.rid,
                up_to,
                sequences: sequences.to_vec(),
            },
        )
    }

    /// Lets the relay do all of its own work.
    pub(crate) fn sweep(&mut self) {
        for _ in 0..100_000 {
            if self.restless {
                self.restart();
            }
            if !self.mailbox.sweep_now(self.now).unwrap() {
                return;
            }
        }
        panic!("the sweeper never ends");
    }

    /// Rows on the disk.
    pub(crate) fn rows(&self) -> usize {
        self.kv.scan(&[], None, false, usize::MAX).unwrap().len()
    }
}

pub(crate) fn mid(name: u32) -> Mid {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&name.to_be_bytes());
    Mid(bytes)
}

pub(crate) fn name(mid: &Mid) -> u32 {
    u32::from_be_bytes(mid.0[..4].try_into().unwrap())
}

pub(crate) fn is_stored(answer: &RelayAnswer) -> bool {
    matches!(answer, RelayAnswer::Stored { .. })
}
