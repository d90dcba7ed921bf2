// SPDX-License-Identifier: MIT OR Apache-2.0
//! The targets: everything that reads bytes somebody else wrote.

use comptoir_crypto::account::{self, AccountSecrets};
use comptoir_crypto::keys::DeviceKey;
use comptoir_crypto::mls::{Leaf, key_package, verify_key_package};
use comptoir_crypto::{Phrase, StepSeed};
use comptoir_protocol::acknowledgement::AckVector;
use comptoir_protocol::body::{
    AccountStatement, Body, BodyHeader, BodyKinds, Content, Edit, Erase, Profile, Reach, Receipt,
    Text,
};
use comptoir_protocol::codec::Reader;
use comptoir_protocol::deposit::{self, Parcel};
use comptoir_protocol::envelope::{Batch, Envelope, Message};
use comptoir_protocol::frame::{AnswerFrame, PeerFrame, RelayRequest, SignedRequest, StoreReceipt};
use comptoir_protocol::header::Addressee;
use comptoir_protocol::hello::Hello;
use comptoir_protocol::id::RelayKey;
use comptoir_protocol::identity::{
    AccountProof, CardBundle, ContactCard, DeviceCertificate, DeviceList, Inception,
    LeafCertificate, LeafCredential, Rotation,
};
use comptoir_protocol::invite::InviteToken;
use comptoir_protocol::link::{Invitation, InviteLink, RelayLink};
use comptoir_protocol::runs::Runs;
use comptoir_protocol::ticket::Ticket;
use comptoir_protocol::{Signable, Signed, Wire};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::corpus::{Corpus, link};

/// Something that reads bytes.
#[derive(Debug)]
pub(crate) struct Target {
    /// As printed, and as regressions are called.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Reads, and checks what was read. Says whether it was taken; panics where a promise is broken.
    pub(crate) attempt: fn(&[u8]) -> bool,
}

/// A day in the vectors' time, before anything in them expires.
const NOW_MS: u64 = 1_760_000_000_000;

const RELAY: RelayKey = RelayKey([1; 32]);
const CHALLENGE: [u8; 32] = [2; 32];

/// Reads `bytes` as `T` and holds it to its word: what is taken has this one form.
fn read<T: Wire>(bytes: &[u8]) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader).ok()?;
    let skipped = reader.skipped_fields();
    reader.finish().ok()?;
    // Fields of a newer version are skipped and not written again.
    if skipped == 0 {
        assert_eq!(value.to_bytes(), bytes, "a second form");
    }
    Some(value)
}

/// Reads `bytes` as a place and compares with what it is said to have been: the control of [`read`].
pub(crate) fn again_as(bytes: &[u8], original: &[u8]) -> bool {
    use comptoir_protocol::place::Place;
    Place::from_bytes(bytes).is_ok_and(|place| {
        assert_eq!(place.to_bytes(), original, "a second form");
        true
    })
}

fn wire<T: Wire>(bytes: &[u8]) -> bool {
    read::<T>(bytes).is_some()
}

fn verified<T: Signable + Clone>(bytes: &[u8]) -> bool {
    read::<Signed<T>>(bytes).is_some_and(|signed| signed.verify().is_ok())
}

/// A target of one released type.
fn of<T: Wire>(corpus: &Corpus, name: &'static str) -> Target {
    Target {
        name,
        seeds: corpus.of(name),
        attempt: wire::<T>,
    }
}

fn of_signed<T: Signable + Clone>(corpus: &Corpus, name: &'static str) -> Target {
    Target {
        name,
        seeds: corpus.of(name),
        attempt: verified::<T>,
    }
}

/// All of them.
pub(crate) fn all(corpus: &Corpus) -> Vec<Target> {
    let mut all = frames(corpus);
    all.extend(threads(corpus));
    all.extend(identity(corpus));
    all.extend(links(corpus));
    all
}

fn frames(corpus: &Corpus) -> Vec<Target> {
    let key = DeviceKey::from_secret(&[3; 32]);
    let requests = corpus.of("RelayRequest").into_iter().flat_map(|bytes| {
        let request = RelayRequest::from_bytes(&bytes).unwrap();
        let signed = SignedRequest::sign(7, &request, key.as_signing_key(), &RELAY, &CHALLENGE);
        [
            signed.to_bytes(),
            SignedRequest::unsigned(7, &request).to_bytes(),
        ]
    });
    vec![
        of::<PeerFrame>(corpus, "PeerFrame"),
        of::<RelayRequest>(corpus, "RelayRequest"),
        Target {
            name: "SignedRequest",
            seeds: requests.collect(),
            attempt: |bytes| {
                read::<SignedRequest>(bytes).is_some_and(|signed| {
                    let peeked = signed.peek();
                    let opened = signed.open(&RELAY, &CHALLENGE);
                    if let Ok((request, signer)) = &opened {
                        assert_eq!(
                            peeked.as_ref(),
                            Ok(request),
                            "what was refused cheaply is what is signed"
                        );
                        assert_eq!(*signer, signed.signer);
                    }
                    opened.is_ok()
                })
            },
        },
        Target {
            name: "AnswerFrame",
            seeds: {
                let answers = corpus.of("RelayAnswer").into_iter();
                let framed = answers.map(|bytes| AnswerFrame {
                    request_id: 7,
                    answer: Wire::from_bytes(&bytes).unwrap(),
                });
                framed
                    .map(|frame| frame.to_bytes())
                    .chain(corpus.of("AnswerFrame"))
                    .collect()
            },
            attempt: wire::<AnswerFrame>,
        },
    ]
}

fn threads(corpus: &Corpus) -> Vec<Target> {
    let parcels = corpus.of("Parcel");
    let padded: Vec<Vec<u8>> = parcels
        .into_iter()
        .map(|bytes| deposit::pad(bytes).unwrap())
        .collect();
    vec![
        Target {
            name: "Parcel",
            seeds: padded.clone(),
            attempt: |bytes| {
                Parcel::from_padded(bytes).is_ok_and(|parcel| {
                    wire::<Parcel>(deposit::unpad(bytes).unwrap());
                    // Skipped fields make a parcel shorter when it is written again, and may change its class.
                    assert!(
                        parcel
                            .to_padded()
                            .is_ok_and(|again| again.len() <= bytes.len())
                    );
                    true
                })
            },
        },
        Target {
            name: "unpad",
            seeds: padded,
            attempt: |bytes| {
                deposit::unpad(bytes).is_ok_and(|inside| {
                    assert_eq!(
                        deposit::pad(inside.to_vec()).as_deref(),
                        Ok(bytes),
                        "a second padding"
                    );
                    true
                })
            },
        },
        of::<Envelope>(corpus, "Envelope"),
        of::<Batch>(corpus, "Batch"),
        of::<Runs>(corpus, "Runs"),
        of::<AckVector>(corpus, "AckVector"),
        of::<Addressee>(corpus, "Addressee"),
        Target {
            name: "Message",
            seeds: messages(corpus),
            attempt: body,
        },
    ]
}

/// A message of each kind that has a vector, with every header that has one, and one of no known kind.
fn messages(corpus: &Corpus) -> Vec<Vec<u8>> {
    fn each<T: Wire>(corpus: &Corpus, name: &str) -> Vec<T> {
        corpus
            .of(name)
            .iter()
            .map(|bytes| T::from_bytes(bytes).unwrap())
            .collect()
    }
    let mut contents = vec![Content::App {
        kind: 9_999,
        bytes: vec![7; 40],
    }];
    contents.extend(each::<Text>(corpus, "Text").into_iter().map(Content::Text));
    contents.extend(
        each::<Receipt>(corpus, "Receipt")
            .into_iter()
            .map(Content::Receipt),
    );
    contents.extend(
        each::<Profile>(corpus, "Profile")
            .into_iter()
            .map(|profile| Content::Profile(Box::new(profile))),
    );
    contents.extend(
        each::<Reach>(corpus, "Reach")
            .into_iter()
            .map(Content::Reach),
    );
    contents.extend(each::<Edit>(corpus, "Edit").into_iter().map(Content::Edit));
    contents.extend(
        each::<Erase>(corpus, "Erase")
            .into_iter()
            .map(Content::Erase),
    );
    contents.extend(
        each(corpus, "Signed<AccountStatement>")
            .into_iter()
            .map(Content::AccountState),
    );
    let mut headers: Vec<BodyHeader> = each(corpus, "BodyHeader");
    headers.push(BodyHeader::default());
    let bodies = contents.into_iter().flat_map(|content| {
        let content = &content;
        headers
            .iter()
            .map(move |header| Body {
                header: header.clone(),
                content: content.clone(),
            })
            .collect::<Vec<_>>()
    });
    bodies
        .map(|body| body.to_message().unwrap().to_bytes())
        .collect()
}

fn body(bytes: &[u8]) -> bool {
    let Some(message) = read::<Message>(bytes) else {
        return false;
    };
    let kinds = BodyKinds::released();
    let Ok(body) = Body::from_message(&message, &kinds) else {
        return false;
    };
    let _ = body.shown_fallback();
    // What needs a newer version is sent on as it came.
    if matches!(body.content, Content::Unknown { .. }) {
        assert_eq!(body.to_message().as_ref(), Ok(&message));
        return true;
    }
    if let Ok(again) = body.to_message() {
        assert_eq!(Body::from_message(&again, &kinds).as_ref(), Ok(&body));
    }
    true
}

fn identity(corpus: &Corpus) -> Vec<Target> {
    vec![
        of::<Hello>(corpus, "Hello"),
        Target {
            name: "CardBundle",
            seeds: corpus.of("CardBundle"),
            attempt: |bytes| {
                read::<CardBundle>(bytes).is_some_and(|bundle| {
                    let _ = bundle.verify(NOW_MS);
                    bundle.verify_ignoring_expiry().is_ok()
                })
            },
        },
        Target {
            name: "LeafCredential",
            seeds: corpus.of("LeafCredential"),
            attempt: |bytes| {
                read::<LeafCredential>(bytes).is_some_and(|credential| {
                    let named = LeafCertificate::from_bytes(credential.leaf.payload());
                    named.is_ok_and(|leaf| credential.verify(&leaf.leaf_key).is_ok())
                })
            },
        },
        Target {
            name: "AccountProof",
            seeds: corpus.of("AccountProof"),
            attempt: |bytes| {
                read::<AccountProof>(bytes).is_some_and(|proof| proof.verify().is_ok())
            },
        },
        // Under a signature no changed byte is ever read, so each statement is read without one, too.
        of::<Inception>(corpus, "Inception"),
        of_signed::<Inception>(corpus, "Signed<Inception>"),
        of::<Rotation>(corpus, "Rotation"),
        of_signed::<Rotation>(corpus, "Signed<Rotation>"),
        of::<DeviceList>(corpus, "DeviceList"),
        of_signed::<DeviceList>(corpus, "Signed<DeviceList>"),
        of::<DeviceCertificate>(corpus, "DeviceCertificate"),
        of_signed::<DeviceCertificate>(corpus, "Signed<DeviceCertificate>"),
        of::<LeafCertificate>(corpus, "LeafCertificate"),
        of_signed::<LeafCertificate>(corpus, "Signed<LeafCertificate>"),
        of::<ContactCard>(corpus, "ContactCard"),
        of_signed::<ContactCard>(corpus, "Signed<ContactCard>"),
        of::<InviteToken>(corpus, "InviteToken"),
        of_signed::<InviteToken>(corpus, "Signed<InviteToken>"),
        of::<Ticket>(corpus, "Ticket"),
        of_signed::<Ticket>(corpus, "Signed<Ticket>"),
        of::<StoreReceipt>(corpus, "StoreReceipt"),
        of_signed::<StoreReceipt>(corpus, "Signed<StoreReceipt>"),
        of_signed::<AckVector>(corpus, "Signed<AckVector>"),
        of::<AccountStatement>(corpus, "AccountStatement"),
        of_signed::<AccountStatement>(corpus, "Signed<AccountStatement>"),
        Target {
            name: "key package",
            seeds: key_packages(),
            attempt: |bytes| verify_key_package(bytes, NOW_MS).is_ok(),
        },
    ]
}

/// Key packages of three accounts, as the crypto crate makes them.
fn key_packages() -> Vec<Vec<u8>> {
    let package = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let phrase = Phrase::generate(&mut rng);
        let AccountSecrets {
            device_key,
            proof,
            certificate,
            ..
        } = account::create(&phrase, NOW_MS, &mut rng);
        let leaf = Leaf::issue(
            &device_key,
            &proof,
            &certificate,
            &[1, 2],
            &StepSeed::draw(&mut rng),
        );
        key_package(&leaf, NOW_MS + 1_000, StepSeed::draw(&mut rng))
            .unwrap()
            .0
    };
    (1..=3).map(package).collect()
}

/// Links: the bytes inside with a check made anew, or else as text.
fn links(corpus: &Corpus) -> Vec<Target> {
    let invitations = corpus.of("Invitation");
    let relays = corpus.of("RelayLink");
    let with_kind = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let mut invites: Vec<Vec<u8>> = invitations
        .iter()
        .map(|bytes| with_kind(1, bytes))
        .collect();
    invites.push(reference());
    let text = |scheme: &str, all: &[Vec<u8>]| {
        all.iter()
            .map(|bytes| link(scheme, bytes).into_bytes())
            .collect()
    };
    let relay_bytes: Vec<Vec<u8>> = relays.iter().map(|bytes| with_kind(1, bytes)).collect();
    vec![
        of::<Invitation>(corpus, "Invitation"),
        of::<RelayLink>(corpus, "RelayLink"),
        Target {
            name: "invite link, as text",
            seeds: text("comptoir:", &invites),
            attempt: |bytes| invite(&String::from_utf8_lossy(bytes)),
        },
        Target {
            name: "invite link, with its check",
            seeds: invites,
            attempt: |bytes| invite(&link("comptoir:", bytes)),
        },
        Target {
            name: "relay link, as text",
            seeds: text("comptoir-relay:", &relay_bytes),
            attempt: |bytes| relay(&String::from_utf8_lossy(bytes)),
        },
        Target {
            name: "relay link, with its check",
            seeds: relay_bytes,
            attempt: |bytes| relay(&link("comptoir-relay:", bytes)),
        },
    ]
}

/// A link that says where the invitation lies.
fn reference() -> Vec<u8> {
    let address = b"/dns4/relay.example/tcp/4100";
    let mut bytes = vec![2];
    bytes.extend((0..32 + 32 + 32 + 16).map(|byte: u8| byte));
    bytes.push(u8::try_from(address.len()).unwrap());
    bytes.extend_from_slice(address);
    bytes
}

fn invite(text: &str) -> bool {
    text.parse::<InviteLink>().is_ok_and(|read| {
        if let InviteLink::Full(invitation) = &read {
            let _ = invitation.bundle.verify(NOW_MS);
        }
        // Fields of a newer version are not written again, so the text may be another; what it says is not.
        assert_eq!(read.to_string().parse().as_ref(), Ok(&read));
        true
    })
}

fn relay(text: &str) -> bool {
    text.parse::<RelayLink>().is_ok_and(|read| {
        assert_eq!(read.to_string().parse().as_ref(), Ok(&read));
        true
    })
}
