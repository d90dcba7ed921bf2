// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rank: which of two commits of one parent comes first, as every member computes it alike.

use comptoir_protocol::id::ParentHash;
use comptoir_protocol::{wire_map, wire_number};
use sha2::{Digest as _, Sha256};

use crate::mls::Role;

/// What a commit does, as far as its rank looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Removes a leaf of another account, by a role that may. Whatever else it does beside.
    RemovesOther,
    /// Adds a leaf, and removes none of another account.
    Adds,
    /// All else: self-updates, changes of context, own devices that go, every resync.
    Rest,
}
wire_number!(Class, "class of a commit" { 0 => RemovesOther, 1 => Adds, 2 => Rest });

/// The committer's role in the parent state. Declared in the order of rank: who may do more comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// An owner.
    Owner,
    /// An admin.
    Admin,
    /// No role; also whoever joins by a link.
    Member,
}
wire_number!(Standing, "standing of a committer" { 0 => Owner, 1 => Admin, 2 => Member });

impl From<Option<Role>> for Standing {
    fn from(role: Option<Role>) -> Self {
        match role {
            Some(Role::Owner) => Self::Owner,
            Some(Role::Admin) => Self::Admin,
            None => Self::Member,
        }
    }
}

/// Orders the commits of one parent, smallest first. Ranks of different parents say nothing about each other.
///
/// The fields stand in the order in which they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    class: Class,
    standing: Standing,
    turn: [u8; 32],
    child: ParentHash,
}
wire_map!(Rank { 0 => class, 1 => standing, 2 => turn, 3 => child });

impl Rank {
    /// Ranks the commit that leads from `parent` to `child`. `leaf_index` is the committer's leaf in the parent; for a
    /// resync the one it removes; `None` for whoever joins by a link.
    ///
    /// The last comparison is by the state it leads to and not by the commit's bytes: its author can encrypt one
    /// commit twice, and members who hold unlike bytes of the same commit would rank it unlike.
    pub fn new(
        class: Class,
        standing: Standing,
        parent: ParentHash,
        leaf_index: Option<u32>,
        child: ParentHash,
    ) -> Self {
        Self {
            class,
            standing,
            turn: turn(parent, leaf_index),
            child,
        }
    }
}

/// Whose turn it is among equals: another order in every state, which no committer can choose.
fn turn(parent: ParentHash, leaf_index: Option<u32>) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"turn")
        .chain_update(parent.0)
        .chain_update(leaf_index.unwrap_or(u32::MAX).to_be_bytes())
        .finalize()
        .into()
}
