// SPDX-License-Identifier: MIT OR Apache-2.0
//! Queries about people: personas, contacts, requests, safety codes.

use comptoir_protocol::identity::{AccountProof, SafetyCode, safety_code as code_of};

use super::read;
use super::{ContactView, PersonaView, RequestView};
use crate::rows::account::Persona;
use crate::rows::contact::{Contact, Request};
use crate::rows::key::{self, Key, u16_at, u32_at};
use crate::rows::thread::Thread;
use crate::seam::view::{View, ViewError};

/// The personas, by number.
pub fn personas(view: &impl View) -> Result<Vec<PersonaView>, ViewError> {
    let rows = read::all::<Persona>(view, Key::of(key::PERSONA))?;
    rows.into_iter()
        .filter_map(|(key, row)| Some((u16_at(&key, 1)?, row)))
        .map(|(number, row)| persona(view, number, row))
        .collect()
}

fn persona(view: &impl View, number: u16, row: Persona) -> Result<PersonaView, ViewError> {
    let own: Option<Thread> = read::one(view, Key::of(key::THREAD).u32(row.self_thread))?;
    Ok(PersonaView {
        persona: number,
        account: row.account,
        device: row.device,
        name: row.name,
        read_receipts: row.read_receipts,
        card_number: row.card_number,
        card_expires_ms: row.card_expires_ms,
        self_thread: row.self_thread,
        created_ms: own.as_ref().map_or(0, |thread| thread.made_ms),
        state_ms: own
            .as_ref()
            .map_or(0, |thread| thread.last_ms.max(thread.made_ms)),
    })
}

/// The contacts of a persona, by number.
pub fn contacts(view: &impl View, persona: u16) -> Result<Vec<ContactView>, ViewError> {
    let rows = read::all::<Contact>(view, Key::of(key::CONTACT))?;
    let rows = rows.into_iter().filter(|(_, row)| row.persona == persona);
    Ok(rows
        .filter_map(|(key, row)| Some(shown(u32_at(&key, 1)?, row)))
        .collect())
}

/// One contact.
pub fn contact(view: &impl View, contact: u32) -> Result<Option<ContactView>, ViewError> {
    let row: Option<Contact> = read::one(view, Key::of(key::CONTACT).u32(contact))?;
    Ok(row.map(|row| shown(contact, row)))
}

fn shown(number: u32, row: Contact) -> ContactView {
    ContactView {
        contact: number,
        persona: row.persona,
        account: row.account,
        peers: row.peers().collect(),
        boxes: row.capabilities.len(),
        name: row.name,
        petname: row.petname,
        standing: row.standing,
        thread: row.thread,
        muted: row.muted,
        blocked: row.blocked,
        verified_ms: row.verified_ms,
        added_ms: row.added_ms,
        needs_newer: row.needs_newer,
    }
}

/// The requests to a persona, by number.
pub fn requests(view: &impl View, persona: u16) -> Result<Vec<RequestView>, ViewError> {
    let rows = read::all::<Request>(view, Key::of(key::REQUEST))?;
    let rows = rows.into_iter().filter(|(_, row)| row.persona == persona);
    let show = |(key, row): (Vec<u8>, Request)| {
        Some(RequestView {
            request: u32_at(&key, 1)?,
            persona: row.persona,
            account: row.account,
            name: row.name,
            reason: row.reason,
            received_ms: row.received_ms,
            decision: row.decision,
            invite: row.invite,
        })
    };
    Ok(rows.filter_map(show).collect())
}

/// The code both sides of a contact see alike; none before their card is known. Costs some 10,000 hashes, 3 ms.
pub fn safety_code(view: &impl View, contact: u32) -> Result<Option<SafetyCode>, ViewError> {
    let Some(row): Option<Contact> = read::one(view, Key::of(key::CONTACT).u32(contact))? else {
        return Ok(None);
    };
    code(view, row.persona, row.card.map(|card| card.proof))
}

/// The code that will be compared if a request is accepted.
pub fn request_safety_code(
    view: &impl View,
    request: u32,
) -> Result<Option<SafetyCode>, ViewError> {
    let Some(row): Option<Request> = read::one(view, Key::of(key::REQUEST).u32(request))? else {
        return Ok(None);
    };
    let package = comptoir_crypto::mls::verify_key_package(&row.hello.key_package, row.received_ms);
    code(
        view,
        row.persona,
        package
            .ok()
            .map(|package| package.credential().proof.clone()),
    )
}

fn code(
    view: &impl View,
    persona: u16,
    theirs: Option<AccountProof>,
) -> Result<Option<SafetyCode>, ViewError> {
    let Some(own): Option<Persona> = read::one(view, Key::of(key::PERSONA).u16(persona))? else {
        return Ok(None);
    };
    let both = own
        .proof
        .verify()
        .ok()
        .zip(theirs.and_then(|proof| proof.verify().ok()));
    Ok(both.map(|(ours, theirs)| code_of(&ours, &theirs)))
}
