// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests of this folder, run over a program that is broken on purpose: they must find it out.

use std::process::Command;

use comptoir_tests::person::binary;
use comptoir_tests::records::build_control;
use comptoir_tests::section;

/// Runs one test of this binary over the control, and fails unless that test found something missing.
fn finds_out(test: &str, control: &str) {
    let program = binary().with_file_name("comptoir_control");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
        .env("COMPTOIR_CONTROL_BIN", program)
        .env("COMPTOIR_CONTROL", control)
        .env("COMPTOIR_CUTS", "10");
    let output = command.env("RUST_BACKTRACE", "0").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
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

/// Builds the program a second time, which takes minutes: run by name.
#[test]
#[ignore = "builds the program a second time"]
fn a_broken_program_is_caught() {
    build_control(&[
        "--bin",
        "comptoir_control",
        "--features",
        "comptoir-tests/control",
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
}
