// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back: refused on arrival, and shown only to whoever asks for it.

use super::HeldBackView;
use super::history::Reader;
use super::read;
use crate::rows::held_back::HeldBack;
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::seam::view::{Scan, View, ViewError};

/// Rows read at once.
const PAGE: usize = 64;

/// The messages held back for a persona, or in one thread of it, the newest arrival first. At most `limit`, and the rest
/// of the arrival that reaches it.
pub fn held_back(
    view: &impl View,
    persona: u16,
    thread: Option<u32>,
    limit: usize,
) -> Result<Vec<HeldBackView>, ViewError> {
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let mut scan = Scan::all(Key::of(key::HELD_BACK)).limited(PAGE + 1);
        (scan.reverse, scan.from) = (true, from.take());
        let mut rows = view.scan(scan)?;
        // The last one is where the next page begins.
        from = (rows.len() > PAGE)
            .then(|| rows.pop())
            .flatten()
            .map(|(row_key, _)| row_key);
        for (row_key, row) in rows {
            let held: HeldBack = read::read(&row_key, &row)?;
            let place = (
                u64_at(&row_key, 1),
                u32_at(&row_key, 9),
                u64_at(&row_key, 13),
            );
            let (Some(ends_ms), Some(number), Some(arrival)) = place else {
                continue;
            };
            let wanted = held.persona == persona && thread.is_none_or(|thread| thread == number);
            if let Some(reader) = wanted
                .then(|| Reader::open(view, number))
                .transpose()?
                .flatten()
            {
                let messages = reader.messages(arrival)?.into_iter();
                found.extend(messages.map(|message| HeldBackView { message, ends_ms }));
            }
            if found.len() >= limit {
                return Ok(found);
            }
        }
        if from.is_none() {
            return Ok(found);
        }
    }
}
