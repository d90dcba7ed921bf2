// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about the node itself: status, doctor, settings, tokens, down.

use std::collections::BTreeMap;

use comptoir_api::auth::Scope;
use comptoir_api::dto::{
    CheckResult, NewToken, NodeState, NodeStatus, RelayState, Setting, Token, UnlockedBy,
};
use serde_json::Value;

use super::args::TokensAction;
use super::connect::Connection;
use super::{Failure, names};

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

/// Runs the checks; fails when one of them came out bad.
pub(crate) async fn doctor(connection: &Connection) -> Result<(), Failure> {
    let doctor = connection.client.doctor().await?;
    connection.output.data(&doctor, || {
        let line = |check: &comptoir_api::dto::Check| {
            let word = match check.result {
                CheckResult::Good => "good",
                CheckResult::Warning => "warning",
                CheckResult::Bad => "BAD",
                CheckResult::NotChecked | CheckResult::Unknown => "not checked",
            };
            let remedy = check
                .remedy
                .as_ref()
                .map(|remedy| format!("\n{:24}do: {remedy}", ""))
                .unwrap_or_default();
            format!("{:<12}{word:<12}{}{remedy}", check.name, check.detail)
        };
        doctor
            .checks
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    });
    match doctor
        .checks
        .iter()
        .filter(|check| check.result == CheckResult::Bad)
        .count()
    {
        0 => Ok(()),
        bad => Err(Failure::general(format!(
            "{bad} of {} checks came out bad",
            doctor.checks.len()
        ))),
    }
}

/// Shows or changes settings.
pub(crate) async fn settings(
    connection: &Connection,
    assignments: Vec<String>,
) -> Result<(), Failure> {
    let (changes, names): (Vec<String>, Vec<String>) =
        assignments.into_iter().partition(|text| text.contains('='));
    let mut all = connection.client.settings().await?.data;
    if !changes.is_empty() {
        let change = |(name, value): (&str, &str)| (name.to_owned(), value_of(value, name, &all));
        let changes = changes.iter().filter_map(|text| text.split_once('='));
        let changes: BTreeMap<String, Value> = changes.map(change).collect();
        all = connection.client.change_settings(&changes).await?.data;
    }
    let unknown = names
        .iter()
        .find(|name| !all.iter().any(|setting| setting.name == **name));
    if let Some(name) = unknown {
        return Err(Failure::not_found(format!(
            "there is no setting {name:?}; `comptoir settings` lists them"
        )));
    }
    let shown: Vec<&Setting> = all
        .iter()
        .filter(|setting| names.is_empty() || names.contains(&setting.name))
        .collect();
    connection.output.data(&shown, || {
        let line = |setting: &&Setting| {
            format!(
                "{:<24} {:<12} {}",
                setting.name,
                setting.value.to_string(),
                setting.about
            )
        };
        shown.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// `true`, `12` and `"text"` are what they look like, save where the setting is a text; anything else is text.
fn value_of(text: &str, name: &str, known: &[Setting]) -> Value {
    let is_text = known
        .iter()
        .any(|setting| setting.name == name && setting.value.is_string());
    match serde_json::from_str(text) {
        Ok(value @ Value::String(_)) => value,
        Ok(value) if !is_text => value,
        _ => Value::String(text.to_owned()),
    }
}

/// Lists, makes or ends tokens.
pub(crate) async fn tokens(
    connection: &Connection,
    action: Option<TokensAction>,
) -> Result<(), Failure> {
    match action {
        None => {
            let tokens = connection.client.tokens().await?.data;
            connection.output.data(&tokens, || {
                tokens.iter().map(token_line).collect::<Vec<_>>().join("\n")
            });
        }
        Some(TokensAction::Create {
            name,
            scope,
            persona,
        }) => {
            let scopes = scope.split(',').map(|scope| scope.trim().parse::<Scope>());
            let scopes = scopes
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Failure::usage(error.to_string()))?;
            let persona = persona.as_deref().map(names::persona).transpose()?;
            let made = connection
                .client
                .create_token(&NewToken {
                    name,
                    scopes,
                    persona,
                    expires_in_s: None,
                })
                .await?;
            connection.output.data(&made, || made.secret.clone());
            connection
                .output
                .say("This is shown once; only its hash is kept.");
        }
        Some(TokensAction::Remove { name }) => {
            let tokens = connection.client.tokens().await?.data;
            let token = tokens.into_iter().find(|token| token.name == name);
            let token =
                token.ok_or_else(|| Failure::not_found(format!("no token is called {name:?}")))?;
            connection.client.delete_token(&token.id).await?;
            connection.output.data(&token, || token.name.clone());
        }
    }
    Ok(())
}

fn token_line(token: &Token) -> String {
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    let persona = token
        .persona
        .as_ref()
        .map(|persona| format!(" (only {persona})"))
        .unwrap_or_default();
    format!("{:<16} {}{persona}", token.name, scopes.join(","))
}

/// Stops the daemon.
pub(crate) async fn down(connection: &Connection) -> Result<(), Failure> {
    connection.client.shutdown().await?;
    connection.output.say("The daemon stops.");
    Ok(())
}
