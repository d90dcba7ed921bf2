// SPDX-License-Identifier: MIT OR Apache-2.0
//! The items: what relays handed to the nodes, and what each acknowledgement of it was an answer to.
//!
//! An engine lets a relay drop an item in the step that stored it, or in the step that found a copy of it forged: the
//! relay names both copies by one number and could have dropped the honest one anyway. So exactly those
//! acknowledgements are pardoned whose own input held a forged copy; any other must find its envelope in the rows.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_crypto::deposit;
use comptoir_engine::rows::key::{BOX, Key};
use comptoir_engine::rows::reach::OwnBox;
use comptoir_engine::{RelayCall, Scan, Secret, Step, View as _};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::{Item, RelayRequest};
use comptoir_protocol::id::{RelayKey, Rid};

use crate::checks::{Delivery, delivery};
use crate::node::Running;

/// What was handed out and what became of it.
#[derive(Default)]
pub(crate) struct Items {
    /// The box that a call under way fetches from.
    fetches: BTreeMap<(usize, u64), Rid>,
    /// Envelopes that arrived and that the relay still has, by node and box.
    honest: BTreeMap<(usize, Rid), BTreeMap<u64, Delivery>>,
    /// Items of which the input at hand has a copy that does not open.
    forged: Option<(Rid, BTreeSet<u64>)>,
    /// What an acknowledgement under way may name without having it stored.
    pardoned: BTreeMap<(usize, u64), BTreeSet<u64>>,
}

impl Items {
    /// A relay answers a fetch of a box.
    pub(crate) fn on_fetch(&mut self, node: usize, call: u64, rid: Rid) {
        self.fetches.insert((node, call), rid);
    }

    /// Items arrive at an engine: each copy opens, or is forged.
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
        let Some(k_box) = key_of_box(running, rid)?.filter(|_| !items.is_empty()) else {
            return Ok(());
        };
        let honest = self.honest.entry((node, rid)).or_default();
        let mut forged = BTreeSet::new();
        for item in items {
            let opened = deposit::open(k_box.expose(), &relay, &item.mid, &item.blob).ok();
            match opened.and_then(|padded| Parcel::from_padded(&padded).ok()) {
                Some(parcel) => {
                    match delivery(&parcel) {
                        Some(delivery) => honest.insert(item.sequence, delivery),
                        None => honest.remove(&item.sequence),
                    };
                }
                None => {
                    forged.insert(item.sequence);
                }
            }
        }
        self.forged = Some((rid, forged));
        Ok(())
    }

    /// The step that answers the input at hand: what it acknowledges because of forged copies is noted.
    pub(crate) fn on_step(&mut self, node: usize, step: &Step) {
        let Some((forged_in, forged)) = self.forged.take() else {
            return;
        };
        for call in &step.calls {
            if let RelayRequest::Ack { rid, sequences, .. } = &call.request
                && *rid == forged_in
            {
                let pardoned = sequences
                    .iter()
                    .filter(|sequence| forged.contains(sequence));
                self.pardoned
                    .insert((node, call.call), pardoned.copied().collect());
            }
        }
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

/// The key of the deposits in one of a node's boxes.
fn key_of_box(running: &Running, rid: Rid) -> Result<Option<Secret>, String> {
    let rows = running
        .core
        .committed()
        .scan(Scan::all(Key::of(BOX)))
        .map_err(|error| error.to_string())?;
    let boxes = rows
        .iter()
        .filter_map(|(_, row)| OwnBox::from_bytes(row.get(1..)?).ok());
    let mut found = boxes.filter(|own| own.ids.is_some_and(|ids| ids.rid == rid));
    Ok(found
        .next()
        .and_then(|own| own.grant)
        .map(|grant| grant.k_box))
}
