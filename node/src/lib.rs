// SPDX-License-Identifier: MIT OR Apache-2.0
//! A peer-to-peer, end-to-end encrypted messenger: the embeddable node and the one binary.
