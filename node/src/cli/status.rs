// SPDX-License-Identifier: MIT OR Apache-2.0
//! The status: how the node is, one word first.

use comptoir_api::dto::{NodeState, NodeStatus, RelayState, UnlockedBy};

use super::Failure;
use super::connect::Connection;

/// Prints how the node is, one word first.
pub(crate) async fn status(connection: &Connection) -> Result<(), Failure> {
    let status = connection.client.node().await?;
    connection
        .output
        .data(&status, || status_lines(&status).join("\n"));
    Ok(())
}

fn status_lines(status: &NodeStatus) -> Vec<String> {
    let word = match status.state {
        NodeState::Starting => "Starting",
        NodeState::Ready => network_word(status),
        NodeState::Degraded => "Degraded",
        NodeState::ReadOnly => "Read-only",
        NodeState::Halted => "Halted",
        NodeState::Stopping => "Stopping",
        NodeState::Unknown => "Unknown",
    };
    let unlocked = match status.unlocked_by {
        UnlockedBy::Passphrase => "a passphrase",
        UnlockedBy::PassphraseFile => "a passphrase file",
        UnlockedBy::Keyring => "the keyring",
        UnlockedBy::KeyFile => {
            "a key file WITHOUT passphrase: whoever copies the disk can read everything"
        }
        UnlockedBy::Unknown => "an unknown way",
    };
    let counts = &status.counts;
    let mut lines = vec![
        word.to_owned(),
        format!(
            "version {} in {} (process {}, since {})",
            status.version, status.home, status.pid, status.started
        ),
        format!("store   {}, opened by {unlocked}", status.engine),
        format!(
            "peers   {} connected; listening on {}",
            status.peers,
            listening(status)
        ),
    ];
    lines.extend(
        status
            .relays
            .iter()
            .map(|relay| format!("relay   {} {}", relay.id, relay_word(relay.state))),
    );
    lines.push(format!(
        "sent    {} ({} direct, {} more than once); received {} ({} direct, {} more than once)",
        counts.sent,
        counts.sent_direct,
        counts.sent_twice,
        counts.received,
        counts.received_direct,
        counts.received_twice
    ));
    lines.extend(counts.relays.iter().map(|relay| {
        format!(
            "via     {}: {} sent, {} received",
            relay.relay, relay.sent, relay.received
        )
    }));
    lines.extend(
        status
            .state_as_of
            .map(|time| format!("account state as of {time}")),
    );
    lines.extend(
        status
            .warnings
            .iter()
            .map(|warning| format!("warning {warning}")),
    );
    lines
}

fn network_word(status: &NodeStatus) -> &'static str {
    let relay_up = status
        .relays
        .iter()
        .any(|relay| relay.state == RelayState::Up);
    match (status.peers > 0, relay_up, status.relays.is_empty()) {
        (true, _, _) => "Connected",
        (false, true, _) => "Through relay",
        (false, false, false) => "Waiting",
        (false, false, true) if status.listen.is_empty() => "Offline",
        (false, false, true) => "Reachable only while online",
    }
}

fn listening(status: &NodeStatus) -> String {
    if status.listen.is_empty() {
        "nothing".to_owned()
    } else {
        status.listen.join(", ")
    }
}

/// A relay's state in a word.
pub(crate) fn relay_word(state: RelayState) -> &'static str {
    match state {
        RelayState::Up => "up",
        RelayState::Connecting => "connecting",
        RelayState::Down => "down",
        RelayState::Refused => "refuses us",
        RelayState::Leaving => "being left",
        RelayState::Unknown => "?",
    }
}
