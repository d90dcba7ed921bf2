// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules: one request in, one step out. No disk, no clock, no randomness of their own.

mod blobs;
mod boot;
mod boxes;
mod call;
mod capabilities;
mod creation;
mod deposits;
mod expiry;
mod fetch;
mod front_door;
mod incoming;
mod items;
mod key_packages;
mod keys;
mod quotas;
mod readers;
pub(crate) mod record;
mod tickets;
pub(crate) mod view;

use comptoir_protocol::capability::RelayCapability;
use comptoir_protocol::frame::{Admission, BlobRight, ErrorCode, RelayAnswer, RelayInfo, RelayRequest};
use comptoir_protocol::id::{Rid, Sid};
use comptoir_protocol::limits::DEPOSIT_BYTES_MAX;
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::public_key;
use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use self::blobs::By;
use self::boxes::{Found, lane_of};
use self::call::{Call, Refusal, Stop};
use self::view::Draft;
use crate::config::{BLOB_BYTES_MAX, DiskLevel, FETCH_WAIT_S_MAX, ITEM_TTL_S_MAX};
use crate::{Config, MailboxError};

pub use self::call::News;
pub(crate) use self::incoming::{malformed, may_lead_somewhere};
pub use self::incoming::{Incoming, cost};
pub use self::tickets::{TicketTerms, issue_ticket};
pub use self::view::{Changes, Row, View};

/// What one request came to.
#[must_use = "make the writes durable before anybody hears the answer"]
#[derive(Debug)]
pub struct Step {
    /// What changes. Commit it whole before the answer leaves.
    pub writes: Changes,
    /// What the asker is told, now or later.
    pub outcome: Outcome,
    /// Boxes that got something: for the streams that subscribed to them and the fetches that wait for them.
    pub pushes: Vec<News>,
}

/// What the asker is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This.
    Answer(RelayAnswer),
    /// This, and from now on the stream is told of news in these boxes, and in no others.
    Subscribed(Vec<Rid>, RelayAnswer),
    /// Nothing yet: ask again with [`Incoming::without_wait`] when the box has news, or when the time is up.
    Waiting {
        /// The box.
        rid: Rid,
        /// The end of the wait, on the clock of [`Time::mono_ms`].
        until_mono_ms: u64,
    },
}

/// The rules of one relay.
#[derive(Debug)]
pub struct Rules {
    config: Config,
}

impl Rules {
    /// The rules under this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says where the relay can be reached, for INFO.
    pub fn set_addresses(&mut self, addresses: Vec<String>) {
        self.config.addresses = addresses;
    }

    /// Decides one request. `Err`: nothing may be written or answered. A refusal is an answer and writes nothing.
    pub fn handle(
        &self,
        incoming: &Incoming,
        now: Time,
        disk: DiskLevel,
        rng: &mut impl CryptoRng,
        view: &dyn View,
    ) -> Result<Step, MailboxError> {
        let mut call = self.call(now, disk, view);
        call.signer = incoming.signer();
        let answered = dispatch(&mut call, incoming.request(), now, rng);
        let (outcome, kept) = match answered {
            Ok(outcome) => (outcome, true),
            Err(Stop::Duplicate) => (Outcome::Answer(RelayAnswer::Duplicate), false),
            Err(Stop::Refused(refusal)) => (Outcome::Answer(refusal.into_answer()), false),
            Err(Stop::RefusedButKept(refusal)) => (Outcome::Answer(refusal.into_answer()), true),
            Err(Stop::Fault(error)) => return Err(error),
        };
        let (writes, pushes) = if kept { (call.draft.into_changes(), call.news) } else { Default::default() };
        Ok(Step { writes, outcome, pushes })
    }

    /// Visits some boxes from number `from` on and notes which are due. `next` is `None` after the last box.
    pub fn look(&self, from: u64, now: Time, view: &dyn View) -> Result<Look, MailboxError> {
        let mut call = self.call(now, DiskLevel::Roomy, view);
        let next = expiry::look(&mut call, from).map_err(Stop::into_fault)?;
        Ok(Look { writes: call.draft.into_changes(), next })
    }

    /// Removes a page of what has ended. No writes: nothing is left to do.
    pub fn sweep(&self, now: Time, view: &dyn View) -> Result<Changes, MailboxError> {
        let mut call = self.call(now, DiskLevel::Roomy, view);
        expiry::walk(&mut call).map_err(Stop::into_fault)?;
        Ok(call.draft.into_changes())
    }

    fn call<'a>(&'a self, now: Time, disk: DiskLevel, view: &'a dyn View) -> Call<'a> {
        Call { config: &self.config, draft: Draft::new(view), now_ms: now.wall_ms, signer: None, disk, news: Vec::new() }
    }
}

/// What a look over the boxes came to.
#[must_use = "commit the writes and go on from `next`"]
#[derive(Debug)]
pub struct Look {
    /// What changes.
    pub writes: Changes,
    /// Where the next look starts.
    pub next: Option<u64>,
}

impl Stop {
    /// For the relay's own work, which nobody refuses: a refusal there means rows that do not fit together.
    fn into_fault(self) -> MailboxError {
        match self {
            Self::Fault(error) => error,
            Self::Refused(_) | Self::RefusedButKept(_) | Self::Duplicate => MailboxError::Corrupt { record: "box" },
        }
    }
}

impl Refusal {
    fn into_answer(self) -> RelayAnswer {
        let error = |code, text: &str| RelayAnswer::Error { code, text: text.to_owned() };
        match self {
            Self::Denied => RelayAnswer::Denied,
            Self::Full => RelayAnswer::Full,
            Self::Rate { retry_after_ms } => RelayAnswer::Rate { retry_after_ms },
            Self::NoSpace => error(ErrorCode::NoSpace, "this relay makes no more boxes now: ask another one"),
            Self::Ticket => error(ErrorCode::Ticket, "no valid ticket: ask the relay's operator for a new one"),
            Self::Invalid(text) => error(ErrorCode::Malformed, text),
        }
    }
}

fn dispatch(
    call: &mut Call<'_>,
    request: &RelayRequest,
    now: Time,
    rng: &mut impl CryptoRng,
) -> Result<Outcome, Stop> {
    if let RelayRequest::Fetch { rid, after_sequence, items_max, bytes_max, wait_s } = request {
        let page = fetch::fetch(call, rid, fetch::Room::new(*after_sequence, *items_max, *bytes_max))?;
        if page.items.is_empty() && *wait_s > 0 {
            let wait_ms = u64::from(*wait_s).min(FETCH_WAIT_S_MAX) * 1000;
            return Ok(Outcome::Waiting { rid: *rid, until_mono_ms: now.mono_ms + wait_ms });
        }
        return Ok(Outcome::Answer(RelayAnswer::Items { items: page.items, more: page.more }));
    }
    if let RelayRequest::Subscribe { rids } = request {
        fetch::subscribe(call, rids)?;
        return Ok(Outcome::Subscribed(rids.clone(), RelayAnswer::Ok));
    }
    answer(call, request, rng).map(Outcome::Answer)
}

fn answer(call: &mut Call<'_>, request: &RelayRequest, rng: &mut impl CryptoRng) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::Create { owner, readers, kind, lane, ttl_s, ticket } => {
            let ticket = ticket.as_ref();
            let wanted = creation::Wanted { owner: *owner, readers, kind: *kind, lane: *lane, ttl_s: *ttl_s, ticket };
            let head = creation::create(call, &wanted, rng)?;
            let items_max = call.config.limits.box_items_max;
            let ttl_s = u32::try_from(head.ttl_s).unwrap_or(u32::MAX);
            Ok(RelayAnswer::Created { rid: head.rid, sid: head.sid, ttl_s, items_max, bytes_max: head.bytes_max })
        }
        RelayRequest::Put { sid, capability, mid, expires_s, blob } => {
            let wanted = deposits::Wanted { sid, capability, mid: *mid, expires_s: *expires_s, body: blob };
            Ok(RelayAnswer::Stored { receipt: deposits::put(call, &wanted)? })
        }
        RelayRequest::PutOpen { sid, mid, blob, admission } => put_open(call, sid, *mid, blob, admission),
        RelayRequest::Puzzle { sid } => Ok(RelayAnswer::PuzzleSet(front_door::make_puzzle(call, sid, rng))),
        RelayRequest::Ack { rid, up_to, sequences } => {
            fetch::acknowledge(call, rid, *up_to, sequences)?;
            Ok(RelayAnswer::Ok)
        }
        RelayRequest::Boot { reader, expected, next } => {
            let (current, set) = boot::boot(call, reader, *expected, *next)?;
            Ok(RelayAnswer::Boot { current, set })
        }
        RelayRequest::BlobPut { .. } | RelayRequest::BlobGet { .. } | RelayRequest::BlobDrop { .. } => {
            answer_blob(call, request)
        }
        RelayRequest::KeyPackageTake { sid, capability } => {
            let (package, left) = key_packages::take(call, sid, capability)?;
            Ok(RelayAnswer::KeyPackage { package, left })
        }
        RelayRequest::Info => Ok(RelayAnswer::Info(info(call))),
        RelayRequest::Fetch { .. } | RelayRequest::Subscribe { .. } => Err(Refusal::Denied.into()),
        RelayRequest::ReaderAdd { rid, .. }
        | RelayRequest::ReaderRemove { rid, .. }
        | RelayRequest::Grant { rid, .. }
        | RelayRequest::Revoke { rid, .. }
        | RelayRequest::List { rid }
        | RelayRequest::KeyPackagesPut { rid, .. }
        | RelayRequest::Move { rid }
        | RelayRequest::Delete { rid } => {
            let found = call.box_of_owner(rid)?;
            answer_owner(call, found, request)
        }
    }
}

/// What only the owner of the box may ask; it has been found to be the owner.
fn answer_owner(call: &mut Call<'_>, mut found: Found, request: &RelayRequest) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::ReaderAdd { reader, .. } => creation::add_reader(call, &found, reader)?,
        RelayRequest::ReaderRemove { reader, .. } => creation::remove_reader(call, &found, reader)?,
        RelayRequest::Grant { capability, .. } => capabilities::grant(call, &mut found, capability)?,
        RelayRequest::Revoke { capability, purge, .. } => capabilities::revoke(call, &mut found, capability, *purge)?,
        RelayRequest::List { .. } => return list(call, &found),
        RelayRequest::KeyPackagesPut { packages, .. } => {
            let left = key_packages::put(call, &mut found, packages)?;
            return Ok(RelayAnswer::KeyPackage { package: None, left });
        }
        RelayRequest::Move { .. } => creation::close(call, &mut found),
        RelayRequest::Delete { .. } => creation::delete(call, &found)?,
        _ => return Err(Refusal::Denied.into()),
    }
    Ok(RelayAnswer::Ok)
}

fn list(call: &Call<'_>, found: &Found) -> Result<RelayAnswer, Stop> {
    let lane = lane_of(found.head.lane)?;
    let capabilities = call.capabilities(found.number)?.into_iter().map(|(capability, granted)| {
        let used = granted.usage.used(&granted.terms, call.now_ms);
        (RelayCapability { capability, writer: granted.writer, terms: granted.terms, lane }, used)
    });
    Ok(RelayAnswer::Capabilities { capabilities: capabilities.collect() })
}

fn put_open(
    call: &mut Call<'_>,
    sid: &Sid,
    mid: comptoir_protocol::id::Mid,
    body: &[u8],
    admission: &Admission,
) -> Result<RelayAnswer, Stop> {
    if call.disk >= DiskLevel::NoStrangers {
        return Err(Refusal::Full.into());
    }
    Ok(RelayAnswer::Stored { receipt: front_door::put_open(call, sid, mid, body, admission)? })
}

fn answer_blob(call: &mut Call<'_>, request: &RelayRequest) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::BlobPut { right, blob, total_bytes, offset, bytes, expires_s } => {
            let (mut found, mut by) = holder(call, right)?;
            if found.head.moved {
                return Err(Refusal::Denied.into());
            }
            if call.disk >= DiskLevel::NoDeposits {
                return Err(Refusal::Full.into());
            }
            let expires_s = u64::from(*expires_s);
            let part = blobs::Part { blob: *blob, length: *total_bytes, offset: *offset, expires_s, bytes };
            blobs::put(call, &mut found, &mut by, &part)?;
            Ok(RelayAnswer::Ok)
        }
        RelayRequest::BlobGet { blob, offset, bytes_max } => {
            let (total_bytes, bytes) = blobs::get(call, blob, *offset, *bytes_max)?;
            Ok(RelayAnswer::Blob { total_bytes, offset: *offset, bytes })
        }
        RelayRequest::BlobDrop { right, blob } => {
            let (mut found, by) = holder(call, right)?;
            blobs::remove(call, &mut found, &by, blob)?;
            Ok(RelayAnswer::Ok)
        }
        _ => Err(Refusal::Denied.into()),
    }
}

/// The box a blob counts against, once the signer has shown its right.
fn holder(call: &Call<'_>, right: &BlobRight) -> Result<(Found, By), Stop> {
    match right {
        BlobRight::Owner(rid) => Ok((call.box_of_owner(rid)?, By::Owner)),
        BlobRight::Writer { sid, capability } => {
            let found = call.box_of_sender(sid)?;
            let granted = call.granted(&found, capability)?;
            Ok((found, By::Writer(*capability, granted)))
        }
    }
}

fn info(call: &Call<'_>) -> RelayInfo {
    let key = comptoir_protocol::id::RelayKey(public_key(&call.config.key).0);
    RelayInfo {
        relay: RelayDescriptor { key, addresses: call.config.addresses.clone() },
        open: call.config.open,
        ttl_s_max: u32::try_from(ITEM_TTL_S_MAX).unwrap_or(u32::MAX),
        deposit_bytes_max: u32::try_from(DEPOSIT_BYTES_MAX).unwrap_or(u32::MAX),
        blob_bytes_max: BLOB_BYTES_MAX,
    }
}
