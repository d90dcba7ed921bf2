// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host asked twice under one key.

use comptoir_api::dto::NewPersona;
use comptoir_api::host::{HostError, Idempotency, PersonaHost};

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
