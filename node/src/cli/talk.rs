// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about conversations: send, chat, history, threads.

use std::time::Duration;

use comptoir_api::client::ClientError;
use comptoir_api::dto::{
    EventQuery, Message, MessagePage, MessageQuery, NewMessage, PageQuery, ReadMark, Thread,
};
use comptoir_api::id::ThreadId;
use comptoir_api::problem::Code;

use super::Failure;
use super::args::SendText;
use super::connect::{Connection, PAGE, all_pages};
use super::message::{message_line, print_page};
use super::output::{one_line, somebody_is_there};
use super::people::stdin_text;
use super::stdin::Lines;

/// How long `send --lines` waits for a daemon that went away.
const RETURN_WAIT: Duration = Duration::from_secs(120);

/// Sends text.
pub(crate) async fn send(connection: &Connection, send: SendText) -> Result<(), Failure> {
    if send.lines && send.text != "-" {
        return Err(Failure::usage(
            "--lines reads the lines from stdin: give `-` as the text",
        ));
    }
    let (_, thread) = connection.thread_with(&send.who).await?;
    if send.lines {
        return send_lines(connection, &thread).await;
    }
    let text = if send.text == "-" {
        without_line_end(stdin_text()?)
    } else {
        send.text
    };
    let new = NewMessage {
        text,
        ..NewMessage::default()
    };
    let sent = connection
        .client
        .send_message(&connection.persona, &thread, &new)
        .await?;
    connection.output.data(&sent, || sent.id.to_string());
    Ok(())
}

/// What `echo` puts behind a text is not part of it.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// A line a message. Each line has a key of its own, so that a line whose answer was lost with a killed daemon is
/// asked for again and sent once.
async fn send_lines(connection: &Connection, thread: &ThreadId) -> Result<(), Failure> {
    let run = data_encoding::HEXLOWER.encode(&crate::random::<16>()?);
    let mut lines = Lines::start();
    let mut empty: u64 = 0;
    for number in 1_u64.. {
        let at_line =
            |error: String| format!("line {number} was not sent, those before it were: {error}");
        let Some(text) = lines
            .next()
            .await
            .map_err(|error| Failure::general(at_line(format!("stdin: {error}"))))?
        else {
            break;
        };
        if text.is_empty() {
            empty += 1;
            continue;
        }
        let key = format!("lines-{run}-{number}");
        let new = NewMessage {
            text,
            ..NewMessage::default()
        };
        let sent = send_through_restarts(connection, thread, &new, &key).await;
        let sent = sent.map_err(|failure| {
            Failure::with_status(at_line(failure.to_string()), failure.status())
        })?;
        connection.output.data(&sent, || sent.id.to_string());
    }
    if empty > 0 {
        connection.output.say(format!(
            "{empty} empty lines were left out: a message has at least one byte."
        ));
    }
    Ok(())
}

async fn send_through_restarts(
    connection: &Connection,
    thread: &ThreadId,
    new: &NewMessage,
    key: &str,
) -> Result<Message, Failure> {
    let begun = tokio::time::Instant::now();
    loop {
        match connection
            .client
            .once(key)
            .send_message(&connection.persona, thread, new)
            .await
        {
            Ok(sent) => return Ok(sent),
            Err(error) if may_pass(&error) && begun.elapsed() < RETURN_WAIT => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the same request may work a little later: the daemon is down, starting, stopping or hung up.
fn may_pass(error: &ClientError) -> bool {
    let code = error.code();
    let passing = [
        Code::NotReady,
        Code::Stopping,
        Code::TooMany,
        Code::ReadOnly,
    ];
    match error {
        ClientError::DaemonDown { .. } | ClientError::Interrupted(_) | ClientError::Timeout => true,
        _ => code.is_some_and(|code| passing.contains(&code)),
    }
}

/// Prints a conversation, oldest first.
pub(crate) async fn history(
    connection: &Connection,
    who: &str,
    last: Option<usize>,
) -> Result<(), Failure> {
    let (_, thread) = connection.thread_with(who).await?;
    match last {
        Some(last) => {
            let pages = newest(connection, &thread, last).await?;
            pages.iter().for_each(|page| print_page(connection, page));
        }
        None => {
            let mut query = MessageQuery {
                limit: Some(PAGE),
                before: None,
                after: Some("start".to_owned()),
            };
            loop {
                let page = connection
                    .client
                    .messages(&connection.persona, &thread, &query)
                    .await?;
                print_page(connection, &page);
                match page.next {
                    Some(next) if page.has_more => query.after = Some(next),
                    _ => break,
                }
            }
        }
    }
    Ok(())
}

/// The newest `last` messages as pages, oldest page first.
async fn newest(
    connection: &Connection,
    thread: &ThreadId,
    last: usize,
) -> Result<Vec<MessagePage>, Failure> {
    let mut pages = Vec::new();
    let mut left = last;
    let mut before = None;
    while left > 0 {
        let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let query = MessageQuery {
            limit: Some(limit),
            before: before.clone(),
            after: None,
        };
        let page = connection
            .client
            .messages(&connection.persona, thread, &query)
            .await?;
        left = left.saturating_sub(page.data.len().max(1));
        before.clone_from(&page.next);
        let more = page.has_more && before.is_some();
        pages.push(page);
        if !more {
            break;
        }
    }
    pages.reverse();
    Ok(pages)
}

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

fn stdin_line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::general(format!("stdin: {error}")))?;
    Ok(line)
}
