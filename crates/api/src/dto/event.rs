// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event: something happened, written in the same commit as the change.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::id::{ConsumerName, EventId, PersonaName};
use crate::time::Timestamp;

/// An event of the log. It comes at least once; who saves its effect and `seq` together sees it exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number; numbers rise, and not every number is used.
    pub seq: u64,
    /// Its id.
    pub id: EventId,
    /// What happened: `message.received`, `message.delivered`, `contact.added`, `request.received`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub time: Timestamp,
    /// Whose; absent when it is the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
    /// Ids of what it is about; fetch them for the content.
    pub data: Value,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// The events, oldest first.
    pub data: Vec<Event>,
    /// Whether more follow at once.
    pub has_more: bool,
    /// What to pass as `after` next, also when nothing came: it passes over events of types not asked for.
    pub next: u64,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Events after this number; `latest` for those to come. If left unset: from the oldest kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Types, parted by commas; `message.` stands for every type that begins so. If left unset: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// Only events of this persona.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub persona: Option<PersonaName>,
    /// Events at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Seconds to wait for one when there is none, at most 60. If left unset: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(maximum = 60)]
    pub wait: Option<u32>,
}

/// The place of a named reader in the log. Events it has not passed are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consumer {
    /// Its name.
    pub name: ConsumerName,
    /// The last event it is done with.
    pub seq: u64,
    /// When it said so.
    pub updated: Timestamp,
}

/// The new place of a named reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsumerMark {
    /// The last event it is done with.
    pub seq: u64,
}
