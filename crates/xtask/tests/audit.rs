// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask audit`: what it says and how it ends, whatever its tool says.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Runs it with a cargo that knows one subcommand and answers it so.
fn audit(subcommand: &str, says: &str, status: i32) -> (Option<i32>, String) {
    let name = format!("cargo-{subcommand}-{status}-{}", says.len());
    let cargo = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let script = format!(
        "#!/bin/sh\n\
         [ \"$1\" = '{subcommand}' ] || exit 101\n\
         [ \"$2\" = --version ] && exit 0\n\
         echo '{says}' >&2\n\
         exit {status}\n"
    );
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.arg("audit").env("CARGO", &cargo).output().unwrap();
    fs::remove_file(&cargo).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn a_database_out_of_reach_is_said_and_is_no_success() {
    let tools = [
        (
            "audit",
            "error: couldn`t fetch advisory database: git operation failed: failed to connect",
        ),
        (
            "deny",
            "[ERROR] failed to fetch advisory database https://github.com/rustsec/advisory-db",
        ),
    ];
    for (tool, says) in tools {
        let says = says.replace('`', "'\\''");
        let (status, text) = audit(tool, &says, 1);
        assert_eq!(status, Some(1), "{tool}: {text}");
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(
            last, "not run: audit (its database of advisories cannot be reached from here)",
            "{tool}: {text}"
        );
    }
}

#[test]
fn an_advisory_a_clean_list_and_no_tool_are_told_apart() {
    let cases = [
        (
            "audit",
            "error: 1 vulnerability found!",
            1,
            "audit: see above",
            1,
        ),
        (
            "audit",
            "Scanning Cargo.lock",
            0,
            "audit: no advisory against a dependency",
            0,
        ),
        ("build", "", 0, "not run: audit (no tool for it", 1),
    ];
    for (tool, says, status, said, ends) in cases {
        let (status, text) = audit(tool, says, status);
        assert_eq!(status, Some(ends), "{text}");
        assert!(text.contains(said), "{text}");
    }
}
