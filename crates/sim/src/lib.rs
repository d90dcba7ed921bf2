// SPDX-License-Identifier: MIT OR Apache-2.0
//! A world of engines, relays and stores on virtual time, with every fault from one seed.
