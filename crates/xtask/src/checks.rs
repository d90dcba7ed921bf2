// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checks: what must hold in the text of the checkout and in its dependencies, found without compiling it.

use std::process::ExitCode;

mod layout;
mod licence;
mod packages;
mod readme;
mod spec;
mod text;

/// What was found wrong; nothing found means the check passed.
#[derive(Default)]
pub(crate) struct Findings {
    lines: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, place: &str, what: &str) {
        self.lines.push(format!("{place}: {what}"));
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    fn merge(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// Prints each finding and a closing line.
    pub(crate) fn report(&self, title: &str) -> ExitCode {
        for line in &self.lines {
            println!("{line}");
        }
        match self.lines.len() {
            0 => println!("{title}: all hold"),
            count => println!("{title}: {count} found wrong"),
        }
        if self.lines.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn command(arguments: &[String]) -> anyhow::Result<ExitCode> {
    crate::flags(arguments, &[])?;
    Ok(check()?.report("checks"))
}

pub(crate) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    for part in [
        text::check,
        layout::check,
        packages::check,
        spec::check,
        readme::check,
    ] {
        findings.merge(part()?);
    }
    Ok(findings)
}
