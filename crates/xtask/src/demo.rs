// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demo: the main job on real input, with the real program, judged from outside.
//!
//! Two relays and two nodes in a temporary home. Alice and Bob become contacts by an invite link; Alice sends a text
//! file line by line while Bob goes offline and is killed twice, Alice's own node is killed once, and relay 1 is
//! killed half-way for good. Then each side's history, read from its own node after its last restart, must be the
//! file.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use crate::guard::Guard;
use crate::needs::Missing;
use crate::{suites, workspace};

mod flow;
pub(crate) mod interrupt;
mod person;
mod relay;
mod text;

use flow::Flow;
use person::Person;
use relay::Relay;

/// Lines that are sent. Some thousand, so that every fault falls into the middle of something.
const LINES: usize = 3_000;

pub(crate) fn command(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = crate::flags(arguments, &["--stay", "--install"])?;
    let missing = Missing::look(&["demo".to_owned()], options.contains(&"--install"));
    if let Some(why) = missing.stops("demo") {
        println!("not run: demo ({why})");
        return Ok(ExitCode::FAILURE);
    }
    let program = build()?;
    let guard = Guard::start()?;
    let home = std::env::temp_dir().join(format!("comptoir-demo-{}", std::process::id()));
    std::fs::create_dir_all(&home).with_context(|| format!("could not make {}", home.display()))?;
    guard.remove_at_end(&home)?;

    let mut world = World::start(&guard, program, home)?;
    let outcome = world.main_job();
    if let Err(error) = &outcome {
        println!("demo: {error:#}");
        world.show_logs();
    }
    if options.contains(&"--stay") {
        world.stay();
    }
    outcome?;
    world.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the program in the profile of all tests, with its output shown, and says where it is.
fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = suites::cargo("build");
    let status = cargo
        .args(["--workspace", "--bin", "comptoir"])
        .current_dir(workspace::root())
        .status()
        .context("could not start cargo")?;
    ensure!(status.success(), "the build failed");
    let program = suites::Binaries::new(&workspace::metadata()?).comptoir();
    ensure!(program.exists(), "cargo built no {}", program.display());
    Ok(program)
}

/// Two people, two relays, and the lines to send.
struct World<'a> {
    home: PathBuf,
    lines: Vec<String>,
    relays: Vec<Relay<'a>>,
    alice: Person<'a>,
    bob: Person<'a>,
}

impl<'a> World<'a> {
    fn start(guard: &'a Guard, program: PathBuf, home: PathBuf) -> anyhow::Result<Self> {
        let lines = text::lines(LINES)?;
        std::fs::write(home.join("text.txt"), format!("{}\n", lines.join("\n")))?;
        section(&format!(
            "Two relays and two nodes start in {}",
            home.display()
        ));
        let relays = vec![
            Relay::start(guard, &program, &home.join("relay1"))?,
            Relay::start(guard, &program, &home.join("relay2"))?,
        ];
        let mut alice = Person::new(guard, &program, &home, "alice")?;
        let mut bob = Person::new(guard, &program, &home, "bob")?;
        for person in [&mut alice, &mut bob] {
            person.comes_up()?;
        }
        Ok(Self {
            home,
            lines,
            relays,
            alice,
            bob,
        })
    }

    fn main_job(&mut self) -> anyhow::Result<()> {
        self.meet()?;
        self.send_all()?;
        self.compare()?;
        self.count()
    }

    /// Each uses both relays; Bob follows Alice's link; she accepts.
    fn meet(&mut self) -> anyhow::Result<()> {
        section("Alice invites Bob by a link");
        for relay in &mut self.relays {
            let key = self.alice.uses_relay(relay.link())?;
            self.bob.uses_relay(relay.link())?;
            relay.is_known_as(key);
        }
        let link = self.alice.invites()?;
        println!(
            "{} characters: {}…",
            link.len(),
            link.chars().take(60).collect::<String>()
        );
        self.bob.follows(&link)?;
        self.alice.accepts()?;
        self.alice.can_write_to("bob")?;
        self.bob.can_write_to("alice")
    }

    /// Every line of the file, one message each, through every fault of the day.
    fn send_all(&mut self) -> anyhow::Result<()> {
        let all = self.lines.len();
        let part = |hundredths: usize| all * hundredths / 100;
        let mut flow = Flow::start(&self.alice, "bob", &self.lines)?;

        section("Alice sends the file line by line; Bob is killed on the way and comes back");
        flow.may_send(part(20));
        flow.has_sent(part(10))?;
        self.bob.is_killed()?;
        self.bob.comes_up()?;
        flow.has_sent(part(20))?;
        self.bob.has_received("alice", part(20))?;

        section("Bob goes offline; Alice goes on");
        self.bob.goes_down()?;
        flow.may_send(part(40));
        flow.has_sent(part(40))?;
        self.bob.comes_up()?;
        self.bob.has_received("alice", part(40))?;

        section("Half-way, relay 1 is killed for good");
        flow.may_send(part(60));
        flow.has_sent(part(50))?;
        self.relays[0].is_killed()?;
        flow.has_sent(part(60))?;

        section("Bob is killed again and stays away; relay 2 alone keeps what Alice writes");
        flow.may_send(part(80));
        flow.has_sent(part(65))?;
        self.bob.is_killed()?;
        flow.has_sent(part(80))?;
        self.bob.comes_up()?;
        self.bob.has_received("alice", part(80))?;

        section("Alice's own node is killed while she writes");
        flow.may_send(all);
        flow.has_sent(part(90))?;
        self.alice.is_killed()?;
        self.alice.comes_up()?;
        flow.has_sent(all)?;
        flow.finish()?;
        self.bob.has_received("alice", all)
    }

    /// Both histories, each from its own node, against the file.
    fn compare(&self) -> anyhow::Result<()> {
        section("Each side's history, from its own node, against the file");
        for (person, other) in [(&self.alice, "bob"), (&self.bob, "alice")] {
            let history = person.history(other)?;
            text::same(&self.lines, &history)
                .with_context(|| format!("{}'s history", person.name()))?;
            println!(
                "{:<5} {} lines, each as in the file",
                person.name(),
                history.len()
            );
        }
        Ok(())
    }

    /// Which ways the messages took, from the sender's own count; none may be unused.
    fn count(&self) -> anyhow::Result<()> {
        let counts = self.alice.counts()?;
        let mut rows = vec![("direct".to_owned(), counts.direct)];
        for (number, relay) in self.relays.iter().enumerate() {
            rows.push((
                format!("through relay {}", number + 1),
                counts.through(relay.key()),
            ));
        }
        rows.push(("sent twice".to_owned(), counts.twice));
        section("Ways the messages took, as Alice's node counted them");
        for (way, number) in &rows {
            println!("{number:>6}  {way}");
        }
        for (way, number) in &rows {
            ensure!(*number > 0, "no message went this way: {way}");
        }
        println!(
            "\n{} lines sent, both histories equal the file, line for line",
            self.lines.len()
        );
        Ok(())
    }

    /// Says how to talk to the nodes, and waits for Ctrl-C.
    fn stay(&self) {
        section("Still running; Ctrl-C ends everything and removes the home");
        for (person, other) in [(&self.alice, "bob"), (&self.bob, "alice")] {
            println!("{} send {other} \"hello\"", person.command_line());
            println!("{} history {other} --last 5", person.command_line());
        }
        loop {
            std::thread::park();
        }
    }

    fn end(mut self) -> anyhow::Result<()> {
        self.alice.goes_down()?;
        self.bob.goes_down()?;
        self.relays[1].goes_down()
    }

    /// The last lines each process said.
    fn show_logs(&self) {
        for name in ["alice", "bob", "relay1", "relay2"] {
            let text = std::fs::read_to_string(self.home.join(format!("{name}.stderr")))
                .unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!("-- {name} said, last:");
            for line in lines.iter().skip(lines.len().saturating_sub(15)) {
                println!("   {line}");
            }
        }
    }
}

/// Prints where the demo is.
fn section(text: &str) {
    println!("\n== {text}");
}

/// Runs a command of the program to its end; what it printed, a JSON document a line.
fn ask(command: &mut Command) -> anyhow::Result<Vec<serde_json::Value>> {
    let output = command.output().context("could not start comptoir")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = command
        .get_args()
        .skip(3)
        .map(|word| word.to_string_lossy())
        .collect();
    ensure!(
        output.status.success(),
        "comptoir {}: {}: {}",
        words.join(" "),
        output.status,
        talk.trim()
    );
    String::from_utf8(output.stdout)
        .context("output is not UTF-8")?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
        .collect()
}
