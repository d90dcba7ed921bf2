// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rates: what one durable relay takes in and gives out, 500-byte items in 10,000 boxes, its signatures proven and
//! every answer given after the commit. Inside one process: the network's share is in the other figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use comptoir_kv::{EngineKind, Kv, Options};
use comptoir_mailbox::{
    Config, Done, Incoming, KvMailbox, Limits, MailboxError, MailboxWriter, Outcome,
};
use comptoir_protocol::capability::{ALL_HOURS, CapabilityTerms, RelayCapability};
use comptoir_protocol::frame::{BoxKind, RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::{CapabilityId, Lane, Mid, RelayKey, Rid, Sid};
use comptoir_protocol::signed::public_key;
use comptoir_protocol::time::Time;
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::Terms;
use crate::figure::Report;

const BOXES: usize = 10_000;
const ITEM_BYTES: usize = 500;
/// Requests of one thread under way at once; two threads together stay below the queue of the relay.
const UNDER_WAY: usize = 1_500;
const CHALLENGE: [u8; 32] = [7; 32];

struct Relay {
    writer: MailboxWriter,
    key: RelayKey,
    boxes: Vec<(Rid, Sid)>,
    client: SigningKey,
    capability: CapabilityId,
    number: u64,
}

fn now() -> Time {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
    Time {
        wall_ms,
        mono_ms: wall_ms,
        boot: [0; 16],
    }
}

/// Prints both, each taken as often as the terms say, on a relay of its own each time.
pub(super) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let time = terms.either(Duration::from_secs(5), Duration::from_secs(2));
    let (mut puts, mut fetches) = (Vec::new(), Vec::new());
    for _ in 0..terms.runs {
        let folder = terms.fresh()?;
        let kv = comptoir_kv::open(&Options::new(folder.path().join("kv"), EngineKind::Redb))?;
        let mut relay = Relay::start(kv)?;
        let (stored, took) = relay.put_for(time)?;
        puts.push(per_second(stored, took));
        let (fetched, took) = relay.fetch_all()?;
        fetches.push(per_second(fetched, took));
    }
    report.figure("mailbox.put_rate", "1/s", &puts);
    report.figure("mailbox.fetch_rate", "1/s", &fetches);
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

impl Relay {
    fn start(kv: Arc<dyn Kv>) -> anyhow::Result<Self> {
        let key = SigningKey::from_bytes(&[9; 32]);
        let limits = Limits {
            disk_bytes_max: 1 << 40,
            ..Limits::default()
        };
        let config = Config {
            key: key.clone(),
            addresses: Vec::new(),
            open: true,
            limits,
        };
        let writer = MailboxWriter::start(
            KvMailbox::open(kv, config)?,
            ChaCha20Rng::from_seed([1; 32]),
        )?;
        let mut relay = Self {
            writer,
            key: RelayKey(public_key(&key).0),
            boxes: Vec::new(),
            client: SigningKey::from_bytes(&[5; 32]),
            capability: CapabilityId([1; 16]),
            number: 0,
        };
        relay.make_boxes()?;
        Ok(relay)
    }

    fn signed(&mut self, key: &SigningKey, request: &RelayRequest) -> SignedRequest {
        self.number += 1;
        SignedRequest::sign(self.number, request, key, &self.key, &CHALLENGE)
    }

    /// Sends requests, many under way at once, and hands each answer to `on_answer`.
    fn send_all(
        &self,
        requests: Vec<SignedRequest>,
        mut on_answer: impl FnMut(Done),
    ) -> anyhow::Result<()> {
        let (sender, answers) = sync_channel::<Result<Done, MailboxError>>(UNDER_WAY);
        let mut under_way = 0;
        for request in requests {
            if under_way == UNDER_WAY {
                on_answer(answers.recv()??);
                under_way -= 1;
            }
            let incoming = Incoming::open(&request, &self.key, &CHALLENGE)
                .map_err(|_| anyhow!("a request was denied"))?;
            let sender = sender.clone();
            self.writer.submit(
                incoming,
                now(),
                Box::new(move |done| drop(sender.send(done))),
            )?;
            under_way += 1;
        }
        for _ in 0..under_way {
            on_answer(answers.recv()??);
        }
        Ok(())
    }

    fn make_boxes(&mut self) -> anyhow::Result<()> {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let (mut owners, mut requests) = (Vec::new(), Vec::new());
        for _ in 0..BOXES {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            let owner = SigningKey::from_bytes(&seed);
            let request = RelayRequest::Create {
                owner: public_key(&owner),
                readers: vec![public_key(&self.client)],
                kind: BoxKind::Thread,
                lane: Lane::Service,
                ttl_s: 0,
                ticket: None,
            };
            requests.push(self.signed(&owner, &request));
            owners.push(owner);
        }
        let mut boxes = Vec::new();
        self.send_all(requests, |done| {
            if let Outcome::Answer(RelayAnswer::Created { rid, sid, .. }) = done.outcome {
                boxes.push((rid, sid));
            }
        })?;
        self.boxes = boxes;
        let grants: Vec<_> = owners
            .iter()
            .enumerate()
            .map(|(n, owner)| {
                let (rid, capability) = (self.boxes[n].0, self.granted());
                self.signed(owner, &RelayRequest::Grant { rid, capability })
            })
            .collect();
        self.send_all(grants, |_| ())
    }

    fn granted(&self) -> RelayCapability {
        let terms = CapabilityTerms {
            max: 1_000_000,
            period_s: 3_600,
            hours: ALL_HOURS,
            utc_offset_min: 0,
            max_bytes: 65_536,
            not_after_ms: u64::MAX,
        };
        RelayCapability {
            capability: self.capability,
            writer: public_key(&self.client),
            terms,
            lane: Lane::Service,
        }
    }

    /// Deposits into random boxes from two threads that prove the signatures, as a relay's streams do.
    fn put_for(&mut self, time: Duration) -> anyhow::Result<(usize, Duration)> {
        let start = Instant::now();
        let mut stored = 0;
        let (mut signing, mut rng) = (Duration::ZERO, ChaCha20Rng::from_seed([3; 32]));
        while start.elapsed() - signing < time {
            // Signing is the clients' work: its time is taken out of the figure.
            let signed_from = Instant::now();
            let client = self.client.clone();
            let requests: Vec<_> = (0..20_000)
                .map(|_| {
                    let request = self.put(&mut rng);
                    self.signed(&client, &request)
                })
                .collect();
            signing += signed_from.elapsed();
            let (first, second) = requests.split_at(requests.len() / 2);
            let counted = AtomicUsize::new(0);
            let count = |done: Done| {
                let is_stored = matches!(done.outcome, Outcome::Answer(RelayAnswer::Stored { .. }));
                counted.fetch_add(usize::from(is_stored), Ordering::Relaxed);
            };
            let relay = &*self;
            std::thread::scope(|scope| {
                let other = scope.spawn(|| relay.send_all(first.to_vec(), count).is_ok());
                let mine = relay.send_all(second.to_vec(), count).is_ok();
                mine && other.join().unwrap_or_default()
            })
            .then_some(())
            .context("a deposit failed")?;
            stored += counted.into_inner();
        }
        Ok((stored, start.elapsed() - signing))
    }

    fn put(&self, rng: &mut ChaCha20Rng) -> RelayRequest {
        let mut mid = [0; 16];
        rng.fill_bytes(&mut mid);
        let mut blob = vec![0; ITEM_BYTES];
        rng.fill_bytes(&mut blob);
        let (_, sid) = self.boxes[rng.next_u32() as usize % self.boxes.len()];
        RelayRequest::Put {
            sid,
            capability: self.capability,
            mid: Mid(mid),
            expires_s: 86_400,
            blob,
        }
    }

    /// Reads every box to its end, a first page each.
    fn fetch_all(&mut self) -> anyhow::Result<(usize, Duration)> {
        let client = self.client.clone();
        let requests: Vec<_> = self
            .boxes
            .clone()
            .into_iter()
            .map(|(rid, _)| {
                let fetch = RelayRequest::Fetch {
                    rid,
                    after_sequence: 0,
                    items_max: u16::MAX,
                    bytes_max: u32::MAX,
                    wait_s: 0,
                };
                self.signed(&client, &fetch)
            })
            .collect();
        let (start, mut fetched) = (Instant::now(), 0);
        self.send_all(requests, |done| {
            if let Outcome::Answer(RelayAnswer::Items { items, .. }) = done.outcome {
                fetched += items.len();
            }
        })?;
        Ok((fetched, start.elapsed()))
    }
}
