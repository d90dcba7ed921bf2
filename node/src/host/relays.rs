// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays in use, for the API. A relay of one's own runs as a process of its own, so this node has none to describe.

use comptoir_api::dto::{NewRelay, NewTicket, OwnRelay, Relay, RelayMove, RelayState, Ticket};
use comptoir_api::host::{Answer, HostError, Idempotency, RelayHost, Written};
use comptoir_api::id::{PersonaName, RelayId};
use comptoir_engine::query::{self, RelayView};
use comptoir_engine::{Command, RelayCondition};
use comptoir_protocol::id::RelayKey;
use comptoir_protocol::link::RelayLink;

use super::ids::{missing, relay_id, relay_key};
use super::{Host, at_once, host_error, unreadable};
use crate::node::bad_link;

impl Host {
    pub(super) fn all_relays(&self) -> Result<Vec<Relay>, HostError> {
        let view = self.view();
        let mut relays = Vec::new();
        for persona in query::personas(&view).map_err(unreadable)? {
            let of_persona = query::relays(&view, persona.persona).map_err(unreadable)?;
            relays.extend(of_persona.into_iter().map(|relay| self.relay_dto(relay)));
        }
        Ok(relays)
    }

    fn relay_dto(&self, relay: RelayView) -> Relay {
        let error = (relay.condition == RelayCondition::Refused)
            .then(|| "it refuses new boxes: ask its operator for a ticket, then remove it and add it with the new link".to_owned());
        Relay {
            id: relay_id(relay.persona, &relay.relay.key),
            persona: self.persona_name(relay.persona),
            key: relay.relay.key.to_string(),
            addresses: relay.relay.addresses,
            state: match (relay.leaving, relay.condition) {
                (true, _) => RelayState::Leaving,
                (false, RelayCondition::Up) => RelayState::Up,
                (false, RelayCondition::Down) => RelayState::Down,
                (false, RelayCondition::Refused) => RelayState::Refused,
            },
            since: None,
            boxes: relay.boxes as u64,
            error,
        }
    }

    fn one_relay(&self, persona: u16, key: RelayKey) -> Result<Relay, HostError> {
        let found = query::relays(&self.view(), persona)
            .map_err(unreadable)?
            .into_iter()
            .filter(|relay| relay.relay.key == key)
            // One that is being left may be taken into use again meanwhile.
            .min_by_key(|relay| relay.leaving);
        found
            .map(|relay| self.relay_dto(relay))
            .ok_or_else(|| missing("relay", &relay_id(persona, &key)))
    }

    fn link(text: &str) -> Result<RelayLink, HostError> {
        text.trim()
            .parse()
            .map_err(|error| host_error(bad_link(&(error as comptoir_protocol::link::LinkError))))
    }

    async fn add(
        &self,
        new: NewRelay,
        once: Option<Idempotency>,
    ) -> Result<Written<Relay>, HostError> {
        let persona = self.persona(&new.persona.unwrap_or_else(PersonaName::main))?;
        let RelayLink { relay, ticket } = Self::link(&new.link)?;
        let key = relay.key;
        let replayed = self.was_asked(persona, once.as_ref())?;
        self.ask(persona, Command::AddRelay { relay, ticket }, once)
            .await?;
        let value = self.one_relay(persona, key)?;
        Ok(Written { value, replayed })
    }

    async fn change(
        &self,
        relay: RelayId,
        to: RelayMove,
        once: Option<Idempotency>,
    ) -> Result<Written<Relay>, HostError> {
        let (persona, from) = relay_key(&relay)?;
        let RelayLink { relay: to, ticket } = Self::link(&to.link)?;
        let key = to.key;
        let replayed = self.was_asked(persona, once.as_ref())?;
        self.ask(persona, Command::MoveRelay { from, to, ticket }, once)
            .await?;
        let value = self.one_relay(persona, key)?;
        Ok(Written { value, replayed })
    }
}

impl RelayHost for Host {
    fn relays(&self) -> Answer<'_, Vec<Relay>> {
        at_once(self.all_relays())
    }

    fn add_relay(&self, new: NewRelay, once: Option<Idempotency>) -> Answer<'_, Written<Relay>> {
        Box::pin(self.add(new, once))
    }

    fn remove_relay(&self, relay: RelayId) -> Answer<'_, ()> {
        Box::pin(async move {
            let (persona, key) = relay_key(&relay)?;
            self.one_relay(persona, key)?;
            self.ask(persona, Command::RemoveRelay { relay: key }, None)
                .await
                .map(|_| ())
        })
    }

    fn move_relay(
        &self,
        relay: RelayId,
        to: RelayMove,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Relay>> {
        Box::pin(self.change(relay, to, once))
    }

    fn own_relay(&self) -> Answer<'_, OwnRelay> {
        at_once(Ok(OwnRelay {
            running: false,
            open: false,
            link: None,
            boxes: 0,
            items: 0,
            bytes: 0,
        }))
    }

    fn ticket(&self, _new: NewTicket, _once: Option<Idempotency>) -> Answer<'_, Written<Ticket>> {
        let detail =
            "no relay runs in this daemon; in the relay's home, `comptoir relay ticket` prints one";
        at_once(Err(HostError::Conflict(detail.to_owned())))
    }
}
