// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a web page can send, in every combination, and what it gets: nothing.

use super::world::{SEND, World};
use crate::auth::secret_text;

const BODY: &str = r#"{"text":"hello"}"#;

/// One value of a header, and whether a request with it may pass.
type Case = (String, bool);

fn host_cases(port: u16) -> Vec<Case> {
    let other = if port == 8080 { 8081 } else { 8080 };
    let good = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("LocalHost:{port}"),
    ];
    let bad = [
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.:{port}"),
        format!("127.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost:{other}"),
        format!("localhost:0{port}"),
        format!("user@localhost:{port}"),
        "localhost".to_owned(),
        "[::1]".to_owned(),
        String::new(),
    ];
    let line = |host: &String| format!("Host: {host}\r\n");
    let mut cases: Vec<Case> = good.iter().map(|host| (line(host), true)).collect();
    cases.extend(bad.iter().map(|host| (line(host), false)));
    cases.push((String::new(), false));
    cases.push((
        format!("Host: localhost:{port}\r\nHost: evil.example\r\n"),
        false,
    ));
    cases
}

fn origin_cases(port: u16) -> Vec<Case> {
    let line = |origin: &str| format!("Origin: {origin}\r\n");
    vec![
        (String::new(), true),
        (line(&format!("http://127.0.0.1:{port}")), true),
        (line(&format!("http://localhost:{port}")), true),
        (line("null"), false),
        (line("http://evil.example"), false),
        (line("http://127.0.0.1"), false),
        (line(&format!("https://localhost:{port}")), false),
        (
            line(&format!("http://localhost:{port}.evil.example")),
            false,
        ),
        (
            format!("Origin: http://localhost:{port}\r\nOrigin: http://evil.example\r\n"),
            false,
        ),
    ]
}

fn fetch_cases() -> Vec<Case> {
    let line = |site: &str| format!("Sec-Fetch-Site: {site}\r\n");
    vec![
        (String::new(), true),
        (line("same-origin"), true),
        (line("none"), true),
        (line("same-site"), false),
        (line("cross-site"), false),
    ]
}

fn type_cases() -> Vec<Case> {
    let line = |kind: &str| format!("Content-Type: {kind}\r\n");
    vec![
        (line("application/json"), true),
        (line("Application/JSON; charset=utf-8"), true),
        (line("text/plain"), false),
        (line("text/plain;application/json"), false),
        (line("application/x-www-form-urlencoded"), false),
        (line("multipart/form-data; boundary=x"), false),
        (line("application/octet-stream"), false),
        (line("application/json-patch+json"), false),
        (String::new(), false),
        (
            "Content-Type: text/plain\r\nContent-Type: application/json\r\n".to_owned(),
            false,
        ),
        (
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n".to_owned(),
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_host_origin_and_fetch_site_is_refused_before_routing() {
    let world = World::start().await;
    let wrong = secret_text(&[99; 32]);
    let tokens = [
        (format!("Authorization: Bearer {}\r\n", world.token), true),
        (format!("Authorization: Bearer {wrong}\r\n"), false),
        (format!("Authorization: Basic {}\r\n", world.token), false),
        (String::new(), false),
    ];
    let mut sent = 0;
    for (host, host_ok) in host_cases(world.port) {
        for (origin, origin_ok) in origin_cases(world.port) {
            for (fetch, fetch_ok) in fetch_cases() {
                for (kind, kind_ok) in type_cases() {
                    for (token, token_ok) in &tokens {
                        let binary = kind.contains("octet-stream");
                        let expected =
                            match (host_ok, origin_ok, fetch_ok, kind_ok || binary, token_ok) {
                                (false, ..) => (403, "host_forbidden"),
                                (_, false, ..) => (403, "origin_forbidden"),
                                (_, _, false, ..) => (403, "cross_site_forbidden"),
                                (_, _, _, false, _) => (415, "unsupported_media_type"),
                                (.., false) => (401, "unauthorized"),
                                _ if binary => (415, "unsupported_media_type"),
                                _ => (202, ""),
                            };
                        let request = format!(
                            "POST {SEND} HTTP/1.1\r\n{host}{origin}{fetch}{kind}{token}Content-Length: {}\r\n\
                             Connection: close\r\n\r\n{BODY}",
                            BODY.len()
                        );
                        let before = world.host.effects();
                        let reply = world.tcp(&request).await;
                        assert_eq!(
                            (reply.status, reply.code().as_str()),
                            expected,
                            "{request}\n{reply:?}"
                        );
                        let effects = world.host.effects() - before;
                        assert_eq!(effects, usize::from(expected.0 == 202), "{request}");
                        assert!(
                            reply.header("access-control-allow-origin").is_none(),
                            "{request}"
                        );
                        sent += 1;
                    }
                }
            }
        }
    }
    assert_eq!(sent, 17 * 9 * 5 * 11 * 4);
}

/// What browsers send for a page of `evil.example` that knows the port, without and with the headers of newer ones.
fn page_requests(port: u16) -> Vec<String> {
    let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    let cross = "Sec-Fetch-Site: cross-site\r\n";
    let origin = "Origin: http://evil.example\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let mut requests = Vec::new();
    for path in ["/v1/personas", SEND, "/v1/events", "/v1/node", "/metrics"] {
        // <img>, <script>, a link, and navigation carry no Origin.
        requests.push(head(&format!("GET {path}")) + cross + "Sec-Fetch-Mode: no-cors\r\n");
        requests.push(head(&format!("GET {path}")));
        // fetch() and EventSource.
        requests.push(head(&format!("GET {path}")) + origin + "Accept: text/event-stream\r\n");
        requests.push(head(&format!("GET {path}")) + origin + cross + "Sec-Fetch-Mode: cors\r\n");
        // WebSocket.
        requests.push(head(&format!("GET {path}")) + origin + upgrade);
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ] {
            let body = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", BODY.len());
            // Forms and sendBeacon; a sandboxed frame says `null`.
            requests.push(head(&format!("POST {path}")) + origin + cross + &body + "\r\n" + BODY);
            requests
                .push(head(&format!("POST {path}")) + "Origin: null\r\n" + &body + "\r\n" + BODY);
            requests.push(head(&format!("POST {path}")) + &body + "\r\n" + BODY);
        }
        let json = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        requests.push(head(&format!("POST {path}")) + origin + &json);
        requests.push(
            head(&format!("OPTIONS {path}")) + origin + "Access-Control-Request-Method: POST\r\n",
        );
    }
    requests
}

#[tokio::test]
async fn a_page_of_another_origin_reads_and_changes_nothing() {
    let world = World::start().await;
    for request in page_requests(world.port) {
        let whole = if request.contains("\r\n\r\n") {
            request
        } else {
            request + "\r\n"
        };
        let reply = world.tcp(&whole).await;
        assert!(
            matches!(reply.status, 401 | 403 | 415),
            "{whole}\n{reply:?}"
        );
        assert!(
            reply.json()["type"]
                .as_str()
                .unwrap()
                .starts_with("urn:comptoir:problem:"),
            "{reply:?}"
        );
        assert!(
            !reply.head.to_ascii_lowercase().contains("access-control"),
            "{reply:?}"
        );
        assert!(reply.header("set-cookie").is_none());
    }
    assert_eq!(world.host.effects(), 0);
}

#[tokio::test]
async fn a_plain_text_post_of_a_form_has_no_effect() {
    let world = World::start().await;
    // What <form enctype="text/plain"> of another site sends, as a browser sends it; even with a stolen token.
    for body in ["{\"text\":\"=hi\"}", ""] {
        let (port, token, length) = (world.port, &world.token, body.len());
        let reply = world
            .tcp(&format!(
                "POST {SEND} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ))
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (415, "unsupported_media_type")
        );
    }
    assert_eq!(world.host.effects(), 0);
}

#[tokio::test]
async fn a_rebound_name_is_refused_on_every_path_before_any_route() {
    let world = World::start().await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/openapi.json",
        "/v1/personas",
        "/nowhere",
        "/",
        "*",
    ] {
        for method in ["GET", "POST", "OPTIONS", "HEAD", "DELETE", "BREW"] {
            let reply = world
                .tcp(&format!("{method} {path} HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\n\r\n", world.port))
                .await;
            // hyper itself refuses `*` for anything but OPTIONS.
            assert!(
                reply.status == 403 || (path == "*" && reply.status == 400),
                "{method} {path} {reply:?}"
            );
        }
    }
    let absolute = format!(
        "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        world.port
    );
    assert_eq!(world.tcp(&absolute).await.code(), "host_forbidden");
    let own = format!(
        "GET http://localhost:{0}/healthz HTTP/1.1\r\nHost: localhost:{0}\r\n\r\n",
        world.port
    );
    assert_eq!(world.tcp(&own).await.status, 200);
}

#[tokio::test]
async fn a_preflight_is_not_answered() {
    let world = World::start().await;
    let reply = world
        .tcp(&format!(
            "OPTIONS {SEND} HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: http://evil.example\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
            world.port
        ))
        .await;
    assert_eq!(reply.code(), "origin_forbidden");
    assert!(
        !reply.head.to_ascii_lowercase().contains("access-control"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn the_unix_socket_has_no_port_and_no_pages() {
    let world = World::start().await;
    for (headers, status) in [
        ("Host: localhost\r\n", 200),
        ("Host: 127.0.0.1:1\r\n", 200),
        ("Host: [::1]\r\n", 200),
        ("Host: evil.example\r\n", 403),
        ("Host: localhost:x\r\n", 403),
        ("", 403),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
    ] {
        let reply = world
            .unix(&format!(
                "GET /healthz HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(reply.status, status, "{headers}");
    }
}

#[tokio::test]
async fn reading_has_no_effect() {
    let world = World::start().await;
    let (_, document) = crate::routes::all();
    let mut read = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_some() {
            for method in ["GET", "HEAD"] {
                let reply = world
                    .call(method, &super::auth::concrete(path), "", "")
                    .await;
                assert!(
                    reply.status == 200 || path.contains("consumers"),
                    "{path} {reply:?}"
                );
                read += 1;
            }
        }
    }
    assert!(read > 30, "{read}");
    assert_eq!(world.host.effects(), 0);
    let with_body = world.call("GET", "/v1/personas", "", "{}").await;
    assert_eq!(with_body.status, 400);
}
