// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of personas: the word in paths and after `--as`, and the engine's number behind it.

use std::collections::BTreeMap;

use comptoir_store::{Core, StoreError};

const NOTE: &str = "personas";

/// The names, kept as a note of the store. Written after the persona itself: a crash between the two leaves a persona
/// that is called by its number until it is named.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    by_number: BTreeMap<u16, String>,
}

impl Names {
    /// Reads the note.
    pub(crate) fn load(core: &Core) -> Result<Self, StoreError> {
        let Some(bytes) = core.note(NOTE)? else {
            return Ok(Self::default());
        };
        let by_number = serde_json::from_slice(&bytes);
        let by_number = by_number
            .map_err(|error| StoreError::Corrupt(format!("the names of personas: {error}")))?;
        Ok(Self { by_number })
    }

    /// The number behind a name.
    pub(crate) fn number(&self, name: &str) -> Option<u16> {
        let named = self
            .by_number
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(number, _)| *number);
        named.or_else(|| {
            let number = name.strip_prefix("persona-")?.parse().ok()?;
            (!self.by_number.contains_key(&number)).then_some(number)
        })
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u16) -> String {
        self.by_number
            .get(&number)
            .cloned()
            .unwrap_or_else(|| format!("persona-{number}"))
    }

    /// The same with one more name; durable on return.
    pub(crate) fn with(mut self, core: &Core, number: u16, name: &str) -> Result<Self, StoreError> {
        self.by_number.insert(number, name.to_owned());
        let bytes = serde_json::to_vec(&self.by_number).expect("names always turn into JSON");
        core.put_note(NOTE, &bytes)?;
        Ok(self)
    }
}
