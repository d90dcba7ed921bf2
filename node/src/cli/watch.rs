// SPDX-License-Identifier: MIT OR Apache-2.0
//! `watch`: events as they happen.

use comptoir_api::dto::EventQuery;

use super::Failure;
use super::connect::Connection;
use super::output::printable;

/// Prints events until interrupted, or until nobody reads them; resumes by itself when the daemon restarts.
pub(crate) async fn events(connection: &Connection, after: Option<u64>) -> Result<(), Failure> {
    let after = after.map_or_else(|| "latest".to_owned(), |after| after.to_string());
    let mut events = connection.client.watch(EventQuery {
        after: Some(after),
        ..EventQuery::default()
    });

    loop {
        let event = events.next().await?;
        let read = connection.output.data(&event, || {
            let persona = event
                .persona
                .as_ref()
                .map(|persona| format!(" [{persona}]"))
                .unwrap_or_default();
            format!(
                "{} {}{persona} {} {}",
                event.seq,
                event.time,
                event.kind,
                printable(&event.data.to_string())
            )
        });
        if !read {
            return Ok(());
        }
    }
}
