// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory: what the engine keeps between steps. All of it can be had again from rows, or is over with the process.

use std::collections::BTreeSet;

use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::id::{AccountId, Lane, PeerKey, RelayKey, Rid, ThreadId};
use comptoir_protocol::identity::Endpoint;
use comptoir_protocol::puzzle::Puzzle;

use crate::journaled::Journaled;
use crate::seam::event::RelayCondition;
use crate::timers::Timers;

/// Numbers that count on within this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    /// The number of the next event.
    pub(crate) event: u64,
    /// The number of the next relay call.
    pub(crate) call: u64,
    /// Where frame numbers to a new peer start.
    pub(crate) frame_base: u64,
    /// Bytes of envelopes that wait for earlier ones.
    pub(crate) held_bytes: usize,
    /// `Input::Opened` was handled.
    pub(crate) opened: bool,
    /// How far the sweep over contacts has come.
    pub(crate) sweep_contact: u32,
    /// When the day began in which hellos without an invite are counted.
    pub(crate) uninvited_since_ms: u64,
    /// What the clock that messages end by said last, ms.
    pub(crate) ending_clock_ms: u64,
    /// And when that was, in monotonic time.
    pub(crate) ending_mono_ms: u64,
}

/// A peer, connected or lately so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) connected: bool,
    /// The number of the next frame to it. Never falls while the process lives: a late `Committed` must not be
    /// taken for the confirmation of a frame of a later connection.
    pub(crate) next_out: u64,
    /// Bytes of frames without confirmation.
    pub(crate) flight_bytes: usize,
    /// The largest number that came in on this connection with none missing before it; 0 for none.
    pub(crate) last_in: u64,
    /// Numbers that came in and are not dealt with.
    pub(crate) pending_in: BTreeSet<u64>,
    /// Until when it is not dialed again.
    pub(crate) dial_after_ms: u64,
    /// Dials that came to nothing, one after the other.
    pub(crate) dial_failures: u32,
    /// A dial is under way.
    pub(crate) dialing: bool,
}

/// A frame to a peer without confirmation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) thread: u32,
    pub(crate) envelope: u64,
    pub(crate) bytes: usize,
}

/// How a contact's outbox is being delivered. Only contacts with something in the outbox have one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivery {
    /// Tries without any sign of life.
    pub(crate) tries: u32,
    /// The direct way did not answer in time: relays are used as well.
    pub(crate) by_relay: bool,
    /// Envelopes below this one were sent on the connection there is.
    pub(crate) next_direct: u64,
    /// Deposit again what relays said they have.
    pub(crate) again: bool,
    /// When a try of something whose time is over counts again.
    pub(crate) late_try_ms: u64,
}

/// A relay one of our personas uses, or one that a contact named.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelayLink {
    pub(crate) up: bool,
    /// Calls without an answer.
    pub(crate) calls: usize,
    /// Calls that came to nothing, one after the other.
    pub(crate) failures: u32,
    /// Until when no calls are made.
    pub(crate) quiet_until_ms: u64,
    /// The condition last told.
    pub(crate) told: Option<RelayCondition>,
    /// Until when its boxes need no look but those with news.
    pub(crate) looked_until_ms: u64,
}

/// A box of ours, as fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoxLink {
    /// Its contact is over its terms: nothing is fetched until then.
    pub(crate) quiet_until_ms: u64,
    pub(crate) own_box: u32,
    pub(crate) relay: RelayKey,
    /// The largest sequence fetched in this connection.
    pub(crate) after: u64,
    /// A fetch is under way.
    pub(crate) fetching: bool,
    /// News came while it was.
    pub(crate) again: bool,
    /// Something was left there that is to be taken later.
    pub(crate) left: bool,
    /// The relay was asked to tell of news in it, on the connection there is.
    pub(crate) subscribed: bool,
}

/// What a relay call was for.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// A deposit of an outbox row.
    Put {
        contact: u32,
        thread: u32,
        envelope: u64,
    },
    /// A deposit of an acknowledgement.
    PutAck {
        thread: u32,
    },
    /// A hello at a front door.
    Hello {
        contact: u32,
    },
    /// The front door's puzzle.
    Puzzle {
        contact: u32,
    },
    /// The card behind a short link.
    Card {
        contact: u32,
    },
    /// A blob for an invite.
    Blob {
        invite: u32,
    },
    /// A ticket for a guest.
    Guest {
        relay: u32,
    },
    Create {
        own_box: u32,
    },
    Grant {
        own_box: u32,
    },
    Revoke {
        own_box: u32,
    },
    Delete {
        own_box: u32,
    },
    Stock {
        own_box: u32,
    },
    Subscribe {
        rids: Vec<Rid>,
    },
    Fetch {
        rid: Rid,
    },
    Ack {
        rid: Rid,
        /// The first of the items it let go.
        first: u64,
    },
    Boot {
        relay: u32,
        expected: u64,
        next: u64,
    },
}

/// A call on its way.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) relay: RelayKey,
    pub(crate) call: Call,
}

/// Where a parcel came from, and so who waits for its confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Peer {
        peer: PeerKey,
        number: u64,
    },
    Box {
        rid: Rid,
        sequence: u64,
        contact: u32,
        lane: Lane,
    },
}

/// An envelope that waits for the ones before it, or for its thread.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) parcel: Parcel,
    pub(crate) source: Source,
    pub(crate) bytes: usize,
}

/// How often something was refused or noticed since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that do not decode.
    pub frames_malformed: u64,
    /// Frames of a newer version.
    pub frames_newer: u64,
    /// Envelopes seen before.
    pub duplicates: u64,
    /// Envelopes that do not open or do not belong where they came.
    pub envelopes_refused: u64,
    /// Envelopes for threads we do not know.
    pub threads_unknown: u64,
    /// Deposits that do not open.
    pub deposits_refused: u64,
    /// Messages in a lane that is not their capability's.
    pub held_back: u64,
    /// Held-back messages whose content was not kept, because so much of their contact is.
    pub held_back_full: u64,
    /// Envelopes not taken because too many wait.
    pub order_full: u64,
    /// Envelopes over a contact's terms.
    pub over_terms: u64,
    /// Acknowledgements that do not verify.
    pub acks_refused: u64,
    /// Hellos that do not open or do not verify.
    pub hellos_refused: u64,
    /// Hellos over the bound of open requests.
    pub hellos_over_bound: u64,
    /// Hellos of blocked accounts.
    pub hellos_blocked: u64,
    /// Hellos that crossed one of ours.
    pub hellos_crossed: u64,
    /// Bodies that do not decode or do not belong into their thread.
    pub bodies_refused: u64,
    /// Breaks of a hash chain.
    pub chains_broken: u64,
    /// Gaps seen.
    pub gaps_seen: u64,
    /// Gaps filled.
    pub gaps_filled: u64,
    /// Envelopes sent directly.
    pub sent_direct: u64,
    /// Envelopes deposited at relays.
    pub sent_relay: u64,
    /// Envelopes sent more than once.
    pub sent_again: u64,
    /// Promotions no longer owed: their leave ended, or a relay denied them.
    pub promotions_ended: u64,
    /// Answers of relays that deny.
    pub relay_denied: u64,
    /// Answers of relays that are full or ask for patience.
    pub relay_busy: u64,
    /// Deliveries of ours that a peer refused.
    pub refused_by_peer: u64,
    /// Commands repeated under their idempotency key.
    pub commands_repeated: u64,
}

/// All the engine keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) numbers: Numbers,
    numbers_before: Numbers,
    pub(crate) counters: Counters,
    counters_before: Counters,
    /// The node's own address.
    pub(crate) endpoint: Journaled<(), Endpoint>,
    pub(crate) contacts: Journaled<(u16, AccountId), u32>,
    pub(crate) peer_contacts: Journaled<(PeerKey, u32), ()>,
    pub(crate) threads: Journaled<ThreadId, u32>,
    /// Threads in which no other copy of this device can be ahead: fresh ones, and those whose peer said so.
    pub(crate) safe_threads: Journaled<u32, ()>,
    /// Personas with a relay that confirmed their boot number in this process.
    pub(crate) safe_personas: Journaled<u16, ()>,
    /// Personas of which another copy was seen.
    pub(crate) cloned: Journaled<u16, ()>,
    pub(crate) peers: Journaled<PeerKey, Peer>,
    pub(crate) flights: Journaled<(PeerKey, u64), Flight>,
    pub(crate) flying: Journaled<(u32, u64), (PeerKey, u64)>,
    pub(crate) deliveries: Journaled<u32, Delivery>,
    /// By contact and relay: envelopes below this one were deposited there, or are being deposited. A relay of its own
    /// place each, so that one that is down or busy holds back no other.
    pub(crate) next_puts: Journaled<(u32, RelayKey), u64>,
    pub(crate) relays: Journaled<RelayKey, RelayLink>,
    pub(crate) boxes: Journaled<Rid, BoxLink>,
    pub(crate) calls: Journaled<u64, Pending>,
    /// Outbox rows a put is under way for: (thread, envelope, relay).
    pub(crate) putting: Journaled<(u32, u64, RelayKey), ()>,
    /// Outbox rows that went out once in this process.
    pub(crate) tried: Journaled<(u32, u64), ()>,
    /// Envelopes taken from each contact and lane in its running period, and when that began.
    pub(crate) taken: Journaled<(u32, Lane), (u64, u32)>,
    /// By thread, author and envelope number.
    pub(crate) held: Journaled<(ThreadId, [u8; 32], u64), Held>,
    /// Relays that confirmed a boot number in this process.
    pub(crate) booted: Journaled<u32, ()>,
    /// The boot number this process proposes at a relay: one, however often the answer is lost.
    pub(crate) boot_proposals: Journaled<u32, u64>,
    /// Boxes in use that keep our boot numbers, by relay.
    pub(crate) boot_boxes: Journaled<u32, u32>,
    /// Front doors in use, by persona and relay.
    pub(crate) doors: Journaled<(u16, u32), u32>,
    /// Boxes to be fetched from, by relay.
    pub(crate) fetch_due: Journaled<(RelayKey, Rid), ()>,
    /// Contacts we said hello to.
    pub(crate) asking: Journaled<u32, ()>,
    /// The boot number each persona confirmed.
    pub(crate) boots: Journaled<u16, u64>,
    /// Hellos without an invite that each peer brought today.
    pub(crate) uninvited: Journaled<PeerKey, u32>,
    /// When each thread last sent an acknowledgement.
    pub(crate) acked_ms: Journaled<u32, u64>,
    /// Where the sweep of a space goes on; none: at its start.
    pub(crate) sweeps: Journaled<u8, Vec<u8>>,
    /// Puzzles under work, by contact and relay, and how many numbers were tried.
    pub(crate) puzzles: Journaled<(u32, RelayKey), (Puzzle, u64)>,
    pub(crate) timers: Timers,
}

macro_rules! each_map {
    ($memory:ident, $method:ident) => {{
        $memory.endpoint.$method();
        $memory.contacts.$method();
        $memory.peer_contacts.$method();
        $memory.threads.$method();
        $memory.safe_threads.$method();
        $memory.safe_personas.$method();
        $memory.cloned.$method();
        $memory.peers.$method();
        $memory.flights.$method();
        $memory.flying.$method();
        $memory.deliveries.$method();
        $memory.next_puts.$method();
        $memory.relays.$method();
        $memory.boxes.$method();
        $memory.calls.$method();
        $memory.putting.$method();
        $memory.tried.$method();
        $memory.taken.$method();
        $memory.held.$method();
        $memory.booted.$method();
        $memory.boot_proposals.$method();
        $memory.fetch_due.$method();
        $memory.boot_boxes.$method();
        $memory.doors.$method();
        $memory.asking.$method();
        $memory.boots.$method();
        $memory.uninvited.$method();
        $memory.acked_ms.$method();
        $memory.sweeps.$method();
        $memory.puzzles.$method();
        $memory.timers.$method();
    }};
}

impl Memory {
    /// The step succeeded.
    pub(crate) fn keep(&mut self) {
        self.numbers_before = self.numbers;
        self.counters_before = self.counters;
        each_map!(self, keep);
    }

    /// The step failed: everything is as before.
    pub(crate) fn undo(&mut self) {
        self.numbers = self.numbers_before;
        self.counters = self.counters_before;
        each_map!(self, undo);
    }

    pub(crate) fn wake_at(&self) -> Option<u64> {
        self.timers.first_ms()
    }

    /// About how many bytes all this takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.contacts.memory_bytes(|_| 0)
            + self.peer_contacts.memory_bytes(|()| 0)
            + self.threads.memory_bytes(|_| 0)
            + self.safe_threads.memory_bytes(|()| 0)
            + self.peers.memory_bytes(|peer| peer.pending_in.len() * 16)
            + self.flights.memory_bytes(|_| 0)
            + self.flying.memory_bytes(|_| 0)
            + self.deliveries.memory_bytes(|_| 0)
            + self.next_puts.memory_bytes(|_| 0)
            + self.relays.memory_bytes(|_| 0)
            + self.boxes.memory_bytes(|_| 0)
            + self.calls.memory_bytes(|_| 0)
            + self.putting.memory_bytes(|()| 0)
            + self.held.memory_bytes(|held| held.bytes)
            + self.acked_ms.memory_bytes(|_| 0)
            + self.timers.memory_bytes()
    }
}
