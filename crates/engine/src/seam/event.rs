// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events: what the user's programs are told, durable and numbered without a gap.

use comptoir_protocol::id::Lane;
use comptoir_protocol::id::{DeviceId, RelayKey};

use crate::rows::record::{choice, record};

choice! {
    /// How far an own message has come.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum MessageState {
        /// On our disk.
        1 Queued,
        /// On the disk of a relay.
        2 Stored,
        /// On the disk of a device of the other side.
        3 Delivered,
        /// The other side says it was read.
        4 Read,
    }
}

choice! {
    /// How a relay is doing.
    #[derive(Copy)]
    pub enum RelayCondition {
        /// It answers.
        1 Up,
        /// It does not answer.
        2 Down,
        /// It refuses us: no ticket, or a used one.
        3 Refused,
    }
}

choice! {
    /// Something the user's programs should know.
    pub enum Event {
        /// A persona was made.
        1 PersonaCreated {
            /// Its number.
            0 persona: u16,
        },
        /// Somebody asks to talk. Silent: no notice is due.
        2 RequestReceived {
            /// For whom.
            0 persona: u16,
            /// The request's number.
            1 request: u32,
        },
        /// A contact can be talked to.
        3 ContactAdded {
            /// Whose contact.
            0 persona: u16,
            /// The contact's number.
            1 contact: u32,
            /// The thread's number.
            2 thread: u32,
        },
        /// A contact's name, card, block or verification changed.
        4 ContactChanged {
            /// Whose contact.
            0 persona: u16,
            /// The contact's number.
            1 contact: u32,
        },
        /// Messages came in.
        5 MessagesReceived {
            /// For whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// The first.
            4 from: u64,
            /// The last.
            5 to: u64,
            /// They came after later ones of the same author.
            6 late: bool,
        },
        /// Own messages came further.
        6 MessagesMoved {
            /// Whose.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// The lane.
            2 lane: Lane,
            /// The first.
            3 from: u64,
            /// The last.
            4 to: u64,
            /// How far.
            5 state: MessageState,
        },
        /// Messages of an author are missing.
        7 GapSeen {
            /// For whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// The first missing.
            4 from: u64,
            /// The last missing.
            5 to: u64,
        },
        /// Missing messages came after all.
        8 GapFilled {
            /// For whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// The first that came.
            4 from: u64,
            /// The last that came.
            5 to: u64,
        },
        /// A message was edited or erased.
        9 MessageChanged {
            /// For whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// Which.
            4 sequence: u64,
            /// Erased, or edited.
            5 erased: bool,
        },
        /// A thread was read here.
        10 ThreadRead {
            /// By whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
        },
        /// A relay changed its condition.
        11 RelayChanged {
            /// Whose relay.
            0 persona: u16,
            /// Which.
            1 relay: RelayKey,
            /// How it is now.
            2 condition: RelayCondition,
        },
        /// Own messages were given up after 30 days.
        12 NotDelivered {
            /// Whose.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// The lane.
            2 lane: Lane,
            /// The first.
            3 from: u64,
            /// The last.
            4 to: u64,
        },
        /// A hello got no answer and is given up.
        13 HelloFailed {
            /// Whose.
            0 persona: u16,
            /// The contact's number.
            1 contact: u32,
            /// Why, in a sentence.
            2 why: String,
        },
        /// Something came that only a newer build can use.
        14 NeedsNewer {
            /// For whom.
            0 persona: u16,
            /// From which contact.
            1 contact: u32,
        },
        /// Something came in a lane it does not belong to and is not shown.
        15 HeldBack {
            /// For whom.
            0 persona: u16,
            /// From which contact.
            1 contact: u32,
            /// How many of this contact are kept now.
            2 count: u64,
        },
        /// Another copy of this device is running, or ours is an old one: nothing is sent any more.
        16 CloneSuspected {
            /// Whose device.
            0 persona: u16,
            /// The number we know.
            1 ours: u64,
            /// The larger number that was seen.
            2 seen: u64,
        },
        /// Two different messages of one author claim one place in its chain.
        17 ChainBroken {
            /// For whom.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose.
            2 author: DeviceId,
            /// At which message.
            3 sequence: u64,
        },
        /// A setting changed.
        18 SettingsChanged {
            /// Whose.
            0 persona: u16,
        },
        /// A thread's messages were deleted here.
        19 ThreadDeleted {
            /// Whose.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
        },
        /// Messages that were held back are shown now, because the user asked for them.
        24 HeldBackShown {
            /// Whose.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose messages.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// The first.
            4 from: u64,
            /// The last.
            5 to: u64,
        },
        /// Messages ended, as their author wanted, and are not here any more.
        32 MessagesEnded {
            /// Whose.
            0 persona: u16,
            /// The thread's number.
            1 thread: u32,
            /// Whose messages.
            2 author: DeviceId,
            /// The lane.
            3 lane: Lane,
            /// The first.
            4 from: u64,
            /// The last.
            5 to: u64,
        },
    }
}

record! {
    /// An event as kept.
    pub struct EventRecord {
        /// Wall time at which it was decided.
        0 pub wall_ms: u64,
        /// What happened.
        1 pub event: Event,
    }
}
