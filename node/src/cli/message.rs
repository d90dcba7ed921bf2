// SPDX-License-Identifier: MIT OR Apache-2.0
//! The message on the terminal: who, when, what, and how it fared.

use std::collections::BTreeMap;

use comptoir_api::dto::{Gap, Message, MessageKind, MessagePage, MessageState};

use super::connect::Connection;
use super::output::{one_line, set_in};

/// Prints a page, and says where messages are missing.
pub(crate) fn print_page(connection: &Connection, page: &MessagePage) {
    let mut gaps: BTreeMap<Option<String>, Vec<&Gap>> = BTreeMap::new();
    for gap in &page.gaps {
        gaps.entry(gap.after.as_ref().map(ToString::to_string))
            .or_default()
            .push(gap);
    }
    let show_gaps = |place: Option<String>| {
        for gap in gaps.get(&place).into_iter().flatten() {
            connection.output.say(gap_line(gap));
        }
    };
    show_gaps(None);
    for message in &page.data {
        connection.output.data(message, || message_line(message));
        show_gaps(Some(message.id.to_string()));
    }
}

fn gap_line(gap: &Gap) -> String {
    match gap.to - gap.from + 1 {
        1 => "-- 1 message is missing here --".to_owned(),
        count => format!("-- {count} messages are missing here --"),
    }
}

/// A message with who, when and how it fared; what stands in it never begins a line.
pub(crate) fn message_line(message: &Message) -> String {
    let state = match message.state {
        MessageState::Queued => " (waiting)",
        MessageState::Stored => " (at relay)",
        MessageState::Delivered => " (delivered)",
        MessageState::Read => " (read)",
        MessageState::NotDelivered => " (not delivered)",
        MessageState::HeldBack => " (held back)",
        MessageState::Received | MessageState::Unknown => "",
    };
    let name = if message.author.me {
        "me"
    } else {
        &message.author.name
    };
    let text = match message.kind {
        MessageKind::Erased => "(erased)".to_owned(),
        MessageKind::Text => message.text.clone().unwrap_or_default(),
        MessageKind::NeedsNewer | MessageKind::Unknown => unknown_text(message),
    };
    let edited = if message.edited.is_some() && message.kind != MessageKind::Erased {
        " (edited)"
    } else {
        ""
    };
    format!(
        "{} {}: {}{edited}{state}",
        message.sent,
        one_line(name),
        set_in(&text)
    )
}

fn unknown_text(message: &Message) -> String {
    let fallback = message
        .fallback
        .clone()
        .unwrap_or_else(|| "(nothing to show)".to_owned());
    match &message.via {
        Some(via) => format!("{fallback} (via {}; needs a newer version)", via.name),
        None => format!("{fallback} (needs a newer version)"),
    }
}
