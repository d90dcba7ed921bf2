// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree's bytes, as its owner keeps them: all that a thread's branches remember across a restart. The row that
//! holds them says the version.
//!
//! Devices stand once, states refer to them by place: with 100 members and 64 states that is some 20 KiB, with ids
//! written out 800.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_protocol::codec::{DecodeError, Reader, Wire, Writer};
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;
use comptoir_protocol::wire_map;

use super::tree::{Branches, Made, Patience, State, Who};

struct TreeRecord {
    patience: Patience,
    root: ParentHash,
    /// Every device that is in a state or acknowledged one ahead, ascending.
    devices: Vec<Who>,
    states: Vec<StateRecord>,
    ahead: Vec<AheadRecord>,
}
wire_map!(TreeRecord { 0 => patience, 1 => root, 2 => devices, 3 => states, 4 => ahead });

struct StateRecord {
    state: ParentHash,
    made: Option<Made>,
    members: Vec<u32>,
    acknowledged: Vec<u32>,
    since: Time,
}
wire_map!(StateRecord { 0 => state, 1 => made, 2 => members, 3 => acknowledged, 4 => since });

struct AheadRecord {
    device: u32,
    states: Vec<ParentHash>,
}
wire_map!(AheadRecord { 0 => device, 1 => states });

impl Wire for Branches {
    fn encode(&self, writer: &mut Writer) {
        let in_states = self
            .states
            .values()
            .flat_map(|state| state.members.iter().chain(&state.acknowledged));
        let all: BTreeSet<Who> = in_states.chain(self.ahead.keys()).copied().collect();
        let places: BTreeMap<Who, u32> = all.iter().copied().zip(0..).collect();
        let places_of = |of: &BTreeSet<Who>| of.iter().map(|who| places[who]).collect();
        let states = self.states.iter().map(|(hash, state)| StateRecord {
            state: *hash,
            made: state.made,
            members: places_of(&state.members),
            acknowledged: places_of(&state.acknowledged),
            since: state.since,
        });
        let ahead = self.ahead.iter().map(|(who, states)| AheadRecord {
            device: places[who],
            states: states.iter().copied().collect(),
        });
        TreeRecord {
            patience: self.patience,
            root: self.root,
            states: states.collect(),
            ahead: ahead.collect(),
            devices: all.into_iter().collect(),
        }
        .encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let record = TreeRecord::decode(reader)?;
        let who = |place: u32| {
            record
                .devices
                .get(place as usize)
                .copied()
                .ok_or(DecodeError::Invalid {
                    what: "a tree of branches names a device it does not list",
                })
        };
        let all = |places: &[u32]| -> Result<BTreeSet<Who>, DecodeError> {
            places.iter().map(|place| who(*place)).collect()
        };
        let mut states = BTreeMap::new();
        for record in &record.states {
            let state = State {
                made: record.made,
                members: all(&record.members)?,
                acknowledged: all(&record.acknowledged)?,
                children: BTreeSet::new(),
                since: record.since,
            };
            states.insert(record.state, state);
        }
        let mut ahead = BTreeMap::new();
        for record in &record.ahead {
            ahead.insert(who(record.device)?, record.states.iter().copied().collect());
        }
        let mut branches = Self {
            patience: record.patience,
            root: record.root,
            states,
            ahead,
        };
        branches.link()?;
        Ok(branches)
    }
}

impl Branches {
    /// Gives every state to its parent, and refuses what is no tree below the root.
    fn link(&mut self) -> Result<(), DecodeError> {
        let no_tree = DecodeError::Invalid {
            what: "a tree of branches hangs together",
        };
        let edges: Vec<(ParentHash, Option<ParentHash>)> = self
            .states
            .iter()
            .map(|(hash, state)| (*hash, state.made.map(|made| made.parent)))
            .collect();
        for (child, parent) in edges {
            match parent {
                None if child == self.root => {}
                Some(parent) if child != self.root => {
                    let parent = self.states.get_mut(&parent).ok_or(no_tree.clone())?;
                    parent.children.insert(child);
                }
                _ => return Err(no_tree),
            }
        }
        let mut reached = 0;
        let mut todo = vec![self.root];
        while let Some(state) = todo.pop().and_then(|hash| self.states.get(&hash)) {
            reached += 1;
            todo.extend(&state.children);
        }
        if reached > 0 && reached == self.states.len() {
            Ok(())
        } else {
            Err(no_tree)
        }
    }
}
