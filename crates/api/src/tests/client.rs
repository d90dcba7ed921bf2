// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client: every call against the routes, and the exit code of every failure.

use std::collections::BTreeMap;

use serde_json::json;

use super::host::sample_message;
use super::world::World;
use crate::client::{Client, ClientError, Exit};
use crate::dto::*;
use crate::host::{HostError, Refusal};
use crate::id::PersonaName;
use crate::problem::{Code, Language, Problem};

#[tokio::test]
async fn each_route_has_a_call_that_reaches_it() {
    let world = World::start().await;
    let client = Client::open(&world.home()).unwrap();
    let main = &PersonaName::main();
    let (contact, thread) = (&"ctc_1".parse().unwrap(), &"thr_1".parse().unwrap());
    let (message, request, relay) = (
        &"msg_1".parse().unwrap(),
        &"req_1".parse().unwrap(),
        &"rly_1".parse().unwrap(),
    );

    assert_eq!(client.personas().await.unwrap().data.len(), 2);
    let new = NewPersona {
        name: "shop".parse().unwrap(),
        display_name: None,
        recovery_phrase: None,
    };
    assert_eq!(client.create_persona(&new).await.unwrap().name, new.name);
    assert_eq!(client.account(main).await.unwrap().card_number, 3);
    client
        .change_account(
            main,
            &AccountChange {
                display_name: Some("Ada".to_owned()),
            },
        )
        .await
        .unwrap();
    let invite = NewInvite {
        uses: Some(3),
        form: InviteForm::Ref,
        ..NewInvite::default()
    };
    assert_eq!(
        client.invite(main, &invite).await.unwrap().form,
        InviteForm::Ref
    );

    let bob = ContactQuery {
        name: Some("bob & \"co\" é".to_owned()),
        ..ContactQuery::default()
    };
    assert!(client.contacts(main, &bob).await.unwrap().data.is_empty());
    let bob = ContactQuery {
        name: Some("bob".to_owned()),
        ..ContactQuery::default()
    };
    assert_eq!(client.contacts(main, &bob).await.unwrap().data.len(), 1);
    let link = NewContact {
        link: "comptoir:x".to_owned(),
        reason: Some("hi".to_owned()),
    };
    client.add_contact(main, &link).await.unwrap();
    assert_eq!(client.contact(main, contact).await.unwrap().name, "Bob");
    client
        .change_contact(
            main,
            contact,
            &ContactChange {
                muted: Some(true),
                name: None,
            },
        )
        .await
        .unwrap();
    client
        .verify_contact(
            main,
            contact,
            &Verification {
                safety_code: "1".to_owned(),
            },
        )
        .await
        .unwrap();
    assert!(client.block(main, contact).await.unwrap().blocked);
    assert!(!client.unblock(main, contact).await.unwrap().blocked);
    assert_eq!(
        client
            .requests(main, &PageQuery::default())
            .await
            .unwrap()
            .data
            .len(),
        1
    );
    client.accept(main, request).await.unwrap();
    let declined = client
        .decline(main, request, &Decline { block: true })
        .await
        .unwrap();
    assert_eq!(declined.state, RequestState::Declined);

    assert_eq!(
        client
            .threads(main, &PageQuery::default())
            .await
            .unwrap()
            .data[0]
            .unread,
        2
    );
    client.thread(main, thread).await.unwrap();
    let page = MessageQuery {
        after: Some("start".to_owned()),
        limit: Some(7),
        before: None,
    };
    assert_eq!(
        client.messages(main, thread, &page).await.unwrap().data[0]
            .text
            .as_deref(),
        Some("Start 7")
    );
    let hello = NewMessage {
        text: "hello".to_owned(),
        ..NewMessage::default()
    };
    assert_eq!(
        client.send_message(main, thread, &hello).await.unwrap(),
        sample_message("hello")
    );
    client.message(main, thread, message).await.unwrap();
    let edited = client
        .edit(
            main,
            thread,
            message,
            &MessageEdit {
                text: "x".to_owned(),
            },
        )
        .await
        .unwrap();
    assert!(edited.edited.is_some());
    for only_here in [false, true] {
        let erased = client.erase(main, thread, message, only_here).await;
        assert_eq!(erased.unwrap().kind, MessageKind::Erased);
    }
    client
        .mark_read(
            main,
            thread,
            &ReadMark {
                up_to: message.clone(),
            },
        )
        .await
        .unwrap();
    assert_eq!(client.outbox(main).await.unwrap().messages, 3);
    client.delete_thread(main, thread).await.unwrap();

    assert_eq!(client.node().await.unwrap().state, NodeState::Ready);
    client.ready().await.unwrap();
    client.settings().await.unwrap();
    client
        .change_settings(&BTreeMap::from([("read_marks".to_owned(), json!(false))]))
        .await
        .unwrap();
    client.doctor().await.unwrap();
    client.logs(&LogQuery::default()).await.unwrap();
    assert_eq!(client.openapi().await.unwrap()["openapi"], "3.1.0");
    assert!(
        client
            .metrics()
            .await
            .unwrap()
            .contains("comptoir_messages_total")
    );
    client.relays().await.unwrap();
    client
        .add_relay(&NewRelay {
            link: "comptoir-relay:x".to_owned(),
            persona: None,
        })
        .await
        .unwrap();
    client
        .move_relay(
            relay,
            &RelayMove {
                link: "comptoir-relay:y".to_owned(),
            },
        )
        .await
        .unwrap();
    client.remove_relay(relay).await.unwrap();
    assert!(!client.own_relay().await.unwrap().running);
    client.ticket(&NewTicket::default()).await.unwrap();
    let scopes = vec![crate::auth::Scope::EventsRead];
    let made = client
        .create_token(&NewToken {
            name: "a".to_owned(),
            scopes,
            persona: None,
            expires_in_s: Some(60),
        })
        .await
        .unwrap();
    assert!(!format!("{made:?}").contains(&made.secret));
    assert_eq!(client.tokens().await.unwrap().data[0], made.token);
    client.delete_token(&made.token.id).await.unwrap();
    world.host.emit("message.received", None);
    assert_eq!(client.events(&EventQuery::default()).await.unwrap().next, 1);
    let reader = &"books".parse().unwrap();
    client.set_consumer(reader, 1).await.unwrap();
    assert_eq!(client.consumer(reader).await.unwrap().seq, 1);
    client.shutdown().await.unwrap();
    assert_eq!(
        world
            .host
            .effects
            .lock()
            .unwrap()
            .last()
            .map(String::as_str),
        Some("stop")
    );
}

#[tokio::test]
async fn a_key_makes_a_call_repeatable() {
    let world = World::start().await;
    let client = Client::open(&world.home()).unwrap().once("k");
    let hello = NewMessage {
        text: "hello".to_owned(),
        ..NewMessage::default()
    };
    let (main, thread) = (PersonaName::main(), "thr_1".parse().unwrap());
    let first = client.send_message(&main, &thread, &hello).await.unwrap();
    assert_eq!(
        client.send_message(&main, &thread, &hello).await.unwrap(),
        first
    );
    assert_eq!(world.host.effects(), 1);
}

#[tokio::test]
async fn a_client_outlives_its_daemon() {
    let mut world = World::start().await;
    let client = Client::open(&world.home()).unwrap();
    client.node().await.unwrap();
    world.close().await;
    let error = client.node().await.unwrap_err();
    assert_eq!(error.exit(), Exit::DaemonDown, "{error:?}");
    assert_eq!(
        Client::open(&world.home()).unwrap_err().exit(),
        Exit::DaemonDown
    );
    world.open(2).await;
    client.node().await.unwrap();
}

#[tokio::test]
async fn failures_end_with_the_documented_codes() {
    let world = World::start().await;
    let client = Client::open(&world.home()).unwrap();
    let (main, thread) = (PersonaName::main(), "thr_1".parse().unwrap());
    let refused = |refusal| HostError::Refused {
        refusal,
        detail: String::new(),
    };
    for (error, exit) in [
        (
            HostError::NotFound {
                what: "thread",
                id: "thr_1".to_owned(),
            },
            Exit::NotFound,
        ),
        (
            HostError::Invalid {
                field: "text".to_owned(),
                detail: String::new(),
            },
            Exit::Usage,
        ),
        (refused(Refusal::Blocked), Exit::Refused),
        (refused(Refusal::LinkExpired), Exit::Refused),
        (refused(Refusal::BadLink), Exit::Usage),
        (HostError::Network(String::new()), Exit::Network),
        (HostError::Stopping, Exit::DaemonDown),
        (HostError::StorageFull(String::new()), Exit::Failed),
    ] {
        let text = format!("{error:?}");
        *world.host.refusal.lock().unwrap() = Some(error);
        let hello = NewMessage {
            text: "hello".to_owned(),
            ..NewMessage::default()
        };
        let failed = client
            .send_message(&main, &thread, &hello)
            .await
            .unwrap_err();
        assert_eq!(failed.exit(), exit, "{text}");
    }
    let stranger = Client::unix(&world.socket, "cptr_wrong").unwrap();
    assert_eq!(stranger.node().await.unwrap_err().exit(), Exit::Auth);
    let bad = Client::unix("/nowhere/api.sock", "x").unwrap();
    assert_eq!(bad.node().await.unwrap_err().exit(), Exit::DaemonDown);
}

#[test]
fn codes_of_a_newer_daemon_end_by_their_status() {
    let mut body = Problem::new(Code::Refused, "").body(Language::English, "/", "");
    for (status, exit) in [
        (402, Exit::Payment),
        (403, Exit::Refused),
        (404, Exit::NotFound),
        (502, Exit::Network),
        (500, Exit::Failed),
    ] {
        (body.status, body.code) = (status, "of_tomorrow".to_owned());
        let error = ClientError::Problem(Box::new(body.clone()));
        assert_eq!((error.code(), error.exit()), (None, exit));
    }
    let codes: Vec<u8> = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::DaemonDown,
        Exit::Auth,
        Exit::NotFound,
        Exit::Refused,
        Exit::Payment,
        Exit::Network,
    ]
    .into_iter()
    .map(Exit::code)
    .collect();
    assert_eq!(codes, (0..=8).collect::<Vec<u8>>());
}

#[test]
fn words_of_a_newer_daemon_read_as_unknown() {
    let mut message = serde_json::to_value(sample_message("hi")).unwrap();
    message["state"] = json!("teleported");
    message["of_tomorrow"] = json!({ "a": 1 });
    let read: Message = serde_json::from_value(message).unwrap();
    assert_eq!(read.state, MessageState::Unknown);
}
