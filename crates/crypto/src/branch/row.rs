// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree's bytes, as its owner keeps them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use comptoir_protocol::codec::{DecodeError, Reader, Wire, Writer};
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;
use comptoir_protocol::wire_map;

use super::tree::{Branches, Made, Patience, State, Who};

/// One state with its name. Its children are those that name it as their parent.
struct Row {
    state: ParentHash,
    made: Option<Made>,
    members: Vec<Who>,
    acknowledged: Vec<Who>,
    since: Time,
}
wire_map!(Row { 0 => state, 1 => made, 2 => members, 3 => acknowledged, 4 => since });

/// What one device acknowledged before its commit came.
struct AheadRow {
    who: Who,
    states: Vec<ParentHash>,
}
wire_map!(AheadRow { 0 => who, 1 => states });

struct Tree {
    patience: Patience,
    root: ParentHash,
    states: Vec<Row>,
    ahead: Vec<AheadRow>,
}
wire_map!(Tree { 0 => patience, 1 => root, 2 => states, 3 => ahead });

impl Wire for Branches {
    fn encode(&self, writer: &mut Writer) {
        let list = |set: &BTreeSet<Who>| set.iter().copied().collect();
        let states = self.states.iter().map(|(hash, state)| Row {
            state: *hash,
            made: state.made,
            members: list(&state.members),
            acknowledged: list(&state.acknowledged),
            since: state.since,
        });
        let ahead = self.ahead.iter().map(|(who, states)| AheadRow {
            who: *who,
            states: states.iter().copied().collect(),
        });
        Tree {
            patience: self.patience,
            root: self.root,
            states: states.collect(),
            ahead: ahead.collect(),
        }
        .encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let Tree {
            patience,
            root,
            states: rows,
            ahead,
        } = Tree::decode(reader)?;
        let mut states = BTreeMap::new();
        let mut edges = Vec::new();
        for row in rows {
            edges.extend(row.made.map(|made| (made.parent, row.state)));
            let state = State {
                made: row.made,
                members: row.members.into_iter().collect(),
                acknowledged: row.acknowledged.into_iter().collect(),
                children: BTreeSet::new(),
                since: row.since,
            };
            states.insert(row.state, state);
        }
        let broken = DecodeError::Invalid {
            what: "a tree whose states do not hang together",
        };
        for (parent, child) in edges {
            let parent = states.get_mut(&parent).ok_or_else(|| broken.clone())?;
            parent.children.insert(child);
        }
        if states.get(&root).is_none_or(|state| state.made.is_some()) {
            return Err(broken);
        }
        let ahead = ahead
            .into_iter()
            .map(|row| (row.who, VecDeque::from(row.states)))
            .collect();
        Ok(Self {
            patience,
            root,
            states,
            ahead,
        })
    }
}
