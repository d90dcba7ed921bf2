// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls about people: personas, invites, contacts, requests.

use reqwest::Method;

use super::{Result, with_query};
use crate::client::Client;
use crate::dto::{
    Account, AccountChange, Contact, ContactChange, ContactQuery, Decline, Invite, List,
    NewContact, NewInvite, NewPersona, PageQuery, Persona, Request, Verification,
};
use crate::id::{ContactId, PersonaName, RequestId};

/// Personas and invites.
impl Client {
    /// Lists the personas.
    pub async fn personas(&self) -> Result<List<Persona>> {
        self.get("/v1/personas").await
    }

    /// Makes a persona.
    pub async fn create_persona(&self, new: &NewPersona) -> Result<Persona> {
        self.give(Method::POST, "/v1/personas", new).await
    }

    /// Reads the account of a persona.
    pub async fn account(&self, persona: &PersonaName) -> Result<Account> {
        self.get(&format!("/v1/personas/{persona}/account")).await
    }

    /// Changes the card of a persona.
    pub async fn change_account(
        &self,
        persona: &PersonaName,
        change: &AccountChange,
    ) -> Result<Account> {
        self.give(
            Method::PATCH,
            &format!("/v1/personas/{persona}/account"),
            change,
        )
        .await
    }

    /// Makes an invite.
    pub async fn invite(&self, persona: &PersonaName, new: &NewInvite) -> Result<Invite> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/invites"),
            new,
        )
        .await
    }
}

/// Contacts and requests.
impl Client {
    /// Lists contacts, a page at a time.
    pub async fn contacts(
        &self,
        persona: &PersonaName,
        query: &ContactQuery,
    ) -> Result<List<Contact>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/contacts"),
            query,
        )?)
        .await
    }

    /// Adds a contact by a link.
    pub async fn add_contact(&self, persona: &PersonaName, new: &NewContact) -> Result<Contact> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/contacts"),
            new,
        )
        .await
    }

    /// Reads a contact.
    pub async fn contact(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.get(&of_contact(persona, contact, "")).await
    }

    /// Renames or mutes a contact.
    pub async fn change_contact(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
        change: &ContactChange,
    ) -> Result<Contact> {
        self.give(Method::PATCH, &of_contact(persona, contact, ""), change)
            .await
    }

    /// Says that the safety code was compared.
    pub async fn verify_contact(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
        code: &Verification,
    ) -> Result<Contact> {
        self.give(Method::POST, &of_contact(persona, contact, "/verify"), code)
            .await
    }

    /// Blocks a contact.
    pub async fn block(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.post(&of_contact(persona, contact, "/block")).await
    }

    /// Ends a block.
    pub async fn unblock(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.post(&of_contact(persona, contact, "/unblock")).await
    }

    /// Lists open requests, a page at a time.
    pub async fn requests(&self, persona: &PersonaName, page: &PageQuery) -> Result<List<Request>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/requests"),
            page,
        )?)
        .await
    }

    /// Accepts a request.
    pub async fn accept(&self, persona: &PersonaName, request: &RequestId) -> Result<Contact> {
        self.post(&format!("/v1/personas/{persona}/requests/{request}/accept"))
            .await
    }

    /// Declines a request.
    pub async fn decline(
        &self,
        persona: &PersonaName,
        request: &RequestId,
        decline: &Decline,
    ) -> Result<Request> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/requests/{request}/decline"),
            decline,
        )
        .await
    }
}

fn of_contact(persona: &PersonaName, contact: &ContactId, rest: &str) -> String {
    format!("/v1/personas/{persona}/contacts/{contact}{rest}")
}
