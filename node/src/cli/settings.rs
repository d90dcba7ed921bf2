// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings: shown, and changed.

use std::collections::BTreeMap;

use comptoir_api::dto::Setting;
use serde_json::Value;

use super::Failure;
use super::connect::Connection;

/// Shows or changes settings.
pub(crate) async fn settings(
    connection: &Connection,
    assignments: Vec<String>,
) -> Result<(), Failure> {
    let (changes, names): (Vec<String>, Vec<String>) =
        assignments.into_iter().partition(|text| text.contains('='));
    let mut all = connection.client.settings().await?.data;
    if !changes.is_empty() {
        let change = |(name, value): (&str, &str)| (name.to_owned(), value_of(value, name, &all));
        let changes = changes.iter().filter_map(|text| text.split_once('='));
        let changes: BTreeMap<String, Value> = changes.map(change).collect();
        all = connection.client.change_settings(&changes).await?.data;
    }
    let unknown = names
        .iter()
        .find(|name| !all.iter().any(|setting| setting.name == **name));
    if let Some(name) = unknown {
        return Err(Failure::not_found(format!(
            "there is no setting {name:?}; `comptoir settings` lists them"
        )));
    }
    let shown: Vec<&Setting> = all
        .iter()
        .filter(|setting| names.is_empty() || names.contains(&setting.name))
        .collect();
    connection.output.data(&shown, || {
        let line = |setting: &&Setting| {
            format!(
                "{:<24} {:<12} {}",
                setting.name,
                setting.value.to_string(),
                setting.about
            )
        };
        shown.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// `true`, `12` and `"text"` are what they look like, save where the setting is a text; anything else is text.
fn value_of(text: &str, name: &str, known: &[Setting]) -> Value {
    let is_text = known
        .iter()
        .any(|setting| setting.name == name && setting.value.is_string());
    match serde_json::from_str(text) {
        Ok(value @ Value::String(_)) => value,
        Ok(value) if !is_text => value,
        _ => Value::String(text.to_owned()),
    }
}
