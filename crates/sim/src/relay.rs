// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay of a world: the real mailbox rules over a disk, and what an evil operator does to its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use comptoir_kv::Disk;
use comptoir_mailbox::{
    Config, Incoming, KvMailbox, Limits, News, Outcome, TicketTerms, issue_ticket,
};
use comptoir_protocol::frame::{Item, RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::{Mid, RelayKey, Rid};
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;
use comptoir_protocol::time::Time;
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::tally::Tally;

/// A relay.
pub(crate) struct Relay {
    disk: Disk,
    key: [u8; 32],
    public: RelayKey,
    mailbox: Option<KvMailbox>,
    /// What its operator gives to one user; without any, it lets in everybody.
    pub(crate) ticket: Option<Signed<Ticket>>,
    pub(crate) evil: bool,
    pub(crate) forgetful: bool,
    rng: ChaCha20Rng,
    /// Sessions by node: the id of the link, its challenge and what it subscribed to.
    pub(crate) sessions: BTreeMap<usize, Session>,
    /// Until when a node waits before it opens the next link.
    pub(crate) pauses: BTreeMap<usize, u64>,
    /// What an evil relay keeps to itself, and what it says again.
    swallowed: BTreeSet<Mid>,
    copies: BTreeMap<Rid, Vec<Item>>,
}

/// One node's link.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) challenge: [u8; 32],
    pub(crate) rids: BTreeSet<Rid>,
}

impl Relay {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut relay = Self {
            disk: Disk::new(),
            key,
            public: RelayKey(SigningKey::from_bytes(&key).verifying_key().to_bytes()),
            mailbox: None,
            ticket: None,
            evil: false,
            forgetful: false,
            rng: ChaCha20Rng::from_seed(seed),
            sessions: BTreeMap::new(),
            pauses: BTreeMap::new(),
            swallowed: BTreeSet::new(),
            copies: BTreeMap::new(),
        };
        relay.start();
        relay
    }

    pub(crate) fn key(&self) -> RelayKey {
        self.public
    }

    pub(crate) fn descriptor(&self) -> RelayDescriptor {
        RelayDescriptor {
            key: self.key(),
            addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.mailbox.is_some()
    }

    /// Opens the boxes that its disk holds.
    pub(crate) fn start(&mut self) {
        let kv = self
            .disk
            .open()
            .expect("a relay's disk in a world loses nothing");
        let config = Config {
            key: SigningKey::from_bytes(&self.key),
            addresses: self.descriptor().addresses,
            open: self.ticket.is_none(),
            limits: Limits {
                puzzle_bits: 4,
                ..Limits::default()
            },
        };
        self.mailbox =
            Some(KvMailbox::open(Arc::new(kv), config).expect("what the mailbox wrote opens"));
    }

    /// From now on nobody makes a box without a ticket; one is there for somebody who has guests.
    pub(crate) fn close(&mut self) {
        let terms = TicketTerms {
            bytes: 1 << 30,
            boxes: 64,
            not_after_ms: u64::MAX,
            guests: 64,
        };
        let key = SigningKey::from_bytes(&self.key);
        self.ticket = Some(issue_ticket(&key, terms, &mut self.rng));
        self.mailbox = None;
        self.start();
    }

    /// Kills it; with `forget`, it will come back with nothing.
    pub(crate) fn die(&mut self, forget: bool) {
        self.disk.crash();
        if forget {
            self.disk = Disk::new();
        }
        self.mailbox = None;
        self.sessions.clear();
    }

    /// Serves one request of a node's link.
    pub(crate) fn serve(
        &mut self,
        node: usize,
        signed: &SignedRequest,
        now: Time,
        tally: &mut Tally,
    ) -> (RelayAnswer, Vec<News>) {
        let key = self.key();
        let (Some(session), Some(mailbox)) = (self.sessions.get_mut(&node), self.mailbox.as_mut())
        else {
            return (RelayAnswer::Denied, Vec::new());
        };
        let incoming = match Incoming::open(signed, &key, &session.challenge) {
            Ok(incoming) => incoming.without_wait(),
            Err(refused) => return (refused.answer, Vec::new()),
        };
        let done = mailbox
            .handle_now(&incoming, now, &mut self.rng)
            .expect("a relay's disk in a world never fails");
        let answer = match done.outcome {
            Outcome::Answer(answer) => answer,
            Outcome::Subscribed(rids, answer) => {
                session.rids.extend(rids);
                answer
            }
            Outcome::Waiting { .. } => RelayAnswer::Items {
                items: Vec::new(),
                more: false,
            },
        };
        count_refusal(&answer, tally);
        (
            self.tamper_request(incoming.request(), answer, tally),
            done.pushes,
        )
    }

    /// Does the relay's own work.
    pub(crate) fn sweep(&mut self, now: Time) {
        if let Some(mailbox) = &mut self.mailbox {
            let _ = mailbox.sweep_now(now);
        }
    }

    /// An evil relay drops, delays (by keeping things back), reorders, repeats and alters what it hands out.
    fn tamper_request(
        &mut self,
        request: &RelayRequest,
        answer: RelayAnswer,
        tally: &mut Tally,
    ) -> RelayAnswer {
        if !self.evil {
            return answer;
        }
        match (request, answer) {
            (RelayRequest::Put { mid, .. }, answer @ RelayAnswer::Stored { .. }) => {
                if self.chance(1_500) {
                    tally.count("evil_dropped");
                    self.swallowed.insert(*mid);
                }
                answer
            }
            (RelayRequest::Fetch { rid, .. }, RelayAnswer::Items { items, more }) => {
                RelayAnswer::Items {
                    items: self.tamper_items(*rid, items, tally),
                    more,
                }
            }
            (_, answer) => answer,
        }
    }

    fn tamper_items(&mut self, rid: Rid, mut items: Vec<Item>, tally: &mut Tally) -> Vec<Item> {
        items.retain(|item| !self.swallowed.contains(&item.mid));
        if !items.is_empty() && self.chance(1_500) {
            tally.count("evil_delayed");
            items.pop();
        }
        if items.len() > 1 && self.chance(5_000) {
            tally.count("evil_reordered");
            items.reverse();
        }
        for item in &mut items {
            if self.rng.next_u32() % 10_000 < 700 && !item.blob.is_empty() {
                tally.count("evil_forged");
                let at = self.rng.next_u32() as usize % item.blob.len();
                item.blob[at] ^= 1;
            }
        }
        let copies = self.copies.entry(rid).or_default();
        let repeated: Vec<Item> = copies
            .iter()
            .filter(|_| self.rng.next_u32().is_multiple_of(10))
            .take(4)
            .cloned()
            .collect();
        copies.extend(
            items
                .iter()
                .take(32usize.saturating_sub(copies.len()))
                .cloned(),
        );
        tally.add("evil_repeated", repeated.len() as u64);
        items.extend(repeated);
        items
    }

    fn chance(&mut self, in_ten_thousand: u32) -> bool {
        self.rng.next_u32() % 10_000 < in_ten_thousand
    }
}

fn count_refusal(answer: &RelayAnswer, tally: &mut Tally) {
    match answer {
        RelayAnswer::Denied => tally.count("relay_denied"),
        RelayAnswer::Duplicate => tally.count("relay_duplicate"),
        RelayAnswer::Full => tally.count("relay_full"),
        RelayAnswer::Rate { .. } => tally.count("relay_rate"),
        _ => {}
    }
}
