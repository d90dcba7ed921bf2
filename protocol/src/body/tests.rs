// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies, known and not.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;
use crate::id::{DeviceId, Lane, ThreadId};
use crate::limits::TEXT_BYTES_MAX;
use crate::samples::{newer_kinds, newer_message, public, weather_bytes};

///
/// The story of kind 9999: it arrives from a newer build, is shown, answered, kept, and read after the upgrade.
#[test]
fn a_kind_of_a_newer_build_shows_its_fallback_is_answered_and_decodes_after_the_upgrade() {
    // It arrives.
    let kept = newer_message();
    let arrived = MessageId {
        thread: ThreadId([1; 16]),
        author: DeviceId([2; 32]),
        lane: Lane::Service,
        sequence: 4,
    };
    let today = Body::from_message(&kept, &BodyKinds::released()).unwrap();
    assert_eq!(
        today.content,
        Content::Unknown {
            kind: 9999,
            body: kept.body.clone()
        }
    );

    // Its fallback is shown under the name of the app that wrote it.
    let shown = today.shown_fallback().unwrap();
    assert_eq!((shown.kind, shown.text), (9999, Some("Sunny, 21 degrees")));
    let via = shown.via.unwrap();
    assert_eq!((via.name.as_str(), via.key), ("Weather", public(64)));

    // It is answered in text.
    let mut answer = Body::text("Good, then we eat outside.");
    answer.header.reply_to = Some(arrived);
    let answer = Body::from_message(&answer.to_message().unwrap(), &BodyKinds::released()).unwrap();
    assert_eq!(answer.header.reply_to, Some(arrived));

    // Its bytes were kept as they came, so the upgraded build reads them.
    let kept = Message::from_bytes(&kept.to_bytes()).unwrap();
    let upgraded = Body::from_message(&kept, &newer_kinds()).unwrap();
    assert_eq!(
        upgraded.content,
        Content::App {
            kind: 9999,
            bytes: weather_bytes("sunny")
        }
    );
    assert_eq!(upgraded.header, today.header);
    assert_eq!(upgraded.shown_fallback(), None);
    assert!(
        newer_kinds().known().contains(&9999) && !BodyKinds::released().known().contains(&9999)
    );
}

fn message(kind: u32, header: &[u8], content: &[u8]) -> Message {
    let body = RawBody {
        header: header.to_vec(),
        content: content.to_vec(),
    }
    .to_bytes();
    Message { kind, body }
}

///
#[test]
fn a_critical_field_of_a_newer_build_in_header_or_content_keeps_the_message_unread() {
    let header = BodyHeader::default().to_bytes();
    assert_eq!(header, [0xa1, 0, 0]);
    let text = Text {
        text: "a".to_owned(),
    }
    .to_bytes();
    let newer_header = [0xa2, 0, 0, 9, 0];
    let newer_content = [0xa2, 0, 0x61, b'a', 9, 0];
    for message in [
        message(1, &newer_header, &text),
        message(1, &header, &newer_content),
    ] {
        let body = Body::from_message(&message, &BodyKinds::released()).unwrap();
        assert!(
            matches!(body.content, Content::Unknown { kind: 1, .. }),
            "{body:?}"
        );
    }
    // From 64 on it is skipped.
    let skippable = message(
        1,
        &[0xa2, 0, 0, 0x18, 64, 0],
        &[0xa2, 0, 0x61, b'a', 0x18, 64, 0],
    );
    let body = Body::from_message(&skippable, &BodyKinds::released()).unwrap();
    assert_eq!(
        body.content,
        Content::Text(Text {
            text: "a".to_owned()
        })
    );
    // A new kind of author is a number we do not know: kept, not refused.
    let author = message(1, &[0xa1, 0, 9], &text);
    assert!(matches!(
        Body::from_message(&author, &BodyKinds::released())
            .unwrap()
            .content,
        Content::Unknown { .. }
    ));
}

///
///
#[test]
fn what_was_not_understood_is_sent_on_as_it_came() {
    let text = Text {
        text: "transfer 100".to_owned(),
    }
    .to_bytes();
    let header = BodyHeader::default().to_bytes();
    for kept in [
        // A critical field of the header: left out, this would be plain text.
        message(1, &[0xa2, 0, 0, 9, 0], &text),
        // A header field that may be skipped, and a content field that may not.
        message(1, &[0xa2, 0, 0, 0x18, 64, 7], &[0xa2, 0, 0x61, b'a', 9, 0]),
        message(9999, &[0xa2, 0, 0, 0x18, 64, 7], &text),
        message(9999, &header, b"anything"),
    ] {
        let body = Body::from_message(&kept, &BodyKinds::released()).unwrap();
        assert!(matches!(body.content, Content::Unknown { .. }), "{body:?}");
        assert_eq!(body.to_message().unwrap(), kept);
    }
}

fn address() -> MessageId {
    MessageId {
        thread: ThreadId([1; 16]),
        author: DeviceId([2; 32]),
        lane: Lane::Service,
        sequence: 4,
    }
}

///
#[test]
fn an_amendment_says_to_older_builds_what_it_did() {
    let older = |body: Body| {
        let message = body.to_message().unwrap();
        // An older build knows neither number.
        let message = Message {
            kind: message.kind + 9_000,
            ..message
        };
        Body::from_message(&message, &BodyKinds::released()).unwrap()
    };
    let edited = older(Body::edit(address(), "at seven"));
    assert_eq!(
        edited.shown_fallback().unwrap().text,
        Some("Edited: at seven")
    );
    let erased = older(Body::erase(address()));
    assert!(erased.shown_fallback().unwrap().text.is_some());
    // What does not fit is cut between two characters.
    let long = older(Body::edit(address(), "é".repeat(TEXT_BYTES_MAX / 2)));
    let length = long.shown_fallback().unwrap().text.unwrap().len();
    assert!((FALLBACK_BYTES_MAX - 1..=FALLBACK_BYTES_MAX).contains(&length));
}

///
#[test]
fn an_edit_is_bounded_as_a_text_is() {
    let edit = |length: usize| Body::edit(address(), "x".repeat(length)).to_message();
    assert!(edit(TEXT_BYTES_MAX).is_ok());
    assert_eq!(
        edit(TEXT_BYTES_MAX + 1).unwrap_err(),
        DecodeError::TooLong {
            what: "bytes of a text",
            got: TEXT_BYTES_MAX as u64 + 1,
            max: TEXT_BYTES_MAX as u64
        }
    );
}

///
#[test]
fn a_reworded_text_keeps_its_header_as_it_came_and_nothing_else_is_reworded() {
    let text = Text {
        text: "at eight".to_owned(),
    }
    .to_bytes();
    let skippable = [0xa2, 0, 1, 0x18, 64, 7];
    let sent = message(body_kind::TEXT, &skippable, &text);
    let reworded = Body::reworded(&sent, "at seven").unwrap();
    assert_eq!(
        RawBody::from_bytes(&reworded.body).unwrap().header,
        skippable
    );
    let read = Body::from_message(&reworded, &BodyKinds::released()).unwrap();
    assert_eq!(read.header.author_kind, AuthorKind::Bot);
    assert_eq!(
        read.content,
        Content::Text(Text {
            text: "at seven".to_owned()
        })
    );
    assert!(Body::reworded(&sent, &"x".repeat(TEXT_BYTES_MAX + 1)).is_err());
    let newer = message(body_kind::TEXT, &[0xa2, 0, 0, 9, 0], &text);
    let erase = Body::erase(address()).to_message().unwrap();
    for other in [newer_message(), newer, erase] {
        assert!(Body::reworded(&other, "a").is_err(), "{other:?}");
    }
}

///
#[test]
fn a_damaged_body_is_an_error_and_not_an_unknown_kind() {
    let header = BodyHeader::default().to_bytes();
    for message in [
        message(1, &header, b"garbage"),
        message(
            1,
            b"garbage",
            &Text {
                text: String::new(),
            }
            .to_bytes(),
        ),
        message(1, &header, &[]),
        Message {
            kind: 1,
            body: b"garbage".to_vec(),
        },
        message(9999, &header, b"garbage"),
    ] {
        assert!(
            Body::from_message(&message, &newer_kinds()).is_err(),
            "{message:?}"
        );
    }
}

///
#[test]
fn what_every_reader_would_refuse_is_refused_when_it_is_written() {
    assert!(Body::text("x".repeat(TEXT_BYTES_MAX)).to_message().is_ok());
    assert!(
        Body::text("x".repeat(TEXT_BYTES_MAX + 1))
            .to_message()
            .is_err()
    );
    let with_header = |header: BodyHeader| {
        Body {
            header,
            ..Body::text("a")
        }
        .to_message()
    };
    let fallback = |length: usize| BodyHeader {
        fallback: Some("x".repeat(length)),
        ..BodyHeader::default()
    };
    assert!(with_header(fallback(FALLBACK_BYTES_MAX)).is_ok());
    assert!(with_header(fallback(FALLBACK_BYTES_MAX + 1)).is_err());
    let via = Via {
        name: "x".repeat(NAME_BYTES_MAX + 1),
        key: public(64),
    };
    assert!(
        with_header(BodyHeader {
            via: Some(via),
            ..BodyHeader::default()
        })
        .is_err()
    );
    let large = Content::App {
        kind: 9999,
        bytes: vec![0; MESSAGE_BYTES_MAX],
    };
    assert!(Body::new(large).to_message().is_err());
}

///
#[test]
fn a_released_kind_cannot_be_replaced_by_an_app() {
    let kinds = BodyKinds::released().with(body_kind::TEXT, |_| Ok(()));
    let text = Body::text("a").to_message().unwrap();
    assert_eq!(
        Body::from_message(&text, &kinds).unwrap().content,
        Content::Text(Text {
            text: "a".to_owned()
        })
    );
    assert_eq!(kinds.known(), BodyKinds::released().known());
}

///
#[test]
fn every_kind_writes_the_number_it_is_read_by() {
    let numbers: Vec<u32> = BodyKinds::released().known();
    assert_eq!(numbers, crate::tag::body_kind::ALL);
    let text = Body::text("a").to_message().unwrap();
    assert_eq!(text.kind, body_kind::TEXT);
}
