// SPDX-License-Identifier: MIT OR Apache-2.0
//! The samples: one value of everything that has bytes, for the tests that hold for all of them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod frames;
mod hostile;
mod people;
mod sources;
mod values;
mod vectors;

use std::fmt::Debug;

use crate::acknowledgement::AckVector;
use crate::body::{
    AccountStatement, BlockMarks, Erase, Profile, Reach, Receipt, ReceiptState, Text,
};
use crate::codec::{DecodeError, Reader, Wire};
use crate::deposit::ParcelContent;
use crate::envelope::Message;
use crate::evidence::{ContextConsent, Evidence, LinkPass};
use crate::frame::*;
use crate::header::Addressee;
use crate::id::*;
use crate::identity::*;
use crate::invite::InviteToken;
use crate::link::{Invitation, RelayLink};
use crate::puzzle::{Puzzle, PuzzleSolution};
use crate::signed::{Signable, Signed};
use crate::ticket::Ticket;
use crate::time::Time;

pub(crate) use frames::*;
pub(crate) use people::*;
pub(crate) use values::*;

/// One value with its bytes, and how to read it again.
pub(crate) struct Sample {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// Reads the bytes and writes what was read.
    pub again: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
}

fn add<T: Wire + PartialEq + Debug>(samples: &mut Vec<Sample>, name: &'static str, value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(
        &T::from_bytes(&bytes).unwrap(),
        value,
        "{name} reads back as what was written"
    );
    samples.push(Sample {
        name,
        bytes,
        again: again::<T>,
    });
}

fn again<T: Wire>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    let skipped = reader.skipped_fields();
    reader.finish()?;
    // What was skipped is not written back; everything else must be.
    Ok(if skipped == 0 {
        value.to_bytes()
    } else {
        bytes.to_vec()
    })
}

fn add_signed<T: Signable>(samples: &mut Vec<Sample>, name: &'static str, signed: &Signed<T>) {
    assert!(signed.clone().verify().is_ok(), "{name}");
    add(samples, name, signed);
}

fn add_identity(all: &mut Vec<Sample>) {
    let alice = person(1, 1);
    add(
        all,
        "Inception",
        &*alice.proof.inception.clone().verify().unwrap(),
    );
    add_signed(all, "Signed<Inception>", &alice.proof.inception);
    add(
        all,
        "Rotation",
        &*alice.proof.rotations[0].clone().verify().unwrap(),
    );
    add_signed(all, "Signed<Rotation>", &alice.proof.rotations[0]);
    add(all, "AccountProof", &alice.proof);
    add(all, "Device", &alice.list(0).devices[0]);
    add(
        all,
        "Removed",
        &Removed {
            id: DeviceId([0x64; 32]),
            last_statement: Some(StatementHash([0x65; 32])),
        },
    );
    add(all, "DeviceList", &alice.list(2));
    add_signed(
        all,
        "Signed<DeviceList>",
        &Signed::sign(&alice.list(2), &alice.list_key),
    );
    add(
        all,
        "DeviceCertificate",
        &*alice.certificate().verify().unwrap(),
    );
    add_signed(all, "Signed<DeviceCertificate>", &alice.certificate());
    add(
        all,
        "LeafCertificate",
        &*alice.credential().leaf.verify().unwrap(),
    );
    add_signed(all, "Signed<LeafCertificate>", &alice.credential().leaf);
    add(all, "LeafCredential", &alice.credential());
    add(all, "FrontDoor", &alice.card().front_door.unwrap());
    add(all, "BoxRoute", &alice.card().front_door.unwrap().routes[0]);
    add(all, "Endpoint", &endpoint());
    add(all, "ContactCard", &alice.card());
    add_signed(all, "Signed<ContactCard>", &alice.bundle().card);
    add(all, "CardBundle", &alice.bundle());
}

fn add_contact(all: &mut Vec<Sample>) {
    add(all, "RelayDescriptor", &relay());
    add(all, "InviteToken", &*token().verify().unwrap());
    add_signed(all, "Signed<InviteToken>", &token());
    add(all, "Ticket", &*ticket().verify().unwrap());
    add_signed(all, "Signed<Ticket>", &ticket());
    add(
        all,
        "Puzzle",
        &Puzzle {
            seed: [0x63; 32],
            bits: 18,
            not_after_ms: NOW_MS,
        },
    );
    add(
        all,
        "PuzzleSolution",
        &PuzzleSolution {
            seed: [0x63; 32],
            answer: 70_000,
        },
    );
    add(all, "CapabilityTerms", &terms());
    add(all, "Capability", &capability());
    add(all, "RelayCapability", &capability().for_relay());
    add(all, "Hello", &hello());
    add(
        all,
        "Invitation",
        &Invitation {
            bundle: person(1, 0).bundle(),
            token: Some(token()),
            ticket: Some(ticket()),
        },
    );
    add(
        all,
        "RelayLink",
        &RelayLink {
            relay: relay(),
            ticket: Some(ticket()),
        },
    );
}

fn add_thread(all: &mut Vec<Sample>) {
    add(all, "MessageId", &message_id());
    add(all, "Place", &place());
    add(
        all,
        "Time",
        &Time {
            wall_ms: NOW_MS,
            mono_ms: 77,
            boot: [0x66; 16],
        },
    );
    add(all, "Runs", &runs());
    add(all, "AckEntry", &ack_vector().entries[0]);
    add(all, "AckVector", &ack_vector());
    add_signed(
        all,
        "Signed<AckVector>",
        &Signed::sign(&ack_vector(), &key(23)),
    );
    add(all, "LinkPass", &link_pass());
    add_signed(
        all,
        "Signed<LinkPass>",
        &Signed::sign(&link_pass(), &key(24)),
    );
    add(all, "ContextConsent", &context_consent());
    add_signed(
        all,
        "Signed<ContextConsent>",
        &Signed::sign(&context_consent(), &key(23)),
    );
    add(
        all,
        "Evidence",
        &Evidence {
            pass: Some(Signed::sign(&link_pass(), &key(24))),
            consents: Some(vec![Signed::sign(&context_consent(), &key(23))]),
        },
    );
    add(all, "Envelope", &envelope());
    add(all, "Batch", &batch());
    add(
        all,
        "Message",
        &Message {
            kind: 9999,
            body: vec![0x67; 8],
        },
    );
    add(all, "BlobReference", &blob_reference());
    for content in [
        ParcelContent::Envelope(envelope()),
        ParcelContent::Acknowledgement(Signed::sign(&ack_vector(), &key(23))),
        ParcelContent::Blob(blob_reference()),
    ] {
        add(all, "Parcel", &parcel(content));
    }
    for addressee in [
        Addressee::Thread(ThreadId([0x4c; 16])),
        Addressee::Account(AccountId([0x54; 32])),
    ] {
        add(all, "Addressee", &addressee);
    }
    add(all, "StatementHeader", &header());
}

fn add_bodies(all: &mut Vec<Sample>) {
    add(all, "BodyHeader", &body_header());
    add(all, "Via", &body_header().via.unwrap());
    add(
        all,
        "Text",
        &Text {
            text: "Bonjour, ça va ?".to_owned(),
        },
    );
    let up_to = vec![(DeviceId([0x4d; 32]), Lane::Service, 12)];
    add(all, "Edit", &edit());
    add(
        all,
        "Erase",
        &Erase {
            message: message_id(),
        },
    );
    add(
        all,
        "Receipt",
        &Receipt {
            state: ReceiptState::Read,
            up_to,
        },
    );
    let profile = Profile {
        name: "Alice".to_owned(),
        endpoints: vec![endpoint()],
        card_number: 7,
        card: Some(person(1, 0).bundle()),
    };
    add(all, "Profile", &profile);
    add(
        all,
        "Reach",
        &Reach {
            capabilities: vec![capability()],
            withdrawn: vec![CapabilityId([0x68; 16])],
        },
    );
    add(all, "BoxRecord", &box_record());
    add(
        all,
        "BlockMarks",
        &BlockMarks {
            block: Some(place()),
            unblocked: None,
        },
    );
    for change in changes() {
        add(all, "AccountChange", &change);
    }
    let setting = statement(changes().pop().unwrap());
    add(all, "AccountStatement", &setting);
    add_signed(
        all,
        "Signed<AccountStatement>",
        &Signed::sign(&setting, &key(22)),
    );
}

fn add_frames(all: &mut Vec<Sample>) {
    for frame in peer_frames() {
        add(all, "PeerFrame", &frame);
    }
    for request in relay_requests() {
        add(all, "RelayRequest", &request);
    }
    add(
        all,
        "Admission",
        &Admission::Puzzle(PuzzleSolution {
            seed: [0x63; 32],
            answer: 70_000,
        }),
    );
    let request = RelayRequest::List {
        rid: Rid([0x59; 32]),
    };
    add(
        all,
        "SignedRequest",
        &SignedRequest::sign(7, &request, &key(62), &relay().key, &[0x62; 32]),
    );
    for answer in relay_answers() {
        add(all, "RelayAnswer", &answer);
    }
    add(
        all,
        "AnswerFrame",
        &AnswerFrame {
            request_id: 7,
            answer: RelayAnswer::Denied,
        },
    );
    add(all, "StoreReceipt", &store_receipt());
    add_signed(
        all,
        "Signed<StoreReceipt>",
        &Signed::sign(&store_receipt(), &key(60)),
    );
}

/// One of everything, by the vector file it belongs to.
pub(crate) fn all() -> Vec<(&'static str, Vec<Sample>)> {
    type Fill = fn(&mut Vec<Sample>);
    let groups: [(&'static str, Fill); 5] = [
        ("identity", add_identity),
        ("contact", add_contact),
        ("thread", add_thread),
        ("body", add_bodies),
        ("frame", add_frames),
    ];
    groups
        .into_iter()
        .map(|(name, fill)| {
            let mut samples = Vec::new();
            fill(&mut samples);
            (name, samples)
        })
        .collect()
}
