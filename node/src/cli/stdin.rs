// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of stdin beside everything else: read by a thread, since a terminal cannot be waited for otherwise.

use std::io::{self, BufRead as _};

use tokio::sync::mpsc;

/// Lines that may wait. Full: the thread stops reading, and whoever writes to us waits.
const LINES_MAX: usize = 64;

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
