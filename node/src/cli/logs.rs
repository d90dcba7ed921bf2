// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon's log, as `logs` shows it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use super::Failure;

/// At most so much is read from the end: 4 MiB hold some 30,000 lines.
const TAIL_BYTES_MAX: u64 = 4 << 20;

/// Prints the last lines, and goes on as the log grows if asked to.
pub(crate) fn print(path: &Path, last: usize, follow: bool) -> Result<(), Failure> {
    let mut file = File::open(path).map_err(|e| Failure::file(path, &e))?;
    let length = file.metadata().map_err(|e| Failure::file(path, &e))?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))
        .map_err(|e| Failure::file(path, &e))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|e| Failure::file(path, &e))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(last)..] {
        println!("{line}");
    }
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let mut more = Vec::new();
        file.read_to_end(&mut more)
            .map_err(|e| Failure::file(path, &e))?;
        let mut stdout = io::stdout().lock();
        if stdout
            .write_all(&more)
            .and_then(|()| stdout.flush())
            .is_err()
        {
            return Ok(());
        }
    }
}
