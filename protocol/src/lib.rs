// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Comptoir nodes say to one another: its bytes and its rules.
