// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests of this folder, run over a program that is broken on purpose: they must find it out.

use std::process::Command;

use comptoir_tests::build::{build, programs};
use comptoir_tests::{section, tally};

/// Runs one test of this binary over the control, and fails unless that test found something missing.
fn finds_out(test: &str, control: &str) {
    let program = programs().join("examples/comptoir_control");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
        .env("COMPTOIR_CONTROL_BIN", program)
        .env("COMPTOIR_CONTROL", control)
        .env("COMPTOIR_CUTS", "10")
        .env("COMPTOIR_ARRIVAL_S", "15");
    let output = command.env("RUST_BACKTRACE", "0").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("lost: "))
        .collect();
    println!(
        "{control}: {} findings, the first: {:?}",
        told.len(),
        told.first()
    );
    assert!(
        !output.status.success() && !told.is_empty(),
        "{control} was not caught"
    );
}

/// Builds the node and what it stands on a second time, which takes minutes: `cargo xtask test controls` runs it. In CI
/// the same controls stand under the store (`broken_stores_are_caught`).
#[test]
#[ignore = "builds the node a second time: cargo xtask test controls"]
fn a_broken_program_is_caught() {
    build(&[
        "--example",
        "comptoir_control",
        "--features",
        "comptoir/control",
    ]);
    section("sled without a flush(), killed");
    finds_out(
        "kills::kills_of_sender_receiver_and_relay_lose_and_double_nothing",
        "unflushed",
    );
    section("sled with a bare flush(), cut off");
    finds_out(
        "power::a_power_cut_of_sender_or_receiver_loses_nothing_acknowledged",
        "unguarded",
    );
    tally("kill.control", &[("caught", 1)]);
    tally("powercut.control", &[("caught", 1)]);
}
