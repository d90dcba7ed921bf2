// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event log over the wire: nothing lost, nothing doubled, nothing silently passed over.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::host::TestHost;
use super::world::World;
use crate::client::{Client, ClientError};
use crate::dto::EventQuery;
use crate::problem::Code;

fn seqs(reply: &super::world::Reply) -> Vec<u64> {
    reply.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let host = TestHost::new();
    for number in 0..1234 {
        host.emit(
            if number % 10 == 0 {
                "contact.added"
            } else {
                "message.received"
            },
            Some("main"),
        );
    }
    let world = World::start_with(host).await;
    for query in [
        "",
        "&types=message.received,contact.added",
        "&types=message.,contact.",
        "&persona=main",
    ] {
        let (mut after, mut seen) = (0, Vec::new());
        loop {
            let reply = world
                .call(
                    "GET",
                    &format!("/v1/events?after={after}&limit=100{query}"),
                    "",
                    "",
                )
                .await;
            seen.extend(seqs(&reply));
            after = reply.json()["next"].as_u64().unwrap();
            if reply.json()["has_more"] == false {
                break;
            }
        }
        assert_eq!(seen, (1..=1234).collect::<Vec<_>>(), "{query}");
    }
    let contacts = world
        .call("GET", "/v1/events?types=contact.added&limit=500", "", "")
        .await;
    assert_eq!(seqs(&contacts).len(), 124);
    assert_eq!(
        contacts.json()["next"],
        1234,
        "the place passes over what was not asked for"
    );
    let none = world.call("GET", "/v1/events?types=message", "", "").await;
    assert_eq!(
        (seqs(&none).len(), none.json()["next"].as_u64()),
        (0, Some(1234))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_wakes_for_its_event_and_for_no_other() {
    let world = World::start().await;
    world.host.emit("message.received", None);
    let quick = world.call("GET", "/v1/events?after=latest", "", "").await;
    assert_eq!(
        (seqs(&quick), quick.json()["next"].as_u64()),
        (vec![], Some(1))
    );
    let host = world.host.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.emit("contact.added", None);
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.emit("message.received", None);
    });
    let began = Instant::now();
    let woken = world
        .call("GET", "/v1/events?after=1&types=message.&wait=15", "", "")
        .await;
    assert_eq!(seqs(&woken), [3]);
    assert!(
        (Duration::from_millis(300)..Duration::from_secs(5)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    let began = Instant::now();
    assert!(seqs(&world.call("GET", "/v1/events?after=3&wait=1", "", "").await).is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_cursor_behind_what_is_kept_is_gone_not_skipped() {
    let host = TestHost::new();
    for _ in 0..10 {
        host.emit("message.received", None);
    }
    host.forget_up_to(6);
    let world = World::start_with(host).await;
    for after in [0, 3, 5] {
        for headers in ["", "Accept: text/event-stream\r\n"] {
            let reply = world
                .call("GET", &format!("/v1/events?after={after}"), headers, "")
                .await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (410, "cursor_expired"),
                "{after}"
            );
            assert!(reply.json()["detail"].as_str().unwrap().contains("after=6"));
        }
    }
    assert_eq!(
        seqs(&world.call("GET", "/v1/events?after=6", "", "").await),
        [7, 8, 9, 10]
    );
    assert_eq!(
        seqs(&world.call("GET", "/v1/events", "", "").await),
        [7, 8, 9, 10]
    );
    world.host.forget_up_to(10);
    let all_gone = world.call("GET", "/v1/events?after=9", "", "").await;
    assert_eq!(all_gone.status, 410);
    assert!(seqs(&world.call("GET", "/v1/events?after=10", "", "").await).is_empty());
}

/// Reads a stream until it holds `until`, and lets go of it.
async fn stream(world: &World, path: &str, headers: &str, until: &str) -> String {
    let mut socket = UnixStream::connect(&world.socket).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n{headers}\r\n",
        world.token
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    while !text.contains(until) {
        let count = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut chunk))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    text
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_id_its_reader_saw() {
    let host = TestHost::new();
    for _ in 0..5 {
        host.emit("message.received", Some("main"));
    }
    let world = World::start_with(host).await;
    let first = stream(&world, "/v1/events?after=0", "", "id: 5\n").await;
    assert!(
        first.contains("content-type: text/event-stream") && first.contains("retry: 1000\n"),
        "{first}"
    );
    assert!(
        first.contains("id: 1\nevent: message.received\ndata: {\"seq\":1,"),
        "{first}"
    );
    let rest = stream(
        &world,
        "/v1/events?after=0",
        "Last-Event-ID: 3\r\n",
        "id: 5\nevent",
    )
    .await;
    assert!(
        rest.contains("id: 4\nevent") && !rest.contains("id: 3\nevent"),
        "{rest}"
    );
    let latest = stream(&world, "/v1/events?after=latest", "", "id: 5\n").await;
    assert!(!latest.contains("data:"), "{latest}");
    let bad = world
        .call(
            "GET",
            "/v1/events",
            "Accept: text/event-stream\r\nLast-Event-ID: x\r\n",
            "",
        )
        .await;
    assert_eq!(bad.code(), "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_stream_loses_and_doubles_nothing_over_restarts() {
    let mut world = World::start().await;
    let client = Client::open(&world.home()).unwrap();
    let host = world.host.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            let number = host.emit("message.received", None);
            if number % 3 == 0 {
                host.emit("contact.added", None);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        host.emit("message.last", None)
    });
    let (seen, mut progress) = tokio::sync::watch::channel(Vec::new());
    let reader = tokio::spawn(async move {
        let after = Some("0".to_owned());
        let mut stream = client.watch(EventQuery {
            after,
            types: Some("message.".to_owned()),
            ..EventQuery::default()
        });
        loop {
            // An await that is given up must not take an event with it.
            let Ok(event) = tokio::time::timeout(Duration::from_millis(50), stream.next()).await
            else {
                continue;
            };
            let event = event.unwrap();
            seen.send_modify(|seen| seen.push(event.seq));
            if event.kind == "message.last" {
                return;
            }
        }
    });
    for start in 2..8 {
        // Each time the stream is broken while events flow through it.
        let before = progress.borrow_and_update().len();
        let flowing = progress.wait_for(|seen: &Vec<u64>| seen.len() > before + 20);
        tokio::time::timeout(Duration::from_secs(20), flowing)
            .await
            .expect("events flow")
            .unwrap();
        world.close().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.open(start).await;
    }
    stop.send(()).unwrap();
    let last = writer.await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), reader)
        .await
        .expect("the last event comes")
        .unwrap();
    let log = world.host.log.lock().unwrap().clone();
    let expected: Vec<u64> = log
        .iter()
        .filter(|event| event.kind.starts_with("message."))
        .map(|event| event.seq)
        .collect();
    assert_eq!((*progress.borrow()).clone(), expected);
    assert_eq!(expected.last(), Some(&last));
}

#[tokio::test]
async fn the_clients_stream_says_when_its_cursor_has_expired() {
    let host = TestHost::new();
    host.forget_up_to(10);
    let world = World::start_with(host).await;
    let client = Client::open(&world.home()).unwrap();
    let mut stream = client.watch(EventQuery {
        after: Some("3".to_owned()),
        ..EventQuery::default()
    });
    let answer = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    let error = answer.expect("an answer within 10 s").unwrap_err();
    assert_eq!(error.code(), Some(Code::CursorExpired));
    assert!(matches!(error, ClientError::Problem(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_from_latest_that_breaks_before_its_first_event_misses_none() {
    let mut world = World::start().await;
    world.host.emit("old", None);
    let client = Client::open(&world.home()).unwrap();
    let mut stream = client.watch(EventQuery {
        after: Some("latest".to_owned()),
        ..EventQuery::default()
    });
    assert!(
        tokio::time::timeout(Duration::from_millis(300), stream.next())
            .await
            .is_err()
    );
    assert_eq!(stream.place(), Some(1));
    world.close().await;
    world.host.emit("while away", None);
    world.open(2).await;
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), stream.next())
            .await
            .unwrap()
            .unwrap()
            .seq,
        2
    );
}

#[tokio::test]
async fn a_named_reader_keeps_its_place_and_cannot_run_ahead() {
    let world = World::start().await;
    for _ in 0..5 {
        world.host.emit("message.received", None);
    }
    assert_eq!(
        world
            .call("GET", "/v1/consumers/books", "", "")
            .await
            .code(),
        "not_found"
    );
    assert_eq!(
        world
            .call("PUT", "/v1/consumers/books", "", r#"{"seq":4}"#)
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .call("GET", "/v1/consumers/books", "", "")
            .await
            .json()["seq"],
        4
    );
    assert_eq!(
        world
            .call("PUT", "/v1/consumers/books", "", r#"{"seq":6}"#)
            .await
            .code(),
        "invalid_request"
    );
    assert_eq!(
        world
            .call("PUT", "/v1/consumers/no%2Fslash", "", r#"{"seq":1}"#)
            .await
            .code(),
        "invalid_request"
    );
}
