// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back: refused on arrival, and shown only to whoever asks for it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Message, limit_of};
use crate::id::ThreadId;
use crate::time::Timestamp;

/// A message that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldBack {
    /// The message. Its state is `held_back`.
    pub message: Message,
    /// When it goes for good, unless it is shown before.
    pub ends: Timestamp,
}

/// Which of the messages that are held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HeldBackQuery {
    /// Entries at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before. If left unset: the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only in this thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub thread: Option<ThreadId>,
}

impl HeldBackQuery {
    /// The limit to use: the one given, within 1 to 500, or 50.
    #[must_use]
    pub fn limit(&self) -> u32 {
        limit_of(self.limit)
    }
}
