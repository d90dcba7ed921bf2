// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contact card: how to reach an account, numbered, expiring, and signed by one of its devices.

use crate::codec::{DecodeError, Wire, at_most};
use crate::error::VerifyError;
use crate::id::{AccountId, DeviceId, PeerKey, RelayKey, Sid, StatementHash};
use crate::identity::{AccountKeys, AccountProof, DeviceCertificate, DeviceList};
use crate::limits::{
    CARD_BYTES_MAX, CARD_ENDPOINTS_MAX, CARD_RELAYS_MAX, DOMAIN_BYTES_MAX, NAME_BYTES_MAX,
};
use crate::relay::{RelayDescriptor, check_addresses};
use crate::signed::{Signable, Signed, Verified};
use crate::tag::label;
use crate::wire_map;

/// Where strangers may leave a hello, and the key they seal it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontDoor {
    /// X25519 key for HPKE.
    pub hpke_key: [u8; 32],
    /// Which of the owner's front-door keys this is; keys rotate monthly.
    pub key_id: u32,
    /// The boxes, at relays this card names.
    pub routes: Vec<BoxRoute>,
}
wire_map!(FrontDoor { 0 => hpke_key, 1 => key_id, 2 => routes });

/// A box at a relay of the same card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxRoute {
    /// Which of the card's relays.
    pub relay: RelayKey,
    /// The box as senders name it.
    pub sid: Sid,
}
wire_map!(BoxRoute { 0 => relay, 1 => sid });

/// A node that takes direct connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its key; the connection is refused when it shows another.
    pub key: PeerKey,
    /// Multiaddrs as text, best first.
    pub addresses: Vec<String>,
}
wire_map!(Endpoint { 0 => key, 1 => addresses }, check = Endpoint::check);

impl Endpoint {
    fn check(&self) -> Result<(), DecodeError> {
        check_addresses(&self.addresses)
    }
}

/// How to reach an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// Whose card.
    pub account: AccountId,
    /// The larger number replaces the smaller.
    pub number: u64,
    /// When it was written, in wall milliseconds.
    pub issued_ms: u64,
    /// When it stops being valid, in wall milliseconds.
    pub expires_ms: u64,
    /// What the account calls itself. Shown as its own claim.
    pub name: String,
    /// Where strangers knock; none: they cannot.
    pub front_door: Option<FrontDoor>,
    /// Its relays.
    pub relays: Vec<RelayDescriptor>,
    /// Where it listens itself.
    pub direct: Vec<Endpoint>,
    /// A domain that must name this account in turn before it is shown.
    pub domain: Option<String>,
    /// The device list in force when the card was written: its hash, so that a bundle may leave the list out.
    pub list: Option<StatementHash>,
}
wire_map!(ContactCard {
    0 => account, 1 => number, 2 => issued_ms, 3 => expires_ms, 4 => name, 5 => front_door, 6 => relays, 7 => direct,
    8 => domain, 9 => list,
}, check = ContactCard::check);

impl Signable for ContactCard {
    const LABEL: &'static str = label::CONTACT_CARD;
    const VERSION: u16 = 1;
}

impl ContactCard {
    /// The front door's boxes with the relays that hold them.
    pub fn front_door_routes(&self) -> impl Iterator<Item = (&RelayDescriptor, Sid)> {
        let routes = self.front_door.iter().flat_map(|door| &door.routes);
        routes.filter_map(|route| {
            Some((
                self.relays.iter().find(|relay| relay.key == route.relay)?,
                route.sid,
            ))
        })
    }

    /// Checks all bounds: a card that fails this is refused by every reader, so check before signing.
    pub fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a card", self.to_bytes().len(), CARD_BYTES_MAX)?;
        at_most("bytes of a name", self.name.len(), NAME_BYTES_MAX)?;
        at_most("relays of a card", self.relays.len(), CARD_RELAYS_MAX)?;
        at_most("endpoints of a card", self.direct.len(), CARD_ENDPOINTS_MAX)?;
        at_most(
            "bytes of a domain",
            self.domain.as_ref().map_or(0, String::len),
            DOMAIN_BYTES_MAX,
        )?;
        let routes = self.front_door.as_ref().map_or(0, |door| door.routes.len());
        at_most("routes of a front door", routes, CARD_RELAYS_MAX)?;
        for relay in &self.relays {
            check_addresses(&relay.addresses)?;
        }
        for endpoint in &self.direct {
            check_addresses(&endpoint.addresses)?;
        }
        if self.front_door_routes().count() != routes {
            return Err(DecodeError::Invalid {
                what: "a front door names a relay that its card does not",
            });
        }
        if self.issued_ms > self.expires_ms {
            return Err(DecodeError::Invalid {
                what: "a card expires before it is issued",
            });
        }
        Ok(())
    }
}

/// A card with all that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardBundle {
    /// The account's keys.
    pub proof: AccountProof,
    /// The signing device is the account's.
    pub certificate: Signed<DeviceCertificate>,
    /// The card.
    pub card: Signed<ContactCard>,
    /// The account's devices, where there is room for them.
    pub list: Option<Signed<DeviceList>>,
}
wire_map!(CardBundle { 0 => proof, 1 => certificate, 2 => card, 3 => list });

/// A card whose whole chain was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCard {
    /// The account's keys.
    pub keys: AccountKeys,
    /// The card.
    pub card: Verified<ContactCard>,
    /// The device that signed it.
    pub device: DeviceId,
    /// The devices, when the bundle had them.
    pub list: Option<Verified<DeviceList>>,
}

impl CardBundle {
    /// Proves the card and refuses an expired one.
    pub fn verify(&self, now_ms: u64) -> Result<VerifiedCard, VerifyError> {
        let verified = self.verify_ignoring_expiry()?;
        let expired_ms = verified.card.expires_ms;
        if expired_ms <= now_ms {
            Err(VerifyError::Expired { expired_ms, now_ms })
        } else {
            Ok(verified)
        }
    }

    /// Proves the card whatever the date: for the card of a known contact who was away for long.
    pub fn verify_ignoring_expiry(&self) -> Result<VerifiedCard, VerifyError> {
        let keys = self.proof.verify()?;
        let certificate = keys.verify_certificate(self.certificate.clone())?;
        let device = certificate.device;
        let card = keys.verify_card(self.card.clone(), device)?;
        let list = self
            .list
            .clone()
            .map(|list| keys.verify_list(list))
            .transpose()?;
        if let Some(list) = &list {
            // A dismissed device still holds its certificate; a list beside it says that it is gone.
            if list.device(device).is_none() {
                return Err(VerifyError::Mismatch {
                    what: "the card is signed by a device that is not on the list",
                });
            }
            if card.list.is_some_and(|hash| hash != list.hash()) {
                return Err(VerifyError::Mismatch {
                    what: "the card was written under another device list",
                });
            }
        }
        Ok(VerifiedCard {
            keys,
            card,
            device,
            list,
        })
    }
}
