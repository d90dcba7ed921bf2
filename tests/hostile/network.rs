// SPDX-License-Identifier: MIT OR Apache-2.0
//! On the wire: somebody who listens, and somebody who sends what is no protocol of ours.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use comptoir_tests::{Person, Relay, section};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::proxy::{Proxy, socket};
use crate::search::{found, ids_of, nothing_below, words};
use crate::{meet, met_through};

/// Said by both, longer than chance would make it in random bytes.
const SAID: [&str; 2] = [
    "The brass key hangs behind the third shutter",
    "Then nobody shall look behind the third shutter",
];

///
/// A relay's link names the proxy, so everything between the two people passes it. Also what the relay keeps: while one
/// of them is away the other's words lie in a box.
#[test]
fn nothing_readable_crosses_the_wire() {
    let world = tempfile::tempdir().unwrap();
    let proxy = Proxy::new();
    let mut relay = Relay::announcing(world.path(), "relay", &proxy.address());
    proxy.leads_to(socket(relay.address()));
    section("They meet and talk through the relay alone");
    let (alice, mut bob) = met_through(
        world.path(),
        &relay,
        ["alice-nightingale", "bob-featherstone"],
    );
    alice.sends("bob-featherstone", SAID[0]);
    bob.sees("alice-nightingale", 1);
    bob.sends("alice-nightingale", SAID[1]);
    alice.sees("bob-featherstone", 2);
    section(
        "Bob goes away and Alice writes on, so that words lie in a box when the relay's files are read",
    );
    bob.goes_down();
    let more: Vec<String> = (0..40)
        .map(|number| format!("{} ({number})", SAID[0]))
        .collect();
    alice.sends_lines("bob-featherstone", &more);
    let mut secrets = ids_of(&alice, "bob-featherstone");
    bob.comes_up_unreachable();
    secrets.extend(ids_of(&bob, "alice-nightingale"));
    bob.sees("alice-nightingale", 2 + more.len());
    for text in ["third shutter", "nightingale", "featherstone"] {
        secrets.push(words(text, text));
    }
    section("What the network saw");
    let recorded = proxy.recorded();
    let bytes: usize = recorded.iter().map(Vec::len).sum();
    println!(
        "{} ways, {bytes} bytes, {} secrets",
        recorded.len(),
        secrets.len()
    );
    assert!(bytes > 40_000, "all the talk passed here");
    for way in &recorded {
        assert_eq!(found(&secrets, way), Vec::<&str>::new());
    }
    // The search itself: what a libp2p connection says before it is encrypted is found.
    let open = [words("the greeting", "/multistream/1.0.0")];
    assert!(recorded.iter().any(|way| !found(&open, way).is_empty()));
    section("What the relay keeps");
    relay.goes_down();
    let looked_at = nothing_below(relay.home(), &secrets);
    assert!(
        looked_at > 40_000,
        "the boxes are in these files: {looked_at}"
    );
}

/// The direct path, too. Bob follows a link that names where Alice listened when she made it. There the proxy
/// stands now, and she elsewhere; nobody has a relay.
#[test]
fn nothing_readable_crosses_a_direct_stream() {
    let world = tempfile::tempdir().unwrap();
    let (mut alice, mut bob) = (
        Person::new(world.path(), "alice-nightingale"),
        Person::new(world.path(), "bob-featherstone"),
    );
    alice.comes_up_at("/ip4/127.0.0.1/tcp/0");
    let link = alice.invites();
    let named = socket(alice.status()["listen"][0].as_str().unwrap());
    alice.goes_down();
    let proxy = Proxy::at(named);
    alice.comes_up_at("/ip4/127.0.0.2/tcp/0");
    let listens = alice.status()["listen"][0].as_str().unwrap().to_owned();
    assert!(listens.starts_with("/ip4/127.0.0.2/"), "{listens}");
    let port = socket(&listens).port();
    proxy.leads_to(SocketAddr::from(([127, 0, 0, 2], port)));

    section("They meet and talk over one stream");
    bob.comes_up_at("/ip4/127.0.0.1/tcp/0");
    bob.follows(&link);
    alice.accepts();
    alice.can_write_to(bob.name);
    bob.can_write_to(alice.name);
    let lines: Vec<String> = (0..40)
        .map(|number| format!("{} ({number})", SAID[0].repeat(20)))
        .collect();
    alice.sends_lines(bob.name, &lines);
    assert_eq!(bob.sees(alice.name, 40), lines);
    bob.sends(alice.name, SAID[1]);
    alice.sees(bob.name, 41);
    for (person, sent) in [(&alice, 40), (&bob, 1)] {
        let counts = &person.status()["counts"];
        let direct = counts["sent_direct"].as_u64().unwrap();
        assert!(direct >= sent, "{}: {counts}", person.name);
    }
    let mut secrets = ids_of(&alice, bob.name);
    secrets.extend(ids_of(&bob, alice.name));
    for text in ["third shutter", "nightingale", "featherstone"] {
        secrets.push(words(text, text));
    }

    section("What the network saw");
    let recorded = proxy.recorded();
    let bytes: usize = recorded.iter().map(Vec::len).sum();
    println!(
        "{} ways, {bytes} bytes, {} secrets",
        recorded.len(),
        secrets.len()
    );
    let said: usize = lines.iter().map(String::len).sum();
    assert!(bytes > said, "all the talk passed here");
    for way in &recorded {
        assert_eq!(found(&secrets, way), Vec::<&str>::new());
    }
    let open = [words("the greeting", "/multistream/1.0.0")];
    assert!(recorded.iter().any(|way| !found(&open, way).is_empty()));
}

/// Connections at once, each of which says nothing or nonsense.
const STRANGERS: usize = 200;

/// What a process may grow by while they are there: 200 connections of some 64 KiB of buffers are 13 MiB.
const GROWTH_MAX_KIB: u64 = 64 * 1024;

#[test]
fn noise_and_half_open_connections_disturb_nobody() {
    let world = tempfile::tempdir().unwrap();
    let relay = Relay::open(world.path(), "relay");
    let (mut alice, mut bob) = (
        Person::new(world.path(), "alice"),
        Person::new(world.path(), "bob"),
    );
    for person in [&mut alice, &mut bob] {
        person.comes_up();
        person.must(&["relay", "add", relay.link()]);
    }
    meet(&alice, &bob);
    let status = bob.status();
    let ports: Vec<SocketAddr> = status["listen"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|address| address.as_str().filter(|address| address.contains("/tcp/")))
        .chain([relay.address()])
        .map(socket)
        .collect();
    assert_eq!(ports.len(), 2, "{status}");
    let processes = [
        u32::try_from(status["pid"].as_u64().unwrap()).unwrap(),
        relay.id(),
    ];
    let before = processes.map(resident_kib);

    section("Strangers at both ports, while Alice talks");
    let lines: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    let mut strangers = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for (number, part) in lines.chunks(20).enumerate() {
        for port in &ports {
            for _ in 0..STRANGERS {
                if let Ok(stream) = TcpStream::connect_timeout(port, Duration::from_secs(5)) {
                    strangers.push(disturbs(stream, number, &mut rng));
                }
            }
        }
        alice.sends_lines("bob", part);
    }
    assert!(
        strangers.len() > STRANGERS,
        "they were there: {}",
        strangers.len()
    );
    assert_eq!(bob.sees("alice", 60), lines);
    let held = processes.map(resident_kib);
    println!(
        "{} strangers; resident KiB before {before:?}, then {held:?}",
        strangers.len()
    );
    for (before, held) in before.iter().zip(held) {
        assert!(
            held < before + GROWTH_MAX_KIB,
            "{before} KiB grew to {held}"
        );
    }
    section("They are gone; talk goes on");
    drop(strangers);
    bob.sends("alice", "still here");
    assert_eq!(
        alice.sees("bob", 61).last().map(String::as_str),
        Some("still here")
    );
    let status = bob.status();
    assert_eq!(
        status["pid"], processes[0],
        "nobody had to be started again"
    );
}

/// Says nothing, a version that is none, or noise; stays connected.
fn disturbs(mut stream: TcpStream, how: usize, rng: &mut ChaCha8Rng) -> TcpStream {
    // The other side may close at any time: that is its right.
    let _ = match how {
        0 => Ok(()),
        1 => stream.write_all(b"\x13/multistream/9.0.0\n\x07/none\n"),
        _ => {
            let mut noise = [0; 4096];
            rng.fill_bytes(&mut noise);
            stream.write_all(&noise)
        }
    };
    stream
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
