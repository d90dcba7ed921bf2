// SPDX-License-Identifier: MIT OR Apache-2.0
//! A POST repeated under its key has its effect once.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::host::TestHost;
use super::world::{SEND, World, named};
use crate::auth::Scope;

const KEY: &str = "Idempotency-Key: k-1\r\n";

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::start().await;
    let body = r#"{"text":"once"}"#;
    let first = world.call("POST", SEND, KEY, body).await;
    let again = world.call("POST", SEND, KEY, body).await;
    assert_eq!((first.status, &first.body), (202, &again.body));
    assert_eq!(again.status, 202);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        (None, Some("true"))
    );
    assert_eq!(world.host.effects(), 1);
    assert_eq!(world.call("POST", SEND, "", body).await.status, 202);
    assert_eq!(world.host.effects(), 2, "without a key each request counts");
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let world = World::start().await;
    world.call("POST", SEND, KEY, r#"{"text":"once"}"#).await;
    let other_body = world.call("POST", SEND, KEY, r#"{"text":"twice"}"#).await;
    assert_eq!(
        (other_body.status, other_body.code().as_str()),
        (422, "idempotency_mismatch")
    );
    let other_path = SEND.replace("thr_1", "thr_2");
    let other_path = world
        .call("POST", &other_path, KEY, r#"{"text":"once"}"#)
        .await;
    assert_eq!(other_path.status, 422);
    assert_eq!(world.host.effects(), 1);
}

#[tokio::test]
async fn an_invalid_request_does_not_use_its_key_up() {
    let world = World::start().await;
    assert_eq!(world.call("POST", SEND, KEY, "{").await.status, 400);
    assert_eq!(
        world.call("POST", SEND, KEY, r#"{"text":""}"#).await.status,
        400
    );
    assert_eq!(
        world
            .call("POST", SEND, KEY, r#"{"text":"now"}"#)
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn keys_are_each_callers_own() {
    let host = TestHost::new();
    let (record, shop) = named(1, &[Scope::MessagesWrite], None);
    host.records.lock().unwrap().push(record);
    let world = World::start_with(host).await;
    assert_eq!(
        world
            .call("POST", SEND, KEY, r#"{"text":"a"}"#)
            .await
            .status,
        202
    );
    assert_eq!(
        world
            .call_as(&shop, "POST", SEND, KEY, r#"{"text":"b"}"#)
            .await
            .status,
        202
    );
    assert_eq!(world.host.effects(), 2);
}

#[tokio::test]
async fn keys_of_another_shape_are_refused() {
    let world = World::start().await;
    for key in [
        String::new(),
        "a b".to_owned(),
        "é".to_owned(),
        "k".repeat(256),
        "a\r\nIdempotency-Key: b".to_owned(),
    ] {
        let reply = world
            .call(
                "POST",
                SEND,
                &format!("Idempotency-Key: {key}\r\n"),
                r#"{"text":"a"}"#,
            )
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "invalid_request"),
            "{key}"
        );
    }
    assert_eq!(world.host.effects(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_still_runs_is_a_conflict_even_after_its_caller_hung_up() {
    let world = World::start().await;
    *world.host.gated.lock().unwrap() = true;
    let body = r#"{"text":"slow"}"#;
    let mut caller = UnixStream::connect(&world.socket).await.unwrap();
    let request = format!(
        "POST {SEND} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{KEY}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        world.token,
        body.len()
    );
    caller.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = world.call("POST", SEND, KEY, body).await;
    assert_eq!(
        (second.status, second.code().as_str()),
        (409, "idempotency_running")
    );
    assert_eq!(second.header("retry-after"), Some("1"));
    drop(caller);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        world.call("POST", SEND, KEY, body).await.status,
        409,
        "the host still works under the key"
    );
    *world.host.gated.lock().unwrap() = false;
    world.host.gate.add_permits(1);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if world.call("POST", SEND, KEY, body).await.status == 202 {
            assert_eq!(world.host.effects(), 1);
            return;
        }
    }
    panic!("the key was never let go");
}
