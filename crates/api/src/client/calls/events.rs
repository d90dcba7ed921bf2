// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls about events: pages, streams, and how far a named reader has come.

use reqwest::Method;

use super::{Result, events_path};
use crate::client::{Client, EventStream};
use crate::dto::{Consumer, ConsumerMark, EventList, EventQuery};
use crate::id::ConsumerName;

impl Client {
    /// Reads a page of events, waiting if the query says so.
    pub async fn events(&self, query: &EventQuery) -> Result<EventList> {
        self.get(&events_path(query)?).await
    }

    /// Opens a stream of events. It connects when first asked.
    #[must_use]
    pub fn watch(&self, query: EventQuery) -> EventStream {
        EventStream::new(self.clone(), query)
    }

    /// Reads the place of a named reader.
    pub async fn consumer(&self, name: &ConsumerName) -> Result<Consumer> {
        self.get(&format!("/v1/consumers/{name}")).await
    }

    /// Stores the place of a named reader.
    pub async fn set_consumer(&self, name: &ConsumerName, seq: u64) -> Result<Consumer> {
        self.give(
            Method::PUT,
            &format!("/v1/consumers/{name}"),
            &ConsumerMark { seq },
        )
        .await
    }
}
