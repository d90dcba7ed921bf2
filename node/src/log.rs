// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon's log: a file in the home, warnings on stderr too. Set up by the binary only; the library has none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Mutex;

use comptoir_api::dto::{List, LogLine};
use comptoir_api::time::Timestamp;
use serde_json::Value;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::home::Home;

/// A log that has grown past this is renamed to `comptoir.log.1` at the next start: at most 32 MiB lie on disk
/// after a start, and a daemon that says a line a second fills one in three days.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Begins to write the log. What is logged never holds plaintext, tokens or account ids.
pub(crate) fn start(home: &Home) -> io::Result<()> {
    let path = home.log();
    if fs::metadata(&path).is_ok_and(|data| data.len() > LOG_BYTES_MAX) {
        fs::rename(&path, path.with_extension("log.1"))?;
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)?;
    let chosen = EnvFilter::try_from_env("COMPTOIR_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,comptoir=info"));
    let to_file = fmt::layer()
        .json()
        .with_writer(Mutex::new(file))
        .with_filter(chosen);
    let to_stderr = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_filter(EnvFilter::new("warn"));
    // Whoever embeds the daemon may have set a logger up already; theirs stays.
    let _ = tracing_subscriber::registry()
        .with(to_file)
        .with(to_stderr)
        .try_init();
    Ok(())
}

/// Lines of the log behind line number `after`, or the newest ones; numbers count from the start of the file.
pub(crate) fn page(home: &Home, after: Option<u64>, limit: u32) -> io::Result<List<LogLine>> {
    let lines = match File::open(home.log()) {
        Ok(file) => BufReader::new(file)
            .lines()
            .collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let skip = match after {
        Some(after) => usize::try_from(after).unwrap_or(usize::MAX),
        None => lines.len().saturating_sub(limit),
    };
    let has_more = lines.len() > skip.saturating_add(limit);
    let numbered = (1..).zip(&lines).skip(skip).take(limit);
    let data: Vec<LogLine> = numbered
        .map(|(number, line)| log_line(number, line))
        .collect();
    let next = data
        .last()
        .filter(|_| has_more)
        .map(|line| line.number.to_string());
    Ok(List {
        data,
        has_more,
        next,
    })
}

fn log_line(number: u64, line: &str) -> LogLine {
    let parsed: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    LogLine {
        number,
        time: text(&parsed["timestamp"])
            .parse()
            .unwrap_or(Timestamp::from_ms(0)),
        level: text(&parsed["level"]).to_lowercase(),
        message: parsed["fields"].to_string(),
    }
}
