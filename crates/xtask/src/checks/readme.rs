// SPDX-License-Identifier: MIT OR Apache-2.0
//! README facts: the paths it names exist, and its code map leaves no crate out.

use std::collections::BTreeSet;
use std::path::Path;

use super::Findings;
use crate::workspace;

const README: &str = "README.md";

pub(crate) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let Some(readme) = workspace::text(README.as_ref()) else {
        findings.add(README, "is missing");
        return Ok(findings);
    };
    let named = named_paths(&readme);
    for path in &named {
        if !workspace::root().join(path).exists() {
            findings.add(README, &format!("names `{path}`, which does not exist"));
        }
    }
    for package in workspace::metadata()?.workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .map(|folder| folder.as_std_path().to_path_buf());
        let relative = folder
            .as_deref()
            .and_then(|folder| folder.strip_prefix(workspace::root()).ok());
        let Some(relative) = relative else { continue };
        if !named
            .iter()
            .any(|path| Path::new(path).starts_with(relative))
        {
            findings.add(
                README,
                &format!("does not say what `{}` is", relative.display()),
            );
        }
    }
    Ok(findings)
}

/// Words in backquotes that start with a folder of ours.
fn named_paths(readme: &str) -> BTreeSet<String> {
    let folders = [
        "protocol", "crates", "node", "tests", "examples", ".ci", ".cargo",
    ];
    let mut fenced = false;
    let mut paths = BTreeSet::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for word in line.split('`').skip(1).step_by(2) {
            let first = word.split('/').next().unwrap_or_default();
            if word.contains('/') && folders.contains(&first) && !word.contains(' ') {
                paths.insert(word.to_owned());
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_backquotes_are_read_and_fences_are_not() {
        let readme = "see `protocol/SPEC.md` and `cargo xtask` and crates/x\n```\n`node/none`\n```\n`node/src`\n";
        let paths: Vec<String> = named_paths(readme).into_iter().collect();
        assert_eq!(paths, ["node/src", "protocol/SPEC.md"]);
    }
}
