// SPDX-License-Identifier: MIT OR Apache-2.0
//! The probe: what this transport can do by itself, to hold the node's own figures against.
//!
//! Nothing is encrypted but by the transport, nothing is stored, nothing is queued.
