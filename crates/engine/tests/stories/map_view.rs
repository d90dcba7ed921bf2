// SPDX-License-Identifier: MIT OR Apache-2.0
//! The map view: a store in memory.

use std::collections::BTreeMap;

use comptoir_engine::*;

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Spaces whose rows hold what was said.
pub const SAID: [u8; 3] = [rows::key::RUN, rows::key::OUTBOX_BODY, rows::key::AMEND];

/// A store in memory. It sees to it that what is said lies under a scope, and that no row lies under a destroyed one.
#[derive(Clone, Default)]
pub struct MapView(pub Rows, pub Keys);

/// Under which scope each row lies, and which are destroyed.
#[derive(Clone, Default)]
pub struct Keys {
    pub lying: BTreeMap<Vec<u8>, Scope>,
    pub destroyed: Vec<Scopes>,
}

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
                Write::Put { key, value, scope } => {
                    let said = SAID.contains(&key[0]);
                    assert_eq!(
                        scope.is_some(),
                        said,
                        "what is said lies under a scope: {key:02x?}"
                    );
                    if let Some(scope) = scope {
                        let gone = self.1.destroyed.iter().any(|gone| gone.contain(&scope));
                        assert!(!gone, "written under {scope:?}, which was destroyed");
                        self.1.lying.insert(key.clone(), scope);
                    }
                    self.0.insert(key, value);
                }
                Write::Delete { key } => {
                    self.1.lying.remove(&key);
                    self.0.remove(&key);
                }
                Write::Destroy(scopes) => {
                    let mut lying = self.1.lying.iter();
                    let left = lying.find(|(_, scope)| scopes.contain(scope));
                    assert_eq!(left, None, "{scopes:?} is destroyed and a row is left");
                    self.1.destroyed.push(scopes);
                }
            }
        }
    }
}
