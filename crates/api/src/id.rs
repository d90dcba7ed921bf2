// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ids of the API: a prefix that names the kind, then what the node made of its own id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// What follows a prefix is at most 160 bytes: a message's id names thread, author, lane and sequence
/// (16 + 32 + 1 + 8 bytes, 114 in hex), and some room is left.
const BODY_BYTES_MAX: usize = 160;
/// A name stands in paths and in `--as`; longer would only be typed wrong.
const NAME_BYTES_MAX: usize = 32;

/// Text that is not an id or name of the kind that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct BadId {
    /// What was given, cut to 40 characters.
    pub text: String,
    /// What was expected, with its article.
    pub expected: &'static str,
}

impl BadId {
    fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.chars().take(40).collect(),
            expected,
        }
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The whole text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes the id from what follows the prefix: 1 to 160 of `a-z`, `0-9` and `-`.
            pub fn from_body(body: impl fmt::Display) -> Result<Self, BadId> {
                format!(concat!($prefix, "{}"), body).parse()
            }

            /// What follows the prefix.
            #[must_use]
            pub fn body(&self) -> &str {
                &self.0[Self::PREFIX.len()..]
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                match text.strip_prefix($prefix) {
                    Some(body) if is_body(body) => Ok(Self(text.to_owned())),
                    _ => Err(BadId::new(text, $expected)),
                }
            }
        }

        text_type!($name);
    };
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,31}$")]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(BadId::new(text, $expected)) }
            }
        }

        text_type!($name);
    };
}

fn is_body(body: &str) -> bool {
    (1..=BODY_BYTES_MAX).contains(&body.len())
        && body
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || byte == b'-' || byte == b'_')
}

prefixed_id!(
    /// A contact of one persona.
    ContactId, "ctc_", "a contact id (ctc_…)");
prefixed_id!(
    /// A thread of one persona.
    ThreadId, "thr_", "a thread id (thr_…)");
prefixed_id!(
    /// A message; it stays the same through edits.
    MessageId, "msg_", "a message id (msg_…)");
prefixed_id!(
    /// A stranger's request that waits for an answer.
    RequestId, "req_", "a request id (req_…)");
prefixed_id!(
    /// An event in the log.
    EventId, "evt_", "an event id (evt_…)");
prefixed_id!(
    /// A relay this node uses.
    RelayId, "rly_", "a relay id (rly_…)");
prefixed_id!(
    /// A named token.
    TokenId, "tok_", "a token id (tok_…)");
name_type!(
    /// The short name of a persona in paths; the first one is `main`.
    PersonaName, "a persona's name (1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit)");
name_type!(
    /// The name a reader of events keeps its place under.
    ConsumerName, "a consumer's name (1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit)");

impl PersonaName {
    /// The persona every node has: `main`.
    #[must_use]
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    #[test]
    fn ids_keep_prefix_and_body() {
        let id = ContactId::from_body(12).unwrap();
        assert_eq!((id.as_str(), id.body()), ("ctc_12", "12"));
        assert_eq!(serde_json::from_str::<ContactId>("\"ctc_12\"").unwrap(), id);
    }

    #[test]
    fn ids_of_another_kind_or_shape_are_refused() {
        let long = format!("ctc_{}", "a".repeat(BODY_BYTES_MAX + 1));
        for text in [
            "",
            "ctc_",
            "thr_1",
            "ctc_A",
            "ctc_../x",
            "ctc_é",
            "ctc_1 ",
            long.as_str(),
        ] {
            assert!(text.parse::<ContactId>().is_err(), "{text}");
        }
        for text in ["", "Main", "-a", "a/b", "..", "a b", "é", &"a".repeat(33)] {
            assert!(text.parse::<PersonaName>().is_err(), "{text}");
        }
        assert_eq!("shop-2".parse::<PersonaName>().unwrap().as_str(), "shop-2");
    }
}
