// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figure: a metric, its median, its range, or why there is none.

use std::fmt::Display;
use std::io::Write as _;

use serde_json::{Value, json};

/// Prints figures as they come.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints the median of `taken` and its range.
    pub(crate) fn figure(&mut self, metric: &str, unit: &str, taken: &[f64]) {
        let mut sorted: Vec<f64> = taken
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else {
            return self.nothing(metric, unit, "no run gave a value");
        };
        let value = rounded(median(&sorted));
        self.line(&json!({
            "metric": metric, "value": value, "unit": unit,
            "min": rounded(*min), "max": rounded(*max), "runs": sorted.len(),
        }));
    }

    /// Says that there is no figure, and why.
    pub(crate) fn nothing(&mut self, metric: &str, unit: &str, reason: impl Display) {
        let reason = reason.to_string();
        self.line(&json!({
            "metric": metric, "value": Value::Null, "unit": unit,
            "min": Value::Null, "max": Value::Null, "runs": 0, "reason": reason,
        }));
    }

    /// Passes on a figure that another program measured.
    pub(crate) fn line(&mut self, line: &Value) {
        let text = if self.json {
            line.to_string()
        } else {
            let word = |field: &str| match &line[field] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let tail = match &line["reason"] {
                Value::Null => format!(
                    "({} to {}, {} runs)",
                    word("min"),
                    word("max"),
                    word("runs")
                ),
                _ => word("reason"),
            };
            format!(
                "{:32} {:>12} {:10} {tail}",
                word("metric"),
                word("value"),
                word("unit")
            )
        };
        let mut out = std::io::stdout().lock();
        // Nobody reads any longer: the run ends at its next figure anyhow.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// The middle of what is sorted already.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    quantile(sorted, 0.5)
}

/// The value below which `part` of what is sorted already lies; NaN of nothing.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// Three digits behind the point say more than the machine repeats.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail_are_found() {
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((median(&hundred) - 50.0).abs() < f64::EPSILON);
        assert!((quantile(&hundred, 0.99) - 99.0).abs() < f64::EPSILON);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
