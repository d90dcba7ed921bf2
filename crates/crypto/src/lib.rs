// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, sealed boxes, the at-rest cipher and MLS threads.
