// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links as people copy, cut and mistype them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::id::AccountId;
use crate::limits::REF_LINK_BYTES_MAX;
use crate::samples::{person, relay, ticket, token};

fn reference() -> InviteReference {
    InviteReference {
        relay: relay().key,
        address: "/dns4/relay.example/tcp/4001".to_owned(),
        account: AccountId([0x54; 32]),
        blob: BlobId([0x52; 32]),
        key: BlobSeed([0x69; 16]),
    }
}

fn full() -> InviteLink {
    let invitation = Invitation {
        bundle: person(1, 0).bundle(),
        token: Some(token()),
        ticket: Some(ticket()),
    };
    InviteLink::Full(Box::new(invitation))
}

///
#[test]
fn the_largest_ref_link_is_at_most_250_bytes() {
    let address = format!(
        "/dns4/{}/tcp/65535",
        "x".repeat(REF_LINK_ADDRESS_BYTES_MAX - 16)
    );
    assert_eq!(address.len(), REF_LINK_ADDRESS_BYTES_MAX);
    let link = InviteLink::Ref(InviteReference {
        address,
        ..reference()
    });
    let text = link.to_string();
    assert_eq!(text.len(), 249);
    assert!(text.len() <= REF_LINK_BYTES_MAX);
    assert_eq!(text.parse(), Ok(link));
}

///
/// A QR code of version 40 at its lowest correction holds 2,953 bytes: a full link of an account that rotated at most
/// twice fits whatever its card holds, and none exceeds the limit a reader sets.
#[test]
fn the_largest_full_link_is_counted() {
    const QR_BYTES_MAX: usize = 2_953;
    let length = |rotations: u8| {
        let bundle = crate::samples::largest_bundle(rotations, 31);
        assert!(bundle.list.is_some() && bundle.verify(crate::samples::NOW_MS).is_ok());
        let invitation = Invitation {
            bundle,
            token: Some(token()),
            ticket: Some(ticket()),
        };
        let link = InviteLink::full(invitation);
        let text = link.to_string();
        println!(
            "largest full link after {rotations} rotations: {} bytes",
            text.len()
        );
        assert_eq!(text.parse(), Ok(link));
        text.len()
    };
    assert!(length(0) <= QR_BYTES_MAX);
    assert!(length(2) <= QR_BYTES_MAX);
    let rotations = u8::try_from(crate::limits::ROTATIONS_MAX).unwrap();
    assert!(length(rotations) <= LINK_BYTES_MAX);
}

#[test]
fn every_link_reads_back() {
    for link in [full(), InviteLink::Ref(reference())] {
        let text = link.to_string();
        assert!(text.starts_with("comptoir:") && text.is_ascii());
        assert_eq!(text.parse(), Ok(link.clone()));
        assert_eq!(
            format!("  {text}\n").parse(),
            Ok(link),
            "white space comes from copying"
        );
    }
    let link = RelayLink {
        relay: relay(),
        ticket: Some(ticket()),
    };
    assert_eq!(link.to_string().parse(), Ok(link.clone()));
    assert_eq!(
        RelayLink {
            ticket: None,
            ..link.clone()
        }
        .to_string()
        .parse(),
        Ok(RelayLink {
            ticket: None,
            ..link
        })
    );
}

///
#[test]
fn a_link_cut_anywhere_or_mistyped_says_so() {
    let text = InviteLink::Ref(reference()).to_string();
    for length in "comptoir:".len()..text.len() {
        assert_eq!(
            text[..length].parse::<InviteLink>(),
            Err(LinkError::Damaged),
            "cut to {length}"
        );
    }
    for at in "comptoir:".len()..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let typo = String::from_utf8(bytes).unwrap();
        assert_eq!(typo.parse::<InviteLink>(), Err(LinkError::Damaged), "{at}");
    }
}

///
#[test]
fn other_texts_and_newer_links_are_named() {
    let relay_link = RelayLink {
        relay: relay(),
        ticket: None,
    }
    .to_string();
    assert_eq!(
        relay_link.parse::<InviteLink>(),
        Err(LinkError::Scheme {
            expected: "comptoir:"
        })
    );
    assert_eq!(
        full().to_string().parse::<RelayLink>(),
        Err(LinkError::Scheme {
            expected: "comptoir-relay:"
        })
    );
    assert!(matches!(
        "".parse::<InviteLink>(),
        Err(LinkError::Scheme { .. })
    ));
    let long = format!("comptoir:{}", "A".repeat(LINK_BYTES_MAX));
    assert!(matches!(
        long.parse::<InviteLink>(),
        Err(LinkError::TooLong { .. })
    ));
    let mut bytes = vec![9, 1, 2, 3];
    bytes.extend(check_of("comptoir:", &bytes));
    let newer = format!("comptoir:{}", BASE64URL_NOPAD.encode(&bytes));
    assert_eq!(
        newer.parse::<InviteLink>(),
        Err(LinkError::NeedsNewer { kind: 9 })
    );
}

#[test]
fn a_check_of_the_other_scheme_does_not_pass() {
    let text = RelayLink {
        relay: relay(),
        ticket: None,
    }
    .to_string()
    .replace("comptoir-relay:", "comptoir:");
    assert_eq!(text.parse::<InviteLink>(), Err(LinkError::Damaged));
}

#[test]
fn the_blob_key_grows_from_the_seed_and_is_not_printed() {
    let seed = BlobSeed([0x69; 16]);
    assert_ne!(seed.cipher_key(), BlobSeed([0x6a; 16]).cipher_key());
    assert_eq!(
        format!("{seed:?} {:?}", seed.cipher_key()),
        "BlobSeed(…) Secret(…)"
    );
}
