// SPDX-License-Identifier: MIT OR Apache-2.0
//! A relay's store-and-forward: pure rules over a view, and their backend on kv.
