// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host asked twice under one key.

use std::path::Path;
use std::time::{Duration, Instant};

use comptoir_api::dto::{Decline, NewPersona, PageQuery, RequestState};
use comptoir_api::host::{ContactHost, HostError, Idempotency, PersonaHost};
use comptoir_api::id::RequestId;

use super::*;
use crate::home::Home;
use crate::node::NodeBuilder;

#[tokio::test]
async fn a_persona_asked_for_again_under_one_key_is_the_one_that_was_made() {
    let folder = std::env::temp_dir().join(format!("comptoir-host-{}", std::process::id()));
    let builder = NodeBuilder::new(Home::new(&folder)).offline().create();
    let node = builder.start().await.unwrap();
    let host = Host::new(node.clone(), watch::channel(false).0);
    let wanted = NewPersona {
        name: PersonaName::main(),
        display_name: None,
        recovery_phrase: Some(Node::new_phrase().unwrap()),
    };
    let once = |key| {
        let (key, body_hash) = ([key; 32], [1; 32]);
        Some(Idempotency { key, body_hash })
    };
    let first = host.create_persona(wanted.clone(), once(1)).await.unwrap();
    let again = host.create_persona(wanted.clone(), once(1)).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.value, again.value);
    let other = host.create_persona(wanted, once(2)).await;
    assert!(matches!(other, Err(HostError::Conflict(_))), "{other:?}");
    node.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn online(home: &Path, name: &str) -> Node {
    let builder = NodeBuilder::new(Home::new(home)).create();
    let builder = builder.listen(vec!["/ip4/127.0.0.1/tcp/0".into()]);
    let node = builder.start().await.unwrap();
    let phrase = Node::new_phrase().unwrap();
    node.create_persona("main", name, &phrase).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_declined_again_under_one_key_is_declined_once_and_another_is_not() {
    let world = tempfile::tempdir().unwrap();
    let alice = online(&world.path().join("alice"), "Alice").await;
    let bob = online(&world.path().join("bob"), "Bob").await;
    let options = crate::node::InviteOptions::default();
    let link = alice.invite("main", options).await.unwrap();
    bob.add_contact("main", &link, "hello").await.unwrap();
    let begun = Instant::now();
    while alice.requests("main").unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no request came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let host = Host::new(alice.clone(), watch::channel(false).0);
    let main = PersonaName::main;
    let page = host.requests(main(), PageQuery::default()).await.unwrap();
    let id = page.data[0].id.clone();
    let decline = |id: &RequestId, key, body| {
        let (key, body_hash) = ([key; 32], [body; 32]);
        let once = Some(Idempotency { key, body_hash });
        host.decline(main(), id.clone(), Decline { block: false }, once)
    };
    let first = decline(&id, 1, 1).await.unwrap();
    assert_eq!(
        (first.replayed, first.value.card_name.as_str()),
        (false, "Bob")
    );
    let again = decline(&id, 1, 1).await.unwrap();
    assert_eq!((again.replayed, &again.value.id), (true, &id));
    for declined in [&first, &again] {
        assert_eq!(declined.value.state, RequestState::Declined);
    }
    // Nothing is kept of whom it was from.
    assert_eq!(again.value.card_name, "");
    let other: RequestId = "req_99".parse().unwrap();
    let mismatch = decline(&other, 1, 2).await;
    assert!(
        matches!(mismatch, Err(HostError::IdempotencyMismatch)),
        "{mismatch:?}"
    );
    let gone = decline(&id, 2, 1).await;
    assert!(matches!(gone, Err(HostError::NotFound { .. })), "{gone:?}");
    alice.shutdown().await;
    bob.shutdown().await;
}
