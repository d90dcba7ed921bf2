// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command that sends: one text, or each line of stdin.

use std::time::Duration;

use comptoir_api::client::ClientError;
use comptoir_api::dto::{Message, NewMessage};
use comptoir_api::id::ThreadId;
use comptoir_api::problem::Code;

use super::Failure;
use super::args::SendText;
use super::connect::Connection;
use super::stdin::{Lines, stdin_text};

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
