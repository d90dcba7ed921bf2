// SPDX-License-Identifier: MIT OR Apache-2.0
//! `held-back`: what was refused on arrival, and what of it the user wants to see after all.

use comptoir_api::dto::{HeldBack, HeldBackQuery};
use comptoir_api::id::{MessageId, ThreadId};

use super::Failure;
use super::connect::{Connection, PAGE, all_pages};
use super::message::message_line;

/// Lists what is held back, or shows some of it in its conversation.
pub(crate) async fn run(
    connection: &Connection,
    who: Option<&str>,
    show: &[MessageId],
) -> Result<(), Failure> {
    let thread = match who {
        Some(who) => Some(connection.thread_with(who).await?.1),
        None => None,
    };
    let all = list(connection, thread).await?;
    if show.is_empty() {
        connection.output.data(&all, || lines(&all));
        return Ok(());
    }
    for message in show {
        let found = all.iter().find(|held| held.message.id == *message);
        let Some(found) = found else {
            return Err(Failure::not_found(format!("{message} is not held back")));
        };
        let shown = connection
            .client
            .show_held_back(&connection.persona, &found.message.thread, message)
            .await?;
        connection.output.data(&shown, || message_line(&shown));
    }
    Ok(())
}

async fn list(connection: &Connection, thread: Option<ThreadId>) -> Result<Vec<HeldBack>, Failure> {
    all_pages(async |after| {
        let query = HeldBackQuery {
            limit: Some(PAGE),
            after,
            thread: thread.clone(),
        };
        connection
            .client
            .held_back(&connection.persona, &query)
            .await
    })
    .await
}

fn lines(all: &[HeldBack]) -> String {
    let line = |held: &HeldBack| {
        let text = message_line(&held.message);
        format!("{}  {text}, until {}", held.message.id, held.ends)
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}
