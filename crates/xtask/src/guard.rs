// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guard: a small shell that outlives us by a moment and takes our children and folders with it.
//!
//! It reads from a pipe whose other end only this process holds. Whatever ends us (the end of the work, Ctrl-C,
//! `kill -9`), the pipe closes, and the guard ends every process group still written down and removes every
//! folder. It runs in a group of its own, so that Ctrl-C in the terminal does not reach it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

/// Groups get a second to leave by themselves before they are killed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
groups=''
while read -r mark value; do
    case $mark in
    add) groups="$groups $value" ;;
    done)
        rest=''
        for group in $groups; do [ "$group" = "$value" ] || rest="$rest $group"; done
        groups=$rest ;;
    folder) set -- "$@" "$value" ;;
    esac
done
for group in $groups; do kill -TERM -"$group" 2>/dev/null; done
tries=0
while [ $tries -lt 10 ]; do
    alive=''
    for group in $groups; do kill -0 -"$group" 2>/dev/null && alive=1; done
    [ -z "$alive" ] && break
    sleep 0.1
    tries=$((tries + 1))
done
for group in $groups; do kill -KILL -"$group" 2>/dev/null; done
for folder in "$@"; do rm -rf -- "$folder"; done
"#;

/// Ends what it was told of when it is dropped, or when this process ends in any way.
pub(crate) struct Guard {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "guard"])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("could not start sh")?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { shell, pipe })
    }

    /// Starts `command` as the leader of a group of its own and writes that group down.
    pub(crate) fn spawn(&self, command: &mut Command) -> anyhow::Result<Child> {
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {:?}", command.get_program()))?;
        self.tell("add", &child.id().to_string())?;
        Ok(child)
    }

    /// Waits for a child and forgets its group.
    pub(crate) fn wait(&self, child: &mut Child) -> anyhow::Result<ExitStatus> {
        let status = child.wait().context("could not wait for a child")?;
        self.tell("done", &child.id().to_string())?;
        Ok(status)
    }

    /// Has `folder` removed at the end.
    pub(crate) fn remove_at_end(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder
            .to_str()
            .context("a temporary folder with a path that is not UTF-8")?;
        self.tell("folder", path)
    }

    fn tell(&self, mark: &str, value: &str) -> anyhow::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = pipe.as_mut().context("the guard has ended")?;
        writeln!(pipe, "{mark} {value}").context("the guard has ended")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(
            self.pipe
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        // An error here means that the shell is gone already; there is nobody left to tell.
        let _gone = self.shell.wait();
    }
}

/// Kills the whole group of a child started by [`Guard::spawn`].
pub(crate) fn kill_group(leader: u32) {
    // The group may be gone by now, which is what was wanted.
    let _status = Command::new("sh")
        .args(["-c", &format!("kill -KILL -{leader} 2>/dev/null")])
        .status();
}

/// The signal of Ctrl-C; a shell that runs us in the background has it ignored, then the one of `kill`.
pub(crate) fn interrupt_signal() -> &'static str {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 1 is signal 2, SIGINT.
    if ignored.is_some_and(|mask| mask & 0b10 != 0) {
        "-TERM"
    } else {
        "-INT"
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::time::{Duration, Instant};

    use super::*;

    /// Holds a child and a folder until it is ended from outside.
    #[test]
    #[ignore = "started by the test below, in a process of its own"]
    fn probe() {
        let guard = Guard::start().unwrap();
        let folder = std::env::temp_dir().join(format!("xtask-guard-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        guard.remove_at_end(&folder).unwrap();
        let mut child = guard.spawn(Command::new("sleep").arg("600")).unwrap();
        println!("\nholding {} {}", child.id(), folder.display());
        guard.wait(&mut child).unwrap();
    }

    fn runs(process: &str) -> bool {
        // A zombie that nobody has waited for has a state but no arguments.
        std::fs::read(format!("/proc/{process}/cmdline"))
            .is_ok_and(|arguments| !arguments.is_empty())
    }

    #[test]
    fn whatever_ends_us_the_child_ends_and_the_folder_goes() {
        for signal in [interrupt_signal(), "-TERM", "-KILL"] {
            let mut holder = Command::new(std::env::current_exe().unwrap())
                .args(["guard::tests::probe", "--exact", "--ignored", "--nocapture"])
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap();
            // Held to the end: a test harness whose reader is gone ends by itself.
            let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
            let holding = |line: &String| line.starts_with("holding ");
            let line = lines.by_ref().map_while(Result::ok).find(holding).unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            let (child, folder) = (words[1], Path::new(words[2]));
            // A process that has just begun has no arguments for a moment.
            within(&line, || runs(child) && folder.exists());
            Command::new("kill")
                .args([signal, &holder.id().to_string()])
                .status()
                .unwrap();
            holder.wait().unwrap();
            within(&line, || !runs(child) && !folder.exists());
        }
    }

    fn within(what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < Duration::from_secs(10), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
