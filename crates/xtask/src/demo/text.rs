// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text: distinct lines of this repository, and the comparison with what came out.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};

use crate::workspace;

/// The first `count` distinct lines of the checkout's own text: prose first, then code.
pub(super) fn lines(count: usize) -> anyhow::Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    let files = workspace::files()?;
    for extension in ["md", "rs"] {
        for path in files
            .iter()
            .filter(|path| path.extension().is_some_and(|found| found == extension))
        {
            for line in workspace::text(path)
                .unwrap_or_default()
                .lines()
                .map(str::trim_end)
            {
                if lines.len() < count && !line.is_empty() && seen.insert(line.to_owned()) {
                    lines.push(line.to_owned());
                }
            }
        }
    }
    ensure!(
        lines.len() == count,
        "the checkout has {} distinct lines, {count} are needed",
        lines.len()
    );
    Ok(lines)
}

/// Compares line for line; the error names the first difference.
pub(super) fn same(expected: &[String], found: &[String]) -> anyhow::Result<()> {
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        if expected != found {
            bail!("line {} is {found:?}, not {expected:?}", number + 1);
        }
    }
    ensure!(
        expected.len() == found.len(),
        "{} lines instead of {}",
        found.len(),
        expected.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_a_doubled_and_a_swapped_line_are_seen() {
        let file: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert!(same(&file, &file).is_ok());
        for wrong in [
            ["a", "c", "c"].as_slice(),
            &["a", "b"],
            &["a", "b", "b", "c"],
            &["b", "a", "c"],
            &["a", "b", "c", "c"],
        ] {
            let wrong: Vec<String> = wrong.iter().map(|line| (*line).to_owned()).collect();
            assert!(same(&file, &wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_lines_are_distinct_and_none_is_empty() {
        let lines = lines(500).unwrap();
        let distinct: BTreeSet<&String> = lines.iter().collect();
        assert_eq!(distinct.len(), 500);
        assert!(lines.iter().all(|line| !line.is_empty()));
    }
}
