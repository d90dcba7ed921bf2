// SPDX-License-Identifier: MIT OR Apache-2.0
//! The layout: what every crate of ours says of itself, one test binary a folder, short examples.

use cargo_metadata::{Metadata, Package, TargetKind};

use super::Findings;
use crate::workspace;

const LICENCE: &str = "MIT OR Apache-2.0";
const TESTS: &str = "comptoir-tests";
const EXAMPLES: &str = "comptoir-examples";

/// An example is one idea; what needs more lines is two, or hides an API that is too hard.
const EXAMPLE_LINES_MAX: usize = 120;

pub(crate) fn check() -> anyhow::Result<Findings> {
    let metadata = workspace::metadata()?;
    let mut findings = Findings::default();
    for package in metadata.workspace_packages() {
        manifest(package, &mut findings);
    }
    test_folders(&metadata, &mut findings)?;
    examples(&metadata, &mut findings)?;
    Ok(findings)
}

fn manifest(package: &Package, findings: &mut Findings) {
    let text = std::fs::read_to_string(&package.manifest_path).unwrap_or_default();
    judge_manifest(&package.name, &text, findings);
    if package.license.as_deref() != Some(LICENCE) {
        findings.add(&package.name, &format!("its licence must be {LICENCE}"));
    }
    if package.rust_version.is_none() {
        findings.add(&package.name, "names no rust-version");
    }
}

/// A crate that forgets this line escapes every lint of the workspace.
fn judge_manifest(name: &str, text: &str, findings: &mut Findings) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    if !lines
        .windows(2)
        .any(|pair| pair == ["[lints]", "workspace = true"])
    {
        findings.add(name, "its Cargo.toml has no `[lints] workspace = true`");
    }
}

/// A test binary is a folder of `tests/` of the same name, and no folder with a `main.rs` is forgotten.
fn test_folders(metadata: &Metadata, findings: &mut Findings) -> anyhow::Result<()> {
    let packages = metadata.workspace_packages();
    let Some(tests) = packages.iter().find(|package| package.name == TESTS) else {
        findings.add(TESTS, "is missing");
        return Ok(());
    };
    let folder = workspace::root().join("tests");
    let mut binaries = Vec::new();
    for target in &tests.targets {
        let is_test = target.kind.contains(&TargetKind::Test);
        if is_test && target.src_path != folder.join(&target.name).join("main.rs") {
            findings.add(
                &target.name,
                "is a test binary outside its folder `tests/NAME/main.rs`",
            );
        }
        binaries.push(target.src_path.clone());
    }
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let main = path.join("main.rs");
        if main.exists() && !binaries.iter().any(|binary| *binary == main) {
            findings.add(
                &main.display().to_string(),
                "belongs to no target of tests/Cargo.toml",
            );
        }
    }
    Ok(())
}

fn examples(metadata: &Metadata, findings: &mut Findings) -> anyhow::Result<()> {
    for package in metadata
        .workspace_packages()
        .iter()
        .filter(|package| package.name == EXAMPLES)
    {
        for target in &package.targets {
            let lines = std::fs::read_to_string(&target.src_path)?.lines().count();
            if lines > EXAMPLE_LINES_MAX {
                findings.add(
                    &target.name,
                    &format!("is an example of {lines} lines; {EXAMPLE_LINES_MAX} at most"),
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_escapes_the_lints_is_found() {
        let mut findings = Findings::default();
        judge_manifest("a", "[lints]\nworkspace = true\n", &mut findings);
        assert_eq!(findings.count(), 0);
        judge_manifest("b", "[package]\nname = \"b\"\n", &mut findings);
        assert_eq!(findings.count(), 1);
    }
}
