// SPDX-License-Identifier: MIT OR Apache-2.0
//! `init`: a new home, from nothing to a persona that can be reached.

use comptoir_protocol::link::{InviteLink, LinkError, RelayLink};
use comptoir_store::EngineKind;

use super::args::{Engine, Init};
use super::output::{Output, printable};
use super::{Failure, names, phrase, secret};
use crate::home::Home;
use crate::node::{Node, NodeBuilder};
use crate::time::wall_ms;

/// Makes the home, the store and the persona `main`; adds the relay or follows the invite. Everything is on disk
/// when it returns; what has to cross the network waits in the outbox for `up`.
pub(crate) async fn run(output: Output, home: &Home, init: Init) -> Result<(), Failure> {
    if comptoir_store::method(&home.store())
        .map_err(|error| Failure::general(error.to_string()))?
        .is_some()
    {
        return Err(Failure::refused(format!(
            "{} holds a node already; nothing was changed",
            home.dir().display()
        )));
    }
    names::check_shown(&init.name)?;
    let mailbox = check_links(&init)?;
    let words = phrase::obtain(init.phrase_file.as_deref(), crate::random::<32>()?)?;
    let unlock = secret::for_new_home(output, &init.unlock)?;
    // Before the phrase: one that was written down for an account that cannot be made would be taken for an old one.
    home.create()
        .map_err(|error| Failure::general(error.to_string()))?;
    let handed_over = phrase::hand_over(
        output,
        &words,
        init.phrase_file.as_deref(),
        crate::random::<2>()?,
    );
    if handed_over.is_err() {
        // Goes only if there is nothing in it.
        let _ = std::fs::remove_dir(home.dir());
    }
    handed_over?;
    let mut builder = NodeBuilder::new(home.clone()).unlock(unlock).create();
    // Without a mailbox the answer to the first hello can only come here: the hello names where this node listens.
    if mailbox.is_some() || init.invite.is_none() {
        builder = builder.offline();
    }
    if let Some(engine) = init.engine {
        builder = builder.engine(kind(engine));
    }
    let node = builder
        .start()
        .await
        .map_err(|error| Failure::general(error.to_string()))?;
    let outcome = fill(&node, &init, mailbox.as_ref(), &words.words).await;
    node.shutdown().await;
    drop(node);
    if outcome.is_err() {
        // Half a node would refuse the next `init`; nobody knows its account yet.
        std::fs::remove_dir_all(home.store())
            .map_err(|error| Failure::file(&home.store(), &error))?;
    }
    let account = outcome?;
    output.data(
        &serde_json::json!({ "home": home.dir(), "persona": "main", "account": account }),
        || account.clone(),
    );
    output.say(format!(
        "{} is ready in {}. Start it with: comptoir up",
        printable(&init.name),
        home.dir().display()
    ));
    phrase::say_new_account(output, &words);
    if mailbox.is_none() {
        output.say("It has no relay yet: it is reachable only while online. `comptoir relay add LINK` changes that.");
    }
    Ok(())
}

async fn fill(
    node: &Node,
    init: &Init,
    mailbox: Option<&RelayLink>,
    words: &str,
) -> Result<String, Failure> {
    let failed = |error: crate::CommandError| Failure::general(error.to_string());
    let account = node
        .create_persona("main", &init.name, words)
        .await
        .map_err(failed)?;
    if let Some(link) = mailbox {
        node.add_relay("main", &link.to_string())
            .await
            .map_err(failed)?;
    }
    if let Some(link) = &init.invite {
        node.add_contact("main", link.trim(), "")
            .await
            .map_err(failed)?;
    }
    Ok(account.to_string())
}

/// Reads the links before anything is made or shown. The relay to use: the one named, or the one whose ticket lies in
/// the invite.
fn check_links(init: &Init) -> Result<Option<RelayLink>, Failure> {
    let bad = |error: LinkError| Failure::usage(format!("the link cannot be used: {error}"));
    if let Some(link) = &init.relay {
        return link.trim().parse().map(Some).map_err(bad);
    }
    let Some(link) = &init.invite else {
        return Ok(None);
    };
    let InviteLink::Full(invitation) = link.trim().parse().map_err(bad)? else {
        return Ok(None);
    };
    let Some(ticket) = invitation.ticket else {
        return Ok(None);
    };
    let card = invitation
        .bundle
        .verify(wall_ms())
        .map_err(|error| Failure::usage(format!("the invite cannot be used: {error}")))?;
    let relay = card
        .card
        .relays
        .iter()
        .find(|relay| relay.key.0 == ticket.claimed_signer().0)
        .cloned();
    Ok(relay.map(|relay| RelayLink {
        relay,
        ticket: Some(ticket),
    }))
}

/// The store's word for an engine.
pub(crate) fn kind(engine: Engine) -> EngineKind {
    match engine {
        Engine::Sled => EngineKind::Sled,
        Engine::Redb => EngineKind::Redb,
    }
}
