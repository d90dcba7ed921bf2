// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon's log, as `logs` shows it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::Failure;
use super::output::print as print_out;

/// At most so much is read from the end: 4 MiB hold some 30,000 lines.
const TAIL_BYTES_MAX: u64 = 4 << 20;

/// Prints the last lines, and goes on as the log grows if asked to.
pub(crate) fn print(path: &Path, last: usize, follow: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::not_found(format!(
            "{} is not there: no daemon has run in this home yet",
            path.display()
        )),
        _ => Failure::file(path, &error),
    };
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let tail = SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX));
    file.seek(tail).map_err(failed)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[lines.len().saturating_sub(last)..];
    let read = lines.iter().all(|line| print_out(format_args!("{line}\n")));
    if !follow || !read {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let mut more = Vec::new();
        file.read_to_end(&mut more).map_err(failed)?;
        if !print_out(String::from_utf8_lossy(&more)) {
            return Ok(());
        }
    }
}
