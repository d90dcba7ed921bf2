// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one binary: daemon, relay and command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    comptoir::cli::run()
}
