// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests of this folder, run over a program that is broken on purpose: they must find it out.

use std::process::Command;

use comptoir_tests::person::binary;
use comptoir_tests::records::build_control;
use comptoir_tests::section;

/// Runs one test of this binary over the control; says whether it failed, and prints why.
fn finds_out(test: &str, control: &str) -> bool {
    let program = binary().with_file_name("comptoir_control");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
        .env("COMPTOIR_CONTROL_BIN", program)
        .env("COMPTOIR_CONTROL", control);
    let output = command.env("RUST_BACKTRACE", "0").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("stopping"))
        .collect();
    println!("{}", told[..told.len().min(12)].join("\n"));
    let ran = String::from_utf8_lossy(&output.stdout).contains("running 1 test");
    assert!(ran, "{test} was not run");
    !output.status.success()
}

/// Builds the program a second time, which takes minutes: run by name, and by the bench.
#[test]
#[ignore = "builds the program a second time"]
fn a_broken_program_is_caught() {
    build_control(&[
        "--bin",
        "comptoir_control",
        "--features",
        "comptoir-tests/control",
    ]);
    section("Acknowledged before it is committed");
    let test = "kills::kills_of_sender_receiver_and_relay_lose_and_double_nothing";
    assert!(finds_out(test, "broken-ack"));
    section("sled with a bare flush()");
    let test = "power::a_power_cut_of_sender_or_receiver_loses_nothing_acknowledged";
    assert!(finds_out(test, "unguarded"));
}
