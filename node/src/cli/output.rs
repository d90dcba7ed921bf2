// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a command prints: data on stdout, talk on stderr, JSON where it was asked for.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use serde::Serialize;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Plain lines, or JSON.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints data: `value` as one line of JSON, or the lines of `plain`. False as of [`print()`].
    pub(crate) fn data<T: Serialize>(self, value: &T, plain: impl FnOnce() -> String) -> bool {
        let text = if self.json {
            serde_json::to_string(value).expect("our own types always turn into JSON")
        } else {
            printable(&plain())
        };
        if text.is_empty() {
            // An empty list is no line: `comptoir contacts | wc -l` says 0.
            return true;
        }
        print(format_args!("{text}\n"))
    }

    /// Says something to the person at the terminal.
    pub(crate) fn say(self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "{}", printable(text.as_ref()));
    }
}

/// The first thing that kept stdout from taking data.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes to stdout; false when it takes no more. When whoever read it went away (`| head`) that is no error of ours; any
/// other reason is kept for [`lost()`].
pub(crate) fn print(text: impl fmt::Display) -> bool {
    let mut stdout = io::stdout().lock();
    let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
    match written {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
        Err(error) => {
            LOST.get_or_init(|| error);
            false
        }
    }
}

/// Why data that a command printed did not arrive, on a full disk say.
pub(crate) fn lost() -> Option<&'static io::Error> {
    LOST.get()
}

/// Text that cannot move the cursor, colour the terminal or turn its direction: what strangers wrote is shown,
/// never obeyed.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// The same on one line: what stands for a name or a reason cannot pass for a line of ours.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// The same for a text of several lines: those behind the first are set in, so that none passes for another message.
pub(crate) fn set_in(text: &str) -> String {
    printable(text).replace('\n', "\n    ")
}

fn is_harmless(c: char) -> bool {
    let turns_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\n' || c == '\t' || (!c.is_control() && !turns_direction)
}

/// Whether somebody sits at stdin.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::{one_line, printable, set_in};

    #[test]
    fn a_stranger_cannot_drive_the_terminal() {
        assert_eq!(
            printable("\u{1b}[2Jhi\u{202e}gnp.exe\r"),
            "\u{fffd}[2Jhi\u{fffd}gnp.exe\u{fffd}"
        );
        assert_eq!(
            printable("deux lignes\net une tabulation\t✓"),
            "deux lignes\net une tabulation\t✓"
        );
    }

    #[test]
    fn what_a_stranger_wrote_never_begins_a_line() {
        assert_eq!(one_line("Bob\nctc_9\tAlice\r"), "Bob ctc_9 Alice\u{fffd}");
        assert_eq!(set_in("hi\n2026 me: yes\n"), "hi\n    2026 me: yes\n    ");
    }
}
