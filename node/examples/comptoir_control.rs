// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program with code that is broken on purpose, for tests of the tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    comptoir::cli::run()
}
