// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary under test: run to its end, or in the background until the story is over.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The folder of one story, which is the working folder of its commands.
pub(crate) struct Folder(PathBuf);

/// What a command left behind.
pub(crate) struct Done {
    /// Its exit status.
    pub(crate) status: i32,
    /// stdout.
    pub(crate) data: String,
    /// stderr.
    pub(crate) talk: String,
}

/// A daemon that ends with its stdin.
pub(crate) struct Background(Child, Option<ChildStdin>);

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.1.take());
        let _ = self.0.wait();
    }
}

impl Done {
    /// stdout of a command that must have worked.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status, 0, "{}", self.talk);
        self.data
    }
}

impl Folder {
    pub(crate) fn new(story: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{story}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comptoir"));
        command
            .current_dir(&self.0)
            .arg("--home")
            .arg(home)
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, home: &str, arguments: &[&str]) -> Done {
        self.run_with_stdin(home, arguments, "")
    }

    pub(crate) fn run_with_stdin(&self, home: &str, arguments: &[&str], stdin: &str) -> Done {
        let mut command = self.command(home, arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its stdin may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let done = Done {
            status: output.status.code().unwrap_or(-1),
            data: text(output.stdout),
            talk: text(output.stderr),
        };
        assert!(!done.talk.contains("panicked"), "{}", done.talk);
        done
    }

    /// Starts a daemon and waits for its first line.
    pub(crate) fn background(&self, home: &str, arguments: &[&str]) -> (Background, String) {
        let mut command = self.command(home, arguments);
        let mut child = command
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "the daemon did not start");
        (Background(child, stdin), line.trim().to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Tries until it is so.
pub(crate) fn retry(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
