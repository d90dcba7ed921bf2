// SPDX-License-Identifier: MIT OR Apache-2.0
//! Personas: the accounts of this node, their cards, and the keys of their front doors.

use comptoir_crypto::account;
use comptoir_crypto::keys::{DeviceKey, FrontDoorKey};
use comptoir_crypto::mls::{ComptoirContext, Leaf, MlsThread, ThreadKind};
use comptoir_protocol::id::{DeviceId, PublicKey, ThreadId};
use comptoir_protocol::identity::{BoxRoute, CardBundle, ContactCard, Endpoint, FrontDoor};
use comptoir_protocol::limits::{CARD_ENDPOINTS_MAX, NAME_BYTES_MAX};
use comptoir_protocol::runs::Runs;
use comptoir_protocol::secret::Secret;

use crate::rows::account::{FrontKey, Meta, Persona};
use crate::rows::key::{self, Key, u16_at};
use crate::rows::thread::{Author, Thread, Track};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::Phrase;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::turn::{Turn, read_row};

/// The first persona. Only it shows the node's own socket to contacts: one socket seen by two personas' contacts would
/// tell that the personas are one person.
pub const MAIN: u16 = 1;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a card is good.
const CARD_MS: u64 = 120 * DAY_MS;
/// A card is replaced when less than this is left of it.
pub(crate) const CARD_RENEW_MS: u64 = 60 * DAY_MS;
/// A front-door key is replaced after this.
pub(crate) const FRONT_KEY_MS: u64 = 30 * DAY_MS;
/// Personas of a node.
const PERSONAS_MAX: u16 = 64;

impl Turn<'_> {
    /// `Command::CreatePersona`: keys, device list and self thread; the phrase is not kept.
    pub(crate) fn on_create_persona(
        &mut self,
        phrase: &Phrase,
        name: &str,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(Err(too_long("a name", name.len(), NAME_BYTES_MAX)));
        }
        let phrase = match comptoir_crypto::Phrase::parse(&phrase.0) {
            Ok(phrase) => phrase,
            Err(error) => {
                return Ok(Err(Refusal::BadPhrase {
                    why: error.to_string(),
                }));
            }
        };
        let root = phrase.root(0).public();
        let personas = self.personas()?;
        for (number, persona) in &personas {
            let first_root = persona
                .proof
                .inception
                .clone()
                .verify()
                .map(|inception| inception.root);
            if first_root == Ok(root) {
                return Ok(Err(Refusal::AlreadyPersona { persona: *number }));
            }
        }
        if personas.len() >= usize::from(PERSONAS_MAX) {
            return Ok(Err(Refusal::Full {
                what: "personas".into(),
                max: PERSONAS_MAX.into(),
            }));
        }
        let secrets = account::create(&phrase, self.now.wall_ms, &mut self.rng);
        let number = self.next_number(|meta| &mut meta.persona)?;
        let self_thread = self.next_number(|meta| &mut meta.thread)?;
        let front_key = self.new_front_key(1);
        let persona = Persona {
            account: secrets.keys.account(),
            device: secrets.device_key.id(),
            name: name.to_owned(),
            proof: secrets.proof,
            list_key: Secret::new(*secrets.list_key.to_secret()),
            device_key: Secret::new(*secrets.device_key.to_secret()),
            list: secrets.list,
            certificate: secrets.certificate,
            self_thread,
            front_keys: vec![front_key],
            card_number: 0,
            card_expires_ms: 0,
            read_receipts: true,
            hellos_refused: 0,
            card: None,
            front_owner: Secret::new(self.random()),
        };
        self.put_persona(number, &persona);
        let mut context = ComptoirContext::new(ThreadId(self.random()), ThreadKind::Own);
        context.incarnation = 1;
        let leaf = self.leaf(&persona);
        let seed = self.seed();
        let mls = MlsThread::create(context, &leaf, seed)
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        let loaded = self.new_thread(self_thread, number, None, persona.device, mls);
        self.put_thread(loaded);
        self.memory.safe_personas.insert(number, ());
        self.state_setting(number, "name", Some(name))?;
        self.event(Event::PersonaCreated { persona: number });
        Ok(Ok(Answer::Persona {
            persona: number,
            account: persona.account,
        }))
    }

    /// A fresh leaf of this device for one thread.
    pub(crate) fn leaf(&mut self, persona: &Persona) -> Leaf {
        let device = DeviceKey::from_secret(persona.device_key.expose());
        let seed = self.seed();
        Leaf::issue(
            &device,
            &persona.proof,
            &persona.certificate,
            &self.config.kinds.known(),
            &seed,
        )
    }

    /// The record of a thread that was made or joined just now. It is to be given back with `put_thread`.
    pub(crate) fn new_thread(
        &mut self,
        number: u32,
        persona: u16,
        contact: Option<u32>,
        device: DeviceId,
        mls: MlsThread,
    ) -> Loaded {
        let mut members: Vec<(DeviceId, PublicKey)> = mls
            .members()
            .iter()
            .map(|member| (member.device, member.leaf_key))
            .collect();
        members.sort_unstable();
        // Ranks with room between them, in the order of device ids: a device that comes later finds its place.
        let room = u64::MAX / (members.len() as u64 + 1);
        let author = |(at, (device, leaf)): (usize, &(DeviceId, PublicKey))| Author {
            device: *device,
            rank: room * (at as u64 + 1),
            envelopes: Runs::new(),
            service: Track::default(),
            promotion: Track::default(),
            leaf: Some(*leaf),
        };
        let mut authors: Vec<Author> = members.iter().enumerate().map(author).collect();
        authors.sort_by_key(|author| author.device != device);
        let thread = Thread {
            persona,
            contact,
            id: mls.context().thread,
            incarnation: mls.context().incarnation,
            authors,
            envelope_next: 1,
            arrival_next: 1,
            height_seen: 0,
            unread: 0,
            ack_owed: false,
            frozen: false,
            last_ms: self.now.wall_ms,
            outbox_bytes: 0,
            outbox_count: 0,
            held_back: 0,
            made_ms: self.now.wall_ms,
            amends_waiting: None,
            generation: None,
        };
        self.memory.threads.insert(thread.id, number);
        // Nobody can be ahead of us in a thread that begins now.
        self.memory.safe_threads.insert(number, ());
        Loaded::new(number, thread, mls)
    }

    fn new_front_key(&mut self, id: u32) -> FrontKey {
        let seed = self.seed();
        let key = FrontDoorKey::generate(&seed);
        let made_ms = self.now.wall_ms;
        FrontKey {
            id,
            secret: Secret::new(*key.to_secret()),
            public: key.public(),
            made_ms,
            last_card_ms: 0,
        }
    }

    /// The card as it should be now; issued anew when the one there is says something else or ends soon.
    pub(crate) fn ensure_card(&mut self, number: u16) -> Result<CardBundle, EngineError> {
        let mut persona = self.persona(number)?;
        let now = self.now.wall_ms;
        self.rotate_front_keys(&mut persona);
        let wanted = self.wanted_card(number, &persona)?;
        if let Some(bundle) = &persona.card
            && let Ok(current) = bundle.verify(now)
            && current.card.expires_ms > now + CARD_RENEW_MS
            && says_the_same(&current.card, &wanted)
        {
            return Ok(bundle.clone());
        }
        persona.card_number += 1;
        persona.card_expires_ms = wanted.expires_ms;
        let card = ContactCard {
            number: persona.card_number,
            ..wanted
        };
        if let Some(front_key) = persona.front_keys.last_mut() {
            front_key.last_card_ms = card.expires_ms;
        }
        let device = DeviceKey::from_secret(persona.device_key.expose());
        let bundle = CardBundle {
            proof: persona.proof.clone(),
            certificate: persona.certificate.clone(),
            card: device.sign(&card),
            list: Some(persona.list.clone()),
        };
        persona.card = Some(bundle.clone());
        self.put_persona(number, &persona);
        Ok(bundle)
    }

    /// A new key every month; an old one goes when the last card that names it has expired.
    fn rotate_front_keys(&mut self, persona: &mut Persona) {
        let now = self.now.wall_ms;
        let newest = persona
            .front_keys
            .last()
            .map_or((0, 0), |newest| (newest.id, newest.made_ms));
        if newest.1.saturating_add(FRONT_KEY_MS) <= now {
            let front_key = self.new_front_key(newest.0 + 1);
            persona.front_keys.push(front_key);
        }
        let last = persona.front_keys.last().map_or(0, |newest| newest.id);
        persona
            .front_keys
            .retain(|front_key| front_key.id == last || front_key.last_card_ms > now);
    }

    fn wanted_card(&self, number: u16, persona: &Persona) -> Result<ContactCard, EngineError> {
        let (mut relays, mut routes) = (Vec::new(), Vec::new());
        for (relay, row) in self.relays_of(number)? {
            if let Some(ids) = self.front_door_at(number, relay)? {
                routes.push(BoxRoute {
                    relay: row.descriptor.key,
                    sid: ids.sid,
                });
                relays.push(row.descriptor);
            }
        }
        let front_key = persona
            .front_keys
            .last()
            .ok_or(EngineError::Exhausted("front-door keys"))?;
        let now = self.now.wall_ms;
        let mut card = ContactCard {
            account: persona.account,
            number: 0,
            issued_ms: now,
            expires_ms: now + CARD_MS,
            name: persona.name.clone(),
            front_door: Some(FrontDoor {
                hpke_key: front_key.public,
                key_id: front_key.id,
                routes,
            }),
            relays,
            direct: self.own_endpoints(number),
            domain: None,
            list: Some(persona.list.hash()),
        };
        // What does not fit is left out, the last addresses first: a shorter card reaches us, a refused one does not.
        while card.check().is_err() {
            let addresses = card
                .direct
                .iter_mut()
                .map(|endpoint| &mut endpoint.addresses);
            let addresses =
                addresses.chain(card.relays.iter_mut().map(|relay| &mut relay.addresses));
            let longest = addresses
                .max_by_key(|addresses| addresses.len())
                .filter(|addresses| addresses.len() > 1);
            if longest.and_then(Vec::pop).is_none() && card.direct.pop().is_none() {
                break;
            }
        }
        Ok(card)
    }

    /// Where this node can be dialed, as far as this persona's contacts may know.
    pub(crate) fn own_endpoints(&self, persona: u16) -> Vec<Endpoint> {
        let endpoint = self.memory.endpoint.get(&()).filter(|_| persona == MAIN);
        endpoint
            .into_iter()
            .take(CARD_ENDPOINTS_MAX)
            .cloned()
            .collect()
    }

    pub(crate) fn personas(&self) -> Result<Vec<(u16, Persona)>, EngineError> {
        let rows = self.scan(Scan::all(Key::of(key::PERSONA)))?;
        rows.iter()
            .filter_map(|(row_key, row)| Some((u16_at(row_key, 1)?, read_row(row_key, row))))
            .map(|(number, persona)| Ok((number, persona?)))
            .collect()
    }

    pub(crate) fn persona(&self, number: u16) -> Result<Persona, EngineError> {
        self.require(Key::of(key::PERSONA).u16(number))
    }

    pub(crate) fn put_persona(&mut self, number: u16, persona: &Persona) {
        self.put(Key::of(key::PERSONA).u16(number), persona);
    }

    /// Takes the next number of a counter.
    pub(crate) fn next_number<N: Copy + Into<u64> + TryFrom<u64>>(
        &mut self,
        counter: impl FnOnce(&mut Meta) -> &mut N,
    ) -> Result<N, EngineError> {
        let mut meta: Meta = self.load(Key::of(key::META))?.unwrap_or_default();
        let next = counter(&mut meta);
        let number = *next;
        *next = N::try_from(number.into() + 1)
            .map_err(|_| EngineError::Exhausted("a counter of rows"))?;
        self.put(Key::of(key::META), &meta);
        Ok(number)
    }
}

fn says_the_same(current: &ContactCard, wanted: &ContactCard) -> bool {
    let plain = |card: &ContactCard| ContactCard {
        number: 0,
        issued_ms: 0,
        expires_ms: 0,
        ..card.clone()
    };
    plain(current) == plain(wanted)
}

pub(crate) fn too_long(what: &str, got: usize, max: usize) -> Refusal {
    Refusal::TooLong {
        what: what.into(),
        got: got as u64,
        max: max as u64,
    }
}
