// SPDX-License-Identifier: MIT OR Apache-2.0
//! The build: the programs that tests start, as the sources stand now.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

/// The folder with the programs of this test's own profile. They are built first, which is quick when they are fresh:
/// `cargo test` alone builds no program of another package, and an old one would be tested without a word.
///
/// # Panics
/// When they cannot be built.
pub fn programs() -> PathBuf {
    static FRESH: Once = Once::new();
    FRESH.call_once(|| build(&["--bin", "comptoir", "--example", "records"]));
    profile_folder()
}

/// Builds something of the workspace. All of it is named, so that the libraries below are the ones the tests were built
/// with.
///
/// # Panics
/// When it cannot be built.
pub fn build(what: &[&str]) {
    let folder = profile_folder();
    let profile = folder.file_name().and_then(|name| name.to_str());
    let profile = match profile.expect("a profile's folder has its name") {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // What cargo tells this test of its own package is not for others: build scripts watch these variables, and half of
    // the dependencies would be compiled again, now and after us.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    build
        .env(
            "CARGO_TARGET_DIR",
            folder
                .parent()
                .expect("a profile's folder lies in the target folder"),
        )
        .args([
            "build",
            "--quiet",
            "--locked",
            "--workspace",
            "--profile",
            profile,
        ])
        .args(what);
    assert!(
        build.status().expect("cargo starts").success(),
        "the build of {what:?} failed"
    );
}

fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors()
        .nth(2)
        .expect("tests lie in target/PROFILE/deps")
        .to_path_buf()
}
