// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hello, outgoing: from a link to sealed bytes that are tried until the Welcome comes.

use comptoir_crypto::mls::key_package;
use comptoir_crypto::{blob, hello as sealing};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::hello::Hello;
use comptoir_protocol::id::{Lane, Mid};
use comptoir_protocol::limits::{CHUNK_BYTES_MAX, REASON_BYTES_MAX};
use comptoir_protocol::link::{BlobSeed, Invitation, InviteLink};

use crate::guests::guest_place;
use crate::memory::Call;
use crate::personas::too_long;
use crate::rows::contact::{AskStage, Asking, Contact, Standing};
use crate::rows::key::{self, Key};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::input::Unreachable;
use crate::timers::Timer;
use crate::turn::Turn;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A hello without an answer is given up after this: an owner who has been away two weeks is asked again by the user.
const ASK_MS: u64 = 14 * DAY_MS;
/// Tries before age alone may end it, whatever the clock says.
const ASK_TRIES_MIN: u32 = 8;
/// How long the key package in a hello stays good: longer than the hello is tried, so a late yes still works.
const PACKAGE_MS: u64 = 60 * DAY_MS;
/// How long to wait for a box of one's own before asking for a direct answer.
const BOX_WAIT_MS: u64 = 5_000;
/// Nonces tried for a hello whose hash is below an earlier one's, some milliseconds: not found once in a thousand times.
const NONCES_MAX: u32 = 1_024;

impl Turn<'_> {
    /// `Command::Add`.
    pub(crate) fn on_add(
        &mut self,
        persona: u16,
        link: &str,
        reason: &str,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        if reason.len() > REASON_BYTES_MAX {
            return Ok(Err(too_long("a reason", reason.len(), REASON_BYTES_MAX)));
        }
        let link: InviteLink = match link.parse() {
            Ok(link) => link,
            Err(error) => {
                return Ok(Err(Refusal::BadLink {
                    why: format!("{error}"),
                }));
            }
        };
        let account = match &link {
            InviteLink::Full(invitation) => match invitation.bundle.verify(self.now.wall_ms) {
                // The door would refuse it without a word, and the newcomer would wait for nothing.
                Ok(_) if self.is_expired(invitation.token.as_ref()) => {
                    return Ok(Err(Refusal::BadLink {
                        why: "the invite has expired; ask for a new one".to_owned(),
                    }));
                }
                Ok(verified) => verified.keys.account(),
                Err(error) => {
                    return Ok(Err(Refusal::BadLink {
                        why: error.to_string(),
                    }));
                }
            },
            InviteLink::Ref(reference) => reference.account,
        };
        if self
            .personas()?
            .iter()
            .any(|(_, own)| own.account == account)
        {
            return Ok(Err(Refusal::Yourself));
        }
        let takes_guests = match &link {
            InviteLink::Full(invitation) => guest_place(invitation).is_some(),
            // Known when it is fetched.
            InviteLink::Ref(_) => true,
        };
        if !self.is_reachable(persona)? && !takes_guests {
            return Ok(Err(Refusal::NotReachable));
        }
        // Who asked us first and is still waiting is simply accepted.
        if let Some(request) = self.open_request_of(persona, account)? {
            let accepted = self.on_accept(persona, request)?;
            return Ok(accepted.map(|answer| match answer {
                Answer::Accepted { contact, .. } => Answer::Added { contact },
                other => other,
            }));
        }
        let (number, contact) = match self.memory.contacts.get(&(persona, account)).copied() {
            None => self.new_contact(persona, account)?,
            Some(number) => {
                let contact = self.contact(number)?;
                if contact.blocked {
                    return Ok(Err(Refusal::Blocked));
                }
                if contact.standing == Standing::Talking {
                    return Ok(Err(Refusal::AlreadyContact { contact: number }));
                }
                (
                    number,
                    Contact {
                        standing: Standing::Asked,
                        ..contact
                    },
                )
            }
        };
        self.put_contact(number, &contact);
        self.memory.asking.insert(number, ());
        let asking = |stage, token| Asking {
            reason: reason.to_owned(),
            token,
            stage,
            made_ms: 0,
            tries: 0,
            stored: Vec::new(),
        };
        match link {
            InviteLink::Full(invitation) => {
                self.become_guest(persona, &invitation)?;
                let asking = asking(AskStage::Preparing, invitation.token);
                self.put_asking(
                    number,
                    &Asking {
                        made_ms: self.now.wall_ms,
                        ..asking
                    },
                );
                self.meet(number, contact, invitation.bundle)?;
                self.prepare(number)?;
            }
            InviteLink::Ref(reference) => {
                let relay = reference.relay_descriptor();
                let stage = AskStage::Fetching {
                    relay,
                    blob: reference.blob,
                    key: reference.key.0,
                };
                self.put_asking(
                    number,
                    &Asking {
                        made_ms: self.now.wall_ms,
                        ..asking(stage, None)
                    },
                );
                self.fetch_card(number)?;
            }
        }
        Ok(Ok(Answer::Added { contact: number }))
    }

    pub(crate) fn asking(&self, contact: u32) -> Result<Option<Asking>, EngineError> {
        self.load(Key::of(key::ASKING).u32(contact))
    }

    pub(crate) fn put_asking(&mut self, contact: u32, asking: &Asking) {
        self.put(Key::of(key::ASKING).u32(contact), asking);
    }

    /// Ends a hello of ours, answered or not.
    pub(crate) fn stop_asking(&mut self, contact: u32) {
        self.memory.asking.remove(&contact);
        self.memory.timers.clear(Timer::Ask { contact });
        self.memory.timers.clear(Timer::Puzzle { contact });
        while let Some((relay, _, _)) = self.first_puzzle(contact) {
            self.memory.puzzles.remove(&(contact, relay));
        }
        self.delete(Key::of(key::ASKING).u32(contact));
    }

    fn fetch_card(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(Asking {
            stage: AskStage::Fetching { relay, blob, .. },
            ..
        }) = self.asking(number)?
        else {
            return Ok(());
        };
        let bytes_max = u32::try_from(CHUNK_BYTES_MAX).unwrap_or(u32::MAX);
        self.call(
            &relay,
            RelayRequest::BlobGet {
                blob,
                offset: 0,
                bytes_max,
            },
            None,
            Call::Card { contact: number },
        );
        Ok(())
    }

    pub(crate) fn on_card_answer(
        &mut self,
        number: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let Some(mut asking) = self.asking(number)? else {
            return Ok(());
        };
        let AskStage::Fetching { blob: id, key, .. } = &asking.stage else {
            return Ok(());
        };
        let bytes = match answer {
            Ok(RelayAnswer::Blob { bytes, .. }) => bytes,
            Ok(RelayAnswer::Denied) => {
                return self.fail_asking(number, "the invitation is not at its relay any more");
            }
            _ => {
                self.retry_asking(number, &mut asking);
                return Ok(());
            }
        };
        let opened = blob::open(id, BlobSeed(*key).cipher_key().expose(), bytes).ok();
        let Some(invitation) = opened.and_then(|bytes| Invitation::from_bytes(&bytes).ok()) else {
            return self.fail_asking(number, "the relay gave something else than the invitation");
        };
        let contact = self.contact(number)?;
        // The link names the account: a relay that swaps the card is found out here.
        match invitation.bundle.verify(self.now.wall_ms) {
            Ok(verified) if verified.keys.account() == contact.account => {}
            Ok(_) => return self.fail_asking(number, "the invitation is another account's"),
            Err(error) => return self.fail_asking(number, &error.to_string()),
        }
        self.become_guest(contact.persona, &invitation)?;
        if !self.is_reachable(contact.persona)? {
            let why = "add a relay or listen for connections first: nobody could answer";
            return self.fail_asking(number, why);
        }
        asking.token = invitation.token;
        asking.stage = AskStage::Preparing;
        self.put_asking(number, &asking);
        self.meet(number, contact, invitation.bundle)?;
        self.prepare(number)
    }

    /// Makes boxes for the answer, or asks at once where there is no relay.
    fn prepare(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let relays = self.relays_of(contact.persona)?;
        if relays.is_empty() {
            return self.seal_hello(number);
        }
        if contact.boxes.is_empty() {
            for (relay, _) in relays {
                self.make_contact_boxes(number, relay)?;
            }
        }
        self.memory.timers.set(
            Timer::Ask { contact: number },
            self.now.mono_ms + BOX_WAIT_MS,
        );
        self.go_on_asking(number)
    }

    /// A box for the answer may be ready.
    ///
    /// A hello that named none is said once more with it: otherwise an owner who cannot dial us could not answer.
    pub(crate) fn go_on_asking(&mut self, number: u32) -> Result<(), EngineError> {
        let stage = self.asking(number)?.map(|asking| asking.stage);
        let wanting = matches!(
            stage,
            Some(
                AskStage::Preparing
                    | AskStage::Asking {
                        direct_only: true,
                        ..
                    }
            )
        );
        if wanting && self.reply_capability(number)?.is_some() {
            self.seal_hello(number)
        } else {
            Ok(())
        }
    }

    /// Goes on with a hello of the process before.
    pub(crate) fn resume_asking(&mut self, number: u32) -> Result<(), EngineError> {
        let preparing = self
            .asking(number)?
            .is_some_and(|asking| asking.stage == AskStage::Preparing);
        let pause = if preparing { BOX_WAIT_MS } else { 0 };
        self.memory
            .timers
            .set(Timer::Ask { contact: number }, self.now.mono_ms + pause);
        self.go_on_asking(number)
    }

    fn reply_capability(
        &self,
        number: u32,
    ) -> Result<Option<comptoir_protocol::capability::Capability>, EngineError> {
        for own_box in self.contact(number)?.boxes {
            if let Some(row) = self.box_row(own_box)?
                && row.lane() == Lane::Service
                && let Some(capability) = self.capability_of(&row)?
            {
                return Ok(Some(capability));
            }
        }
        Ok(None)
    }

    /// Writes and seals the hello; from here on every try sends these bytes.
    fn seal_hello(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(mut asking) = self.asking(number)? else {
            return Ok(());
        };
        let contact = self.contact(number)?;
        let persona = self.persona(contact.persona)?;
        let reply = self.reply_capability(number)?;
        let door = contact
            .card
            .as_ref()
            .and_then(|card| card.verify_ignoring_expiry().ok())
            .and_then(|card| card.card.front_door.clone());
        let Some(door) = door else {
            return self.fail_asking(number, "the card has no front door");
        };
        let bundle = self.ensure_card(contact.persona)?;
        let leaf = self.leaf(&persona);
        let seed = self.seed();
        let package = key_package(&leaf, self.now.wall_ms + PACKAGE_MS, seed);
        let (key_package, secret) =
            package.map_err(|error| EngineError::Crypto(error.to_string()))?;
        let direct_only = reply.is_none();
        let hello = Hello {
            card: bundle.card,
            list: bundle.list,
            key_package,
            reply,
            token: asking.token.clone(),
            reason: asking.reason.clone(),
            nonce: self.random(),
        };
        let mut hello = match hello.fitted() {
            Ok(hello) => hello,
            Err(error) => return self.fail_asking(number, &error.to_string()),
        };
        // Said anew it must be smaller than what was said: of crossing hellos the smallest wins, and the other side may
        // have decided by the first.
        if let AskStage::Asking { hash: said, .. } = &asking.stage {
            let mut tries = 0;
            while hello.hash() >= *said && tries < NONCES_MAX {
                hello.nonce = self.random();
                tries += 1;
            }
        }
        let seed = self.seed();
        let sealed = match sealing::seal(&door.hpke_key, door.key_id, &hello.to_bytes(), seed) {
            Ok(sealed) => sealed,
            Err(error) => return self.fail_asking(number, &error.to_string()),
        };
        let (hash, mid) = (hello.hash(), Mid(self.random()));
        let mut packages = match asking.stage {
            AskStage::Asking { packages, .. } => packages,
            AskStage::Fetching { .. } | AskStage::Preparing => Vec::new(),
        };
        packages.push(secret.to_bytes().to_vec());
        asking.stored.clear();
        asking.stage = AskStage::Asking {
            sealed,
            hash,
            mid,
            packages,
            direct_only,
        };
        self.put_asking(number, &asking);
        self.say_hello(number)
    }

    pub(crate) fn retry_asking(&mut self, number: u32, asking: &mut Asking) {
        asking.tries = asking.tries.saturating_add(1);
        self.put_asking(number, asking);
        let first = self.config.retry_first_ms * 2;
        let pause = (first << asking.tries.min(16)).min(self.config.retry_longest_ms);
        let pause = self.jittered(pause);
        self.memory
            .timers
            .set(Timer::Ask { contact: number }, self.now.mono_ms + pause);
    }

    /// Time to say hello again.
    pub(crate) fn on_ask_due(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(mut asking) = self.asking(number)? else {
            return Ok(());
        };
        let old = asking.made_ms.saturating_add(ASK_MS) < self.now.wall_ms;
        if old && asking.tries >= ASK_TRIES_MIN {
            return self.fail_asking(number, "nobody answered the hello");
        }
        let contact = self.contact(number)?;
        for peer in contact.peers().collect::<Vec<_>>() {
            self.memory.peers.change(&peer, |link| link.dialing = false);
        }
        match &asking.stage {
            AskStage::Fetching { .. } => {
                self.retry_asking(number, &mut asking);
                self.fetch_card(number)
            }
            // No relay of ours answered: ask for a direct answer, if we can be had.
            AskStage::Preparing if !self.own_endpoints(contact.persona).is_empty() => {
                self.seal_hello(number)
            }
            AskStage::Preparing => {
                self.retry_asking(number, &mut asking);
                self.go_on_asking(number)
            }
            AskStage::Asking { .. } => {
                // A relay may have lost it: from time to time it is left there again.
                if asking.tries % 4 == 3 {
                    asking.stored.clear();
                }
                self.retry_asking(number, &mut asking);
                self.say_hello(number)
            }
        }
    }

    pub(crate) fn fail_asking(&mut self, number: u32, why: &str) -> Result<(), EngineError> {
        let mut contact = self.contact(number)?;
        contact.standing = Standing::Failed;
        self.put_contact(number, &contact);
        self.stop_asking(number);
        self.event(Event::HelloFailed {
            persona: contact.persona,
            contact: number,
            why: why.to_owned(),
        });
        Ok(())
    }
}
