// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sources read as text: what each field of each type is called and documented as, for the vectors' comments.

use std::collections::BTreeMap;
use std::path::Path;

/// Field or variant names with the first sentence of their documentation, and the wire numbers of fields.
#[derive(Default)]
pub(super) struct Sources {
    /// `Type.field` or `Enum.Variant` or `Enum.Variant.field` → documentation.
    docs: BTreeMap<String, String>,
    /// `Type` or `Enum.Variant` → wire number → field name.
    fields: BTreeMap<String, BTreeMap<u64, String>>,
    /// `Enum` → wire number → variant.
    variants: BTreeMap<String, BTreeMap<u64, String>>,
}

impl Sources {
    pub(super) fn read() -> Self {
        let mut sources = Self::default();
        sources.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        sources
    }

    fn read_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("samples") {
                continue;
            }
            if path.is_dir() {
                self.read_folder(&path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                self.read_declarations(&text);
                self.read_wire(&text);
            }
        }
    }

    fn read_declarations(&mut self, text: &str) {
        let (mut owner, mut variant, mut doc) = (None::<String>, None::<String>, String::new());
        for line in text.lines() {
            let trimmed = line.trim();
            let indent = line.len() - line.trim_start().len();
            if let Some(comment) = trimmed.strip_prefix("/// ") {
                doc = if doc.is_empty() {
                    comment.to_owned()
                } else {
                    format!("{doc} {comment}")
                };
                continue;
            }
            if indent == 0 {
                let name = trimmed
                    .strip_prefix("pub struct ")
                    .or(trimmed.strip_prefix("pub enum "));
                owner = name
                    .filter(|_| trimmed.ends_with('{'))
                    .map(|name| name.trim_end_matches(" {").to_owned());
                variant = None;
            } else if let Some(owner) = &owner {
                let name: String = trimmed
                    .trim_start_matches("pub ")
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let key = match &variant {
                    Some(variant) if indent > 4 => format!("{owner}.{variant}.{name}"),
                    _ => format!("{owner}.{name}"),
                };
                if indent == 4 && trimmed.ends_with('{') {
                    variant = Some(name);
                }
                if !doc.is_empty() {
                    self.docs.insert(key, std::mem::take(&mut doc));
                }
            }
            if !trimmed.starts_with("#[") {
                doc.clear();
            }
        }
    }

    fn read_wire(&mut self, text: &str) {
        for macro_name in ["\nwire_map!(", "\nwire_choice!(", "\nwire_number!("] {
            for call in text.split(macro_name).skip(1) {
                let call = call.split(");").next().unwrap();
                let name: String = call
                    .trim()
                    .chars()
                    .take_while(|c| c.is_alphanumeric())
                    .collect();
                match call.split_once('{') {
                    Some((_, content)) if macro_name == "\nwire_map!(" => {
                        self.fields.insert(name, numbered(content));
                    }
                    Some((_, content)) => self.read_choice(&name, content),
                    None => {}
                }
            }
        }
    }

    fn read_choice(&mut self, name: &str, content: &str) {
        // `0 => A { 0 => x }, 1 => B(value)`: variants stand outside of inner braces.
        let (mut depth, mut outer, mut inner) = (0, String::new(), String::new());
        for character in content.chars() {
            match character {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    let variant = outer.rsplit("=>").next().unwrap().trim().to_owned();
                    self.fields.insert(
                        format!("{name}.{variant}"),
                        numbered(&std::mem::take(&mut inner)),
                    );
                }
                _ if depth > 0 => inner.push(character),
                _ => outer.push(character),
            }
        }
        self.variants.insert(name.to_owned(), numbered(&outer));
    }

    /// Name and documentation of field `number` of `owner`.
    pub(super) fn field(&self, owner: &str, number: u64) -> (String, String) {
        let name = self
            .fields
            .get(owner)
            .and_then(|fields| fields.get(&number));
        let name =
            name.unwrap_or_else(|| panic!("field {number} of {owner} has no name in the sources"));
        (name.clone(), self.doc(&format!("{owner}.{name}")))
    }

    /// Whether `owner` has numbered fields.
    pub(super) fn has_fields(&self, owner: &str) -> bool {
        self.fields.contains_key(owner)
    }

    /// Name and documentation of choice `number` of `owner`.
    pub(super) fn variant(&self, owner: &str, number: u64) -> Option<(String, String)> {
        let name = self.variants.get(owner)?.get(&number)?;
        Some((name.clone(), self.doc(&format!("{owner}.{name}"))))
    }

    fn doc(&self, key: &str) -> String {
        self.docs
            .get(key)
            .unwrap_or_else(|| panic!("{key} has no documentation in the sources"))
            .clone()
    }
}

/// `0 => name, 1 => other(x)` → numbers and names.
fn numbered(content: &str) -> BTreeMap<u64, String> {
    let entries = content
        .split(',')
        .filter_map(|entry| entry.split_once("=>"));
    entries
        .map(|(number, name)| {
            let name = name
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (
                number
                    .trim()
                    .parse()
                    .unwrap_or_else(|_| panic!("{number} is no wire number")),
                name,
            )
        })
        .collect()
}
