// SPDX-License-Identifier: MIT OR Apache-2.0
//! libp2p, and nothing else touches libp2p: frames over streams, connections, addresses.
