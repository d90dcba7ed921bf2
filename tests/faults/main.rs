// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults: processes killed and disks cut off, and what was acknowledged still there.

mod store;
