// SPDX-License-Identifier: MIT OR Apache-2.0
//! The facade's public items as a golden file: whoever changes what embedders see, sees it in the diff.
//! `UPDATE_GOLDEN=1` writes the file anew.

use std::fs;
use std::path::Path;

/// The files whose public items embedders see.
const FILES: [&str; 10] = [
    "lib.rs",
    "daemon.rs",
    "driver.rs",
    "driver/queue.rs",
    "home.rs",
    "node.rs",
    "node/builder.rs",
    "node/events.rs",
    "relay.rs",
    "unlock.rs",
];

#[test]
fn the_public_api_is_the_golden_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = String::new();
    for file in FILES {
        let source = fs::read_to_string(root.join("src").join(file)).unwrap();
        found += &format!("# {file}\n{}\n", public_items(&source).join("\n"));
    }
    let golden = root.join("public-api.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        found == known,
        "the public API changed; if that is meant: UPDATE_GOLDEN=1 cargo test -p comptoir --test cli\n{found}"
    );
}

#[test]
fn signatures_fields_and_variants_are_found() {
    let source = "pub struct A {\n    pub b: u8,\n    c: u8,\n}\npub enum E {\n    /// Doc.\n    #[error(\"x\")]\n    V(u8),\n    W {\n        x: u8,\n    },\n}\n\
                  impl A {\n    pub fn f(\n        &self,\n    ) -> u8 {\n        let y = 1;\n    }\n    pub(crate) fn g() {}\n}\n";
    let items = public_items(source);
    assert_eq!(
        items,
        [
            "pub struct A",
            "    pub b: u8",
            "pub enum E",
            "    V(u8)",
            "    W",
            "        x: u8",
            "impl A",
            "    pub fn f(&self) -> u8"
        ]
    );
}

/// Public items of a formatted source file, one a line: signatures up to their body, public fields, all of an enum,
/// and the `impl` lines they stand under.
fn public_items(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut items: Vec<String> = Vec::new();
    let mut in_enum = false;
    let mut open: Option<String> = None;
    for line in source.lines() {
        let text = line.trim();
        if let Some(mut begun) = open.take() {
            begun = format!("{begun} {text}");
            open = finish(begun, &mut items);
            continue;
        }
        if line == "}" {
            in_enum = false;
        }
        let talk = text.is_empty()
            || text.starts_with("//")
            || text.starts_with('#')
            || text.starts_with('}');
        let is_impl = line.starts_with("impl");
        if is_impl || text.starts_with("pub ") || (in_enum && !talk) {
            in_enum |= text.starts_with("pub enum");
            open = finish(line.to_owned(), &mut items);
        }
    }
    // An `impl` under which nothing public stands says nothing, unless it is of a trait.
    let next = |index: usize| {
        items
            .get(index + 1)
            .is_some_and(|next| next.starts_with("    "))
    };
    let says = |index: usize, item: &String| {
        !item.starts_with("impl") || item.contains(" for ") || next(index)
    };
    items
        .iter()
        .enumerate()
        .filter(|(index, item)| says(*index, item))
        .map(|(_, item)| item.clone())
        .collect()
}

/// Keeps an item that is whole; gives back one whose signature goes on.
fn finish(item: String, items: &mut Vec<String>) -> Option<String> {
    let is_use = item.trim_start().starts_with("pub use ");
    let opened = item.matches('(').count() > item.matches(')').count();
    let ends = |ends: &[char]| item.ends_with(ends);
    let whole = if is_use {
        ends(&[';'])
    } else {
        !opened && ends(&['{', ';', ',', '}'])
    };
    if !whole {
        return Some(item);
    }
    let body = if is_use { None } else { item.find(" {") };
    let head = body.map_or(item.as_str(), |at| &item[..at]);
    items.push(on_one_line(head.trim_end_matches([',', ';', ' '])));
    None
}

/// The same however the formatter broke its lines.
fn on_one_line(item: &str) -> String {
    let indent = item.len() - item.trim_start().len();
    let words = item.split_whitespace().collect::<Vec<_>>().join(" ");
    let tight = [
        ("( ", "("),
        (", )", ")"),
        (" )", ")"),
        ("{ ", "{"),
        (", }", "}"),
        (" }", "}"),
        ("< ", "<"),
        (", >", ">"),
    ];
    let text = tight
        .iter()
        .fold(words, |text, (from, to)| text.replace(from, to));
    format!("{}{text}", " ".repeat(indent))
}
