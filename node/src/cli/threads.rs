// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about conversations: list them, delete what was said in one.

use comptoir_api::dto::{PageQuery, Thread};

use super::Failure;
use super::connect::{Connection, PAGE, all_pages};
use super::message::message_line;
use super::output::{one_line, somebody_is_there};
use super::stdin::stdin_line;

/// Lists conversations.
pub(crate) async fn threads(connection: &Connection) -> Result<(), Failure> {
    let all = all_pages(async |after| {
        let limit = Some(PAGE);
        let query = PageQuery { limit, after };
        connection.client.threads(&connection.persona, &query).await
    })
    .await?;
    connection.output.data(&all, || {
        let line = |thread: &Thread| {
            let last = thread
                .last
                .as_ref()
                .map(message_line)
                .unwrap_or_default()
                .replace('\n', " ");
            let held_back = match thread.held_back {
                0 => String::new(),
                count => format!(" ({count} held back)"),
            };
            format!(
                "{:<24} {:>5} unread  {last}{held_back}",
                one_line(&thread.title),
                thread.unread
            )
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Deletes a conversation here.
pub(crate) async fn delete(connection: &Connection, who: &str, yes: bool) -> Result<(), Failure> {
    let (contact, thread) = connection.thread_with(who).await?;
    if !yes {
        if !somebody_is_there() {
            return Err(Failure::usage(
                "nobody is at the terminal to confirm; use --yes",
            ));
        }
        connection.output.say(format!(
            "Delete everything said with {} on this node? Type `yes`: ",
            contact.name
        ));
        if stdin_line()?.trim() != "yes" {
            return Err(Failure::general("not deleted"));
        }
    }
    connection
        .client
        .delete_thread(&connection.persona, &thread)
        .await?;
    connection
        .output
        .data(&serde_json::json!({ "deleted": thread }), || {
            thread.to_string()
        });
    Ok(())
}
