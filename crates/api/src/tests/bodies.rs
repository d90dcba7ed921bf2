// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies, paths and queries that are not right, and what is said about them.

use super::world::{SEND, World};
use crate::guard::JSON_BYTES_MAX;
use crate::host::{HostError, Refusal};

#[tokio::test]
async fn bad_bodies_are_named_and_have_no_effect() {
    let world = World::start().await;
    let long = format!(r#"{{"text":"{}"}}"#, "a".repeat(16 * 1024 + 1));
    let huge = format!(r#"{{"text":"{}"}}"#, "a".repeat(JSON_BYTES_MAX));
    let deep = format!(r#"{{"text":"a","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let deeper = "{\"a\":".repeat(50_000);
    for (body, status, code) in [
        ("{", 400, "malformed_json"),
        ("hello", 400, "malformed_json"),
        ("{\"text\":\"\\ud800\"}", 400, "malformed_json"),
        ("[]", 400, "invalid_request"),
        ("{}", 400, "invalid_request"),
        ("", 400, "invalid_request"),
        (r#"{"text":7}"#, 400, "invalid_request"),
        (r#"{"text":""}"#, 400, "invalid_request"),
        (r#"{"text":"a","reply_to":"thr_1"}"#, 400, "invalid_request"),
        (long.as_str(), 400, "invalid_request"),
        (huge.as_str(), 413, "body_too_large"),
        (deep.as_str(), 400, "too_deep"),
        (deeper.as_str(), 400, "too_deep"),
    ] {
        let reply = world.call("POST", SEND, "", body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{:.60}",
            body
        );
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(world.host.effects(), 0);
    let unknown = world
        .call(
            "POST",
            SEND,
            "",
            r#"{"text":"a","from_a_newer_client":[1]}"#,
        )
        .await;
    assert_eq!(unknown.status, 202);
}

#[tokio::test]
async fn a_body_without_length_is_cut_off_at_the_bound() {
    let world = World::start().await;
    let (token, size) = (&world.token, 16 * 1024);
    let mut request = format!(
        "POST {SEND} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    for _ in 0..=JSON_BYTES_MAX / size {
        request += &format!("{size:x}\r\n{}\r\n", " ".repeat(size));
    }
    let reply = world.unix(&request).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body_too_large")
    );
    // A length above the bound is refused before a byte of the body has come.
    let claimed = format!(
        "POST {SEND} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    );
    assert_eq!(world.unix(&claimed).await.status, 413);
    let nonsense = claimed.replace("99999999999", "-1");
    assert_eq!(world.unix(&nonsense).await.status, 400);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let world = World::start().await;
    let big = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "a".repeat(64 * 1024)
    );
    assert_eq!(world.unix(&big).await.status, 431);
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: a\r\n".repeat(100)
    );
    assert_eq!(world.unix(&many).await.status, 431);
}

#[tokio::test]
async fn ids_and_queries_of_another_shape_are_refused() {
    let world = World::start().await;
    let path = "/v1/personas/main/threads/thr_1/messages";
    for path in [
        "/v1/personas/Main/contacts".to_owned(),
        "/v1/personas/main/contacts/thr_1".to_owned(),
        "/v1/personas/main/contacts/ctc_..%2f".to_owned(),
        "/v1/personas/main/contacts/%ff".to_owned(),
        format!("{path}?limit=x"),
        format!("{path}?before=msg_1&after=msg_2"),
        format!("{path}?before=ctc_1"),
        "/v1/events?after=yesterday".to_owned(),
        "/v1/events?after=-1".to_owned(),
    ] {
        let reply = world.call("GET", &path, "", "").await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "invalid_request"),
            "{path}"
        );
    }
    for (query, expected) in [
        ("", "Newest 50"),
        ("?limit=0", "Newest 1"),
        ("?limit=9999", "Newest 500"),
        ("?after=start&limit=7", "Start 7"),
        ("?after=msg_9", "After(MessageId(\"msg_9\")) 50"),
        ("?before=msg_9", "Before(MessageId(\"msg_9\")) 50"),
    ] {
        let reply = world.call("GET", &format!("{path}{query}"), "", "").await;
        assert_eq!(reply.json()["data"][0]["text"], expected, "{query}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_host_says_what_where_and_in_which_language() {
    let world = World::start().await;
    for (error, status, code) in [
        (
            HostError::StorageFull("2 MiB left".to_owned()),
            507,
            "storage_full",
        ),
        (HostError::Stopping, 503, "stopping"),
        (
            HostError::ReadOnly("the log is damaged".to_owned()),
            503,
            "read_only",
        ),
        (
            HostError::TooMany {
                retry_after_ms: 1500,
            },
            429,
            "too_many",
        ),
        (HostError::Network("no relay".to_owned()), 502, "network"),
        (
            HostError::Refused {
                refusal: Refusal::Blocked,
                detail: "blocked".to_owned(),
            },
            403,
            "blocked",
        ),
        (HostError::Internal("oops".to_owned()), 500, "internal"),
    ] {
        *world.host.refusal.lock().unwrap() = Some(error);
        let reply = world
            .call(
                "POST",
                SEND,
                "Accept-Language: fr-FR, en;q=0.8\r\n",
                r#"{"text":"a"}"#,
            )
            .await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
        let body = reply.json();
        assert_eq!(
            body["type"],
            format!("urn:comptoir:problem:{}", code.replace('_', "-"))
        );
        assert_eq!(
            (body["status"].as_u64(), &body["instance"]),
            (Some(status.into()), &SEND.into())
        );
        assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
        assert_eq!(reply.header("content-language"), Some("fr"));
        assert_eq!(
            reply.header("retry-after"),
            (code == "too_many").then_some("2")
        );
        let known = crate::problem::Code::from_text(code).unwrap();
        assert_eq!(body["title"], known.title(crate::problem::Language::French));
    }
    *world.host.refusal.lock().unwrap() =
        Some(HostError::NotReady("it unlocks the store".to_owned()));
    let ready = world
        .unix("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!((ready.status, ready.body.contains("unlocks")), (503, false));
    assert_eq!(
        world
            .unix("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .body,
        "ready\n"
    );
    let metrics = world.call("GET", "/metrics", "", "").await.body;
    assert!(metrics.contains(
        "# TYPE comptoir_messages_total counter\ncomptoir_messages_total{way=\"direct\"} 3\n"
    ));
}
