// SPDX-License-Identifier: MIT OR Apache-2.0
//! The read receipt: how far somebody has read, where they let it be known.

use crate::codec::{DecodeError, at_most};
use crate::id::{DeviceId, Lane};
use crate::limits::HEADS_MAX;
use crate::{wire_map, wire_number};

/// A state of the other's messages in this thread. Delivery is told by acknowledgements, not by this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The state.
    pub state: ReceiptState,
    /// All messages of these authors and lanes up to these sequences; ascending, each author and lane once.
    pub up_to: Vec<(DeviceId, Lane, u64)>,
}
wire_map!(Receipt { 0 => state, 1 => up_to }, check = Receipt::check);

/// What happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptState {
    /// Shown to a person.
    Read,
}
wire_number!(ReceiptState, "receipt state" { 0 => Read });

impl Receipt {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("authors of a receipt", self.up_to.len(), HEADS_MAX)?;
        if self
            .up_to
            .windows(2)
            .all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1))
        {
            Ok(())
        } else {
            Err(DecodeError::Invalid {
                what: "a receipt names each author and lane once, ascending",
            })
        }
    }
}
