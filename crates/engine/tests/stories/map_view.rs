// SPDX-License-Identifier: MIT OR Apache-2.0
//! The map view: a store in memory.

use std::collections::BTreeMap;

use comptoir_engine::*;

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store in memory.
#[derive(Clone, Default)]
pub struct MapView(pub Rows);

impl View for MapView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError> {
        let rows = self
            .0
            .range(range.prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&range.prefix));
        let mut rows: Vec<Row> = rows
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if range.reverse {
            rows.reverse();
        }
        if let Some(from) = &range.from {
            rows.retain(|(key, _)| {
                if range.reverse {
                    key <= from
                } else {
                    key >= from
                }
            });
        }
        rows.truncate(range.limit);
        Ok(rows)
    }
}

impl MapView {
    pub fn commit(&mut self, step: &Step) {
        for write in &step.writes {
            match write.clone() {
                Write::Put { key, value } => self.0.insert(key, value),
                Write::Delete { key } => self.0.remove(&key),
            };
        }
    }
}
