// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames: what goes over a stream, between two nodes and between a node and a relay.
//!
//! On a stream each frame has its length in front, four bytes big-endian, at most [`crate::limits::FRAME_BYTES_MAX`].

mod answer;
mod peer;
mod request;

pub use answer::{AnswerFrame, ErrorCode, Item, RelayAnswer, RelayInfo, StoreReceipt};
pub use peer::{PeerFrame, RefusalReason, Sealed, Versions};
pub use request::{Admission, BlobRight, BoxKind, RelayRequest, SignedRequest};

#[cfg(test)]
mod tests;
