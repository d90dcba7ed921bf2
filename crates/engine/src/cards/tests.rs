// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cards that replace one another, and those that must not.
#![allow(clippy::unwrap_used, missing_docs)]

use comptoir_crypto::Phrase;
use comptoir_crypto::account::{AccountSecrets, certify, create, rotate};
use comptoir_crypto::keys::{DeviceKey, ListKey};
use comptoir_protocol::id::StatementHash;
use comptoir_protocol::identity::{ContactCard, Device, DeviceList};
use comptoir_protocol::signed::Signed;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::rows::contact::Standing;

const NOW_MS: u64 = 1_800_000_000_000;

struct Bob {
    phrase: Phrase,
    secrets: AccountSecrets,
    rng: ChaCha20Rng,
}

fn bob() -> Bob {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let phrase = Phrase::generate(&mut rng);
    let secrets = create(&phrase, NOW_MS, &mut rng);
    Bob {
        phrase,
        secrets,
        rng,
    }
}

impl Bob {
    fn card(&self, number: u64) -> CardBundle {
        self.card_of(&self.secrets.device_key, number, Some(&self.secrets.list))
    }

    fn card_of(
        &self,
        device: &DeviceKey,
        number: u64,
        list: Option<&Signed<DeviceList>>,
    ) -> CardBundle {
        let secrets = &self.secrets;
        let card = ContactCard {
            account: secrets.keys.account(),
            number,
            issued_ms: NOW_MS,
            expires_ms: NOW_MS + 1,
            name: "Bob".into(),
            front_door: None,
            relays: Vec::new(),
            direct: Vec::new(),
            domain: None,
            list: None,
        };
        CardBundle {
            proof: secrets.proof.clone(),
            certificate: certify(&secrets.list_key, &secrets.keys, device, 1),
            card: device.sign(&card),
            list: list.cloned(),
        }
    }

    /// A card of this device that comes without its list and names it.
    fn card_naming(&self, device: &DeviceKey, number: u64, list: StatementHash) -> CardBundle {
        let bundle = self.card_of(device, number, None);
        let card = bundle.verify_ignoring_expiry().unwrap().card.into_inner();
        CardBundle {
            card: device.sign(&ContactCard {
                list: Some(list),
                ..card
            }),
            ..bundle
        }
    }

    /// The next list: a new device in the place of the first.
    fn dismisses_the_first(&mut self) -> (DeviceKey, Signed<DeviceList>) {
        let device = DeviceKey::generate(&mut self.rng);
        let list = DeviceList {
            account: self.secrets.keys.account(),
            number: 2,
            previous: Some(self.secrets.list.hash()),
            devices: vec![Device {
                id: device.id(),
                manager: true,
                added_ms: NOW_MS,
            }],
            removed: Vec::new(),
        };
        let list = self.secrets.list_key.sign(&list);
        (device, list)
    }

    fn rotates(&mut self) {
        let list_key = ListKey::generate(&mut self.rng);
        self.secrets.proof = rotate(&self.secrets.proof, &self.phrase, &list_key).unwrap();
        self.secrets.keys = self.secrets.proof.verify().unwrap();
        let list = DeviceList {
            account: self.secrets.keys.account(),
            number: 1,
            previous: None,
            devices: vec![Device {
                id: self.secrets.device_key.id(),
                manager: true,
                added_ms: NOW_MS,
            }],
            removed: Vec::new(),
        };
        self.secrets.list = list_key.sign(&list);
        self.secrets.list_key = list_key;
    }
}

fn compared(bundle: CardBundle) -> Contact {
    let verified = bundle.verify_ignoring_expiry().unwrap();
    Contact {
        persona: 1,
        account: verified.keys.account(),
        name: "Bob".into(),
        petname: None,
        standing: Standing::Talking,
        thread: None,
        card: Some(bundle),
        card_number: verified.card.number,
        endpoints: Vec::new(),
        capabilities: Vec::new(),
        muted: false,
        blocked: false,
        verified_ms: 1,
        added_ms: 1,
        told: Vec::new(),
        needs_newer: 0,
        refused: 0,
        boxes: Vec::new(),
        told_ids: Vec::new(),
        told_card: 0,
        promotions: None,
        list: None,
    }
}

fn takes(contact: &mut Contact, bundle: CardBundle) -> bool {
    let verified = bundle.verify_ignoring_expiry().unwrap();
    let before = contact.clone();
    let taken = take_card(contact, &verified, bundle);
    assert!(
        taken || *contact == before,
        "a refused card changes nothing"
    );
    taken
}

///
#[test]
fn the_mark_of_a_comparison_goes_with_the_keys_that_were_compared() {
    let mut bob = bob();
    let mut contact = compared(bob.card(7));
    assert!(takes(&mut contact, bob.card(8)));
    assert_eq!(contact.verified_ms, 1, "a further card of the same keys");
    bob.rotates();
    assert!(takes(&mut contact, bob.card(9)));
    assert_eq!(contact.verified_ms, 0);
    assert_eq!(contact.card_number, 9);
}

///
#[test]
fn no_card_goes_back_behind_the_one_known() {
    let mut bob = bob();
    let stolen = bob.card(99);
    let mut contact = compared(bob.card(7));
    assert!(!takes(&mut contact, bob.card(6)), "an older card");
    let (device, list) = bob.dismisses_the_first();
    assert!(takes(&mut contact, bob.card_of(&device, 8, Some(&list))));
    assert!(!takes(&mut contact, bob.card(10)), "beside the older list");
    let without = bob.card_of(&bob.secrets.device_key, 11, None);
    assert!(!takes(&mut contact, without), "by a device that is gone");
    let kept = bob.card_of(&device, 12, None);
    assert!(takes(&mut contact, kept), "by one that stays");
    assert!(
        !takes(&mut contact, bob.card(13)),
        "the list is kept in mind"
    );
    let naming = bob.card_naming(&device, 15, StatementHash([9; 32]));
    assert!(takes(&mut contact, naming), "under a list that follows");
    assert!(
        !takes(&mut contact, bob.card(16)),
        "the list is kept in mind beside a card that names another"
    );
    let gone = bob.card_naming(&bob.secrets.device_key, 17, bob.secrets.list.hash());
    assert!(!takes(&mut contact, gone), "by a device that is gone");
    let again = bob.card_of(&device, 18, Some(&list));
    assert!(takes(&mut contact, again) && contact.list.is_none());
    bob.rotates();
    assert!(takes(&mut contact, bob.card(19)));
    assert!(!takes(&mut contact, stolen), "under the keys of before");
}
