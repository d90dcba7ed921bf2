// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stdin: all of it, a line of it, or lines beside everything else, which a thread reads since a terminal cannot be waited
//! for otherwise.

use std::io::{self, BufRead as _, Read as _};

use tokio::sync::mpsc;

use super::Failure;

/// Lines that may wait. Full: the thread stops reading, and whoever writes to us waits.
const LINES_MAX: usize = 64;

/// The longest text that is read whole. A message has at most 16 KiB, a link less.
const TEXT_BYTES_MAX: u64 = 32 * 1024;

/// The lines of stdin, one after the other.
pub(crate) struct Lines {
    lines: mpsc::Receiver<io::Result<String>>,
}

impl Lines {
    /// Starts to read. The thread ends with stdin or with the process.
    pub(crate) fn start() -> Self {
        let (read, lines) = mpsc::channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if read.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// The next line without its end; `None` at the end of stdin. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Option<String>> {
        self.lines.recv().await.transpose()
    }
}

/// All of stdin.
pub(crate) fn stdin_text() -> Result<String, Failure> {
    let failed = |error: String| Failure::general(format!("stdin: {error}"));
    let mut bytes = Vec::new();
    let mut limited = io::stdin().lock().take(TEXT_BYTES_MAX + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::usage(format!(
            "stdin holds more than {TEXT_BYTES_MAX} bytes: no link or message is as long"
        )));
    }
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// One line of stdin.
pub(crate) fn stdin_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::general(format!("stdin: {error}")))?;
    Ok(line)
}
