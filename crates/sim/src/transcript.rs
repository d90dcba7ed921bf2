// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transcript: what a node has of a thread, as its user reads it.

use comptoir_engine::MessageAt;
use comptoir_engine::query::{self, ContentView, HistoryItem, MessageView};
use comptoir_protocol::id::{DeviceId, Lane};
use comptoir_protocol::runs::Runs;

use crate::checks::threads;
use crate::node::Running;

/// The numbers of the messages that a node has of an author in a lane, shown or not.
pub(crate) fn has_of(running: &Running, author: DeviceId, lane: Lane) -> Result<Runs, String> {
    let threads = threads(running)?;
    let mut authors = threads.iter().flat_map(|(_, thread)| &thread.authors);
    let author = authors.find(|known| known.device == author);
    Ok(author.map_or_else(Runs::new, |author| author.track(lane).have.clone()))
}

/// A message as a history shows it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) own: bool,
    pub(crate) at: MessageAt,
    /// None where it was erased.
    pub(crate) text: Option<String>,
}

/// A thread in the order of places; gaps as errors, except among promotions, which end undelivered with their leave.
pub(crate) fn transcript(running: &Running, thread: u32) -> Result<Vec<Said>, String> {
    let page = query::history(
        &running.core.committed(),
        thread,
        query::From::Start,
        usize::MAX - 1,
    )
    .map_err(|error| error.to_string())?;
    let items = page.ok_or("the thread is gone")?.items;
    let read = |item: HistoryItem| match item {
        HistoryItem::Message(message) => {
            let at = at(&message);
            let text = match message.content {
                ContentView::Text(text) => Some(text),
                ContentView::Erased => None,
                other => return Some(Err(format!("a message shows {other:?}"))),
            };
            let own = message.own;
            Some(Ok(Said { own, at, text }))
        }
        HistoryItem::Gap {
            lane: Lane::Promotion,
            ..
        } => None,
        HistoryItem::Gap { from, to, .. } => Some(Err(format!("I5: {from} to {to} are missing"))),
    };
    items.into_iter().filter_map(read).collect()
}

/// Where a message stands.
pub(crate) fn at(message: &MessageView) -> MessageAt {
    MessageAt {
        thread: message.thread,
        author: message.place.author,
        lane: message.lane,
        sequence: message.place.sequence,
    }
}
