// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys of rows. One byte of space, then numbers whose byte order is their order.

/// Counters of this node.
pub const META: u8 = 0x01;
/// `persona u16` → [`crate::rows::account::Persona`].
pub const PERSONA: u8 = 0x02;
/// `contact u32` → [`crate::rows::contact::Contact`].
pub const CONTACT: u8 = 0x03;
/// `request u32` → [`crate::rows::contact::Request`].
pub const REQUEST: u8 = 0x04;
/// `thread u32` → [`crate::rows::thread::Thread`].
pub const THREAD: u8 = 0x05;
/// `thread u32 ‖ key of crypto` → a row of the thread's MLS state.
pub const MLS: u8 = 0x06;
/// `thread u32 ‖ arrival u64 ‖ part u16` → [`crate::rows::thread::RunPart`].
pub const RUN: u8 = 0x07;
/// `thread u32 ‖ height u64 ‖ rank u64 ‖ lane u8 ‖ from u64` → [`crate::rows::thread::PlaceEntry`].
pub const PLACE: u8 = 0x08;
/// `thread u32 ‖ author u16 ‖ lane u8 ‖ to u64` → [`crate::rows::thread::SequenceEntry`].
pub const SEQUENCE: u8 = 0x09;
/// `thread u32 ‖ envelope u64` → [`crate::rows::thread::OutboxBody`].
pub const OUTBOX_BODY: u8 = 0x0a;
/// `thread u32 ‖ envelope u64` → [`crate::rows::thread::OutboxState`].
pub const OUTBOX_STATE: u8 = 0x0b;
/// `box u32` → [`crate::rows::reach::OwnBox`].
pub const BOX: u8 = 0x0c;
/// `relay u32` → [`crate::rows::reach::Relay`].
pub const RELAY: u8 = 0x0d;
/// `contact u32` → [`crate::rows::contact::Asking`].
pub const ASKING: u8 = 0x0e;
/// `invite u32` → [`crate::rows::contact::Invite`].
pub const INVITE: u8 = 0x0f;
/// `event u64` → [`crate::seam::event::EventRecord`].
pub const EVENT: u8 = 0x10;
/// `persona u16 ‖ hash of the caller's key` → [`crate::rows::account::Repeated`].
pub const IDEMPOTENCY: u8 = 0x11;
/// `persona u16 ‖ kind u8 ‖ number u32` → [`crate::rows::account::Register`].
pub const REGISTER: u8 = 0x12;
/// `thread u32 ‖ arrival u64` → the arrival holds kinds this build did not know.
pub const UNKNOWN: u8 = 0x13;
/// `thread u32` → the largest arrival of a thread whose messages are being deleted.
pub const DELETING: u8 = 0x14;
/// `persona u16 ‖ reference` → [`crate::rows::reach::KeptPackage`].
pub const PACKAGE: u8 = 0x15;
/// `thread u32 ‖ author u16 ‖ lane u8 ‖ sequence u64` → [`crate::rows::thread::Amend`] of a message that is not here.
pub const AMEND: u8 = 0x16;
/// One row while kept bodies are read again: [`crate::rows::account::Rereading`].
pub const REREADING: u8 = 0x17;
/// `end wall ms u64 ‖ thread u32 ‖ arrival u64` → [`crate::rows::held_back::HeldBack`].
pub const HELD_BACK: u8 = 0x1a;
/// `persona u16 ‖ hash of a hello` → [`crate::rows::contact::Declined`].
pub const DECLINED: u8 = 0x1b;
/// How messages went: one row, [`crate::rows::counts::Counts`].
pub const COUNTS: u8 = 0x1f;
/// `end ms u64 ‖ thread u32 ‖ arrival u64` → [`crate::rows::ending::Ending`]. The largest arrival stands for amendments
/// that wait for their messages.
pub const ENDING: u8 = 0x20;
/// `period u32 ‖ thread u32 ‖ generation u32` → a scope whose key goes when its week is over.
pub const PERIOD: u8 = 0x21;
/// `thread u32` → [`crate::rows::ending::Leaving`].
pub const LEAVING: u8 = 0x22;
/// One row: what the clock that messages end by said when it was looked at last, ms.
pub const ENDING_CLOCK: u8 = 0x23;

/// Builds a key.
#[derive(Clone, Debug)]
pub struct Key(Vec<u8>);

impl Key {
    /// The bare space.
    pub fn of(space: u8) -> Self {
        Key(vec![space])
    }
    /// Appends a byte.
    pub fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }
    /// Appends a number.
    pub fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }
    /// Appends a number.
    pub fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }
    /// Appends a number.
    pub fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }
    /// Appends bytes; nothing may follow them.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// The number of four bytes at `at` in a key; `None` when the key is shorter.
pub(crate) fn u32_at(key: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(at..at + 4)?.try_into().ok()?))
}

/// The number of eight bytes at `at` in a key; `None` when the key is shorter.
pub(crate) fn u64_at(key: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?))
}

/// The number of two bytes at `at` in a key; `None` when the key is shorter.
pub(crate) fn u16_at(key: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(key.get(at..at + 2)?.try_into().ok()?))
}

/// A lane as it stands in a key.
pub(crate) fn lane_byte(lane: comptoir_protocol::id::Lane) -> u8 {
    match lane {
        comptoir_protocol::id::Lane::Service => 0,
        comptoir_protocol::id::Lane::Promotion => 1,
    }
}
