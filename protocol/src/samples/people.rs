// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sample people: accounts with their keys, devices, cards and credentials.

use super::*;
use ed25519_dalek::SigningKey;

use crate::id::*;
use crate::identity::*;
use crate::signed::{Signed, public_key};

/// An account whose roots, list key and devices are numbered from `first`.
pub(crate) struct Person {
    pub roots: Vec<SigningKey>,
    pub list_key: SigningKey,
    pub device_key: SigningKey,
    pub leaf_key: SigningKey,
    pub proof: AccountProof,
    pub keys: AccountKeys,
}

pub(crate) fn person(first: u8, rotations: u8) -> Person {
    let roots: Vec<SigningKey> = (0..=rotations + 1)
        .map(|number| key(first + number))
        .collect();
    let list_key = key(first + 20);
    let inception = Inception {
        root: public_key(&roots[0]),
        next_root_hash: next_root_hash(&public_key(&roots[1])),
        list_key: public_key(&list_key),
        nonce: [first; 16],
    };
    let mut proof = AccountProof {
        inception: Signed::sign(&inception, &roots[0]),
        rotations: vec![],
    };
    for number in 1..=rotations {
        let rotation = rotation(
            &proof.verify().unwrap(),
            &roots[usize::from(number)],
            &roots[usize::from(number) + 1],
        );
        proof.rotations.push(rotation);
    }
    let keys = proof.verify().unwrap();
    Person {
        roots,
        list_key,
        device_key: key(first + 21),
        leaf_key: key(first + 22),
        proof,
        keys,
    }
}

pub(crate) fn rotation(
    keys: &AccountKeys,
    root: &SigningKey,
    next: &SigningKey,
) -> Signed<Rotation> {
    let rotation = Rotation {
        number: keys.rotation_number() + 1,
        previous: keys.last_statement(),
        root: public_key(root),
        next_root_hash: next_root_hash(&public_key(next)),
        list_key: keys.list_key(),
    };
    Signed::sign(&rotation, root)
}

impl Person {
    pub(crate) fn device(&self) -> DeviceId {
        public_key(&self.device_key).into()
    }

    pub(crate) fn certificate(&self) -> Signed<DeviceCertificate> {
        let certificate = DeviceCertificate {
            account: self.keys.account(),
            device: self.device(),
            list_number: 1,
        };
        Signed::sign(&certificate, &self.list_key)
    }

    /// A list of this device and `others` more.
    pub(crate) fn list(&self, others: u8) -> DeviceList {
        let mut devices = vec![Device {
            id: self.device(),
            manager: true,
            added_ms: NOW_MS,
        }];
        devices.extend((0..others).map(|other| Device {
            id: DeviceId([other; 32]),
            manager: false,
            added_ms: NOW_MS,
        }));
        devices.sort_by_key(|device| device.id);
        DeviceList {
            account: self.keys.account(),
            number: 1,
            previous: None,
            devices,
            removed: vec![],
        }
    }

    pub(crate) fn card(&self) -> ContactCard {
        ContactCard {
            account: self.keys.account(),
            number: 7,
            issued_ms: NOW_MS,
            expires_ms: NOW_MS + 30 * 86_400_000,
            name: "Alice".to_owned(),
            front_door: Some(FrontDoor {
                hpke_key: [0x41; 32],
                key_id: 3,
                routes: vec![BoxRoute {
                    relay: relay().key,
                    sid: Sid([0x42; 32]),
                }],
            }),
            relays: vec![relay()],
            direct: vec![endpoint()],
            domain: Some("counter.example".to_owned()),
            list: Some(Signed::sign(&self.list(1), &self.list_key).hash()),
        }
    }

    /// A card filled to its last byte.
    pub(crate) fn largest_card(&self) -> ContactCard {
        let mut card = self.card();
        card.number = u64::MAX;
        card.name = "é".repeat(crate::limits::NAME_BYTES_MAX / 2);
        let mut second = relay();
        second.key = RelayKey(public_key(&key(59)).0);
        card.relays = vec![relay(), second];
        card.front_door = Some(FrontDoor {
            hpke_key: [0x41; 32],
            key_id: u32::MAX,
            routes: card
                .relays
                .iter()
                .map(|relay| BoxRoute {
                    relay: relay.key,
                    sid: Sid([0x42; 32]),
                })
                .collect(),
        });
        card.direct = vec![Endpoint {
            addresses: vec![],
            ..endpoint()
        }];
        // Two addresses, so that each stays under its own bound while the card reaches its.
        let mut addresses = vec!["/".to_owned(), "/".to_owned()];
        for turn in 0.. {
            card.direct[0].addresses = addresses.clone();
            if card.check().is_err() {
                addresses[(turn + 1) % 2].pop();
                card.direct[0].addresses = addresses;
                break;
            }
            addresses[turn % 2].push('x');
        }
        card.check().unwrap();
        card
    }

    pub(crate) fn bundle(&self) -> CardBundle {
        CardBundle {
            proof: self.proof.clone(),
            certificate: self.certificate(),
            card: Signed::sign(&self.card(), &self.device_key),
            list: Some(Signed::sign(&self.list(1), &self.list_key)),
        }
    }

    pub(crate) fn credential(&self) -> LeafCredential {
        let leaf = LeafCertificate {
            leaf_key: public_key(&self.leaf_key),
            use_id: [0x43; 16],
        };
        LeafCredential {
            proof: self.proof.clone(),
            device: self.certificate(),
            leaf: Signed::sign(&leaf, &self.device_key),
        }
    }
}

/// The largest card with its list of this device and `others` more.
pub(crate) fn largest_bundle(rotations: u8, others: u8) -> CardBundle {
    let alice = person(1, rotations);
    let list = Signed::sign(&alice.list(others), &alice.list_key);
    let card = ContactCard {
        list: Some(list.hash()),
        ..alice.largest_card()
    };
    CardBundle {
        card: Signed::sign(&card, &alice.device_key),
        list: Some(list),
        ..alice.bundle()
    }
}
