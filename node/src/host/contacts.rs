// SPDX-License-Identifier: MIT OR Apache-2.0
//! Contacts and requests for the API.

use comptoir_api::dto::{
    Contact, ContactChange, ContactQuery, ContactState, Decline, List, NewContact, PageQuery,
    Reach, Request, RequestState, RequestVia, Verification, limit_of,
};
use comptoir_api::host::{Answer, ContactHost, HostError, Idempotency, Refusal, Written};
use comptoir_api::id::{ContactId, PersonaName, RequestId};
use comptoir_api::time::Timestamp;
use comptoir_engine::query::{self, ContactView, RequestView};
use comptoir_engine::rows::contact::{Decision, Standing};
use comptoir_engine::{Answer as Done, Command};

use super::ids::{contact_id, contact_number, missing, request_id, request_number, thread_id};
use super::{Host, at_once, unexpected, unreadable};

impl Host {
    pub(super) fn contact_view(&self, persona: u16, number: u32) -> Result<ContactView, HostError> {
        let found = query::contact(&self.view(), number).map_err(unreadable)?;
        found
            .filter(|contact| contact.persona == persona)
            .ok_or_else(|| missing("contact", &contact_id(number)))
    }

    fn contact_dto(&self, contact: ContactView) -> Contact {
        let connected = self
            .node
            .inner
            .peers
            .lock()
            .is_ok_and(|peers| contact.peers.iter().any(|peer| peers.contains(peer)));
        let reach = match (contact.boxes > 0, contact.peers.is_empty()) {
            (true, _) => Reach::Relays,
            (false, false) => Reach::OnlineOnly,
            (false, true) => Reach::Nowhere,
        };
        let state = match contact.standing {
            Standing::Asked => ContactState::Asked,
            Standing::Talking => ContactState::Accepted,
            Standing::Failed => ContactState::Expired,
        };
        Contact {
            id: contact_id(contact.contact),
            name: contact
                .petname
                .clone()
                .unwrap_or_else(|| contact.name.clone()),
            card_name: contact.name,
            account: contact.account.to_string(),
            state,
            verified: contact.verified_ms > 0,
            muted: contact.muted,
            blocked: contact.blocked,
            thread: contact.thread.map(thread_id),
            safety_code: None,
            reach,
            connected,
            added: Timestamp::from_ms(contact.added_ms),
        }
    }

    fn one_contact(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
    ) -> Result<Contact, HostError> {
        let view = self.contact_view(self.persona(persona)?, contact_number(contact)?)?;
        // Some 3 ms of hashing: shown with one contact, left out of lists.
        let code = query::safety_code(&self.view(), view.contact).map_err(unreadable)?;
        Ok(Contact {
            safety_code: code.map(|code| code.to_string()),
            ..self.contact_dto(view)
        })
    }

    fn contact_page(
        &self,
        persona: &PersonaName,
        query: &ContactQuery,
    ) -> Result<List<Contact>, HostError> {
        let after = query
            .after
            .as_deref()
            .map(after_number)
            .transpose()?
            .unwrap_or(0);
        let wanted = query.name.as_ref().map(|name| name.to_lowercase());
        let all = query::contacts(&self.view(), self.persona(persona)?).map_err(unreadable)?;
        let matching = all.into_iter().filter(|contact| contact.contact > after);
        let matching = matching.filter(|contact| {
            wanted
                .as_ref()
                .is_none_or(|wanted| shown(contact).to_lowercase() == *wanted)
        });
        Ok(page(
            matching,
            limit_of(query.limit),
            |contact| contact.contact,
            |contact| self.contact_dto(contact),
        ))
    }

    async fn changed(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
        command: Command,
        once: Option<Idempotency>,
    ) -> Result<Contact, HostError> {
        let number = self.persona(persona)?;
        self.contact_view(number, contact_number(contact)?)?;
        self.ask(number, command, once).await?;
        self.one_contact(persona, contact)
    }

    async fn verify(
        &self,
        persona: PersonaName,
        contact: ContactId,
        verification: Verification,
        once: Option<Idempotency>,
    ) -> Result<Written<Contact>, HostError> {
        let digits = |text: &str| {
            text.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        let present = self
            .one_contact(&persona, &contact)?
            .safety_code
            .unwrap_or_default();
        if present.is_empty() || digits(&present) != digits(&verification.safety_code) {
            let detail =
                "the safety code is another one now: compare it again before you vouch for it"
                    .to_owned();
            return Err(HostError::Refused {
                refusal: Refusal::SafetyCodeDiffers,
                detail,
            });
        }
        let command = Command::Verify {
            contact: contact_number(&contact)?,
            verified: true,
        };
        let replayed = self.was_asked(self.persona(&persona)?, once.as_ref())?;
        let value = self.changed(&persona, &contact, command, once).await?;
        Ok(Written { value, replayed })
    }

    fn request_dto(&self, request: RequestView) -> Request {
        let code = query::request_safety_code(&self.view(), request.request)
            .ok()
            .flatten();
        Request {
            id: request_id(request.request),
            card_name: request.name,
            account: request.account.to_string(),
            reason: request.reason,
            via: if request.invite.is_some() {
                RequestVia::Invite
            } else {
                RequestVia::Puzzle
            },
            state: match request.decision {
                Decision::Open => RequestState::Open,
                Decision::Accepted => RequestState::Accepted,
                Decision::Declined | Decision::Blocked => RequestState::Declined,
            },
            safety_code: code.map(|code| code.to_string()).unwrap_or_default(),
            received: Timestamp::from_ms(request.received_ms),
        }
    }

    fn request_page(
        &self,
        persona: &PersonaName,
        query: &PageQuery,
    ) -> Result<List<Request>, HostError> {
        let after = query
            .after
            .as_deref()
            .map(after_number)
            .transpose()?
            .unwrap_or(0);
        let all = query::requests(&self.view(), self.persona(persona)?).map_err(unreadable)?;
        let open = all
            .into_iter()
            .filter(|request| request.request > after && request.decision == Decision::Open);
        Ok(page(
            open,
            query.limit(),
            |request| request.request,
            |request| self.request_dto(request),
        ))
    }

    async fn decline_request(
        &self,
        persona: PersonaName,
        request: RequestId,
        decline: Decline,
        once: Option<Idempotency>,
    ) -> Result<Written<Request>, HostError> {
        let (number, asked) = (self.persona(&persona)?, request_number(&request)?);
        let replayed = self.was_asked(number, once.as_ref())?;
        let found = query::requests(&self.view(), number)
            .map_err(unreadable)?
            .into_iter()
            .find(|known| known.request == asked);
        let shown = match found {
            Some(found) => self.request_dto(found),
            // Declined under this key already: nothing is kept of who it was.
            None if replayed => forgotten(request),
            None => return Err(missing("request", &request)),
        };
        self.ask(
            number,
            Command::Decline {
                request: asked,
                block: decline.block,
            },
            once,
        )
        .await?;
        let value = Request {
            state: RequestState::Declined,
            ..shown
        };
        Ok(Written { value, replayed })
    }
}

/// A request of which only its number is known any more.
fn forgotten(id: RequestId) -> Request {
    Request {
        id,
        card_name: String::new(),
        account: String::new(),
        reason: String::new(),
        via: RequestVia::Invite,
        state: RequestState::Declined,
        safety_code: String::new(),
        received: Timestamp::from_ms(0),
    }
}

impl ContactHost for Host {
    fn contacts(&self, persona: PersonaName, query: ContactQuery) -> Answer<'_, List<Contact>> {
        at_once(self.contact_page(&persona, &query))
    }

    fn add_contact(
        &self,
        persona: PersonaName,
        new: NewContact,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        Box::pin(async move {
            let number = self.persona(&persona)?;
            let command = Command::Add {
                link: new.link,
                reason: new.reason.unwrap_or_default(),
            };
            let replayed = self.was_asked(number, once.as_ref())?;
            match self.ask(number, command, once).await? {
                Done::Added { contact } => {
                    let value = self.contact_dto(self.contact_view(number, contact)?);
                    Ok(Written { value, replayed })
                }
                other => Err(unexpected(&other)),
            }
        })
    }

    fn contact(&self, persona: PersonaName, contact: ContactId) -> Answer<'_, Contact> {
        at_once(self.one_contact(&persona, &contact))
    }

    fn change_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        change: ContactChange,
    ) -> Answer<'_, Contact> {
        Box::pin(async move {
            let number = contact_number(&contact)?;
            if let Some(name) = change.name {
                let name = Some(name).filter(|name| !name.is_empty());
                self.changed(
                    &persona,
                    &contact,
                    Command::Rename {
                        contact: number,
                        name,
                    },
                    None,
                )
                .await?;
            }
            if let Some(muted) = change.muted {
                self.changed(
                    &persona,
                    &contact,
                    Command::Mute {
                        contact: number,
                        muted,
                    },
                    None,
                )
                .await?;
            }
            self.one_contact(&persona, &contact)
        })
    }

    fn verify_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        verification: Verification,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        Box::pin(self.verify(persona, contact, verification, once))
    }

    fn block_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        blocked: bool,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        Box::pin(async move {
            let number = contact_number(&contact)?;
            let command = if blocked {
                Command::Block { contact: number }
            } else {
                Command::Unblock { contact: number }
            };
            let replayed = self.was_asked(self.persona(&persona)?, once.as_ref())?;
            let value = self.changed(&persona, &contact, command, once).await?;
            Ok(Written { value, replayed })
        })
    }

    fn requests(&self, persona: PersonaName, page: PageQuery) -> Answer<'_, List<Request>> {
        at_once(self.request_page(&persona, &page))
    }

    fn accept(
        &self,
        persona: PersonaName,
        request: RequestId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        Box::pin(async move {
            let number = self.persona(&persona)?;
            let replayed = self.was_asked(number, once.as_ref())?;
            match self
                .ask(
                    number,
                    Command::Accept {
                        request: request_number(&request)?,
                    },
                    once,
                )
                .await?
            {
                Done::Accepted { contact, thread: _ } => {
                    let value = self.contact_dto(self.contact_view(number, contact)?);
                    Ok(Written { value, replayed })
                }
                other => Err(unexpected(&other)),
            }
        })
    }

    fn decline(
        &self,
        persona: PersonaName,
        request: RequestId,
        decline: Decline,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Request>> {
        Box::pin(self.decline_request(persona, request, decline, once))
    }
}

/// The name that is shown for a contact.
pub(super) fn shown(contact: &ContactView) -> &str {
    contact.petname.as_deref().unwrap_or(&contact.name)
}

/// Cuts a page out of entries that rise by number.
pub(super) fn page<V, T>(
    mut entries: impl Iterator<Item = V>,
    limit: u32,
    number: impl Fn(&V) -> u32,
    show: impl Fn(V) -> T,
) -> List<T> {
    let (mut data, mut last) = (Vec::new(), 0);
    for entry in entries
        .by_ref()
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
    {
        last = number(&entry);
        data.push(show(entry));
    }
    let has_more = entries.next().is_some();
    List {
        data,
        has_more,
        next: has_more.then(|| last.to_string()),
    }
}

/// Reads the `next` of a page before.
pub(super) fn after_number(text: &str) -> Result<u32, HostError> {
    let invalid = |_| HostError::Invalid {
        field: "after".to_owned(),
        detail: "give the `next` of the page before".to_owned(),
    };
    text.parse().map_err(invalid)
}
