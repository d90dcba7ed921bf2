// SPDX-License-Identifier: MIT OR Apache-2.0
//! A relay that answers as the protocol says and checks only who may write. The real rules have their own crate.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_crypto::keys::BoxOwnerKey;
use comptoir_protocol::capability::RelayCapability;
use comptoir_protocol::frame::{Admission, BoxKind, ErrorCode, Item, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{BlobId, CapabilityId, Lane, Mid, PublicKey, Rid, Sid};
use comptoir_protocol::puzzle::Puzzle;
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;

struct FakeBox {
    sid: Sid,
    owner: PublicKey,
    readers: Vec<PublicKey>,
    kind: BoxKind,
    lane: Lane,
    capabilities: Vec<RelayCapability>,
    items: Vec<Item>,
    seen: BTreeSet<Mid>,
    next: u64,
}

pub struct FakeRelay {
    pub descriptor: RelayDescriptor,
    pub up: bool,
    pub puts: usize,
    /// Bytes of the largest deposit.
    pub largest: usize,
    pub acks: usize,
    /// So many fetches, and so many acknowledgements, are answered as over the rate.
    pub rate_fetches: usize,
    pub rate_acks: usize,
    /// Takes deposits and drops them.
    pub drops: bool,
    /// Makes boxes only for tickets: by serial, who used each first.
    pub closed: bool,
    pub tickets: BTreeMap<[u8; 16], Option<PublicKey>>,
    /// Tickets for guests that it still gives, and its key.
    pub guests: u8,
    pub key: BoxOwnerKey,
    /// Gives the first item of a box again and again, and says that there is more.
    pub repeats: bool,
    /// Gives a box that is made again other names than before.
    pub renames: bool,
    boxes: BTreeMap<Rid, FakeBox>,
    blobs: BTreeMap<BlobId, Vec<u8>>,
    pub packages: Vec<Vec<u8>>,
    pub boots: BTreeMap<PublicKey, u64>,
    /// The puzzles its doors set, the last one again and again.
    pub puzzles: Vec<Puzzle>,
    pub subscribed: BTreeMap<Rid, usize>,
    /// Calls that subscribed, and that fetched.
    pub subscribes: usize,
    pub fetches: usize,
    pub pushes: Vec<(usize, RelayAnswer)>,
    next_box: u8,
}

impl FakeRelay {
    pub fn new(descriptor: RelayDescriptor, key: BoxOwnerKey) -> Self {
        FakeRelay {
            descriptor,
            up: true,
            puts: 0,
            largest: 0,
            acks: 0,
            drops: false,
            renames: false,
            repeats: false,
            closed: false,
            tickets: BTreeMap::new(),
            guests: 8,
            key,
            rate_fetches: 0,
            rate_acks: 0,
            boxes: BTreeMap::new(),
            blobs: BTreeMap::new(),
            packages: Vec::new(),
            boots: BTreeMap::new(),
            puzzles: Vec::new(),
            subscribed: BTreeMap::new(),
            subscribes: 0,
            fetches: 0,
            pushes: Vec::new(),
            next_box: 0,
        }
    }

    pub fn forget_client(&mut self, client: usize) {
        self.subscribed
            .retain(|_, subscriber| *subscriber != client);
    }

    /// Everything it stored is gone.
    pub fn lose_everything(&mut self) {
        self.boxes.clear();
        self.boots.clear();
        self.blobs.clear();
        self.subscribed.clear();
    }

    pub fn capabilities(&self) -> usize {
        self.boxes
            .values()
            .map(|kept| kept.capabilities.len())
            .sum()
    }

    pub fn ticket(&self, serial: [u8; 16], not_after_ms: u64) -> Signed<Ticket> {
        let ticket = Ticket {
            relay: self.descriptor.key,
            serial,
            bytes: 1 << 26,
            boxes: 32,
            not_after_ms,
            guests: 8,
        };
        self.key.sign(&ticket)
    }

    pub fn boxes_in(&self, lane: Lane) -> usize {
        self.boxes.values().filter(|kept| kept.lane == lane).count()
    }

    /// Deposits ever taken in a lane.
    pub fn taken_in(&self, lane: Lane) -> u64 {
        let boxes = self.boxes.values().filter(|kept| kept.lane == lane);
        boxes.map(|kept| kept.next - 1).sum()
    }

    /// What lies at one front door lies at the other, too.
    pub fn mixes_up_its_doors(&mut self) {
        let doors = || |kept: &&mut FakeBox| kept.kind == BoxKind::FrontDoor;
        let all: Vec<Item> = self
            .boxes
            .values_mut()
            .filter(doors())
            .flat_map(|door| std::mem::take(&mut door.items))
            .collect();
        for door in self.boxes.values_mut().filter(doors()) {
            door.items = (1..)
                .zip(&all)
                .map(|(sequence, item)| Item {
                    sequence,
                    ..item.clone()
                })
                .collect();
            door.next = door.items.len() as u64 + 1;
        }
    }

    /// No capability is good any more.
    pub fn revoke_all(&mut self) {
        for kept in self.boxes.values_mut() {
            kept.capabilities.clear();
        }
    }

    pub fn items(&self) -> usize {
        self.boxes.values().map(|kept| kept.items.len()).sum()
    }

    pub fn answer(
        &mut self,
        client: usize,
        request: RelayRequest,
        signer: Option<PublicKey>,
        now_ms: u64,
    ) -> RelayAnswer {
        let limited = match request {
            RelayRequest::Fetch { .. } => &mut self.rate_fetches,
            RelayRequest::Ack { .. } => &mut self.rate_acks,
            _ => &mut 0,
        };
        if *limited > 0 {
            *limited -= 1;
            return RelayAnswer::Rate {
                retry_after_ms: 3_000,
            };
        }
        match request {
            RelayRequest::Create {
                owner,
                readers,
                kind,
                lane,
                ttl_s,
                ticket,
            } => {
                match ticket {
                    None if self.closed => return no_ticket(),
                    None => assert_eq!(signer, Some(owner)),
                    Some(ticket) => {
                        let Some(ticket) = ticket.verify().ok() else {
                            return no_ticket();
                        };
                        let holder = *self.tickets.entry(ticket.serial).or_insert(signer);
                        if ticket.relay != self.descriptor.key || holder != signer {
                            return no_ticket();
                        }
                    }
                }
                self.next_box = self.next_box.wrapping_add(1);
                let mut name = owner.0;
                name[0] = if self.renames { self.next_box } else { 0 };
                let (rid, sid) = (Rid(name), Sid(name));
                let (capabilities, items, seen) = (Vec::new(), Vec::new(), BTreeSet::new());
                self.boxes.insert(
                    rid,
                    FakeBox {
                        sid,
                        owner,
                        readers,
                        kind,
                        lane,
                        capabilities,
                        items,
                        seen,
                        next: 1,
                    },
                );
                RelayAnswer::Created {
                    rid,
                    sid,
                    ttl_s,
                    items_max: 1_000,
                    bytes_max: 1 << 24,
                }
            }
            RelayRequest::Grant { rid, capability } => self.owned(rid, signer, |kept| {
                kept.capabilities
                    .retain(|known| known.capability != capability.capability);
                kept.capabilities.push(capability);
            }),
            RelayRequest::Revoke {
                rid, capability, ..
            } => self.owned(rid, signer, |kept| {
                kept.capabilities
                    .retain(|known| known.capability != capability)
            }),
            RelayRequest::Delete { rid } => match self.owned(rid, signer, |_| ()) {
                RelayAnswer::Ok => {
                    self.boxes.remove(&rid);
                    RelayAnswer::Ok
                }
                denied => denied,
            },
            RelayRequest::Put {
                sid,
                capability,
                mid,
                blob,
                ..
            } => self.put(sid, Some((capability, signer)), mid, blob, now_ms),
            RelayRequest::PutOpen {
                sid,
                mid,
                blob,
                admission,
            } => {
                let door = self
                    .boxes
                    .values()
                    .find(|kept| kept.sid == sid && kept.kind == BoxKind::FrontDoor);
                let admitted = match admission {
                    Admission::Token(token) => token
                        .verify()
                        .is_ok_and(|token| door.is_some_and(|door| token.signer() == door.owner)),
                    Admission::Puzzle(_) => true,
                };
                if admitted {
                    self.put(sid, None, mid, blob, now_ms)
                } else {
                    RelayAnswer::Denied
                }
            }
            RelayRequest::Fetch {
                rid,
                after_sequence,
                items_max,
                ..
            } => {
                self.fetches += 1;
                let Some(kept) = self
                    .boxes
                    .get(&rid)
                    .filter(|kept| signer.is_some_and(|signer| kept.readers.contains(&signer)))
                else {
                    return RelayAnswer::Denied;
                };
                if self.repeats {
                    let items = kept.items.first().cloned().into_iter().collect();
                    return RelayAnswer::Items { items, more: true };
                }
                let items: Vec<Item> = kept
                    .items
                    .iter()
                    .filter(|item| item.sequence > after_sequence)
                    .take(items_max.into())
                    .cloned()
                    .collect();
                let more = items.last().is_some_and(|last| {
                    kept.items.iter().any(|item| item.sequence > last.sequence)
                });
                RelayAnswer::Items { items, more }
            }
            RelayRequest::Ack {
                rid,
                up_to,
                sequences,
            } => {
                self.acks += 1;
                if let Some(kept) = self.boxes.get_mut(&rid).filter(|_| !self.repeats) {
                    kept.items.retain(|item| {
                        item.sequence > up_to && !sequences.contains(&item.sequence)
                    });
                }
                RelayAnswer::Ok
            }
            RelayRequest::Subscribe { rids } => {
                self.subscribes += 1;
                for rid in rids {
                    self.subscribed.insert(rid, client);
                }
                RelayAnswer::Ok
            }
            RelayRequest::Boot {
                reader,
                expected,
                next,
            } => {
                assert_eq!(signer, Some(reader));
                let current = self.boots.entry(reader).or_insert(0);
                let set = *current == expected;
                if set {
                    *current = next;
                }
                RelayAnswer::Boot {
                    current: *current,
                    set,
                }
            }
            RelayRequest::BlobPut { blob, bytes, .. } => {
                self.blobs.insert(blob, bytes);
                RelayAnswer::Ok
            }
            RelayRequest::BlobGet { blob, .. } => match self.blobs.get(&blob) {
                Some(bytes) => RelayAnswer::Blob {
                    total_bytes: bytes.len() as u64,
                    offset: 0,
                    bytes: bytes.clone(),
                },
                None => RelayAnswer::Denied,
            },
            RelayRequest::Puzzle { .. } => {
                let puzzle = match self.puzzles.len() {
                    0 => Puzzle {
                        seed: [3; 32],
                        bits: 4,
                        not_after_ms: now_ms + 60_000,
                    },
                    1 => self.puzzles[0].clone(),
                    _ => self.puzzles.remove(0),
                };
                RelayAnswer::PuzzleSet(puzzle)
            }
            RelayRequest::KeyPackagesPut { rid, packages } => {
                self.packages.extend(packages);
                match self.owned(rid, signer, |_| ()) {
                    RelayAnswer::Ok => RelayAnswer::KeyPackage {
                        package: None,
                        left: u32::try_from(self.packages.len()).unwrap(),
                    },
                    denied => denied,
                }
            }
            RelayRequest::GuestTicket { rid } => {
                let owned = self.owned(rid, signer, |_| ());
                if owned != RelayAnswer::Ok || self.guests == 0 {
                    return no_ticket();
                }
                self.guests -= 1;
                RelayAnswer::Ticket(self.ticket([self.guests; 16], now_ms + 30 * 86_400_000))
            }
            other => panic!("not asked of a relay here: {other:?}"),
        }
    }

    fn owned(
        &mut self,
        rid: Rid,
        signer: Option<PublicKey>,
        change: impl FnOnce(&mut FakeBox),
    ) -> RelayAnswer {
        match self
            .boxes
            .get_mut(&rid)
            .filter(|kept| signer == Some(kept.owner))
        {
            Some(kept) => {
                change(kept);
                RelayAnswer::Ok
            }
            None => RelayAnswer::Denied,
        }
    }

    fn put(
        &mut self,
        sid: Sid,
        by: Option<(CapabilityId, Option<PublicKey>)>,
        mid: Mid,
        blob: Vec<u8>,
        now_ms: u64,
    ) -> RelayAnswer {
        let Some((rid, kept)) = self.boxes.iter_mut().find(|(_, kept)| kept.sid == sid) else {
            return RelayAnswer::Denied;
        };
        let capability = match by {
            None => None,
            Some((id, signer)) => {
                let allowed = kept
                    .capabilities
                    .iter()
                    .any(|known| known.capability == id && Some(known.writer) == signer);
                if !allowed {
                    return RelayAnswer::Denied;
                }
                Some(id)
            }
        };
        self.puts += 1;
        self.largest = self.largest.max(blob.len());
        if self.drops || !kept.seen.insert(mid) {
            return RelayAnswer::Duplicate;
        }
        let (sequence, lane) = (kept.next, kept.lane);
        kept.next += 1;
        kept.items.push(Item {
            sequence,
            mid,
            capability,
            lane,
            hour: now_ms / 3_600_000,
            blob,
        });
        if let Some(client) = self.subscribed.get(rid) {
            self.pushes.push((
                *client,
                RelayAnswer::News {
                    rid: *rid,
                    sequence,
                },
            ));
        }
        RelayAnswer::Duplicate
    }
}

fn no_ticket() -> RelayAnswer {
    RelayAnswer::Error {
        code: ErrorCode::Ticket,
        text: "no ticket".into(),
    }
}
