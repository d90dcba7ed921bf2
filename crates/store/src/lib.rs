// SPDX-License-Identifier: MIT OR Apache-2.0
//! A node's records: one atomic commit per step, history, events, migrations, encryption at rest.
