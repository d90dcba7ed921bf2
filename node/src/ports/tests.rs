// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports of the last run are taken again, unless somebody else has them.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::net::TcpListener;

use super::Ports;
use crate::home::Home;

fn home(name: &str) -> Home {
    let dir = std::env::temp_dir().join(format!("comptoir-ports-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let home = Home::new(dir);
    home.create().unwrap();
    home
}

fn texts(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn any_port_becomes_the_one_of_the_last_run() {
    let home = home("again");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listening = texts(&[
        &format!("/ip4/127.0.0.1/tcp/{port}"),
        "/ip6/::1/udp/9/quic-v1",
    ]);
    Ports::of(&listening).keep(&home).unwrap();
    // A run with TCP alone does not forget the other.
    Ports::of(&listening[..1]).keep(&home).unwrap();
    let asked = texts(&[
        "/ip4/0.0.0.0/tcp/0",
        "/ip4/127.0.0.1/udp/0/quic-v1",
        "/ip4/127.0.0.1/tcp/4001",
        "/dns4/example.org/tcp/0",
        "nonsense",
    ]);
    let mut expected = asked.clone();
    expected[0] = format!("/ip4/0.0.0.0/tcp/{port}");
    let remembered = Ports::remembered(&home);
    assert_eq!(remembered.fill_in(&asked), expected);
    assert_eq!(remembered.by_kind.len(), 2);
    std::fs::remove_dir_all(home.dir()).unwrap();
}

#[test]
fn a_port_that_is_taken_or_a_file_that_is_rubbish_means_any_port() {
    let home = home("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listening = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    Ports::of(&[listening]).keep(&home).unwrap();
    let asked = texts(&["/ip4/127.0.0.1/tcp/0"]);
    assert_eq!(Ports::remembered(&home).fill_in(&asked), asked);
    std::fs::write(home.ports(), "ip4/tcp 0\nip4/tcp 99999\n\u{0}\nip4/tcp\n").unwrap();
    assert_eq!(Ports::remembered(&home), Ports::default());
    std::fs::remove_dir_all(home.dir()).unwrap();
}
