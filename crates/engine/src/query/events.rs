// SPDX-License-Identifier: MIT OR Apache-2.0
//! Queries about events and relays.

use super::RelayView;
use super::read;
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::reach::{BoxStage, OwnBox, Relay};
use crate::seam::event::EventRecord;
use crate::seam::view::{Scan, View, ViewError};

/// Events behind number `after`, oldest first, at most `limit`.
pub fn events(
    view: &impl View,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, EventRecord)>, ViewError> {
    let from = Key::of(key::EVENT).u64(after.saturating_add(1));
    let rows = view.scan(
        Scan::all(Key::of(key::EVENT))
            .starting_at(from)
            .limited(limit),
    )?;
    rows.into_iter()
        .filter_map(|(key, row)| Some((u64_at(&key, 1)?, read::read(&key, &row))))
        .map(|(number, row)| Ok((number, row?)))
        .collect()
}

/// The number of the newest event; 0 before the first.
pub fn newest_event(view: &impl View) -> Result<u64, ViewError> {
    edge(view, Scan::all(Key::of(key::EVENT)).reversed()).map(|number| number.unwrap_or(0))
}

/// The number of the oldest event that is kept; 1 before the first.
pub fn oldest_event(view: &impl View) -> Result<u64, ViewError> {
    edge(view, Scan::all(Key::of(key::EVENT))).map(|number| number.unwrap_or(1))
}

fn edge(view: &impl View, scan: Scan) -> Result<Option<u64>, ViewError> {
    let rows = view.scan(scan.limited(1))?;
    Ok(rows.first().and_then(|(key, _)| u64_at(key, 1)))
}

/// The relays of a persona.
pub fn relays(view: &impl View, persona: u16) -> Result<Vec<RelayView>, ViewError> {
    let boxes = read::all::<OwnBox>(view, Key::of(key::BOX))?;
    let rows = read::all::<Relay>(view, Key::of(key::RELAY))?;
    let rows = rows.into_iter().filter(|(_, row)| row.persona == persona);
    let show = |(key, row): (Vec<u8>, Relay)| {
        let number = u32_at(&key, 1)?;
        let in_use =
            |own: &&(Vec<u8>, OwnBox)| own.1.relay == number && own.1.stage == BoxStage::Ready;
        Some(RelayView {
            persona: row.persona,
            relay: row.descriptor,
            condition: row.condition,
            leaving: row.leaving,
            boxes: boxes.iter().filter(in_use).count(),
        })
    };
    Ok(rows.filter_map(show).collect())
}
