// SPDX-License-Identifier: MIT OR Apache-2.0
//! Suites: names for parts of the tests, read from the workspace, and how each is run.
//!
//! Every build names the whole workspace: a build of one package picks other features for shared dependencies,
//! and compiles them a second time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{bail, ensure};
use cargo_metadata::{Metadata, TargetKind};

use crate::{needs::Missing, steps::Steps, workspace};

/// The package whose every test target is a suite.
const TESTS: &str = "comptoir-tests";
const SIM: &str = "comptoir-sim";
const EXAMPLES: &str = "comptoir-examples";

/// How long each fuzz target runs, unless `cargo xtask fuzz SECONDS` says otherwise.
pub(crate) const FUZZ_SECONDS: &str = "10";

/// One named part of the tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// The test modules of all crates, and the test folders of single crates.
    Unit(Vec<String>),
    /// One test binary of `tests/`, or of the simulator.
    Target(String),
    /// A test binary of the simulator that needs features which no program of ours is built with.
    Featured(String, Vec<String>),
    Doc,
    Examples(Vec<String>),
    Demo,
    /// The fault tests over a node that is broken on purpose, which is built for them. Run by name only.
    Controls,
}

impl Suite {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Unit(_) => "unit",
            Self::Target(name) | Self::Featured(name, _) => name,
            Self::Doc => "doc",
            Self::Examples(_) => "examples",
            Self::Demo => "demo",
            Self::Controls => "controls",
        }
    }

    fn run(&self, steps: &mut Steps, binaries: &Binaries) -> anyhow::Result<()> {
        match self {
            Self::Unit(targets) => {
                let mut command = cargo("test");
                command.args(["--workspace", "--no-fail-fast", "--lib", "--bins"]);
                for target in targets {
                    command.args(["--test", target]);
                }
                steps.run("unit", binaries.tell(&mut command))?;
            }
            Self::Target(name) => {
                let mut command = cargo("test");
                command.args(["--workspace", "--test", name]);
                if std::env::var_os("COMPTOIR_FUZZ_SECONDS").is_none() {
                    command.env("COMPTOIR_FUZZ_SECONDS", FUZZ_SECONDS);
                }
                steps.run(name, binaries.tell(&mut command))?;
            }
            Self::Featured(name, features) => {
                let features = features.join(",");
                let mut command = cargo("test");
                command.args(["--workspace", "--features", &features, "--test", name]);
                steps.run(name, binaries.tell(&mut command))?;
            }
            Self::Doc => {
                steps.run("doc", cargo("test").args(["--workspace", "--doc"]))?;
            }
            Self::Examples(names) => {
                for name in names {
                    let mut command = Command::new(binaries.example(name));
                    steps.run(&format!("example {name}"), binaries.tell(&mut command))?;
                }
            }
            Self::Controls => {
                let mut command = cargo("test");
                command.args(["--workspace", "--test", "faults", "--", "--ignored"]);
                command.args(["--nocapture", "controls::"]);
                steps.run("controls", &mut command)?;
            }
            Self::Demo => {
                steps.run("demo", Command::new(std::env::current_exe()?).arg("demo"))?;
                steps.call("demo: Ctrl-C", crate::demo::interrupt::leaves_nothing);
            }
        }
        Ok(())
    }
}

/// Where cargo puts what it built.
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    pub(crate) fn new(metadata: &Metadata) -> Self {
        Self(metadata.target_directory.join("ci").into_std_path_buf())
    }

    pub(crate) fn comptoir(&self) -> PathBuf {
        self.0.join("comptoir")
    }

    fn example(&self, name: &str) -> PathBuf {
        let beside = self.0.join(name);
        if beside.exists() {
            beside
        } else {
            self.0.join("examples").join(name)
        }
    }

    /// Tests that start the real program find it by this variable.
    fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("COMPTOIR_BIN", self.comptoir())
    }
}

/// A cargo command in the one profile of all tests.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(workspace::cargo());
    cargo.args([command, "--locked", "--profile", "ci"]);
    // What `cargo run` tells us of xtask is not for others: build scripts watch these variables, and whoever builds now
    // with and now without them compiles half of the dependencies again each time.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// All suites of the workspace, quick ones first.
pub(crate) fn all(metadata: &Metadata) -> Vec<Suite> {
    let mut own = BTreeSet::new();
    let mut named = BTreeSet::new();
    let mut examples = BTreeSet::new();
    let mut featured = Vec::new();
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            let is = |kind: &TargetKind| target.kind.contains(kind);
            let name = target.name.clone();
            if is(&TargetKind::Test) && !target.required_features.is_empty() {
                let of_package = |feature| format!("{}/{feature}", package.name);
                let features = target.required_features.iter().map(of_package).collect();
                featured.push(Suite::Featured(name, features));
                continue;
            }
            let set = match package.name.as_str() {
                TESTS | SIM if is(&TargetKind::Test) => &mut named,
                EXAMPLES if is(&TargetKind::Bin) || is(&TargetKind::Example) => &mut examples,
                _ if is(&TargetKind::Test) => &mut own,
                _ => continue,
            };
            set.insert(name);
        }
    }
    // `--test NAME` runs every target of that name: one that is a suite of its own would run a second time here.
    own.retain(|name| !named.contains(name));
    let mut suites = vec![Suite::Unit(own.into_iter().collect()), Suite::Doc];
    suites.extend(named.into_iter().map(Suite::Target));
    suites.extend(featured);
    suites.push(Suite::Examples(examples.into_iter().collect()));
    suites.push(Suite::Demo);
    suites
}

/// `cargo xtask test [SUITE…] [--list] [--install]`.
pub(crate) fn command(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (options, names): (Vec<String>, Vec<String>) = arguments
        .iter()
        .cloned()
        .partition(|argument| argument.starts_with('-'));
    let options = crate::flags(&options, &["--install", "--list"])?;
    let metadata = workspace::metadata()?;
    let all = all(&metadata);
    if options.contains(&"--list") {
        for suite in &all {
            println!("{}", suite.name());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&all, &names)?;
    let step_names: Vec<String> = chosen.iter().map(|suite| suite.name().to_owned()).collect();
    let missing = Missing::look(&step_names, options.contains(&"--install"));
    let mut steps = Steps::new(None)?;
    build_and_run(&chosen, &metadata, &missing, &mut steps)?;
    Ok(steps.finish())
}

fn choose(all: &[Suite], names: &[String]) -> anyhow::Result<Vec<Suite>> {
    if names.is_empty() || names == ["all"] {
        return Ok(all.to_vec());
    }
    let mut chosen = Vec::new();
    for name in names {
        match all.iter().find(|suite| suite.name() == name) {
            Some(suite) => chosen.push(suite.clone()),
            None if name == Suite::Controls.name() => chosen.push(Suite::Controls),
            None => {
                let known: Vec<&str> = all.iter().map(Suite::name).collect();
                bail!("no suite `{name}`; there are: {} controls", known.join(" "))
            }
        }
    }
    ensure!(!chosen.is_empty(), "no suite named");
    Ok(chosen)
}

/// Compiles everything once, then runs each suite whose needs are met.
pub(crate) fn build_and_run(
    suites: &[Suite],
    metadata: &Metadata,
    missing: &Missing,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    if let Some(why) = missing.stops("build") {
        steps.not_run("all suites", &why);
        return Ok(());
    }
    let built = steps.run(
        "build: programs",
        cargo("build").args(["--workspace", "--bins", "--examples"]),
    )? && steps.run(
        "build: tests",
        cargo("test").args(["--workspace", "--no-run"]),
    )?;
    let binaries = Binaries::new(metadata);
    for suite in suites {
        match missing.stops(suite.name()) {
            Some(why) => steps.not_run(suite.name(), &why),
            None if !built => steps.not_run(suite.name(), "the build failed"),
            None => suite.run(steps, &binaries)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_target_of_the_workspace_belongs_to_a_suite() {
        let metadata = workspace::metadata().unwrap();
        let all = all(&metadata);
        for package in metadata.workspace_packages() {
            for target in package
                .targets
                .iter()
                .filter(|target| target.kind.contains(&TargetKind::Test))
            {
                let found = all.iter().any(|suite| match suite {
                    Suite::Unit(names) => names.contains(&target.name),
                    Suite::Target(name) | Suite::Featured(name, _) => *name == target.name,
                    _ => false,
                });
                assert!(found, "{} of {}", target.name, package.name);
            }
        }
    }

    #[test]
    fn an_unknown_suite_is_refused_and_none_means_all() {
        let all = [Suite::Doc, Suite::Demo];
        assert!(choose(&all, &["stroies".into()]).is_err());
        assert_eq!(choose(&all, &[]).unwrap(), all);
        assert_eq!(choose(&all, &["demo".into()]).unwrap(), [Suite::Demo]);
    }
}
