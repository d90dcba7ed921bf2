// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about relays: use one, leave one, let people into one's own.

use comptoir_api::dto::{NewRelay, Relay, RelayMove, RelayState};

use super::Failure;
use super::args::RelayAction;
use super::connect::Connection;
use super::output::Output;
use super::status::relay_word;
use crate::home::Home;

/// The relay commands that ask the daemon.
pub(crate) async fn with_daemon(
    connection: &Connection,
    action: RelayAction,
) -> Result<(), Failure> {
    match action {
        RelayAction::Add { link } => {
            let new = NewRelay {
                link,
                persona: Some(connection.persona.clone()),
            };
            let relay = connection.client.add_relay(&new).await?;
            connection.output.data(&relay, || relay_line(&relay));
        }
        RelayAction::List => {
            let relays = own_relays(connection).await?;
            connection.output.data(&relays, || {
                relays.iter().map(relay_line).collect::<Vec<_>>().join("\n")
            });
        }
        RelayAction::Remove { relay } => {
            let relay = find(connection, &relay).await?;
            connection.client.remove_relay(&relay.id).await?;
            connection.output.data(&relay, || relay.id.to_string());
        }
        RelayAction::Move { from, to } => {
            let relay = find(connection, &from).await?;
            let moved = connection
                .client
                .move_relay(&relay.id, &RelayMove { link: to })
                .await?;
            connection.output.data(&moved, || relay_line(&moved));
        }
        RelayAction::Run { .. } | RelayAction::Ticket { .. } => {
            return Err(Failure::usage("this command needs no daemon"));
        }
    }
    Ok(())
}

async fn own_relays(connection: &Connection) -> Result<Vec<Relay>, Failure> {
    let relays = connection.client.relays().await?.data;
    Ok(relays
        .into_iter()
        .filter(|relay| relay.persona == connection.persona)
        .collect())
}

/// Finds a relay by its id, or by the beginning of its key if only one begins so.
async fn find(connection: &Connection, text: &str) -> Result<Relay, Failure> {
    let matches = |relay: &Relay| {
        relay.id.as_str() == text || (!text.is_empty() && relay.key.starts_with(text))
    };
    let mut found: Vec<Relay> = own_relays(connection)
        .await?
        .into_iter()
        .filter(matches)
        .collect();
    // One that is being left may be in use again: then that one is meant.
    if found.iter().any(|relay| relay.state != RelayState::Leaving) {
        found.retain(|relay| relay.state != RelayState::Leaving);
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::not_found(format!(
            "no relay {text:?} is in use; `comptoir relay list` lists them"
        ))),
        _ => Err(Failure::usage(format!(
            "several relays begin with {text:?}"
        ))),
    }
}

fn relay_line(relay: &Relay) -> String {
    let error = relay
        .error
        .as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    format!(
        "{} {:<10} {:>4} boxes  {}{error}",
        relay.id,
        relay_word(relay.state),
        relay.boxes,
        relay.addresses.join(" ")
    )
}

/// Prints a relay link with a fresh ticket. Needs the relay's home, not its process.
pub(crate) fn ticket(
    output: Output,
    home: &Home,
    mebibytes: u64,
    boxes: u32,
    days: u32,
    guests: u32,
) -> Result<(), Failure> {
    let made = crate::relay::ticket_link(home, mebibytes, boxes, days, guests)
        .map_err(|error| Failure::general(error.to_string()))?;
    output.data(&serde_json::json!({ "link": made }), || made.clone());
    Ok(())
}
