// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one binary: daemon, relay and command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything is created: storage engines make files with the mode they were born with, and everything this
    // process writes is its user's alone, whatever the shell that started it says.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    comptoir::cli::run()
}
