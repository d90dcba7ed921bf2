// SPDX-License-Identifier: MIT OR Apache-2.0
//! Account state: what every device of an account must know, as signed statements in the self thread.
//!
//! The self thread has one device so far, so nothing is sent; the statements are there, in order and chained, for the
//! device that comes next. What stands about each subject is kept merged beside them.

use comptoir_crypto::keys::DeviceKey;
use comptoir_protocol::body::{AccountChange, AccountStatement, Body, Content, supersedes};
use comptoir_protocol::header::{Addressee, StatementHeader};
use comptoir_protocol::id::{AccountId, Lane, StatementHash};
use comptoir_protocol::place::Place;
use comptoir_protocol::relay::RelayDescriptor;

use crate::rows::account::Register;
use crate::rows::contact::Contact;
use crate::rows::key::{self, Key};
use crate::rows::record::record;
use crate::seam::error::EngineError;
use crate::turn::Turn;

/// Kinds of subjects, as they stand in keys.
mod subject {
    pub(super) const CONTACT: u8 = 0;
    pub(super) const REQUEST: u8 = 1;
    pub(super) const BLOCK: u8 = 2;
    pub(super) const RELAY: u8 = 3;
    pub(super) const READ_MARK: u8 = 4;
    pub(super) const THREAD: u8 = 5;
    pub(super) const SETTING: u8 = 6;
    /// Not a subject: where this device's statements end.
    pub(super) const LAST: u8 = 255;
}

record! {
    /// The last statement of this device in its self thread.
    pub(crate) struct LastStatement {
        0 pub(crate) sequence: u64,
        1 pub(crate) hash: StatementHash,
    }
}

impl Turn<'_> {
    /// Says something in the self thread and merges it. `kind` and `number` name the subject locally.
    fn state(
        &mut self,
        persona: u16,
        kind: u8,
        number: u32,
        change: AccountChange,
    ) -> Result<Place, EngineError> {
        let row = self.persona(persona)?;
        let mut loaded = self.take_thread(row.self_thread)?;
        let last_key = Key::of(key::REGISTER).u16(persona).u8(subject::LAST);
        let last: Option<LastStatement> = self.load(last_key.clone())?;
        let list = row
            .list
            .clone()
            .verify()
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        let header = StatementHeader {
            addressee: Addressee::Thread(loaded.thread.id),
            speaks_for: row.account,
            author: row.device,
            list_number: list.number,
            list_hash: list.hash(),
            grant: None,
            sequence: last.as_ref().map_or(1, |last| last.sequence + 1),
            previous: last.map(|last| last.hash),
            claimed_ms: self.now.wall_ms,
            nonce: self.random(),
        };
        let sequence = header.sequence;
        let signed = DeviceKey::from_secret(row.device_key.expose()).sign(&AccountStatement {
            header,
            change: change.clone(),
        });
        self.put(
            last_key,
            &LastStatement {
                sequence,
                hash: signed.hash(),
            },
        );
        let message = Body::new(Content::AccountState(signed)).to_message();
        let message = message.map_err(|error| EngineError::Crypto(error.to_string()))?;
        let height = loaded.thread.height_seen + 1;
        let appended = self.append_own(&mut loaded, Lane::Service, vec![message], true, None)?;
        self.put_thread(loaded);
        let place = Place {
            height,
            author: row.device,
            sequence: appended.from,
        };
        self.merge_statement(persona, kind, number, place, change)?;
        Ok(place)
    }

    /// Merges one statement: the later by place stands, and for blocks withdrawal undoes only what it had seen.
    fn merge_statement(
        &mut self,
        persona: u16,
        kind: u8,
        number: u32,
        place: Place,
        change: AccountChange,
    ) -> Result<(), EngineError> {
        let row = Key::of(key::REGISTER).u16(persona).u8(kind).u32(number);
        let standing: Option<Register> = self.load(row.clone())?;
        if kind == subject::BLOCK {
            let mut marks = standing
                .as_ref()
                .and_then(|standing| standing.marks)
                .unwrap_or_default();
            let _ = marks.merge(place, &change);
            self.put(
                row,
                &Register {
                    place,
                    change,
                    marks: Some(marks),
                },
            );
        } else if standing
            .is_none_or(|standing| supersedes((place, &change), (standing.place, &standing.change)))
        {
            self.put(
                row,
                &Register {
                    place,
                    change,
                    marks: None,
                },
            );
        }
        Ok(())
    }

    pub(crate) fn state_contact(
        &mut self,
        number: u32,
        contact: &Contact,
    ) -> Result<(), EngineError> {
        let verified = contact
            .card
            .as_ref()
            .filter(|_| contact.verified_ms > 0)
            .map(|card| card.proof.inception.hash());
        let change = AccountChange::Contact {
            account: contact.account,
            petname: contact.petname.clone(),
            verified,
            muted: contact.muted,
            removed: false,
            card: None,
        };
        self.state(contact.persona, subject::CONTACT, number, change)
            .map(|_| ())
    }

    pub(crate) fn state_request(
        &mut self,
        persona: u16,
        number: u32,
        account: AccountId,
        hello: StatementHash,
        thread: Option<comptoir_protocol::id::ThreadId>,
    ) -> Result<(), EngineError> {
        let change = AccountChange::Request {
            account,
            hello,
            accepted: thread.is_some(),
            thread,
        };
        self.state(persona, subject::REQUEST, number, change)
            .map(|_| ())
    }

    pub(crate) fn state_block(
        &mut self,
        number: u32,
        contact: &Contact,
    ) -> Result<(), EngineError> {
        let account = contact.account;
        let change = if contact.blocked {
            AccountChange::Block { account }
        } else {
            let row = Key::of(key::REGISTER)
                .u16(contact.persona)
                .u8(subject::BLOCK)
                .u32(number);
            let standing: Option<Register> = self.load(row)?;
            let Some(seen) = standing
                .and_then(|standing| standing.marks)
                .and_then(|marks| marks.block)
            else {
                return Ok(());
            };
            AccountChange::Unblock { account, seen }
        };
        self.state(contact.persona, subject::BLOCK, number, change)
            .map(|_| ())
    }

    pub(crate) fn state_relay(
        &mut self,
        persona: u16,
        relay: &RelayDescriptor,
        used: bool,
    ) -> Result<(), EngineError> {
        let number = self
            .own_relays()?
            .into_iter()
            .find(|(_, row)| row.persona == persona && row.descriptor.key == relay.key);
        let Some((number, _)) = number else {
            return Ok(());
        };
        let change = AccountChange::Relay {
            relay: relay.clone(),
            used,
        };
        self.state(persona, subject::RELAY, number, change)
            .map(|_| ())
    }

    pub(crate) fn state_read_mark(
        &mut self,
        persona: u16,
        number: u32,
        thread: comptoir_protocol::id::ThreadId,
        place: Place,
    ) -> Result<(), EngineError> {
        self.state(
            persona,
            subject::READ_MARK,
            number,
            AccountChange::ReadMark { thread, place },
        )
        .map(|_| ())
    }

    pub(crate) fn state_thread(
        &mut self,
        persona: u16,
        number: u32,
        thread: comptoir_protocol::id::ThreadId,
        contact: Option<AccountId>,
        deleted: bool,
    ) -> Result<(), EngineError> {
        let change = AccountChange::Thread {
            thread,
            contact,
            muted: false,
            deleted,
        };
        self.state(persona, subject::THREAD, number, change)
            .map(|_| ())
    }

    pub(crate) fn state_setting(
        &mut self,
        persona: u16,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), EngineError> {
        let number = u32::from(name != "name");
        let change = AccountChange::Setting {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        self.state(persona, subject::SETTING, number, change)
            .map(|_| ())
    }
}
