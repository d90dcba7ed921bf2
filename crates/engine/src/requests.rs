// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests: hellos of strangers, silent until the user decides. Nothing of a stranger is read beyond the hello.

use comptoir_crypto::hello as sealing;
use comptoir_crypto::keys::FrontDoorKey;
use comptoir_crypto::mls::{
    ComptoirContext, MlsThread, ThreadKind, VerifiedKeyPackage, verify_key_package,
};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::envelope::{Envelope, EnvelopeKind};
use comptoir_protocol::frame::RefusalReason;
use comptoir_protocol::hello::Hello;
use comptoir_protocol::id::{AccountId, Lane, PeerKey, PublicKey, StatementHash, ThreadId};
use comptoir_protocol::identity::VerifiedCard;

use crate::boxes::public_of;
use crate::memory::Source;
use crate::rows::account::Persona;
use crate::rows::contact::{AskStage, Decision, Declined, Request, Standing};
use crate::rows::key::{self, Key, u32_at};
use crate::rows::thread::{Cargo, OutboxBody, OutboxState, Thread};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::turn::{Turn, read_row};

/// Open requests of one persona. Full: further hellos are refused and counted; those that wait are never evicted.
pub(crate) const REQUESTS_MAX: usize = 200;
/// Of those, the ones that came without an invite, as relays keep it: 50 places are for whoever was invited.
pub(crate) const REQUESTS_UNINVITED_MAX: usize = 150;
/// Hellos without a token that one peer may bring in a day, however often it connects: a person mistypes twice at most.
const HELLOS_PER_PEER_MAX: u32 = 3;
/// And all peers together: a stream asks for no work, and a new key for a socket costs nothing. So whoever makes keys
/// fills the places of the uninvited in a week and not in a minute; at a relay's door everybody else has work to do.
const HELLOS_BY_STREAM_MAX: u32 = 24;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a declined hello is known again: 60 days, as long as its package is good.
const DECLINED_MS: u64 = 60 * DAY_MS;

/// A hello whose sender is proved.
struct Stranger {
    hello: Hello,
    card: VerifiedCard,
    package: VerifiedKeyPackage,
}

impl Turn<'_> {
    /// A sealed hello came, from the front door of a persona or on a stream, where the main one answers.
    pub(crate) fn on_sealed_hello(
        &mut self,
        sealed: &[u8],
        number: u16,
        source: Source,
    ) -> Result<(), EngineError> {
        let Some((persona, stranger)) = self.open_hello(sealed, number)? else {
            self.memory.counters.hellos_refused += 1;
            self.refuse(source, RefusalReason::Denied);
            return Ok(());
        };
        let account = stranger.card.keys.account();
        if let Some(contact) = self.memory.contacts.get(&(number, account)).copied() {
            let row = self.contact(contact)?;
            if row.blocked {
                self.memory.counters.hellos_blocked += 1;
                // Refused alike for whoever asks: the blocked learn nothing.
                self.refuse(source, RefusalReason::Denied);
                return Ok(());
            }
            match row.standing {
                Standing::Talking => {
                    self.memory.counters.duplicates += 1;
                    // Accepted already, and only now it says where the answer can go.
                    if let Some(reply) =
                        stranger.hello.reply.filter(|_| row.capabilities.is_empty())
                    {
                        let row = crate::rows::contact::Contact {
                            capabilities: vec![reply],
                            ..row
                        };
                        self.put_contact(contact, &row);
                        self.deposit_anew(contact);
                    }
                    self.confirm(source);
                    return self.push_outbox_if_any(contact);
                }
                Standing::Asked => return self.on_crossing(number, contact, stranger, source),
                Standing::Failed => {}
            }
        }
        let hash = stranger.hello.hash();
        if self
            .load::<Declined>(declined_key(number, &hash))?
            .is_some()
        {
            // The asker repeats itself until its package ends; it was answered once.
            self.memory.counters.duplicates += 1;
            self.confirm(source);
            return Ok(());
        }
        let invite = match self.admit(number, &persona, &stranger, source)? {
            Ok(invite) => invite,
            Err(reason) => {
                self.refuse(source, reason);
                return Ok(());
            }
        };
        self.note_request(number, account, stranger, invite)?;
        self.confirm(source);
        Ok(())
    }

    /// Opens a hello with whichever key of this persona's door fits, and proves who it is from. A hello for another
    /// persona is not for this door: what followed from it would say that both are one node.
    fn open_hello(
        &self,
        sealed: &[u8],
        number: u16,
    ) -> Result<Option<(Persona, Stranger)>, EngineError> {
        let Some(persona) = self.load::<Persona>(Key::of(key::PERSONA).u16(number))? else {
            return Ok(None);
        };
        for front_key in persona.front_keys.iter().rev() {
            let secret = FrontDoorKey::from_secret(*front_key.secret.expose());
            let Ok(bytes) = sealing::open(&secret, front_key.id, sealed) else {
                continue;
            };
            return Ok(self
                .prove(&bytes)
                .filter(|stranger| stranger.card.keys.account() != persona.account)
                .map(|stranger| (persona, stranger)));
        }
        Ok(None)
    }

    fn prove(&self, bytes: &[u8]) -> Option<Stranger> {
        let hello = Hello::from_bytes(bytes).ok()?;
        let package = verify_key_package(&hello.key_package, self.now.wall_ms).ok()?;
        let card = hello.verify(package.credential(), self.now.wall_ms).ok()?;
        let own = package.account() == card.keys.account() && package.device() == card.device;
        own.then_some(Stranger {
            hello,
            card,
            package,
        })
    }

    /// Whether a hello may become a request; the invite it came with.
    fn admit(
        &mut self,
        number: u16,
        persona: &Persona,
        stranger: &Stranger,
        source: Source,
    ) -> Result<Result<Option<u32>, RefusalReason>, EngineError> {
        let account = stranger.card.keys.account();
        let known = self.open_request_of(number, account)?;
        let invite = match &stranger.hello.token {
            None => None,
            Some(token) => {
                let token = self.token_holds(token, public_of(&persona.front_owner));
                let found = match token {
                    Some(token) => self.invite_by_id(number, token.id)?,
                    None => None,
                };
                let Some((invite, mut row)) = found else {
                    self.memory.counters.hellos_refused += 1;
                    return Ok(Err(RefusalReason::Denied));
                };
                if known.is_none() {
                    if row.uses_left == 0 || row.expires_ms <= self.now.wall_ms {
                        self.memory.counters.hellos_refused += 1;
                        return Ok(Err(RefusalReason::Denied));
                    }
                    if self.open_requests(number)?.len() < REQUESTS_MAX {
                        row.uses_left -= 1;
                        self.put(Key::of(key::INVITE).u32(invite), &row);
                    }
                }
                Some(invite)
            }
        };
        if let (None, Source::Peer { peer, .. }) = (invite, source)
            && !self.may_bring_hello(peer)
        {
            self.memory.counters.hellos_over_bound += 1;
            return Ok(Err(RefusalReason::Busy));
        }
        let open = self.open_requests(number)?;
        let uninvited = open.iter().filter(|(_, request)| request.invite.is_none());
        let full = open.len() >= REQUESTS_MAX
            || invite.is_none() && uninvited.count() >= REQUESTS_UNINVITED_MAX;
        if known.is_none() && full {
            self.memory.counters.hellos_over_bound += 1;
            return Ok(Err(RefusalReason::Busy));
        }
        Ok(Ok(invite))
    }

    /// Counts a hello without an invite that came on a stream; false when its peer, or all together, brought enough
    /// today. No more peers are remembered than hellos were let in.
    fn may_bring_hello(&mut self, peer: PeerKey) -> bool {
        let since = &mut self.memory.numbers.uninvited_since_ms;
        if since.saturating_add(DAY_MS) <= self.now.mono_ms {
            *since = self.now.mono_ms;
            let known: Vec<PeerKey> = self
                .memory
                .uninvited
                .iter()
                .map(|(peer, _)| *peer)
                .collect();
            for peer in known {
                self.memory.uninvited.remove(&peer);
            }
        }
        let of_all: u32 = self.memory.uninvited.iter().map(|(_, hellos)| hellos).sum();
        let of_peer = self.memory.uninvited.get(&peer).copied().unwrap_or(0);
        let within = of_peer < HELLOS_PER_PEER_MAX && of_all < HELLOS_BY_STREAM_MAX;
        if within {
            self.memory.uninvited.insert(peer, of_peer + 1);
        }
        within
    }

    fn note_request(
        &mut self,
        persona: u16,
        account: AccountId,
        stranger: Stranger,
        invite: Option<u32>,
    ) -> Result<(), EngineError> {
        let known = self.open_request_of(persona, account)?;
        let number = match known {
            Some(number) => number,
            None => self.next_number(|meta| &mut meta.request)?,
        };
        let request = Request {
            persona,
            account,
            name: stranger.card.card.name.clone(),
            reason: stranger.hello.reason.clone(),
            received_ms: self.now.wall_ms,
            hello: stranger.hello,
            decision: Decision::Open,
            invite,
        };
        self.put(Key::of(key::REQUEST).u32(number), &request);
        if known.is_none() {
            self.event(Event::RequestReceived {
                persona,
                request: number,
            });
        }
        Ok(())
    }

    /// Both said hello to one another: the hello with the smaller hash is the accepted one, on both sides.
    fn on_crossing(
        &mut self,
        persona: u16,
        contact: u32,
        stranger: Stranger,
        source: Source,
    ) -> Result<(), EngineError> {
        self.memory.counters.hellos_crossed += 1;
        let ours = match self.asking(contact)?.map(|asking| asking.stage) {
            Some(AskStage::Asking { hash, .. }) => Some(hash),
            _ => None,
        };
        let fresh = !self.leaf_is_known(stranger.package.leaf().leaf_key)?;
        let accepted = fresh && ours.is_none_or(|ours| stranger.hello.hash() < ours);
        if accepted && self.make_pair(persona, stranger)?.is_none() {
            self.memory.counters.hellos_refused += 1;
            self.refuse(source, RefusalReason::Denied);
            return Ok(());
        }
        self.confirm(source);
        Ok(())
    }

    /// Whether a leaf key has its thread already: each is for one, or two contacts could find out that they know the
    /// same person by it.
    pub(crate) fn leaf_is_known(&self, leaf: PublicKey) -> Result<bool, EngineError> {
        for (row_key, row) in self.scan(Scan::all(Key::of(key::THREAD)))? {
            let thread: Thread = read_row(&row_key, &row)?;
            if thread
                .authors
                .iter()
                .any(|author| author.leaf == Some(leaf))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn open_requests(&self, persona: u16) -> Result<Vec<(u32, Request)>, EngineError> {
        let mut requests = Vec::new();
        for (row_key, row) in self.scan(Scan::all(Key::of(key::REQUEST)))? {
            let request: Request = read_row(&row_key, &row)?;
            if let Some(number) = u32_at(&row_key, 1).filter(|_| request.persona == persona) {
                requests.push((number, request));
            }
        }
        Ok(requests)
    }

    pub(crate) fn open_request_of(
        &self,
        persona: u16,
        account: AccountId,
    ) -> Result<Option<u32>, EngineError> {
        let requests = self.open_requests(persona)?;
        Ok(requests
            .into_iter()
            .find(|(_, request)| request.account == account)
            .map(|(number, _)| number))
    }

    /// `Command::Accept`.
    pub(crate) fn on_accept(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let request: Option<Request> = self.load(Key::of(key::REQUEST).u32(number))?;
        let Some(request) = request.filter(|request| request.persona == persona) else {
            return Ok(Err(Refusal::NoSuchRequest));
        };
        let stranger = self.prove(&request.hello.to_bytes());
        let Some(stranger) = stranger else {
            let why = "the request is too old to be answered; ask for a new one".into();
            return Ok(Err(Refusal::BadLink { why }));
        };
        if self.leaf_is_known(stranger.package.leaf().leaf_key)? {
            let why = "the request uses a key of another conversation; ask for a new one".into();
            return Ok(Err(Refusal::BadLink { why }));
        }
        let hash = stranger.hello.hash();
        let Some((contact, thread, id)) = self.make_pair(persona, stranger)? else {
            let why = "no conversation can be made with the keys of the request".into();
            return Ok(Err(Refusal::BadLink { why }));
        };
        self.delete(Key::of(key::REQUEST).u32(number));
        self.state_request(persona, number, request.account, hash, Some(id))?;
        Ok(Ok(Answer::Accepted { contact, thread }))
    }

    /// `Command::Decline`: nobody is told.
    pub(crate) fn on_decline(
        &mut self,
        persona: u16,
        number: u32,
        block: bool,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let request: Option<Request> = self.load(Key::of(key::REQUEST).u32(number))?;
        let Some(request) = request.filter(|request| request.persona == persona) else {
            return Ok(Err(Refusal::NoSuchRequest));
        };
        self.delete(Key::of(key::REQUEST).u32(number));
        let hash = request.hello.hash();
        self.put(
            declined_key(persona, &hash),
            &Declined {
                expires_ms: self.now.wall_ms.saturating_add(DECLINED_MS),
            },
        );
        self.state_request(persona, number, request.account, hash, None)?;
        if block {
            let (contact, mut row) = match self
                .memory
                .contacts
                .get(&(persona, request.account))
                .copied()
            {
                Some(contact) => (contact, self.contact(contact)?),
                None => self.new_contact(persona, request.account)?,
            };
            row.standing = Standing::Failed;
            row.name = request.name;
            row.blocked = true;
            self.put_contact(contact, &row);
            self.state_block(contact, &row)?;
        }
        Ok(Ok(Answer::Done))
    }

    /// Makes the group of the two, and owes the newcomer its Welcome; nothing when the newcomer's package cannot be
    /// added, which is its maker's fault and no error of ours.
    fn make_pair(
        &mut self,
        persona: u16,
        stranger: Stranger,
    ) -> Result<Option<(u32, u32, ThreadId)>, EngineError> {
        let Stranger {
            hello,
            card,
            package,
        } = stranger;
        let own = self.persona(persona)?;
        let mut context = ComptoirContext::new(ThreadId(self.random()), ThreadKind::Pair);
        context.incarnation = 1;
        let leaf = self.leaf(&own);
        let (seed, add_seed) = (self.seed(), self.seed());
        let bundle = hello.bundle(package.credential());
        let mut mls = MlsThread::create(context, &leaf, seed)
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        let Ok(added) = mls.add(&[package], add_seed) else {
            return Ok(None);
        };
        let account = card.keys.account();
        let (number, mut contact) = match self.memory.contacts.get(&(persona, account)).copied() {
            Some(number) => (number, self.contact(number)?),
            None => self.new_contact(persona, account)?,
        };
        self.stop_asking(number);
        let thread = self.next_number(|meta| &mut meta.thread)?;
        let mut loaded = self.new_thread(thread, persona, Some(number), own.device, mls);
        let id = loaded.thread.id;
        let envelope = Envelope {
            thread: id,
            incarnation: loaded.thread.incarnation,
            parent: added.parent,
            lane: Lane::Service,
            kind: EnvelopeKind::Welcome,
            bytes: added.welcome,
        };
        let parcel = Parcel {
            lane: Lane::Service,
            author: own.device,
            sequence: 0,
            content: ParcelContent::Envelope(envelope),
        };
        let state = OutboxState {
            cargo: Cargo::Welcome,
            lane: Lane::Service,
            from: 0,
            to: 0,
            made_ms: self.now.wall_ms,
            stored: Vec::new(),
            bytes: 0,
            late_tries: None,
            ends_ms: None,
            period: None,
        };
        self.put_outbox(
            &mut loaded,
            0,
            &OutboxBody::Sealed {
                parcel: parcel.to_bytes(),
            },
            state,
        )?;
        self.put_thread(loaded);
        contact.standing = Standing::Talking;
        contact.thread = Some(thread);
        contact.capabilities = hello.reply.into_iter().collect();
        contact.added_ms = self.now.wall_ms;
        let contact = self.meet(number, contact, bundle)?;
        self.state_contact(number, &contact)?;
        self.state_thread(persona, thread, id, Some(account), false)?;
        self.event(Event::ContactAdded {
            persona,
            contact: number,
            thread,
        });
        for (relay, _) in self.relays_of(persona)? {
            self.make_contact_boxes(number, relay)?;
        }
        self.push_outbox(number)?;
        self.tell(number)?;
        Ok(Some((number, thread, id)))
    }
}

fn declined_key(persona: u16, hash: &StatementHash) -> Key {
    Key::of(key::DECLINED).u16(persona).bytes(&hash.0)
}
