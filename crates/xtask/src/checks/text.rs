// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of the checkout: licence lines, words a pure crate may not say, what must not be written down, the top level.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Findings;
use crate::workspace;

const SPDX: &str = "// SPDX-License-Identifier: MIT OR Apache-2.0";

/// Everything that may lie at the top of the checkout.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "examples",
    "node",
    "protocol",
    "tests",
];

/// Where no IO, clock or randomness may be named. Of the mailbox only the backend on kv is outside.
const PURE_SOURCES: &[&str] = &[
    "protocol/src",
    "crates/crypto/src",
    "crates/engine/src",
    "crates/mailbox/src",
];
const PURE_EXCEPT: &[&str] = &[
    "crates/mailbox/src/backend.rs",
    "crates/mailbox/src/backend",
];
const IMPURE_WORDS: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "thread_rng",
    "getrandom",
    "OsRng",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "tokio",
];

/// Paths of one machine, and the hosts a registry is reached by; written in pieces so as not to find themselves.
const NOT_TO_BE_WRITTEN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("static.cr", "ates.io"),
    concat!("index.cr", "ates.io"),
    concat!("registry.np", "mjs"),
    concat!("files.pyt", "honhosted"),
    concat!("pypi", ".org"),
    concat!("deb.deb", "ian.org"),
];

pub(crate) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let files = workspace::files()?;
    let mut top = BTreeSet::new();
    let test_modules = test_modules(&files);
    for path in &files {
        if let Some(first) = path.components().next() {
            top.insert(first.as_os_str().to_string_lossy().into_owned());
        }
        let Some(text) = workspace::text(path) else {
            continue;
        };
        let name = path.display().to_string();
        if name.ends_with(".rs") {
            source(&name, &text, &mut findings);
            if !test_modules.iter().any(|module| path.starts_with(module)) {
                pure(&name, &text, &mut findings);
            }
        }
        if name.ends_with("rust-toolchain.toml") || name.ends_with("rust-toolchain") {
            findings.add(&name, "must not exist: it makes rustup fetch a toolchain; rust-version says what is needed");
        }
        if name != "Cargo.lock" {
            written_down(&name, &text, &mut findings);
        }
    }
    for entry in top
        .iter()
        .filter(|entry| !TOP_LEVEL.contains(&entry.as_str()))
    {
        findings.add(
            entry,
            "is not one of the fixed entries at the top of the checkout",
        );
    }
    for entry in TOP_LEVEL.iter().filter(|entry| !top.contains(**entry)) {
        findings.add(entry, "is missing from the top of the checkout");
    }
    Ok(findings)
}

fn source(name: &str, text: &str, findings: &mut Findings) {
    if text.lines().next() != Some(SPDX) {
        findings.add(name, &format!("must start with `{SPDX}`"));
    }
}

fn pure(name: &str, text: &str, findings: &mut Findings) {
    let inside = |folders: &[&str]| {
        folders
            .iter()
            .any(|folder| Path::new(name).starts_with(folder))
    };
    if inside(PURE_SOURCES) && !inside(PURE_EXCEPT) {
        for (line, word) in impure_words(text) {
            findings.add(
                &format!("{name}:{line}"),
                &format!("`{word}` in a pure crate"),
            );
        }
    }
}

/// Files and folders of modules that exist in tests only: those declared under `#[cfg(test)]`.
fn test_modules(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut modules = BTreeSet::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "main" | "mod") => {
                path.parent().map(Path::to_path_buf).unwrap_or_default()
            }
            _ => path.with_extension(""),
        };
        for name in test_module_names(&workspace::text(path).unwrap_or_default()) {
            modules.insert(folder.join(format!("{name}.rs")));
            modules.insert(folder.join(name));
        }
    }
    modules
}

/// Names of `mod name;` right below `#[cfg(test)]`.
fn test_module_names(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| {
            pair[1]
                .strip_suffix(';')?
                .split_once("mod ")
                .map(|(_, name)| name.to_owned())
        })
        .collect()
}

/// Lines, outside comments and before the test module, that name an impure thing.
fn impure_words(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let below = text.lines().nth(index + 1).unwrap_or_default();
        if line.trim_start().starts_with("#[cfg(test)]") && !below.ends_with(';') {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        for word in IMPURE_WORDS.iter().filter(|word| code.contains(**word)) {
            found.push((index + 1, *word));
        }
    }
    found
}

fn written_down(name: &str, text: &str, findings: &mut Findings) {
    for (index, line) in text.lines().enumerate() {
        for found in NOT_TO_BE_WRITTEN
            .iter()
            .filter(|found| line.contains(**found))
        {
            findings.add(
                &format!("{name}:{}", index + 1),
                &format!("names `{found}`, which is of one machine only"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impure_words_are_found_in_code_but_not_in_comments_or_tests() {
        let text = "// tokio is not used\nlet t = Instant::now();\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(impure_words(text), [(2, "Instant::now")]);
    }

    #[test]
    fn modules_of_tests_are_told_from_others() {
        let text = "#[cfg(test)]\npub(crate) mod samples;\nmod real;\n#[cfg(test)]\nmod tests {\n";
        assert_eq!(test_module_names(text), ["samples"]);
        assert_eq!(
            impure_words("#[cfg(test)]\nmod samples;\nuse std::fs;\n").len(),
            1
        );
    }

    #[test]
    fn a_source_without_its_licence_line_is_found() {
        let mut findings = Findings::default();
        source("node/src/lib.rs", "//! A thing.\n", &mut findings);
        source(
            "node/src/main.rs",
            &format!("{SPDX}\n//! A thing.\n"),
            &mut findings,
        );
        assert_eq!(findings.count(), 1);
    }

    #[test]
    fn a_machine_path_is_found() {
        let mut findings = Findings::default();
        written_down(
            "notes.md",
            concat!("see /ro", "ot/x\nnothing here\n"),
            &mut findings,
        );
        assert_eq!(findings.count(), 1);
    }
}
