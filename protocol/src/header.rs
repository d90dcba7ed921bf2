// SPDX-License-Identifier: MIT OR Apache-2.0
//! The statement header: what makes a commercial statement stand as evidence alone.
//!
//! Label and version stand in front of the payload under the signature (see [`crate::signed`]) and are not repeated here.

use crate::id::{AccountId, DeviceId, StatementHash, ThreadId};
use crate::{wire_choice, wire_map};

/// Where a statement was made: a statement copied elsewhere is void there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Addressee {
    /// Said in this thread, to whoever is in it.
    Thread(ThreadId),
    /// Said to this account, wherever it is read.
    Account(AccountId),
}
wire_choice!(Addressee, "addressee" { 0 => Thread(thread), 1 => Account(account) });

/// The header of every statement that must be provable outside its thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementHeader {
    /// The thread or account it is made to.
    pub addressee: Addressee,
    /// The account it speaks for.
    pub speaks_for: AccountId,
    /// The device that signs.
    pub author: DeviceId,
    /// Number of the device list that certifies the author.
    pub list_number: u64,
    /// Hash of that list.
    pub list_hash: StatementHash,
    /// The grant by which the author speaks for an account that is not its own.
    pub grant: Option<StatementHash>,
    /// The author's count of statements to this addressee, from 1.
    pub sequence: u64,
    /// Hash of the author's statement before this one there; none for the first.
    pub previous: Option<StatementHash>,
    /// When the author claims to have said it, in wall milliseconds. Acknowledgements date a statement, not this.
    pub claimed_ms: u64,
    /// Random, so that two equal statements are two.
    pub nonce: [u8; 16],
}
wire_map!(StatementHeader {
    0 => addressee, 1 => speaks_for, 2 => author, 3 => list_number, 4 => list_hash, 5 => grant, 6 => sequence,
    7 => previous, 8 => claimed_ms, 9 => nonce,
}, check = StatementHeader::check);

impl StatementHeader {
    fn check(&self) -> Result<(), crate::DecodeError> {
        if self.sequence == 0 || (self.sequence == 1) != self.previous.is_none() {
            return Err(crate::DecodeError::Invalid {
                what: "a first statement has sequence 1 and no previous one, every other names its previous",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
