// SPDX-License-Identifier: MIT OR Apache-2.0
//! The doctor: what was checked, how it came out, and what to do.

use comptoir_api::dto::CheckResult;

use super::Failure;
use super::connect::Connection;

/// Runs the checks; fails when one of them came out bad.
pub(crate) async fn doctor(connection: &Connection) -> Result<(), Failure> {
    let doctor = connection.client.doctor().await?;
    connection.output.data(&doctor, || {
        let line = |check: &comptoir_api::dto::Check| {
            let word = match check.result {
                CheckResult::Good => "good",
                CheckResult::Warning => "warning",
                CheckResult::Bad => "BAD",
                CheckResult::NotChecked | CheckResult::Unknown => "not checked",
            };
            let remedy = check
                .remedy
                .as_ref()
                .map(|remedy| format!("\n{:24}do: {remedy}", ""))
                .unwrap_or_default();
            format!("{:<12}{word:<12}{}{remedy}", check.name, check.detail)
        };
        doctor
            .checks
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    });
    match doctor
        .checks
        .iter()
        .filter(|check| check.result == CheckResult::Bad)
        .count()
    {
        0 => Ok(()),
        bad => Err(Failure::general(format!(
            "{bad} of {} checks came out bad",
            doctor.checks.len()
        ))),
    }
}
