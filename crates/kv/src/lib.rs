// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bytes-only key-value trait and its engines, durable when they say so.
