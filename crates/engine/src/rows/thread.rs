// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of a thread: its counters, its messages in runs, and what it still owes to the other side.

use comptoir_protocol::envelope::Chain;
use comptoir_protocol::id::{DeviceId, Lane, PublicKey, RelayKey, ThreadId};
use comptoir_protocol::place::Place;
use comptoir_protocol::runs::Runs;

use crate::rows::record::{choice, record};

record! {
    /// A thread: all its counters. About 300 bytes for two people.
    pub struct Thread {
        /// Whose.
        0 pub persona: u16,
        /// With whom; absent for the self thread.
        1 pub contact: Option<u32>,
        /// The thread's name between nodes.
        2 pub id: ThreadId,
        /// Which MLS group carries it now.
        3 pub incarnation: u32,
        /// Everybody who ever wrote here; this device is the first. Their index stands in keys.
        4 pub authors: Vec<Author>,
        /// The number of the next envelope of this device.
        5 pub envelope_next: u64,
        /// The number of the next arrival.
        6 pub arrival_next: u64,
        /// The largest height among messages of others.
        7 pub height_seen: u64,
        /// Messages of others that the user has not read.
        8 pub unread: u64,
        /// An acknowledgement is owed.
        9 pub ack_owed: bool,
        /// Another copy of this device was seen here: nothing is written any more.
        10 pub frozen: bool,
        /// Wall time of the last message.
        11 pub last_ms: u64,
        /// Bytes in the outbox.
        12 pub outbox_bytes: u64,
        /// Envelopes in the outbox.
        13 pub outbox_count: u64,
        /// Messages held back and kept.
        14 pub held_back: u64,
        /// Wall time at which the thread was made.
        15 pub made_ms: u64,
        /// Amendments that wait for their message.
        16 pub amends_waiting: Option<u32>,
        /// How often its messages were deleted, where they were: what is said since lies under other keys.
        17 pub generation: Option<u32>,
    }
}

record! {
    /// One device that writes into a thread.
    pub struct Author {
        /// Which.
        0 pub device: DeviceId,
        /// Orders authors in keys as their device ids do: numbers with room between them.
        1 pub rank: u64,
        /// Its envelopes received, by envelope number.
        2 pub envelopes: Runs,
        /// Its messages, by lane.
        3 pub service: Track,
        /// Its messages in the promotion lane.
        4 pub promotion: Track,
        /// Its leaf key, which signs acknowledgements.
        5 pub leaf: Option<PublicKey>,
    }
}

impl Author {
    /// The counters of a lane.
    pub fn track(&self, lane: Lane) -> &Track {
        match lane {
            Lane::Service => &self.service,
            Lane::Promotion => &self.promotion,
        }
    }
    /// The counters of a lane.
    pub fn track_mut(&mut self, lane: Lane) -> &mut Track {
        match lane {
            Lane::Service => &mut self.service,
            Lane::Promotion => &mut self.promotion,
        }
    }
}

record! {
    /// One author's messages in one lane.
    #[derive(Default)]
    pub struct Track {
        /// What is here. For this device: what it wrote.
        0 pub have: Runs,
        /// Own messages that a device of the other side has.
        1 pub delivered: Runs,
        /// Own: read by the other side up to here. Another's: read by the user up to here.
        2 pub read: u64,
        /// The author's chain after messages whose successor is not here: the newest always, and one before each hole.
        3 pub tips: Vec<Tip>,
        /// The chain that later messages claim for the last message of each hole.
        4 pub expected: Vec<Tip>,
        /// Own messages that the other side acknowledged, signed.
        5 pub acked: Runs,
        /// Own messages up to this one were encrypted; the others wait as plaintext and nobody can have them.
        6 pub sealed: u64,
        /// The message whose profile was taken last: an earlier one that comes late says nothing any more.
        7 pub profile: Option<u64>,
        /// The message whose boxes were taken last.
        8 pub reach: Option<u64>,
    }
}

impl Track {
    /// Whether the other side acknowledged all of these.
    pub fn acked(&self, from: u64, to: u64) -> bool {
        self.acked.covers(from, to)
    }
}

record! {
    /// A point of a hash chain.
    pub struct Tip {
        /// The message.
        0 pub sequence: u64,
        /// The chain after it.
        1 pub chain: Chain,
    }
}

record! {
    /// Messages of one batch that share a row.
    pub struct RunPart {
        /// Index of the author.
        0 pub author: u16,
        /// The lane.
        1 pub lane: Lane,
        /// Sequence of the first message here.
        2 pub from: u64,
        /// Wall time of arrival, or of writing.
        3 pub wall_ms: u64,
        /// The messages, one after the other.
        4 pub items: Vec<Item>,
        /// Not shown: it came in a lane it did not belong to.
        5 pub held_back: bool,
        /// It came after later ones of the same author.
        6 pub late: bool,
        /// Place height of all of them.
        7 pub height: u64,
        /// Wall time at which the author claims to have written it.
        8 pub sent_ms: u64,
    }
}

record! {
    /// One message in its row.
    pub struct Item {
        /// The body as sent: header, kind and content. Empty when erased.
        0 pub body: Vec<u8>,
        /// The kind, 0 when erased.
        1 pub kind: u32,
        /// Wall time of the last edit; 0 for none.
        2 pub edited_ms: u64,
        /// Not for the user: it told the node something.
        3 pub silent: bool,
        /// The place of the amendment that stands here. Absent: none, or one of this node alone.
        4 pub amended: Option<Place>,
        /// When it ends, by the clock of [`crate::rows::key::ENDING_CLOCK`].
        5 pub ends_ms: Option<u64>,
    }
}

record! {
    /// What an author says later of one of its messages: another text, or that it goes.
    pub struct Amend {
        /// Where it was said.
        0 pub place: Place,
        /// The text. Absent: the message goes.
        1 pub text: Option<String>,
        /// The date to show.
        2 pub said_ms: u64,
        /// When its text is to be gone, whether or not the message came.
        3 pub ends_ms: Option<u64>,
    }
}

impl Amend {
    /// Whether this one stands when both were said: an erasure over every edit, among edits the later by place.
    pub fn stands_over(&self, other: &Amend) -> bool {
        let rank = |amend: &Amend| (amend.text.is_none(), amend.place);
        rank(self) > rank(other)
    }
}

record! {
    /// Where a batch stands by place.
    pub struct PlaceEntry {
        /// Under which arrival its row lies.
        0 pub arrival: u64,
        /// Its last message.
        1 pub to: u64,
        /// Index of the author.
        2 pub author: u16,
    }
}

record! {
    /// Where a batch lies, by its last sequence.
    pub struct SequenceEntry {
        /// Under which arrival.
        0 pub arrival: u64,
        /// Its first message.
        1 pub from: u64,
        /// Its height.
        2 pub height: u64,
    }
}

choice! {
    /// What is owed to the other side.
    pub enum OutboxBody {
        /// A batch not yet encrypted: it waits until it is sure that no clone of this device writes.
        0 Plain {
            /// The batch.
            0 batch: Vec<u8>,
        },
        /// An encoded parcel. Encrypted once; every try sends these bytes.
        1 Sealed {
            /// The parcel.
            0 parcel: Vec<u8>,
        },
    }
}

choice! {
    /// What an outbox row carries.
    #[derive(Copy)]
    pub enum Cargo {
        /// Messages.
        0 Messages,
        /// The Welcome of a thread.
        1 Welcome,
    }
}

record! {
    /// How far an outbox row has come. Small, since it is written again with each step on the way.
    pub struct OutboxState {
        /// What it carries.
        0 pub cargo: Cargo,
        /// The lane.
        1 pub lane: Lane,
        /// The first message.
        2 pub from: u64,
        /// The last message.
        3 pub to: u64,
        /// Wall time at which it was written.
        4 pub made_ms: u64,
        /// Relays that have it on disk.
        5 pub stored: Vec<RelayKey>,
        /// Size of the body row.
        6 pub bytes: u64,
        /// Tries since its time was over.
        7 pub late_tries: Option<u32>,
        /// When its messages end, all at once.
        8 pub ends_ms: Option<u64>,
        /// The week under whose key the body lies, where that is not the one in which its messages end: it was written
        /// before the thread's messages were deleted.
        9 pub period: Option<u32>,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

    use super::*;

    fn amend(height: u64, author: u8, sequence: u64, text: Option<&str>) -> Amend {
        let author = DeviceId([author; 32]);
        let place = Place {
            height,
            author,
            sequence,
        };
        Amend {
            place,
            text: text.map(str::to_owned),
            said_ms: 0,
            ends_ms: None,
        }
    }

    ///
    #[test]
    fn of_any_two_amendments_the_same_one_stands() {
        let weakest_first = [
            amend(3, 1, 9, Some("a")),
            amend(3, 2, 4, Some("b")),
            amend(3, 2, 5, Some("c")),
            amend(4, 1, 1, Some("d")),
            amend(2, 1, 1, None),
            amend(5, 2, 6, None),
        ];
        for (at, weaker) in weakest_first.iter().enumerate() {
            assert!(!weaker.stands_over(weaker));
            for stronger in &weakest_first[at + 1..] {
                assert!(stronger.stands_over(weaker), "{stronger:?} {weaker:?}");
                assert!(!weaker.stands_over(stronger), "{weaker:?} {stronger:?}");
            }
        }
    }
}
