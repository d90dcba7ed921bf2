// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about messages that were sent already: edit, erase.

use comptoir_api::dto::MessageEdit;
use comptoir_api::id::MessageId;

use super::Failure;
use super::connect::Connection;

/// Gives an own message another text.
pub(crate) async fn edit(
    connection: &Connection,
    who: &str,
    message: &str,
    text: String,
) -> Result<(), Failure> {
    let message = message_id(message)?;
    let (_, thread) = connection.thread_with(who).await?;
    let edit = MessageEdit { text };
    let edited = connection
        .client
        .edit(&connection.persona, &thread, &message, &edit)
        .await?;
    connection.output.data(&edited, || edited.id.to_string());
    Ok(())
}

/// Erases a message.
pub(crate) async fn erase(
    connection: &Connection,
    who: &str,
    message: &str,
    only_here: bool,
) -> Result<(), Failure> {
    let message = message_id(message)?;
    let (_, thread) = connection.thread_with(who).await?;
    let erased = connection
        .client
        .erase(&connection.persona, &thread, &message, only_here)
        .await?;
    connection.output.data(&erased, || erased.id.to_string());
    Ok(())
}

fn message_id(text: &str) -> Result<MessageId, Failure> {
    text.trim()
        .parse()
        .map_err(|error: comptoir_api::id::BadId| Failure::usage(error.to_string()))
}
