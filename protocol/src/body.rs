// SPDX-License-Identifier: MIT OR Apache-2.0
//! The body: one message's header and content, and what is shown of a kind that is not known here.

mod account_state;
mod amend;
mod profile;
mod reach;
mod receipt;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub use account_state::{
    AccountChange, AccountState, AccountStatement, BlockMarks, BoxRecord, GrantDirection, Merged,
    Subject, supersedes,
};
pub use amend::{Edit, Erase};
pub use profile::Profile;
pub use reach::Reach;
pub use receipt::{Receipt, ReceiptState};
pub use text::Text;

use crate::codec::{DecodeError, Wire, at_most};
use crate::envelope::Message;
use crate::id::{MessageId, PublicKey};
use crate::limits::{FALLBACK_BYTES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX};
use crate::signed::Signed;
use crate::tag::body_kind;
use crate::{wire_map, wire_number};

/// Who speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthorKind {
    /// A person.
    #[default]
    Human,
    /// A program that answers.
    Bot,
    /// A program that addresses many.
    Campaign,
}
wire_number!(AuthorKind, "author kind" { 0 => Human, 1 => Bot, 2 => Campaign });

/// The app a message came through: shown beside the message, for kinds that are not known too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The app's name, its own claim.
    pub name: String,
    /// The app's key.
    pub key: PublicKey,
}
wire_map!(Via { 0 => name, 1 => key });

/// What every message has in front of its content, whatever its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyHeader {
    /// Who speaks.
    pub author_kind: AuthorKind,
    /// The message this one answers.
    pub reply_to: Option<MessageId>,
    /// Gone so many seconds after it was sent on its author's device, and after it arrived on each other.
    pub expires_after_s: Option<u32>,
    /// The app it came through.
    pub via: Option<Via>,
    /// What a node shows that does not know the kind; at most 1 KiB.
    pub fallback: Option<String>,
}
wire_map!(BodyHeader {
    0 => author_kind, 1 => reply_to, 2 => expires_after_s, 3 => via, 4 => fallback,
}, check = BodyHeader::check);

impl BodyHeader {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "bytes of a fallback",
            self.fallback.as_ref().map_or(0, String::len),
            FALLBACK_BYTES_MAX,
        )?;
        at_most(
            "bytes of an app's name",
            self.via.as_ref().map_or(0, |via| via.name.len()),
            NAME_BYTES_MAX,
        )
    }
}

/// A message's header and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The header.
    pub header: BodyHeader,
    /// The content.
    pub content: Content,
}

/// A message's content, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(Text),
    /// What was read.
    Receipt(Receipt),
    /// The author's name, card and endpoints.
    Profile(Box<Profile>),
    /// Capabilities for the author's boxes.
    Reach(Reach),
    /// A statement of the account to its own devices; refused outside the self thread.
    AccountState(Signed<AccountStatement>),
    /// Another text for an earlier message of its author.
    Edit(Edit),
    /// An earlier message of its author goes.
    Erase(Erase),
    /// A kind that an app brought to this node; its bytes passed that kind's check.
    App {
        /// The kind.
        kind: u32,
        /// The content's bytes.
        bytes: Vec<u8>,
    },
    /// A kind, a header field or a content field of a newer version: kept as received, read again after an upgrade.
    Unknown {
        /// The kind.
        kind: u32,
        /// The whole body as received. What could be read of its header stands beside it; it is sent on as it came.
        body: Vec<u8>,
    },
}

impl Content {
    /// The kind's number.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Text(_) => body_kind::TEXT,
            Self::Receipt(_) => body_kind::RECEIPT,
            Self::Profile(_) => body_kind::PROFILE,
            Self::Reach(_) => body_kind::REACH,
            Self::AccountState(_) => body_kind::ACCOUNT_STATE,
            Self::Edit(_) => body_kind::EDIT,
            Self::Erase(_) => body_kind::ERASE,
            Self::App { kind, .. } | Self::Unknown { kind, .. } => *kind,
        }
    }

    /// The bytes of the content alone; of an unknown kind the whole body.
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.to_bytes(),
            Self::Receipt(receipt) => receipt.to_bytes(),
            Self::Profile(profile) => profile.to_bytes(),
            Self::Reach(reach) => reach.to_bytes(),
            Self::AccountState(statement) => statement.to_bytes(),
            Self::Edit(edit) => edit.to_bytes(),
            Self::Erase(erase) => erase.to_bytes(),
            Self::App { bytes, .. } => bytes.clone(),
            Self::Unknown { body, .. } => body.clone(),
        }
    }
}

/// How a message's body lies on the wire: the content is a byte string, so that a node can keep what it cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RawBody {
    header: Vec<u8>,
    content: Vec<u8>,
}
wire_map!(RawBody { 0 => header, 1 => content });

/// Checks the content bytes of an app's kind.
pub type ContentCheck = fn(&[u8]) -> Result<(), DecodeError>;

/// The kinds this node knows beyond the released ones.
#[derive(Debug, Clone, Default)]
pub struct BodyKinds {
    apps: BTreeMap<u32, ContentCheck>,
    missing: BTreeSet<u32>,
}

impl BodyKinds {
    /// The kinds of this release.
    #[must_use]
    pub fn released() -> Self {
        Self::default()
    }

    /// And one more. A released kind cannot be replaced; its number is ignored here.
    #[must_use]
    pub fn with(mut self, kind: u32, check: ContentCheck) -> Self {
        self.apps.insert(kind, check);
        self
    }

    /// The same, as a build that was made before this kind.
    #[must_use]
    pub fn without(mut self, kind: u32) -> Self {
        self.apps.remove(&kind);
        self.missing.insert(kind);
        self
    }

    /// All known kinds, ascending: what a leaf's capabilities announce.
    #[must_use]
    pub fn known(&self) -> Vec<u32> {
        let mut kinds: Vec<u32> = body_kind::ALL
            .into_iter()
            .chain(self.apps.keys().copied())
            .filter(|kind| !self.missing.contains(kind))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn read(&self, kind: u32, bytes: &[u8]) -> Result<Content, DecodeError> {
        match kind {
            _ if self.missing.contains(&kind) => Err(DecodeError::UnknownNumber {
                what: "body kind",
                number: kind.into(),
            }),
            body_kind::TEXT => Text::from_bytes(bytes).map(Content::Text),
            body_kind::RECEIPT => Receipt::from_bytes(bytes).map(Content::Receipt),
            body_kind::PROFILE => {
                Profile::from_bytes(bytes).map(|profile| Content::Profile(Box::new(profile)))
            }
            body_kind::REACH => Reach::from_bytes(bytes).map(Content::Reach),
            body_kind::ACCOUNT_STATE => Signed::from_bytes(bytes).map(Content::AccountState),
            body_kind::EDIT => Edit::from_bytes(bytes).map(Content::Edit),
            body_kind::ERASE => Erase::from_bytes(bytes).map(Content::Erase),
            _ => match self.apps.get(&kind) {
                Some(check) => check(bytes).map(|()| Content::App {
                    kind,
                    bytes: bytes.to_vec(),
                }),
                None => Err(DecodeError::UnknownNumber {
                    what: "body kind",
                    number: kind.into(),
                }),
            },
        }
    }
}

impl Body {
    /// A body with a default header.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self {
            header: BodyHeader::default(),
            content,
        }
    }

    /// A text message.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(Text { text: text.into() }))
    }

    /// Another text for a message, with a fallback for nodes that do not know edits.
    #[must_use]
    pub fn edit(message: MessageId, text: impl Into<String>) -> Self {
        let text = text.into();
        let edit = Edit { message, text };
        let fallback = edit.fallback();
        Self::with_fallback(Content::Edit(edit), fallback)
    }

    /// The end of a message, with a fallback for nodes that do not know erasures.
    #[must_use]
    pub fn erase(message: MessageId) -> Self {
        Self::with_fallback(
            Content::Erase(Erase { message }),
            Erase::FALLBACK.to_owned(),
        )
    }

    fn with_fallback(content: Content, fallback: String) -> Self {
        let mut body = Self::new(content);
        body.header.fallback = Some(fallback);
        body
    }

    /// The message to send. Refuses what every receiver would. What was not understood goes on as it came.
    pub fn to_message(&self) -> Result<Message, DecodeError> {
        let kind = self.content.kind();
        let body = match &self.content {
            Content::Unknown { body, .. } => body.clone(),
            content => RawBody {
                header: self.header.to_bytes(),
                content: content.to_bytes(),
            }
            .to_bytes(),
        };
        let message = Message { kind, body };
        at_most("bytes of a message", message.body.len(), MESSAGE_BYTES_MAX)?;
        // What was built here may still break a bound of its kind; better the sender hears it than every reader.
        if matches!(self.content, Content::App { .. }) {
            BodyHeader::from_bytes(&self.header.to_bytes())?;
        } else {
            Self::from_message(&message, &BodyKinds::released())?;
        }
        Ok(message)
    }

    /// A text message with another text; its header's bytes stay as they are. Of no other kind is there an edited form.
    pub fn reworded(message: &Message, text: &str) -> Result<Message, DecodeError> {
        let body = Self::from_message(message, &BodyKinds::released())?;
        if !matches!(body.content, Content::Text(_)) {
            return Err(DecodeError::Invalid {
                what: "only a text has an edited form",
            });
        }
        let text = text.to_owned();
        let reworded = RawBody {
            header: RawBody::from_bytes(&message.body)?.header,
            content: Text { text }.to_bytes(),
        };
        let reworded = Message {
            kind: message.kind,
            body: reworded.to_bytes(),
        };
        Self::from_message(&reworded, &BodyKinds::released())?;
        Message::from_bytes(&reworded.to_bytes())
    }

    /// Reads a message. What needs a newer version comes back as [`Content::Unknown`] with everything of the header
    /// that could be read; what is damaged is an error.
    pub fn from_message(message: &Message, kinds: &BodyKinds) -> Result<Self, DecodeError> {
        let raw = RawBody::from_bytes(&message.body)?;
        let unknown = || Content::Unknown {
            kind: message.kind,
            body: message.body.clone(),
        };
        let header = match BodyHeader::from_bytes(&raw.header) {
            Ok(header) => header,
            Err(error) if error.needs_newer() => {
                return Ok(Self {
                    header: BodyHeader::default(),
                    content: unknown(),
                });
            }
            Err(error) => return Err(error),
        };
        let content = match kinds.read(message.kind, &raw.content) {
            Ok(content) => content,
            Err(error) if error.needs_newer() => unknown(),
            Err(error) => return Err(error),
        };
        Ok(Self { header, content })
    }

    /// What to show in place of a kind that is not known: the fallback, under the name of the app it came through.
    #[must_use]
    pub fn shown_fallback(&self) -> Option<Fallback<'_>> {
        match self.content {
            Content::Unknown { kind, .. } => Some(Fallback {
                kind,
                text: self.header.fallback.as_deref(),
                via: self.header.via.as_ref(),
            }),
            _ => None,
        }
    }
}

/// What is shown of a message whose kind is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback<'a> {
    /// The kind, for "needs a newer version".
    pub kind: u32,
    /// The author's words for it, if it left any.
    pub text: Option<&'a str>,
    /// The app it came through.
    pub via: Option<&'a Via>,
}

#[cfg(test)]
mod tests;
