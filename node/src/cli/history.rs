// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command that prints a conversation, a page at a time.

use comptoir_api::dto::{MessagePage, MessageQuery};
use comptoir_api::id::ThreadId;

use super::Failure;
use super::connect::{Connection, PAGE};
use super::message::print_page;

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
pub(crate) async fn newest(
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
