// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every decision of a node: one pure function from an input to a step.
