// SPDX-License-Identifier: MIT OR Apache-2.0
//! `init`: a new home, from nothing to a persona that can be reached.

use comptoir_store::EngineKind;

use super::args::{Engine, Init};
use super::output::{Output, printable};
use super::{Failure, phrase, secret};
use crate::home::Home;
use crate::node::{Node, NodeBuilder};

/// Makes the home, the store and the persona `main`; adds the relay or follows the invite. Everything is on disk
/// when it returns; what has to cross the network waits in the outbox for `up`.
pub(crate) async fn run(output: Output, home: &Home, init: Init) -> Result<(), Failure> {
    if home.store().exists() {
        return Err(Failure::refused(format!("{} holds a node already; nothing was changed", home.dir().display())));
    }
    let words = phrase::obtain(init.phrase_file.as_deref(), crate::random::<32>()?)?;
    let unlock = secret::for_new_home(output, &init.unlock)?;
    phrase::hand_over(output, &words, init.phrase_file.as_deref(), crate::random::<2>()?)?;
    home.create().map_err(|error| Failure::file(home.dir(), &error))?;
    let mut builder = NodeBuilder::new(home.clone()).unlock(unlock).offline().create();
    if let Some(engine) = init.engine {
        builder = builder.engine(kind(engine));
    }
    let node = builder.start().await.map_err(|error| Failure::general(error.to_string()))?;
    let outcome = fill(&node, &init, &words.words).await;
    node.shutdown().await;
    let account = outcome?;
    output.data(&serde_json::json!({ "home": home.dir(), "persona": "main", "account": account }), || account.clone());
    output.say(format!("{} is ready in {}. Start it with: comptoir up", printable(&init.name), home.dir().display()));
    if init.relay.is_none() && init.invite.is_none() {
        output.say("It has no relay yet: it is reachable only while online. `comptoir relay add LINK` changes that.");
    }
    Ok(())
}

async fn fill(node: &Node, init: &Init, words: &str) -> Result<String, Failure> {
    let failed = |error: crate::CommandError| Failure::general(error.to_string());
    let account = node.create_persona("main", &init.name, words).await.map_err(failed)?;
    if let Some(link) = &init.relay {
        node.add_relay("main", link).await.map_err(failed)?;
    }
    if let Some(link) = &init.invite {
        node.add_contact("main", link, "").await.map_err(failed)?;
    }
    Ok(account.to_string())
}

/// The store's word for an engine.
pub(crate) fn kind(engine: Engine) -> EngineKind {
    match engine {
        Engine::Sled => EngineKind::Sled,
        Engine::Redb => EngineKind::Redb,
    }
}
