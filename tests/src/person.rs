// SPDX-License-Identifier: MIT OR Apache-2.0
//! The person: somebody with a home, a daemon that can be killed, and a command line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything that needs both sides may take before a story fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test: the one `COMPTOIR_BIN` names, or the one built beside this test. `COMPTOIR_CONTROL_BIN` stands
/// over both: the same stories over a binary that is broken on purpose.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn binary() -> PathBuf {
    let named = ["COMPTOIR_CONTROL_BIN", "COMPTOIR_BIN"]
        .into_iter()
        .find_map(std::env::var_os);
    let binary = named.map_or_else(|| crate::build::programs().join("comptoir"), PathBuf::from);
    assert!(binary.exists(), "{} is missing", binary.display());
    binary
}

/// A process that ends with the test, however that ends.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts the binary with its stdin held open by us, waits for its first line on stdout, and returns that.
    pub fn start(mut command: Command) -> (Self, String) {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("stdout was piped");
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first).expect("stdout can be read");
        // Somebody must read on, or a chatty process would block.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()).is_ok());
        assert!(!first.is_empty(), "the process ended before it was ready");
        (Self { child }, first)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing of the process runs any more when this returns.
    pub fn kill(mut self) {
        self.child.kill().expect("the process was ours to kill");
        self.child.wait().expect("a killed process ends");
    }

    /// Closes its stdin and waits for an orderly end.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("the process ends");
        assert!(status.success(), "the process ended with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody with a home.
#[derive(Debug)]
pub struct Person {
    /// What others call them.
    pub name: &'static str,
    home: PathBuf,
    daemon: Option<Process>,
    passphrase: Option<PathBuf>,
}

impl Person {
    /// Makes a home below `world` with a key file instead of a passphrase.
    pub fn new(world: &Path, name: &'static str) -> Self {
        let person = Self::of_home(&world.join(name), name);
        person.moves_in(world, &["--no-passphrase"]);
        person
    }

    /// Makes a home below `world` that a passphrase opens.
    pub fn with_passphrase(world: &Path, name: &'static str, passphrase: &str) -> Self {
        let file = world.join(format!("{name}.passphrase"));
        std::fs::write(&file, passphrase).expect("the world can be written to");
        let mut person = Self::of_home(&world.join(name), name);
        person.moves_in(world, &["--passphrase-file", path(&file)]);
        person.passphrase = Some(file);
        person
    }

    fn moves_in(&self, world: &Path, unlock: &[&str]) {
        let phrase = world.join(format!("{}.phrase", self.name));
        let init = ["init", "--name", self.name, "--phrase-file", path(&phrase)];
        self.must(&[&init[..], unlock].concat());
    }

    /// Somebody whose home is there already.
    pub fn of_home(home: &Path, name: &'static str) -> Self {
        Self {
            name,
            home: home.to_path_buf(),
            daemon: None,
            passphrase: None,
        }
    }

    /// The home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Starts the daemon on loopback and waits until it is ready.
    pub fn comes_up(&mut self) {
        self.comes_up_under(Command::new(binary()));
    }

    /// The same, by a command that runs the binary under something: a tracer, say.
    pub fn comes_up_under(&mut self, command: Command) {
        let addresses = [
            "/ip4/127.0.0.1/tcp/0",
            "--listen",
            "/ip4/127.0.0.1/udp/0/quic-v1",
        ];
        self.daemon = Some(self.daemon(command, &addresses));
    }

    /// Starts the daemon to listen on this multiaddr alone.
    pub fn comes_up_at(&mut self, address: &str) {
        self.daemon = Some(self.daemon(Command::new(binary()), &[address]));
    }

    /// Starts the daemon so that nobody can dial it: what reaches it comes through relays or its own dials.
    pub fn comes_up_unreachable(&mut self) {
        self.daemon = Some(self.daemon(Command::new(binary()), &["none"]));
    }

    fn daemon(&self, mut command: Command, listen: &[&str]) -> Process {
        command.arg("--home").arg(&self.home);
        command
            .args(["up", "--exit-with-stdin", "--listen"])
            .args(listen);
        if let Some(file) = &self.passphrase {
            command.arg("--passphrase-file").arg(file);
        }
        Process::start(command).0
    }

    /// Sends each of `lines` as they come, by one command that lives through kills of the daemon. Says for each line
    /// when its answer was seen, in microseconds of the wall clock; ends when the lines do.
    pub fn sends_as_they_come(
        &self,
        who: &str,
        lines: impl Iterator<Item = String> + Send + 'static,
    ) -> std::sync::mpsc::Receiver<u64> {
        let mut command = Command::new(binary());
        command
            .arg("--home")
            .arg(&self.home)
            .args(["--json", "send", who, "-", "--lines"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("stdin was piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout was piped"));
        std::thread::spawn(move || {
            for line in lines {
                if writeln!(stdin, "{line}")
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    break;
                }
            }
        });
        let (seen, answers) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for _ in stdout.lines().map_while(Result::ok) {
                if seen.send(crate::powercut::now()).is_err() {
                    break;
                }
            }
            let _ = child.wait();
        });
        answers
    }

    /// `kill -9`.
    pub fn is_killed(&mut self) {
        self.daemon.take().expect("the daemon runs").kill();
    }

    /// An orderly end.
    pub fn goes_down(&mut self) {
        self.daemon.take().expect("the daemon runs").finish();
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_stdin(arguments, "")
    }

    /// Runs a command with something on stdin.
    pub fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(binary());
        command
            .arg("--home")
            .arg(&self.home)
            .arg("--json")
            .args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut pipe = child.stdin.take().expect("stdin was piped");
        // A command that needs no input may end before it is written.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("the command ends")
    }

    /// Runs a command that must work, and returns what it printed.
    pub fn must(&self, arguments: &[&str]) -> Vec<Value> {
        self.must_with_stdin(arguments, "")
    }

    /// The same with something on stdin.
    pub fn must_with_stdin(&self, arguments: &[&str], stdin: &str) -> Vec<Value> {
        let output = self.run_with_stdin(arguments, stdin);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: {arguments:?} ended with {}: {talk}",
            self.name,
            output.status
        );
        let text = String::from_utf8(output.stdout).expect("data is text");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("--json prints JSON"))
            .collect()
    }

    /// An invite link.
    pub fn invites(&self) -> String {
        wait(&format!("an invite of {}", self.name), || {
            // Refused with status 6 until there is a way for anybody to answer.
            let made = self.run(&["invite"]);
            let made: Value = serde_json::from_slice(&made.stdout).ok()?;
            made["link"].as_str().map(str::to_owned)
        })
    }

    /// Takes a relay into use and waits until it answers: an invite made before has nowhere to lead.
    pub fn uses(&self, relay: &crate::Relay) {
        self.must(&["relay", "add", relay.link()]);
        wait(&format!("{} to have boxes at a relay", self.name), || {
            let relays = self.must(&["relay", "list"]);
            let of_it = relays[0]
                .as_array()?
                .iter()
                .find(|known| known["state"] == "up")?;
            of_it["boxes"]
                .as_u64()
                .filter(|boxes| *boxes > 0)
                .map(|_| ())
        });
    }

    /// Follows a link.
    pub fn follows(&self, link: &str) {
        self.must_with_stdin(&["add", "-"], link);
    }

    /// Waits for a request and accepts it.
    pub fn accepts(&self) {
        let request = wait(&format!("a request for {}", self.name), || {
            let requests = self.must(&["requests"]);
            requests[0]
                .as_array()
                .and_then(|all| all.first())
                .and_then(|first| first["id"].as_str())
                .map(str::to_owned)
        });
        self.must(&["accept", &request]);
    }

    /// Waits until `who` can be written to.
    pub fn can_write_to(&self, who: &str) {
        wait(
            &format!("{} to have a thread with {who}", self.name),
            || {
                let contacts = self.must(&["contacts"]);
                let found = contacts[0]
                    .as_array()?
                    .iter()
                    .find(|contact| contact["name"] == who)?
                    .clone();
                found["thread"].as_str().map(|_| ())
            },
        );
    }

    /// Sends one text.
    pub fn sends(&self, who: &str, text: &str) {
        self.must(&["send", who, text]);
    }

    /// Sends each line as a message.
    pub fn sends_lines(&self, who: &str, lines: &[String]) {
        let mut text = lines.join("\n");
        text.push('\n');
        self.must_with_stdin(&["send", who, "-", "--lines"], &text);
    }

    /// The texts of a conversation, in its order.
    pub fn texts_with(&self, who: &str) -> Vec<String> {
        let history = self.must(&["history", who]);
        history
            .iter()
            .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits until the conversation holds `count` texts, and returns them.
    pub fn sees(&self, who: &str, count: usize) -> Vec<String> {
        wait(
            &format!("{} to see {count} messages with {who}", self.name),
            || {
                let texts = self.texts_with(who);
                (texts.len() >= count).then_some(texts)
            },
        )
    }

    /// The node's status.
    pub fn status(&self) -> Value {
        self.must(&["status"]).remove(0)
    }
}

/// Asks again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], naming what was waited for.
pub fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("test paths are text")
}
