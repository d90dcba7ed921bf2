// SPDX-License-Identifier: MIT OR Apache-2.0
//! The card of a contact: which of two counts, and what a new one takes away from the old one's good name.

use comptoir_protocol::identity::{CardBundle, DeviceList, VerifiedCard};
use comptoir_protocol::signed::Verified;

use crate::personas::MAIN;
use crate::rows::contact::Contact;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::turn::Turn;

impl Turn<'_> {
    /// Takes over what a verified card says, unless it goes back behind the card known.
    pub(crate) fn meet(
        &mut self,
        number: u32,
        mut contact: Contact,
        bundle: CardBundle,
    ) -> Result<Contact, EngineError> {
        let verified = bundle
            .verify_ignoring_expiry()
            .map_err(|error| EngineError::Crypto(error.to_string()))?;
        let was_verified = contact.verified_ms > 0;
        if !take_card(&mut contact, &verified, bundle) {
            self.put_contact(number, &contact);
            return Ok(contact);
        }
        if was_verified && contact.verified_ms == 0 {
            self.event(Event::ContactChanged {
                persona: contact.persona,
                contact: number,
            });
        }
        for peer in contact.peers() {
            self.memory.peer_contacts.remove(&(peer, number));
        }
        contact.name.clone_from(&verified.card.name);
        if contact.persona == MAIN {
            contact.endpoints.clone_from(&verified.card.direct);
        }
        for peer in contact.peers() {
            self.memory.peer_contacts.insert((peer, number), ());
        }
        self.put_contact(number, &contact);
        Ok(contact)
    }
}

/// Puts a proved card in the place of the one known. False, and nothing changed, when it goes back behind what is
/// known: a smaller number, fewer rotations, an older device list, or a device that the known list does not name.
///
/// Under other keys the two have other digits to compare, so the mark that they were compared goes.
pub(crate) fn take_card(
    contact: &mut Contact,
    verified: &VerifiedCard,
    mut bundle: CardBundle,
) -> bool {
    let known = contact
        .card
        .as_ref()
        .and_then(|card| card.verify_ignoring_expiry().ok());
    if let Some(known) = known {
        let same_rotation = known.keys.rotation_number() == verified.keys.rotation_number();
        let known_list = newest_list(contact, &known);
        if goes_back(&known, known_list.as_ref(), verified, same_rotation) {
            return false;
        }
        let other_digits = known.keys.root() != verified.keys.root()
            || known.keys.list_key() != verified.keys.list_key();
        if other_digits {
            contact.verified_ms = 0;
        }
        // Without a list of its own the card is measured by the known one, and the next card by it again: as the card's
        // own where that may be, else beside it.
        let kept = known_list.filter(|_| bundle.list.is_none() && same_rotation);
        contact.list = None;
        if let Some(list) = kept {
            let fits = verified.card.list.is_none_or(|named| named == list.hash());
            let place = if fits {
                &mut bundle.list
            } else {
                &mut contact.list
            };
            *place = Some(list.as_signed().clone());
        }
    }
    contact.card_number = verified.card.number;
    contact.card = Some(bundle);
    true
}

/// The newest device list known of a contact: its card's, or the one kept beside a card that came without.
fn newest_list(contact: &Contact, known: &VerifiedCard) -> Option<Verified<DeviceList>> {
    let beside = || known.keys.verify_list(contact.list.clone()?).ok();
    known.list.clone().or_else(beside)
}

fn goes_back(
    known: &VerifiedCard,
    known_list: Option<&Verified<DeviceList>>,
    new: &VerifiedCard,
    same_rotation: bool,
) -> bool {
    if new.card.number < known.card.number
        || new.keys.rotation_number() < known.keys.rotation_number()
    {
        return true;
    }
    // A rotation replaces the key that signs lists, and with it what the stolen one signed.
    let Some(known_list) = known_list.filter(|_| same_rotation) else {
        return false;
    };
    match &new.list {
        Some(list) => list.number < known_list.number,
        None => known_list.device(new.device).is_none(),
    }
}

#[cfg(test)]
mod tests;
