// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local HTTP API: routes, guard, events, OpenAPI, and the typed client.
//!
//! A request meets, in this order: the listener's limits ([`server`]), the guard against web pages
//! (`guard`), the token ([`auth`]), the scope its route declares in the OpenAPI document, the route, and last
//! the [`host::Host`]: the node behind. Nothing of the node's state is known here.

mod app;
pub mod auth;
pub mod client;
pub mod dto;
mod extract;
pub mod guard;
pub mod host;
pub mod id;
pub mod idempotency;
mod openapi;
pub mod place;
pub mod problem;
mod routes;
pub mod server;
pub mod time;

#[cfg(test)]
mod tests;
