// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local HTTP API: routes, guard, events, OpenAPI, and the typed client.
