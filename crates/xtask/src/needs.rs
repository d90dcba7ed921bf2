// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a command needs from the machine, what of it is missing, and the one line that installs it.

use std::process::{Command, Stdio};

/// A program that some step starts.
struct Need {
    program: &'static str,
    /// How its presence is asked.
    probe: &'static [&'static str],
    source: Source,
    /// Steps that cannot run without it; empty: none can.
    steps: &'static [&'static str],
}

enum Source {
    Debian(&'static str),
    Rustup(&'static str),
}

/// No library of the system is linked; aws-lc-sys and ring compile C and assembly with `cc` alone.
const NEEDS: &[Need] = &[
    Need {
        program: "cc",
        probe: &["cc", "--version"],
        source: Source::Debian("build-essential"),
        steps: &[],
    },
    Need {
        program: "git",
        probe: &["git", "--version"],
        source: Source::Debian("git"),
        steps: &["checks"],
    },
    Need {
        program: "strace",
        probe: &["strace", "--version"],
        source: Source::Debian("strace"),
        steps: &["faults"],
    },
    Need {
        program: "rustfmt",
        probe: &["cargo", "fmt", "--version"],
        source: Source::Rustup("rustfmt"),
        steps: &["fmt"],
    },
    Need {
        program: "clippy",
        probe: &["cargo", "clippy", "--version"],
        source: Source::Rustup("clippy"),
        steps: &["clippy"],
    },
];

/// What of the needs of some steps is not there.
pub(crate) struct Missing(Vec<&'static Need>);

impl Missing {
    /// Says what `steps` miss and how to get it; installs it when `install` is set or CI is `true`.
    pub(crate) fn look(steps: &[String], install: bool) -> Self {
        let missing = Self::now(steps);
        if missing.0.is_empty() {
            println!("missing: nothing");
            return missing;
        }
        let names: Vec<&str> = missing.0.iter().map(|need| need.program).collect();
        println!("missing: {}", names.join(", "));
        let lines = missing.install_lines();
        println!("install: {}", lines.join(" && "));
        if !install && std::env::var("CI").as_deref() != Ok("true") {
            println!("(or give --install)");
            return missing;
        }
        for line in &lines {
            println!("+ {line}");
            match Command::new("sh")
                .args(["-c", line])
                .stdin(Stdio::null())
                .status()
            {
                Ok(status) if status.success() => {}
                Ok(status) => println!("failed: {status}"),
                Err(error) => println!("failed: {error}"),
            }
        }
        Self::now(steps)
    }

    fn now(steps: &[String]) -> Self {
        let wanted = |need: &&Need| {
            need.steps.is_empty()
                || need
                    .steps
                    .iter()
                    .any(|step| steps.iter().any(|name| name == step))
        };
        Self(
            NEEDS
                .iter()
                .filter(wanted)
                .filter(|need| !is_there(need.probe))
                .collect(),
        )
    }

    /// Why `step` cannot run, if it cannot.
    pub(crate) fn stops(&self, step: &str) -> Option<String> {
        self.0
            .iter()
            .find(|need| need.steps.is_empty() || need.steps.contains(&step))
            .map(|need| format!("{} is missing", need.program))
    }

    fn install_lines(&self) -> Vec<String> {
        let of = |pick: fn(&Source) -> Option<&'static str>| -> Vec<&str> {
            self.0
                .iter()
                .filter_map(|need| pick(&need.source))
                .collect()
        };
        let debian = of(|source| match source {
            Source::Debian(package) => Some(package),
            Source::Rustup(_) => None,
        });
        let rustup = of(|source| match source {
            Source::Rustup(component) => Some(component),
            Source::Debian(_) => None,
        });
        let mut lines = Vec::new();
        if !debian.is_empty() {
            let sudo = if is_there(&["sudo", "-n", "true"]) {
                "sudo "
            } else {
                ""
            };
            let packages = debian.join(" ");
            lines.push(format!(
                "{sudo}apt-get update -qq && {sudo}apt-get install -y --no-install-recommends {packages}"
            ));
        }
        if !rustup.is_empty() {
            lines.push(format!("rustup component add {}", rustup.join(" ")));
        }
        lines
    }
}

fn is_there(probe: &[&str]) -> bool {
    let Some((program, arguments)) = probe.split_first() else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    static GONE: Need = Need {
        program: "no-such-program",
        probe: &["no-such-program"],
        source: Source::Debian("no-such-package"),
        steps: &["powercut"],
    };

    #[test]
    fn what_is_missing_stops_its_steps_only_and_names_its_package() {
        assert!(!is_there(GONE.probe));
        let missing = Missing(vec![&GONE]);
        assert!(missing.stops("powercut").is_some());
        assert!(missing.stops("unit").is_none());
        assert!(missing.install_lines()[0].ends_with("no-such-package"));
    }
}
