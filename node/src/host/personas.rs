// SPDX-License-Identifier: MIT OR Apache-2.0
//! Personas, accounts and invites for the API.

use comptoir_api::dto::{
    Account, AccountChange, Invite, InviteForm, NewInvite, NewPersona, Persona, Reach,
};
use comptoir_api::host::{Answer, HostError, Idempotency, PersonaHost, Written};
use comptoir_api::id::PersonaName;
use comptoir_api::time::Timestamp;
use comptoir_engine::query::{self, PersonaView};
use comptoir_engine::{Answer as Done, Command, Phrase, Setting};

use super::{Host, at_once, unexpected, unreadable};
use crate::time::wall_ms;

const WEEK_S: u64 = 7 * 24 * 60 * 60;
/// What a short link names lies at a relay, and no relay keeps it longer.
const REF_LINK_S_MAX: u64 = 30 * 24 * 60 * 60;

impl Host {
    fn all_personas(&self) -> Result<Vec<Persona>, HostError> {
        let view = self.view();
        let personas = query::personas(&view).map_err(unreadable)?;
        personas
            .into_iter()
            .map(|persona| self.persona_dto(persona))
            .collect()
    }

    fn persona_dto(&self, persona: PersonaView) -> Result<Persona, HostError> {
        let threads = query::threads(&self.view(), persona.persona).map_err(unreadable)?;
        Ok(Persona {
            name: self.persona_name(persona.persona),
            account: persona.account.to_string(),
            display_name: persona.name,
            created: Timestamp::from_ms(persona.created_ms),
            unread: threads.iter().map(|thread| thread.unread).sum(),
        })
    }

    fn one_persona(&self, persona: &PersonaName) -> Result<PersonaView, HostError> {
        let number = self.persona(persona)?;
        let found = query::personas(&self.view())
            .map_err(unreadable)?
            .into_iter()
            .find(|known| known.persona == number);
        found.ok_or_else(|| HostError::NotFound {
            what: "persona",
            id: persona.to_string(),
        })
    }

    pub(super) fn own_reach(&self, persona: u16) -> Result<Reach, HostError> {
        let relays = query::relays(&self.view(), persona).map_err(unreadable)?;
        let listens = !self.node.listen_addresses().is_empty();
        Ok(
            match (relays.iter().any(|relay| relay.boxes > 0), listens) {
                (true, _) => Reach::Relays,
                (false, true) => Reach::OnlineOnly,
                (false, false) => Reach::Nowhere,
            },
        )
    }

    fn account_dto(&self, persona: &PersonaName) -> Result<Account, HostError> {
        let known = self.one_persona(persona)?;
        Ok(Account {
            persona: persona.clone(),
            account: known.account.to_string(),
            display_name: known.name,
            device: known.device.to_string(),
            devices: 1,
            card_number: known.card_number,
            card_expires: Timestamp::from_ms(known.card_expires_ms),
            reach: self.own_reach(known.persona)?,
            state_as_of: Timestamp::from_ms(known.state_ms),
        })
    }

    async fn make_persona(
        &self,
        new: NewPersona,
        once: Option<Idempotency>,
    ) -> Result<Written<Persona>, HostError> {
        let NewPersona {
            name,
            display_name,
            recovery_phrase,
        } = new;
        let phrase = recovery_phrase.ok_or_else(|| HostError::Invalid {
            field: "recovery_phrase".to_owned(),
            detail: "give the 24 words of a phrase that was written down; without it the account could never be restored".to_owned(),
        })?;
        let replayed = self.was_asked(0, once.as_ref())?;
        if self.persona(&name).is_ok() && !replayed {
            return Err(HostError::Conflict(format!(
                "there is a persona {name} already"
            )));
        }
        let display_name = display_name.unwrap_or_else(|| name.to_string());
        let command = Command::CreatePersona {
            phrase: Phrase(phrase),
            name: display_name,
        };
        match self.ask(0, command, once).await? {
            Done::Persona {
                persona,
                account: _,
            } => {
                self.node
                    .name_persona(persona, name.as_str())
                    .await
                    .map_err(super::host_error)?;
                let made = self.one_persona(&name)?;
                let value = self.persona_dto(made)?;
                Ok(Written { value, replayed })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn make_invite(
        &self,
        persona: PersonaName,
        new: NewInvite,
        once: Option<Idempotency>,
    ) -> Result<Written<Invite>, HostError> {
        let number = self.persona(&persona)?;
        let (mut expires_s, uses) = (new.expires_in_s.unwrap_or(WEEK_S), new.uses.unwrap_or(1));
        if new.form == InviteForm::Ref {
            expires_s = expires_s.min(REF_LINK_S_MAX);
        }
        let command = Command::Invite {
            expires_s,
            uses,
            as_ref: new.form == InviteForm::Ref,
        };
        let replayed = self.was_asked(number, once.as_ref())?;
        match self.ask(number, command, once).await? {
            Done::Invite { invite: _, link } => {
                let expires =
                    Timestamp::from_ms(wall_ms().saturating_add(expires_s.saturating_mul(1000)));
                let reach = self.own_reach(number)?;
                let value = Invite {
                    link,
                    form: new.form,
                    expires,
                    uses,
                    reach,
                };
                Ok(Written { value, replayed })
            }
            other => Err(unexpected(&other)),
        }
    }
}

impl PersonaHost for Host {
    fn personas(&self) -> Answer<'_, Vec<Persona>> {
        at_once(self.all_personas())
    }

    fn create_persona(
        &self,
        new: NewPersona,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Persona>> {
        Box::pin(self.make_persona(new, once))
    }

    fn account(&self, persona: PersonaName) -> Answer<'_, Account> {
        at_once(self.account_dto(&persona))
    }

    fn change_account(&self, persona: PersonaName, change: AccountChange) -> Answer<'_, Account> {
        Box::pin(async move {
            if let Some(name) = change.display_name {
                self.ask(
                    self.persona(&persona)?,
                    Command::Set(Setting::Name(name)),
                    None,
                )
                .await?;
            }
            self.account_dto(&persona)
        })
    }

    fn invite(
        &self,
        persona: PersonaName,
        new: NewInvite,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Invite>> {
        Box::pin(self.make_invite(persona, new, once))
    }
}
