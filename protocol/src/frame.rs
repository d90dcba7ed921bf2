// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames: what goes over a stream, between two nodes and between a node and a relay.
//!
//! On a stream each frame has its length in front, four bytes big-endian, at most [`crate::limits::FRAME_BYTES_MAX`].

mod mailbox;
mod peer;

pub use mailbox::{
    Admission, AnswerFrame, BlobRight, BoxKind, ErrorCode, Item, RelayAnswer, RelayInfo,
    RelayRequest, SignedRequest, StoreReceipt,
};
pub use peer::{PeerFrame, RefusalReason, Sealed, Versions};

#[cfg(test)]
mod tests;
