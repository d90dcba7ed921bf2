// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls: one method a route.

mod events;
mod node;
mod people;
mod threads;

use std::fmt::Write as _;

use serde::Serialize;

use super::ClientError;
use crate::dto::EventQuery;

type Result<T> = std::result::Result<T, ClientError>;

pub(super) fn events_path(query: &EventQuery) -> Result<String> {
    with_query("/v1/events", query)
}

/// Writes the fields of a query, which are all numbers and text, behind a path.
fn with_query(path: &str, query: &impl Serialize) -> Result<String> {
    let fields =
        serde_json::to_value(query).map_err(|error| ClientError::Internal(error.to_string()))?;
    let mut text = path.to_owned();
    let mut mark = '?';
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(text, "{mark}{name}={}", escape(&value));
        mark = '&';
    }
    Ok(text)
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}
