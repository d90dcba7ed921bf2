// SPDX-License-Identifier: MIT OR Apache-2.0
//! The items: what relays handed to the nodes, and what each acknowledgement of it was an answer to.
//!
//! An item is honest when an engine of this world deposited it byte for byte; anything else an evil relay made. An engine
//! lets a relay drop an item in the step that stored it, or in the step that found a copy of it forged: the relay names
//! both copies by one number and could have dropped the honest one anyway. So exactly those acknowledgements are pardoned
//! whose own input held a forged copy; any other must find its envelope in the rows. And an engine may find no more items
//! unreadable than were forged: an honest one that it fails to open is a fault of its own.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_crypto::deposit;
use comptoir_engine::rows::key::{BOX, Key};
use comptoir_engine::rows::reach::{BoxIds, OwnBox};
use comptoir_engine::{RelayCall, Scan, Secret, Step, View as _};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::{Item, RelayRequest};
use comptoir_protocol::id::{Mid, RelayKey, Rid, Sid};
use sha2::{Digest, Sha256};

use crate::checks::{Delivery, delivery};
use crate::node::Running;

/// What was handed out and what became of it.
#[derive(Default)]
pub(crate) struct Items {
    /// What engines deposited, by box and name.
    deposited: BTreeMap<(Sid, Mid), [u8; 32]>,
    /// The box that a call under way fetches from.
    fetches: BTreeMap<(usize, u64), Rid>,
    /// Envelopes that arrived and that the relay still has, by node and box.
    honest: BTreeMap<(usize, Rid), BTreeMap<u64, Delivery>>,
    /// The forged copies in the input at hand.
    forged: Option<Forged>,
    /// What an acknowledgement under way may name without having it stored.
    pardoned: BTreeMap<(usize, u64), BTreeSet<u64>>,
}

/// Forged copies that one input holds.
struct Forged {
    rid: Rid,
    sequences: BTreeSet<u64>,
    copies: u64,
    /// Deposits that the engine had refused before this input.
    refused_before: u64,
}

impl Items {
    /// An engine deposits something.
    pub(crate) fn on_deposit(&mut self, sid: Sid, mid: Mid, blob: &[u8]) -> Result<(), String> {
        let hash = Sha256::digest(blob).into();
        match self.deposited.insert((sid, mid), hash) {
            Some(other) if other != hash => Err("I3: two deposits of one name differ".to_owned()),
            _ => Ok(()),
        }
    }

    /// A relay answers a fetch of a box.
    pub(crate) fn on_fetch(&mut self, node: usize, call: u64, rid: Rid) {
        self.fetches.insert((node, call), rid);
    }

    /// Items arrive at an engine: each copy is one that was deposited, and opens, or is forged.
    pub(crate) fn on_arrived(
        &mut self,
        node: usize,
        relay: RelayKey,
        call: u64,
        items: &[Item],
        running: &Running,
    ) -> Result<(), String> {
        let Some(rid) = self.fetches.remove(&(node, call)) else {
            return Ok(());
        };
        let Some((ids, k_box)) = key_of_box(running, rid)?.filter(|_| !items.is_empty()) else {
            return Ok(());
        };
        let honest = self.honest.entry((node, rid)).or_default();
        let mut forged = Forged {
            rid,
            sequences: BTreeSet::new(),
            copies: 0,
            refused_before: running.engine.counters().deposits_refused,
        };
        for item in items {
            let hash: [u8; 32] = Sha256::digest(&item.blob).into();
            if self.deposited.get(&(ids.sid, item.mid)) != Some(&hash) {
                forged.sequences.insert(item.sequence);
                forged.copies += 1;
                continue;
            }
            let opened = deposit::open(k_box.expose(), &relay, &item.mid, &item.blob).ok();
            let parcel = opened
                .and_then(|padded| Parcel::from_padded(&padded).ok())
                .ok_or(format!(
                    "the key of a box of node {node} does not open item {}",
                    item.sequence
                ))?;
            match delivery(&parcel) {
                Some(delivery) => honest.insert(item.sequence, delivery),
                None => honest.remove(&item.sequence),
            };
        }
        self.forged = Some(forged);
        Ok(())
    }

    /// The step that answers the input at hand: what it acknowledges because of forged copies is noted, and it found no
    /// more of them than there are. Returns how many it found.
    pub(crate) fn on_step(
        &mut self,
        node: usize,
        step: &Step,
        running: &Running,
    ) -> Result<u64, String> {
        let Some(forged) = self.forged.take() else {
            return Ok(0);
        };
        let refused = running.engine.counters().deposits_refused;
        let found = refused.saturating_sub(forged.refused_before);
        if found > forged.copies {
            return Err(format!(
                "I4: node {node} refused {found} items of a relay, and {} of them were forged",
                forged.copies
            ));
        }
        for call in &step.calls {
            if let RelayRequest::Ack { rid, sequences, .. } = &call.request
                && *rid == forged.rid
            {
                let pardoned = sequences
                    .iter()
                    .filter(|sequence| forged.sequences.contains(sequence));
                self.pardoned
                    .insert((node, call.call), pardoned.copied().collect());
            }
        }
        Ok(found)
    }

    /// An acknowledgement leaves: the envelopes that must stand in the rows by now.
    pub(crate) fn on_acknowledged(
        &mut self,
        node: usize,
        call: &RelayCall,
        running: &Running,
    ) -> Result<Vec<Delivery>, String> {
        let RelayRequest::Ack {
            rid,
            up_to,
            sequences,
        } = &call.request
        else {
            return Ok(Vec::new());
        };
        let pardoned = self.pardoned.remove(&(node, call.call)).unwrap_or_default();
        let Some(honest) = self.honest.get_mut(&(node, *rid)) else {
            return Ok(Vec::new());
        };
        let dropped: Vec<u64> = honest
            .keys()
            .copied()
            .filter(|sequence| *sequence <= *up_to || sequences.contains(sequence))
            .filter(|sequence| !pardoned.contains(sequence))
            .collect();
        let deliveries = dropped
            .iter()
            .filter_map(|sequence| honest.remove(sequence));
        let deliveries = deliveries.collect();
        // A box whose contact was deleted meanwhile promises nothing any more.
        Ok(match key_of_box(running, *rid)? {
            Some(_) => deliveries,
            None => Vec::new(),
        })
    }
}

/// One of a node's boxes, and the key of the deposits in it.
fn key_of_box(running: &Running, rid: Rid) -> Result<Option<(BoxIds, Secret)>, String> {
    let rows = running
        .core
        .committed()
        .scan(Scan::all(Key::of(BOX)))
        .map_err(|error| error.to_string())?;
    let boxes = rows
        .iter()
        .filter_map(|(_, row)| OwnBox::from_bytes(row.get(1..)?).ok());
    let mut found =
        boxes.filter_map(|own| Some((own.ids.filter(|ids| ids.rid == rid)?, own.grant?)));
    Ok(found.next().map(|(ids, grant)| (ids, grant.k_box)))
}
