// SPDX-License-Identifier: MIT OR Apache-2.0
//! The checkout: where it is, what cargo says of it, which files git tracks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

/// The folder of the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .expect("xtask lies two folders below the root")
        .to_path_buf()
}

/// What cargo knows of the workspace and of every package in the lock file. Reads only: the lock file is not changed.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root())
        .other_options(vec!["--locked".into()])
        .exec()
        .context("cargo metadata --locked")
}

/// `name version` of each package that is compiled on some platform. `cargo metadata` lists more: optional
/// dependencies that no enabled feature turns on.
pub(crate) fn compiled_packages() -> anyhow::Result<BTreeSet<(String, String)>> {
    let arguments = [
        "tree",
        "--locked",
        "--workspace",
        "--target",
        "all",
        "--edges",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let text = output(Command::new(cargo()).args(arguments))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            let version = words.next()?.strip_prefix('v')?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Paths, relative to the root, of the files git tracks and of those it would add.
pub(crate) fn files() -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Command::new("git");
    command.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let text = output(&mut command)?;
    let paths: BTreeSet<PathBuf> = text
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect();
    Ok(paths.into_iter().collect())
}

/// A tracked file as text, or none if it is not UTF-8.
pub(crate) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .current_dir(root())
        .output()
        .with_context(|| format!("could not start {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?} failed: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("output is not UTF-8")
}
