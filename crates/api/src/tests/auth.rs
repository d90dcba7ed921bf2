// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which token may do what, on every route.

use super::host::{NOW, TestHost};
use super::world::{SEND, World, named};
use crate::auth::Scope;
use crate::openapi::{Need, needs};
use crate::time::Timestamp;

/// A path of the document with ids in the places of its parameters.
pub(super) fn concrete(path: &str) -> String {
    path.replace("{persona}", "main")
        .replace("{contact}", "ctc_1")
        .replace("{thread}", "thr_1")
        .replace("{message}", "msg_1")
        .replace("{request}", "req_1")
        .replace("{relay}", "rly_1")
        .replace("{token}", "tok_1")
        .replace("{name}", "reader")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_opens_to_its_scope_and_to_no_other() {
    let host = TestHost::new();
    let mut tokens = Vec::new();
    // Not from 1: the CLI deletes `tok_1` on the way.
    for (number, scope) in (11..).zip(Scope::ALL) {
        let (record, secret) = named(number, &[*scope], None);
        host.records.lock().unwrap().push(record);
        tokens.push((*scope, secret));
    }
    let world = World::start_with(host).await;
    let needs = needs(&crate::routes::all().1);
    assert!(needs.len() > 45, "{}", needs.len());
    for ((method, path), need) in &needs {
        let (method, path) = (method.as_str(), concrete(path));
        // Nothing is a body that any writing route takes, so a permitted call has no effect worth undoing.
        let body = if method == "GET" { "" } else { "[]" };
        for (scope, secret) in &tokens {
            let reply = world.call_as(secret, method, &path, "", body).await;
            let allowed = match need {
                Need::Nothing | Need::AnyToken => true,
                Need::Scope(needed) => needed == scope,
                Need::Full => false,
            };
            let refused = reply.status == 403 && reply.code() == "scope_missing";
            assert_eq!(refused, !allowed, "{method} {path} with {scope}: {reply:?}");
            assert!(reply.status != 401, "{method} {path} with {scope}");
        }
        let without = world
            .unix(&format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(
            without.status == 401,
            *need != Need::Nothing,
            "{method} {path} without a token: {without:?}"
        );
        let full = world.call(method, &path, "", body).await;
        assert!(
            !matches!(full.status, 401 | 403),
            "{method} {path} with the CLI's own: {full:?}"
        );
    }
}

#[tokio::test]
async fn a_bound_token_stays_with_its_persona() {
    let host = TestHost::new();
    let (record, shop) = named(1, Scope::ALL, Some("shop"));
    host.records.lock().unwrap().push(record);
    let world = World::start_with(host).await;
    let own = world
        .call_as(&shop, "GET", "/v1/personas/shop/contacts", "", "")
        .await;
    assert_eq!(own.status, 200);
    for path in ["main", "m%61in", "%73hop", "shop%2f..%2fmain", "Shop"] {
        let reply = world
            .call_as(
                &shop,
                "GET",
                &format!("/v1/personas/{path}/contacts"),
                "",
                "",
            )
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "persona_forbidden"),
            "{path}"
        );
    }
    let reply = world
        .call_as(&shop, "POST", SEND, "", r#"{"text":"hi"}"#)
        .await;
    assert_eq!(reply.code(), "persona_forbidden");
    // The record lists the node's scopes too, as one changed on disk might; they do not count.
    for path in [
        "/v1/node",
        "/v1/settings",
        "/v1/relays",
        "/metrics",
        "/v1/tokens",
    ] {
        assert_eq!(
            world.call_as(&shop, "GET", path, "", "").await.code(),
            "scope_missing",
            "{path}"
        );
    }
    let personas = world
        .call_as(&shop, "GET", "/v1/personas", "", "")
        .await
        .json();
    assert_eq!(
        (
            personas["data"].as_array().unwrap().len(),
            &personas["data"][0]["name"]
        ),
        (1, &"shop".into())
    );
    assert_eq!(world.host.effects(), 0);
}

#[tokio::test]
async fn a_bound_token_sees_only_its_events() {
    let host = TestHost::new();
    let (record, shop) = named(1, &[Scope::EventsRead, Scope::EventsWrite], Some("shop"));
    host.records.lock().unwrap().push(record);
    for persona in [Some("main"), Some("shop"), None, Some("shop")] {
        host.emit("message.received", persona);
    }
    let world = World::start_with(host).await;
    let list = world
        .call_as(&shop, "GET", "/v1/events", "", "")
        .await
        .json();
    let seen: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!((seen, list["next"].as_u64()), (vec![2, 4], Some(4)));
    let other = world
        .call_as(&shop, "GET", "/v1/events?persona=main", "", "")
        .await;
    assert_eq!(other.code(), "persona_forbidden");
    // Its readers are its own: `books` of the CLI is another one.
    world
        .call("PUT", "/v1/consumers/books", "", r#"{"seq":1}"#)
        .await;
    world
        .call_as(&shop, "PUT", "/v1/consumers/books", "", r#"{"seq":4}"#)
        .await;
    assert_eq!(
        world
            .call("GET", "/v1/consumers/books", "", "")
            .await
            .json()["seq"],
        1
    );
}

#[tokio::test]
async fn tokens_end_by_time_and_by_deletion() {
    let host = TestHost::new();
    for (number, expires) in [(1, Some(NOW)), (2, Some(NOW + 1)), (3, None)] {
        let (mut record, _) = named(number, &[Scope::NodeRead], None);
        record.expires = expires.map(Timestamp::from_ms);
        host.records.lock().unwrap().push(record);
    }
    let world = World::start_with(host).await;
    let secret = |number| named(number, &[], None).1;
    for (number, status) in [(1, 401), (2, 200), (3, 200), (4, 401)] {
        assert_eq!(
            world
                .call_as(&secret(number), "GET", "/v1/node", "", "")
                .await
                .status,
            status,
            "{number}"
        );
    }
    assert_eq!(
        world
            .call("DELETE", "/v1/tokens/tok_3", "", "")
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .call_as(&secret(3), "GET", "/v1/node", "", "")
            .await
            .status,
        401
    );
    assert_eq!(
        world
            .call("DELETE", "/v1/tokens/tok_3", "", "")
            .await
            .code(),
        "not_found"
    );
}

#[tokio::test]
async fn a_made_token_works_and_its_secret_is_kept_nowhere() {
    let world = World::start().await;
    let body = r#"{"name":"shop","scopes":["messages:write","messages:write"],"persona":"main"}"#;
    let made = world.call("POST", "/v1/tokens", "", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        world
            .call_as(&secret, "POST", SEND, "", r#"{"text":"hi"}"#)
            .await
            .status,
        202
    );
    let kept = format!("{:?}", world.host.records.lock().unwrap());
    let listed = world.call("GET", "/v1/tokens", "", "").await;
    assert!(
        !kept.contains(&secret) && !listed.body.contains(&secret) && !listed.body.contains("hash")
    );
    assert_eq!(
        listed.json()["data"][0]["scopes"],
        serde_json::json!(["messages:write"])
    );
    assert_eq!(
        world.call("POST", "/v1/tokens", "", body).await.code(),
        "conflict"
    );
    for (bad, code) in [
        (r#"{"name":"a","scopes":[]}"#, "invalid_request"),
        (r#"{"name":"","scopes":["node:read"]}"#, "invalid_request"),
        (r#"{"name":"a","scopes":["full"]}"#, "invalid_request"),
        (
            r#"{"name":"a","scopes":["node:admin"],"persona":"main"}"#,
            "invalid_request",
        ),
        (
            r#"{"name":"a","scopes":["messages:read"],"persona":"nobody"}"#,
            "not_found",
        ),
    ] {
        assert_eq!(
            world.call("POST", "/v1/tokens", "", bad).await.code(),
            code,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn malformed_authorization_is_refused() {
    let world = World::start().await;
    let token = &world.token;
    for header in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("bearer{token}"),
        token.clone(),
        format!("Bearer {token}x"),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {token}\r\nAuthorization: Bearer {token}"),
    ] {
        let request = format!(
            "GET /v1/node HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n"
        );
        let reply = world.unix(&request).await;
        assert_eq!(
            (reply.status, reply.header("www-authenticate")),
            (401, Some("Bearer")),
            "{header}"
        );
    }
    let query = world.unix(&format!("GET /v1/node?token={token} HTTP/1.1\r\nHost: localhost\r\nCookie: token={token}\r\n\r\n")).await;
    assert_eq!(query.status, 401);
    // Who has no token does not learn which routes there are.
    let nowhere = world
        .unix("GET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(nowhere.status, 401);
    assert_eq!(
        world.call("GET", "/v1/nowhere", "", "").await.code(),
        "route_not_found"
    );
    assert_eq!(
        world.call("DELETE", "/v1/node", "", "").await.code(),
        "method_not_allowed"
    );
}
