// SPDX-License-Identifier: MIT OR Apache-2.0
//! Personas and contacts of the host in memory.

use super::samples::{sample_account, sample_contact, sample_persona, sample_request};
use super::{TestHost, done, good, now};
use crate::dto::*;
use crate::host::*;
use crate::id::*;

impl PersonaHost for TestHost {
    fn personas(&self) -> Answer<'_, Vec<Persona>> {
        good(vec![sample_persona("main"), sample_persona("shop")])
    }
    fn create_persona(
        &self,
        new: NewPersona,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Persona>> {
        done(self.write(
            format!("persona {}", new.name),
            once,
            sample_persona(new.name.as_str()),
        ))
    }
    fn account(&self, persona: PersonaName) -> Answer<'_, Account> {
        good(sample_account(persona))
    }
    fn change_account(&self, persona: PersonaName, _: AccountChange) -> Answer<'_, Account> {
        self.plain("account".to_owned(), sample_account(persona))
    }
    fn invite(
        &self,
        _: PersonaName,
        new: NewInvite,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Invite>> {
        let (form, uses) = (new.form, new.uses.unwrap_or(1));
        let invite = Invite {
            link: "comptoir:x".to_owned(),
            form,
            expires: now(),
            uses,
            reach: Reach::Relays,
        };
        done(self.write("invite".to_owned(), once, invite))
    }
}

impl ContactHost for TestHost {
    fn contacts(&self, _: PersonaName, query: ContactQuery) -> Answer<'_, List<Contact>> {
        let mut contacts = vec![sample_contact()];
        contacts.retain(|contact| {
            query
                .name
                .as_ref()
                .is_none_or(|name| name.eq_ignore_ascii_case(&contact.name))
        });
        good(List::whole(contacts))
    }
    fn add_contact(
        &self,
        _: PersonaName,
        new: NewContact,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write(format!("add {}", new.link), once, sample_contact()))
    }
    fn contact(&self, _: PersonaName, contact: ContactId) -> Answer<'_, Contact> {
        if contact.body() == "1" {
            return good(sample_contact());
        }
        done(Err(HostError::NotFound {
            what: "contact",
            id: contact.to_string(),
        }))
    }
    fn change_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        _: ContactChange,
    ) -> Answer<'_, Contact> {
        self.plain("change contact".to_owned(), sample_contact())
    }
    fn verify_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        _: Verification,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write("verify".to_owned(), once, sample_contact()))
    }
    fn block_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        blocked: bool,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write(
            format!("block {blocked}"),
            once,
            Contact {
                blocked,
                ..sample_contact()
            },
        ))
    }
    fn requests(&self, _: PersonaName, _: PageQuery) -> Answer<'_, List<Request>> {
        good(List::whole(vec![sample_request(RequestState::Open)]))
    }
    fn accept(
        &self,
        _: PersonaName,
        _: RequestId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write("accept".to_owned(), once, sample_contact()))
    }
    fn decline(
        &self,
        _: PersonaName,
        _: RequestId,
        decline: Decline,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Request>> {
        done(self.write(
            format!("decline {}", decline.block),
            once,
            sample_request(RequestState::Declined),
        ))
    }
}
