// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command that shows a conversation and writes into it.

use comptoir_api::dto::{EventQuery, MessageQuery, NewMessage, ReadMark};
use comptoir_api::id::ThreadId;

use super::Failure;
use super::connect::{Connection, PAGE};
use super::history::newest;
use super::message::{message_line, print_page};
use super::output::somebody_is_there;
use super::stdin::Lines;

/// Shows the conversation and sends what is typed, a line a message, until stdin ends.
pub(crate) async fn chat(connection: &Connection, who: &str, last: usize) -> Result<(), Failure> {
    let (contact, thread) = connection.thread_with(who).await?;
    let pages = newest(connection, &thread, last).await?;
    pages.iter().for_each(|page| print_page(connection, page));
    let mut newest_shown = pages
        .last()
        .and_then(|page| page.data.last())
        .map(|message| message.id.to_string());
    if somebody_is_there() {
        connection.output.say(format!(
            "Writing to {}; an empty line is not sent, Ctrl-D ends.",
            contact.name
        ));
    }
    let mut lines = Lines::start();
    let mut events = connection.client.watch(EventQuery {
        after: Some("latest".to_owned()),
        ..EventQuery::default()
    });
    loop {
        tokio::select! {
            line = lines.next() => match line.map_err(|error| Failure::general(format!("stdin: {error}")))? {
                None => return Ok(()),
                Some(text) if text.is_empty() => {}
                Some(text) => {
                    let new = NewMessage { text, ..NewMessage::default() };
                    connection.client.send_message(&connection.persona, &thread, &new).await?;
                }
            },
            event = events.next() => {
                let event = event?;
                if event.kind == "message.received" && event.data["thread"] == thread.as_str() {
                    show_new(connection, &thread, &mut newest_shown).await?;
                }
            }
        }
    }
}

async fn show_new(
    connection: &Connection,
    thread: &ThreadId,
    newest_shown: &mut Option<String>,
) -> Result<(), Failure> {
    let after = newest_shown.clone().unwrap_or_else(|| "start".to_owned());
    let query = MessageQuery {
        limit: Some(PAGE),
        before: None,
        after: Some(after),
    };
    let page = connection
        .client
        .messages(&connection.persona, thread, &query)
        .await?;
    for message in page.data.iter().filter(|message| !message.author.me) {
        connection.output.data(message, || message_line(message));
    }
    if let Some(last) = page.data.last() {
        *newest_shown = Some(last.id.to_string());
        let mark = ReadMark {
            up_to: last.id.clone(),
        };
        connection
            .client
            .mark_read(&connection.persona, thread, &mark)
            .await?;
    }
    Ok(())
}
