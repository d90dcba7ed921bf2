// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands: what a user, or a program of theirs, may ask of a node.

use comptoir_protocol::body::Body;
use comptoir_protocol::capability::CapabilityTerms;
use comptoir_protocol::id::Lane;
use comptoir_protocol::id::{DeviceId, RelayKey};
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;
use zeroize::Zeroize;

/// A recovery phrase: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(pub String);

impl Drop for Phrase {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Phrase(..)")
    }
}

/// A message to send: a body of the protocol. Its header and content are checked against the limits before anything is written.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Header, kind and content.
    pub body: Body,
}

/// Names one message within its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageAt {
    /// The thread's local number.
    pub thread: u32,
    /// Whose message.
    pub author: DeviceId,
    /// In which lane it came.
    pub lane: Lane,
    /// The author's number for it in that lane.
    pub sequence: u64,
}

/// What a user may set for a persona.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whether contacts are told what was read. At first: yes.
    ReadReceipts(bool),
    /// The name shown to contacts.
    Name(String),
}

/// One thing asked of the node.
#[derive(Clone, Debug)]
pub enum Command {
    /// Makes a persona from a recovery phrase; the phrase is not kept.
    CreatePersona {
        /// 24 words.
        phrase: Phrase,
        /// The name shown to contacts.
        name: String,
    },
    /// Makes an invite link.
    Invite {
        /// For how long it is good. At most until the card expires.
        expires_s: u64,
        /// How many people may use it.
        uses: u32,
        /// Put the card at a relay and make the link short.
        as_ref: bool,
    },
    /// Ends an invite.
    RevokeInvite {
        /// Its number.
        invite: u32,
    },
    /// Says hello to the owner of a link.
    Add {
        /// The `comptoir:` link.
        link: String,
        /// What the owner reads before deciding.
        reason: String,
    },
    /// Accepts a request: makes the thread.
    Accept {
        /// The request's number.
        request: u32,
    },
    /// Declines a request; the asker is told nothing.
    Decline {
        /// The request's number.
        request: u32,
        /// Refuse every further one of this account, too.
        block: bool,
    },
    /// Sends 1 to 64 messages in one envelope.
    Send {
        /// The thread's number.
        thread: u32,
        /// Which lane.
        lane: Lane,
        /// What; in this order.
        messages: Vec<NewMessage>,
    },
    /// Gives an own text message another text, here at once and at the other side when it gets there.
    Edit {
        /// Which.
        message: MessageAt,
        /// The new text.
        text: String,
    },
    /// Erases a message: an own one on both sides, another's here.
    Erase {
        /// Which.
        message: MessageAt,
        /// An own one too only here.
        only_here: bool,
    },
    /// Marks a thread read.
    MarkRead {
        /// The thread's number.
        thread: u32,
        /// Up to this message in the order of places. If left unset: everything received.
        up_to: Option<MessageAt>,
    },
    /// Gives a contact a name of one's own; `None` shows theirs again.
    Rename {
        /// The contact's number.
        contact: u32,
        /// The name.
        name: Option<String>,
    },
    /// Stops, or allows, notices for a contact.
    Mute {
        /// The contact's number.
        contact: u32,
        /// Silent or not.
        muted: bool,
    },
    /// Says that the safety code was compared, or takes it back.
    Verify {
        /// The contact's number.
        contact: u32,
        /// Compared or not.
        verified: bool,
    },
    /// Blocks a contact: its capabilities end at the relays.
    Block {
        /// The contact's number.
        contact: u32,
    },
    /// Takes a block back: new boxes, new capabilities.
    Unblock {
        /// The contact's number.
        contact: u32,
    },
    /// Lets a contact send promotions, within terms, or takes that back. Nothing of that lane is taken without.
    AllowPromotions {
        /// The contact's number.
        contact: u32,
        /// How many, when, and until when. If left unset: none any more.
        terms: Option<CapabilityTerms>,
    },
    /// Shows what was held back: it becomes a part of the history like any other message.
    ShowHeldBack {
        /// The thread's number.
        thread: u32,
        /// This message, and those that came in one envelope with it. If left unset: all that is held back there.
        message: Option<MessageAt>,
    },
    /// Deletes a thread's messages here. The contact stays.
    DeleteThread {
        /// The thread's number.
        thread: u32,
    },
    /// Uses a relay for this persona.
    AddRelay {
        /// Where it is.
        relay: RelayDescriptor,
        /// The operator's admission, if it asks for one.
        ticket: Option<Signed<Ticket>>,
    },
    /// Stops using a relay; contacts are told.
    RemoveRelay {
        /// Which.
        relay: RelayKey,
    },
    /// Moves every box from one relay to another; contacts are told.
    MoveRelay {
        /// From here.
        from: RelayKey,
        /// To here.
        to: RelayDescriptor,
        /// The new operator's admission, if it asks for one.
        ticket: Option<Signed<Ticket>>,
    },
    /// Changes a setting.
    Set(Setting),
}
