// SPDX-License-Identifier: MIT OR Apache-2.0
//! SPEC rules: each names a test that exists and names the rule's number, or the title of the work that brings it.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::workspace;

const SPEC: &str = "protocol/SPEC.md";

/// What is not built yet, by title.
const TITLES: &[&str] = &[
    "No total order: branches, clones, restores",
    "Several devices, one account: link, follow, move house",
    "Money in the thread: payment intents settled through real providers",
    "Groups, gossip, photos",
];

/// Rows of the threat table, by number.
const THREATS: &[&str] = &[
    "N1", "N2", "N3", "N4", "C1", "C2", "C3", "C4", "C5", "M1", "M2", "M3", "M4", "M5", "R1", "R2",
    "R3", "D1", "D2", "L1", "L2", "L3", "L4", "P1", "P2", "P3", "S1", "S2", "S3", "X1",
];

pub(crate) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let Some(spec) = workspace::text(SPEC.as_ref()) else {
        findings.add(SPEC, "is missing");
        return Ok(findings);
    };
    let mut tests = BTreeMap::new();
    for path in workspace::files()? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            collect_tests(
                &path.display().to_string(),
                &workspace::text(&path).unwrap_or_default(),
                &mut tests,
            );
        }
    }
    judge(&spec, &tests, &mut findings);
    Ok(findings)
}

/// Test functions of the tree: name → file that has one of that name → the rules in the comment above it.
type Tests = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn collect_tests(file: &str, text: &str, tests: &mut Tests) {
    let mut attribute_seen = false;
    let mut numbers = BTreeSet::new();
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            attribute_seen = true;
        }
        if let Some(comment) = line.strip_prefix("///") {
            numbers.extend(
                comment
                    .split([' ', ',', ':', ';', '('])
                    .filter(|word| word.starts_with("R-"))
                    .map(|word| word.trim_end_matches(['.', ')']).to_owned()),
            );
        } else if !line.starts_with("#[") && function_name(line).is_none() {
            numbers.clear();
        }
        if let Some(name) = function_name(line) {
            let named = std::mem::take(&mut numbers);
            if attribute_seen {
                let files = tests.entry(name).or_default();
                files.entry(file.to_owned()).or_default().extend(named);
            }
            attribute_seen = false;
        }
    }
}

fn function_name(line: &str) -> Option<String> {
    let rest = line
        .strip_prefix("async ")
        .unwrap_or(line)
        .strip_prefix("fn ")?;
    Some(
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect(),
    )
}

fn judge(spec: &str, tests: &Tests, findings: &mut Findings) {
    let mut numbers = BTreeSet::new();
    let mut threats = BTreeSet::new();
    for (number, text) in rules(spec) {
        if !numbers.insert(number.clone()) {
            findings.add(&number, "is there twice");
        }
        judge_one(&number, &text, tests, findings);
    }
    for line in spec.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let first = cells.first().copied().unwrap_or_default().trim_matches('*');
        if THREATS.contains(&first) {
            threats.insert(first.to_owned());
            judge_one(&format!("threat {first}"), line, tests, findings);
        }
    }
    if numbers.is_empty() {
        findings.add(SPEC, "has no rule `- **R-x.y** …`");
    }
    for missing in THREATS.iter().filter(|threat| !threats.contains(**threat)) {
        findings.add(SPEC, &format!("has no row for threat {missing}"));
    }
}

/// Number and text of each rule; a rule goes on over indented lines.
fn rules(spec: &str) -> Vec<(String, String)> {
    let mut rules: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in spec.lines() {
        if let Some(rest) = line.strip_prefix("- **R-") {
            let number = rest.split("**").next().unwrap_or_default();
            rules.push((format!("R-{number}"), line.to_owned()));
            open = true;
        } else if line.starts_with(' ') && open {
            if let Some((_, text)) = rules.last_mut() {
                text.push(' ');
                text.push_str(line.trim());
            }
        } else {
            open = false;
        }
    }
    rules
}

fn judge_one(number: &str, text: &str, tests: &Tests, findings: &mut Findings) {
    let named = text.rsplit_once("test:").map(|(_, names)| names);
    let later = text.rsplit_once("comes with:").map(|(_, title)| title);
    if named.is_none() && later.is_none() {
        findings.add(number, "names no `test:` and no `comes with:`");
    }
    if let Some(title) = later
        && !TITLES.iter().any(|known| title.contains(known))
    {
        findings.add(
            number,
            &format!("`comes with:{title}` is not one of the titles known to xtask"),
        );
    }
    if let Some(names) = named {
        let names = test_names(names);
        if names.is_empty() {
            findings.add(number, "has `test:` but no name after it");
        }
        for name in names {
            judge_name(number, name, tests, findings);
        }
    }
}

/// The function exists, in a file whose path holds the module named before it: `readers` of `mailbox::tests::readers::x`,
/// `capability` of `capability::tests::x`.
fn judge_name(number: &str, name: &str, tests: &Tests, findings: &mut Findings) {
    let mut segments = name.rsplit("::");
    let function = segments.next().unwrap_or_default();
    let Some(files) = tests.get(function) else {
        findings.add(
            number,
            &format!("names test `{name}`, but no test function is called `{function}`"),
        );
        return;
    };
    let Some(module) = segments.find(|segment| *segment != "tests") else {
        return;
    };
    let is_in = |file: &str| file.split(['/', '.']).any(|part| part == module);
    let mut found = files.iter().filter(|(file, _)| is_in(file)).peekable();
    if found.peek().is_none() {
        findings.add(
            number,
            &format!(
                "names test `{name}`, but `{function}` is in {:?}",
                files.keys()
            ),
        );
    } else if number.starts_with("R-") && !found.any(|(_, named)| named.contains(number)) {
        findings.add(
            number,
            &format!("is not in a `///` line above its test `{name}`"),
        );
    }
}

/// The names after `test:`: separated by commas or spaces, in backquotes or not, up to the first other word.
fn test_names(text: &str) -> Vec<&str> {
    let is_name = |word: &&str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || "_:".contains(c))
    };
    let end = ["comes with", "|", ";"]
        .iter()
        .filter_map(|stop| text.find(stop))
        .min()
        .unwrap_or(text.len());
    text[..end]
        .split([',', ' '])
        .map(|word| word.trim_matches(['`', '.', '*', '(', ')']))
        .filter(|word| !word.is_empty() && *word != "and")
        .take_while(is_name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(spec: &str) -> Vec<String> {
        let mut tests = Tests::new();
        collect_tests(
            "a.rs",
            "/// R-1.1, R-1.2.\n#[test]\nfn is_there() {}\n#[test]\nfn unnumbered() {}\nfn helper() {}\n",
            &mut tests,
        );
        let mut findings = Findings::default();
        let rows: String = THREATS
            .iter()
            .map(|t| format!("| {t} | x | test: is_there |\n"))
            .collect();
        judge(&format!("{spec}\n{rows}"), &tests, &mut findings);
        findings.lines
    }

    #[test]
    fn a_rule_with_a_test_or_a_title_passes() {
        let spec = "- **R-1.1** one. test: `a::tests::is_there`\n- **R-1.2** two\n  goes on. comes with: Groups, gossip, photos\n";
        assert_eq!(found(spec), Vec::<String>::new());
    }

    #[test]
    fn every_way_to_be_wrong_is_found() {
        for spec in [
            "- **R-1.1** neither",
            "- **R-1.1** x. test:",
            "- **R-1.1** x. test: no_such_test",
            "- **R-1.1** x. test: helper",
            "- **R-1.1** x. test: b::tests::is_there",
            "- **R-1.1** x. test: a::tests::unnumbered",
            "- **R-1.3** x. test: a::tests::is_there",
            "- **R-1.1** x. test: is_there, no_such_test",
            "- **R-1.1** x. comes with: Some day",
            "- **R-1.1** x. test: is_there\n- **R-1.1** again. test: is_there",
            "no rule at all",
        ] {
            assert_eq!(found(spec).len(), 1, "{spec}");
        }
    }
}
