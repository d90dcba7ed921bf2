// SPDX-License-Identifier: MIT OR Apache-2.0
//! Licence expressions: whether one can be met with licences that go together with MIT OR Apache-2.0.

use anyhow::{bail, ensure};

/// Licences we may take. All let a user keep our terms, and ask for no more than keeping a notice.
///
/// Not here: MPL-2.0 (who ships a binary must offer the changed files' source, a duty that our licence does
/// not pass on), LGPL and GPL, and anything made up. Who needs one more adds it here with a reason.
const ALLOWED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "BSL-1.0",
    "CC0-1.0",
    "Unlicense",
    // ICU and the Unicode tables: a notice, no more.
    "Unicode-3.0",
    // minicbor: permissive, written to be read, with a patent grant.
    "BlueOak-1.0.0",
    // The web's root certificates, as data.
    "CDLA-Permissive-2.0",
];

/// The one exception that only gives further rights.
const EXCEPTION: &str = "LLVM-exception";

/// How deep brackets may nest; real expressions stay at one.
const DEPTH_MAX: usize = 8;

/// Whether `expression` (SPDX, or the older `MIT/Apache-2.0`) can be met with allowed licences alone.
pub(super) fn is_allowed(expression: &str) -> anyhow::Result<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = either(&mut words, 0)?;
    ensure!(
        words.next().is_none(),
        "`{expression}` does not end where it should"
    );
    Ok(allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words, depth: usize) -> anyhow::Result<bool> {
    let mut allowed = both(words, depth)?;
    while words.next_if_eq(&"OR").is_some() {
        allowed |= both(words, depth)?;
    }
    Ok(allowed)
}

fn both(words: &mut Words, depth: usize) -> anyhow::Result<bool> {
    let mut allowed = one(words, depth)?;
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words, depth)?;
    }
    Ok(allowed)
}

fn one(words: &mut Words, depth: usize) -> anyhow::Result<bool> {
    ensure!(depth < DEPTH_MAX, "brackets nest too deep");
    match words.next() {
        Some("(") => {
            let allowed = either(words, depth + 1)?;
            ensure!(words.next() == Some(")"), "a bracket is not closed");
            Ok(allowed)
        }
        Some(word @ ("OR" | "AND" | ")" | "WITH")) => bail!("a licence was expected, not `{word}`"),
        Some(name) => {
            let known = ALLOWED.contains(&name);
            if words.next_if_eq(&"WITH").is_some() {
                let exception = words.next();
                return Ok(known && exception == Some(EXCEPTION));
            }
            Ok(known)
        }
        None => bail!("a licence was expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_side_of_or_is_enough_and_every_side_of_and_is_needed() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "MIT OR GPL-3.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "ISC AND (Apache-2.0 OR GPL-2.0)",
        ] {
            assert!(is_allowed(good).unwrap(), "{good}");
        }
        for bad in [
            "GPL-3.0-only",
            "MPL-2.0",
            "MIT AND GPL-3.0-only",
            "GPL-2.0 WITH Classpath-exception-2.0",
        ] {
            assert!(!is_allowed(bad).unwrap(), "{bad}");
        }
    }

    #[test]
    fn a_broken_expression_is_an_error() {
        for broken in [
            "",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
            "AND MIT",
            "MIT)",
            &"(".repeat(100),
        ] {
            assert!(is_allowed(broken).is_err(), "{broken}");
        }
    }
}
