// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls about the node: status, settings, checks, relays, tokens.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::{Result, with_query};
use crate::client::Client;
use crate::dto::{
    CreatedToken, Doctor, List, LogLine, LogQuery, NewRelay, NewTicket, NewToken, NodeStatus,
    OwnRelay, Relay, RelayMove, Setting, Ticket, Token,
};
use crate::id::{RelayId, TokenId};

/// The node.
impl Client {
    /// Reads the node's status.
    pub async fn node(&self) -> Result<NodeStatus> {
        self.get("/v1/node").await
    }

    /// Stops the node.
    pub async fn shutdown(&self) -> Result<()> {
        self.send::<()>(Method::POST, "/v1/node/shutdown", None)
            .await
            .map(drop)
    }

    /// Whether the node can work.
    pub async fn ready(&self) -> Result<()> {
        self.send::<()>(Method::GET, "/readyz", None)
            .await
            .map(drop)
    }

    /// Lists the settings.
    pub async fn settings(&self) -> Result<List<Setting>> {
        self.get("/v1/settings").await
    }

    /// Changes settings, all of those given or none.
    pub async fn change_settings(
        &self,
        changes: &BTreeMap<String, Value>,
    ) -> Result<List<Setting>> {
        self.give(Method::PATCH, "/v1/settings", changes).await
    }

    /// Runs the checks.
    pub async fn doctor(&self) -> Result<Doctor> {
        self.get("/v1/doctor").await
    }

    /// Reads lines of the log.
    pub async fn logs(&self, query: &LogQuery) -> Result<List<LogLine>> {
        self.get(&with_query("/v1/logs", query)?).await
    }

    /// Reads the OpenAPI document.
    pub async fn openapi(&self) -> Result<Value> {
        self.get("/v1/openapi.json").await
    }

    /// Reads the figures for monitoring, as text.
    pub async fn metrics(&self) -> Result<String> {
        let response = self.send::<()>(Method::GET, "/metrics", None).await?;
        Ok(String::from_utf8_lossy(&crate::client::read(response).await?).into_owned())
    }
}

/// Relays.
impl Client {
    /// Lists the relays in use.
    pub async fn relays(&self) -> Result<List<Relay>> {
        self.get("/v1/relays").await
    }

    /// Takes a relay into use.
    pub async fn add_relay(&self, new: &NewRelay) -> Result<Relay> {
        self.give(Method::POST, "/v1/relays", new).await
    }

    /// Stops to use a relay.
    pub async fn remove_relay(&self, relay: &RelayId) -> Result<()> {
        self.send::<()>(Method::DELETE, &format!("/v1/relays/{relay}"), None)
            .await
            .map(drop)
    }

    /// Moves the boxes of a relay to another.
    pub async fn move_relay(&self, relay: &RelayId, to: &RelayMove) -> Result<Relay> {
        self.give(Method::POST, &format!("/v1/relays/{relay}/move"), to)
            .await
    }

    /// Describes the relay the node runs.
    pub async fn own_relay(&self) -> Result<OwnRelay> {
        self.get("/v1/node/relay").await
    }

    /// Signs a ticket for the relay the node runs.
    pub async fn ticket(&self, new: &NewTicket) -> Result<Ticket> {
        self.give(Method::POST, "/v1/node/relay/tickets", new).await
    }
}

/// Tokens.
impl Client {
    /// Lists named tokens.
    pub async fn tokens(&self) -> Result<List<Token>> {
        self.get("/v1/tokens").await
    }

    /// Makes a named token.
    pub async fn create_token(&self, new: &NewToken) -> Result<CreatedToken> {
        self.give(Method::POST, "/v1/tokens", new).await
    }

    /// Deletes a named token.
    pub async fn delete_token(&self, token: &TokenId) -> Result<()> {
        self.send::<()>(Method::DELETE, &format!("/v1/tokens/{token}"), None)
            .await
            .map(drop)
    }
}
