// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers: what a command came to. Kept with the idempotency key in the commit of the command itself.

use comptoir_protocol::id::Lane;
use comptoir_protocol::id::{AccountId, DeviceId};

use crate::rows::record::choice;

choice! {
    /// A command that was done.
    pub enum Answer {
        /// Done; there is nothing to add.
        1 Done,
        /// A persona was made.
        2 Persona {
            /// Its number.
            0 persona: u16,
            /// Who it is.
            1 account: AccountId,
        },
        /// An invite was made.
        3 Invite {
            /// Its number.
            0 invite: u32,
            /// The link.
            1 link: String,
        },
        /// A hello is on its way.
        4 Added {
            /// The contact's number.
            0 contact: u32,
        },
        /// A request was accepted.
        5 Accepted {
            /// The contact's number.
            0 contact: u32,
            /// The thread's number.
            1 thread: u32,
        },
        /// Messages are on disk; delivery is told by events.
        6 Sent {
            /// The thread's number.
            0 thread: u32,
            /// The author: this device.
            1 author: DeviceId,
            /// The lane.
            2 lane: Lane,
            /// Sequence of the first message.
            3 from: u64,
            /// Sequence of the last message.
            4 to: u64,
        },
    }
}

choice! {
    /// A command that was not done. Nothing changed.
    #[derive(thiserror::Error)]
    pub enum Refusal {
        /// There is no such persona.
        #[error("there is no such persona")]
        1 NoSuchPersona,
        /// There is no such contact.
        #[error("there is no such contact")]
        2 NoSuchContact,
        /// There is no such thread.
        #[error("there is no such thread")]
        3 NoSuchThread,
        /// There is no such request.
        #[error("there is no such request")]
        4 NoSuchRequest,
        /// There is no such message.
        #[error("there is no such message")]
        5 NoSuchMessage,
        /// There is no such invite.
        #[error("there is no such invite")]
        6 NoSuchInvite,
        /// There is no such relay.
        #[error("there is no such relay")]
        7 NoSuchRelay,
        /// The link cannot be used.
        #[error("the link cannot be used: {why}")]
        8 BadLink {
            /// Why, in a sentence.
            0 why: String,
        },
        /// The recovery phrase cannot be used.
        #[error("the recovery phrase cannot be used: {why}")]
        9 BadPhrase {
            /// Why, in a sentence.
            0 why: String,
        },
        /// Something is longer than the protocol allows.
        #[error("{what} has {got}, at most {max} are allowed")]
        10 TooLong {
            /// What.
            0 what: String,
            /// How much.
            1 got: u64,
            /// How much is allowed.
            2 max: u64,
        },
        /// Too much waits for this contact already.
        #[error("{waiting_bytes} bytes wait for this contact, at most {max} may")]
        11 OutboxFull {
            /// What waits.
            0 waiting_bytes: u64,
            /// What may wait.
            1 max: u64,
        },
        /// This account is a contact already.
        #[error("this account is contact {contact} already")]
        12 AlreadyContact {
            /// Its number.
            0 contact: u32,
        },
        /// The contact is blocked.
        #[error("the contact is blocked; unblock it first")]
        13 Blocked,
        /// The link leads to this very persona.
        #[error("this link leads to yourself")]
        14 Yourself,
        /// The same idempotency key came with another request.
        #[error("this idempotency key was used for another request")]
        15 OtherBody,
        /// Only the author may do this.
        #[error("only its author may change a message")]
        16 NotYours,
        /// The body is not well formed.
        #[error("the message cannot be sent: {why}")]
        17 BadMessage {
            /// Why, in a sentence.
            0 why: String,
        },
        /// There is no way to be reached: no relay and no direct address.
        #[error("add a relay or listen for connections first: nobody could answer")]
        18 NotReachable,
        /// This account exists here already.
        #[error("this phrase is persona {persona} already")]
        19 AlreadyPersona {
            /// Its number.
            0 persona: u16,
        },
        /// The relay is in use already.
        #[error("this relay is in use already")]
        20 AlreadyRelay,
        /// A bound was reached.
        #[error("at most {max} {what} are kept")]
        21 Full {
            /// Of what.
            0 what: String,
            /// How many.
            1 max: u64,
        },
        /// The message was erased for everybody.
        #[error("this message was erased")]
        22 Erased,
        /// The contact takes no promotions from us.
        #[error("this contact takes no promotions from you: only its owner can allow them")]
        30 NoPromotions,
        /// No relay of the persona has made its boxes yet. Worth another try in a moment.
        #[error("the relay {relay} is not connected yet; try again in a moment")]
        31 RelayNotConnected {
            /// Where it is.
            0 relay: String,
        },
        /// The relay refuses to make boxes for the persona.
        #[error("the relay {relay} refuses new boxes: ask its operator for a ticket, or use another relay")]
        32 RelayRefuses {
            /// Where it is.
            0 relay: String,
        },
    }
}
