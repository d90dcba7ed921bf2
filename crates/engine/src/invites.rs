// SPDX-License-Identifier: MIT OR Apache-2.0
//! Invites: links that let somebody's hello through the front door without a puzzle, and what their tokens let in.

use comptoir_crypto::blob;
use comptoir_crypto::keys::BoxOwnerKey;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::{BlobRight, RelayAnswer, RelayRequest};
use comptoir_protocol::id::PublicKey;
use comptoir_protocol::invite::InviteToken;
use comptoir_protocol::limits::REF_LINK_ADDRESS_BYTES_MAX;
use comptoir_protocol::link::{BlobSeed, Invitation, InviteLink, InviteReference};
use comptoir_protocol::signed::Signed;

use crate::memory::Call;
use crate::outbox::DEPOSIT_EXPIRES_S;
use crate::rows::contact::Invite;
use crate::rows::key::{self, Key, u32_at};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::RelayCondition;
use crate::seam::input::Unreachable;
use crate::seam::view::Scan;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// Invites of a node that are not over.
const INVITES_MAX: usize = 1_000;
/// How long a relay keeps a blob at most: a link to it is good no longer.
const BLOB_KEPT_MS: u64 = DEPOSIT_EXPIRES_S as u64 * 1000;
/// A relay that does not take an invitation is asked again after this.
const BLOB_RETRY_MS: u64 = 5 * 60 * 1000;

impl Turn<'_> {
    /// `Command::Invite`.
    pub(crate) fn on_invite(
        &mut self,
        persona: u16,
        expires_s: u64,
        uses: u32,
        as_ref: bool,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        if self.scan(Scan::all(Key::of(key::INVITE)))?.len() >= INVITES_MAX {
            return Ok(Err(Refusal::Full {
                what: "invites".into(),
                max: INVITES_MAX as u64,
            }));
        }
        let bundle = self.ensure_card(persona)?;
        let card = bundle
            .verify_ignoring_expiry()
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        if card.card.front_door_routes().next().is_none() && card.card.direct.is_empty() {
            return Ok(Err(self.why_unreachable(persona)?));
        }
        let id = self.random();
        let expires_ms = self
            .now
            .wall_ms
            .saturating_add(expires_s.saturating_mul(1000))
            .min(card.card.expires_ms);
        let expires_ms = if as_ref {
            expires_ms.min(self.now.wall_ms + BLOB_KEPT_MS)
        } else {
            expires_ms
        };
        let owner = BoxOwnerKey::from_secret(self.persona(persona)?.front_owner.expose());
        let token = owner.sign(&InviteToken {
            id,
            not_after_ms: expires_ms,
            uses,
        });
        let invitation = Invitation {
            bundle,
            token: Some(token),
            ticket: self.take_guest_ticket(persona)?,
        };
        let number = self.next_number(|meta| &mut meta.invite)?;
        let mut invite = Invite {
            persona,
            id,
            expires_ms,
            uses_left: uses,
            link: String::new(),
            blob: None,
            blob_id: None,
            relay: None,
        };
        let link = if as_ref {
            match self.reference(persona, &invitation, &mut invite)? {
                Some(link) => link,
                None => return Ok(Err(self.why_unreachable(persona)?)),
            }
        } else {
            InviteLink::Full(Box::new(invitation))
        };
        invite.link = link.to_string();
        self.put(Key::of(key::INVITE).u32(number), &invite);
        self.put_blob(number)?;
        Ok(Ok(Answer::Invite {
            invite: number,
            link: invite.link,
        }))
    }

    /// Why nobody could answer an invite: there is no relay, or none has made its front door yet.
    fn why_unreachable(&self, persona: u16) -> Result<Refusal, EngineError> {
        let relays = self.relays_of(persona)?;
        let Some((_, relay)) = relays.first() else {
            return Ok(Refusal::NotReachable);
        };
        let addresses = &relay.descriptor.addresses;
        let relay_name = addresses.first().cloned().unwrap_or_default();
        Ok(if relay.condition == RelayCondition::Refused {
            Refusal::RelayRefuses { relay: relay_name }
        } else {
            Refusal::RelayNotConnected { relay: relay_name }
        })
    }

    /// Seals the invitation for a relay; the link then only says where it lies.
    fn reference(
        &mut self,
        persona: u16,
        invitation: &Invitation,
        invite: &mut Invite,
    ) -> Result<Option<InviteLink>, EngineError> {
        let account = self.persona(persona)?.account;
        for (number, relay) in self.relays_of(persona)? {
            let address = relay
                .descriptor
                .addresses
                .iter()
                .find(|address| address.len() <= REF_LINK_ADDRESS_BYTES_MAX);
            let (Some(address), Some(_)) = (address.cloned(), self.front_door_at(persona, number)?)
            else {
                continue;
            };
            let key = BlobSeed(self.random());
            let (blob, bytes) = blob::seal_under(key.cipher_key().expose(), &invitation.to_bytes());
            invite.blob = Some(bytes);
            invite.blob_id = Some(blob);
            invite.relay = Some(relay.descriptor.key);
            let reference = InviteReference {
                relay: relay.descriptor.key,
                address,
                account,
                blob,
                key,
            };
            return Ok(Some(InviteLink::Ref(reference)));
        }
        Ok(None)
    }

    /// Leaves an invitation at its relay; called again until it is there.
    pub(crate) fn put_blob(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(invite) = self.load::<Invite>(Key::of(key::INVITE).u32(number))? else {
            return Ok(());
        };
        let (Some(bytes), Some(blob), Some(relay)) = (invite.blob, invite.blob_id, invite.relay)
        else {
            return Ok(());
        };
        let found = self
            .relays_of(invite.persona)?
            .into_iter()
            .find(|(_, row)| row.descriptor.key == relay);
        let Some((relay_number, row)) = found else {
            return Ok(());
        };
        let Some(ids) = self.front_door_at(invite.persona, relay_number)? else {
            return Ok(());
        };
        let expires_s = u32::try_from(invite.expires_ms.saturating_sub(self.now.wall_ms) / 1000)
            .unwrap_or(u32::MAX);
        let total_bytes = bytes.len() as u64;
        let request = RelayRequest::BlobPut {
            right: BlobRight::Owner(ids.rid),
            blob,
            total_bytes,
            offset: 0,
            bytes,
            expires_s,
        };
        let signer = self.persona(invite.persona)?.front_owner;
        self.call(
            &row.descriptor,
            request,
            Some(signer),
            Call::Blob { invite: number },
        );
        Ok(())
    }

    pub(crate) fn on_blob_answer(
        &mut self,
        number: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let row = Key::of(key::INVITE).u32(number);
        let Some(mut invite) = self.load::<Invite>(row.clone())? else {
            return Ok(());
        };
        if let Ok(RelayAnswer::Ok | RelayAnswer::Stored { .. } | RelayAnswer::Duplicate) = answer {
            invite.blob = None;
            self.put(row, &invite);
        } else {
            // An unreachable relay is quiet for longer each time; one that answers says no for a reason.
            let quiet_until = match answer {
                Ok(_) => self.now.mono_ms + BLOB_RETRY_MS,
                Err(Unreachable) => invite
                    .relay
                    .and_then(|relay| self.memory.relays.get(&relay))
                    .map_or(0, |link| link.quiet_until_ms),
            };
            let pause = self.jittered(self.config.retry_first_ms * 2);
            let due = quiet_until.max(self.now.mono_ms + pause);
            self.memory.timers.set(Timer::Blob { invite: number }, due);
        }
        Ok(())
    }

    /// `Command::RevokeInvite`: its token opens nothing here any more. A relay still counts it until it expires, and the
    /// hello it lets through is refused here.
    pub(crate) fn on_revoke_invite(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let row = Key::of(key::INVITE).u32(number);
        match self
            .load::<Invite>(row.clone())?
            .filter(|invite| invite.persona == persona)
        {
            Some(_) => {
                self.delete(row);
                Ok(Ok(Answer::Done))
            }
            None => Ok(Err(Refusal::NoSuchInvite)),
        }
    }

    /// Invites that are over go.
    pub(crate) fn sweep_invites(&mut self) -> Result<(), EngineError> {
        for (row_key, row) in self.scan(Scan::all(Key::of(key::INVITE)))? {
            let invite: Invite = read_row(&row_key, &row)?;
            if invite.expires_ms <= self.now.wall_ms {
                self.delete(row_key);
            } else if let (Some(number), true) = (u32_at(&row_key, 1), invite.blob.is_some()) {
                self.memory
                    .timers
                    .set_if_unset(Timer::Blob { invite: number }, self.now.mono_ms);
            }
        }
        Ok(())
    }

    /// Whether an invite's token is past its time. One that is forged is the door's to refuse.
    pub(crate) fn is_expired(&self, token: Option<&Signed<InviteToken>>) -> bool {
        let token = token.and_then(|token| token.clone().verify().ok());
        token.is_some_and(|token| token.not_after_ms <= self.now.wall_ms)
    }

    /// An invite token as the owner of the door checks it.
    pub(crate) fn token_holds(
        &self,
        token: &Signed<InviteToken>,
        owner: PublicKey,
    ) -> Option<InviteToken> {
        let token = token.clone().verify().ok()?.signed_by(&owner).ok()?;
        (token.not_after_ms > self.now.wall_ms).then(|| token.into_inner())
    }

    pub(crate) fn invite_by_id(
        &self,
        persona: u16,
        id: [u8; 16],
    ) -> Result<Option<(u32, Invite)>, EngineError> {
        for (row_key, row) in self.scan(Scan::all(Key::of(key::INVITE)))? {
            let invite: Invite = read_row(&row_key, &row)?;
            if invite.persona == persona && invite.id == id {
                return Ok(u32_at(&row_key, 1).map(|number| (number, invite)));
            }
        }
        Ok(None)
    }
}
