// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about people: personas, invites, requests, contacts.

use std::io::Read as _;

use comptoir_api::dto::{
    Contact, ContactChange, ContactQuery, ContactState, Decline, InviteForm, NewContact, NewInvite,
    NewPersona, PageQuery, Reach, Request, Verification,
};
use comptoir_api::id::RequestId;

use super::args::{Add, Invite, PersonasAction};
use super::connect::{Connection, PAGE, all_pages};
use super::output::one_line;
use super::{Failure, names, phrase, qr};

const DAY_S: u64 = 24 * 60 * 60;

/// Lists the personas, or adds one.
pub(crate) async fn personas(
    connection: &Connection,
    action: Option<PersonasAction>,
) -> Result<(), Failure> {
    let Some(PersonasAction::Add {
        persona,
        name,
        phrase_file,
    }) = action
    else {
        let personas = connection.client.personas().await?.data;
        connection.output.data(&personas, || {
            let line = |persona: &comptoir_api::dto::Persona| {
                format!(
                    "{:<16} {:<24} {} unread",
                    persona.name.as_str(),
                    one_line(&persona.display_name),
                    persona.unread
                )
            };
            personas.iter().map(line).collect::<Vec<_>>().join("\n")
        });
        return Ok(());
    };
    let word = names::free_persona(connection, &persona).await?;
    name.as_deref().map_or(Ok(()), names::check_shown)?;
    let entropy = crate::random::<32>()?;
    let words = phrase::obtain(phrase_file.as_deref(), entropy)?;
    phrase::hand_over(
        connection.output,
        &words,
        phrase_file.as_deref(),
        crate::random::<2>()?,
    )?;
    let new = NewPersona {
        name: word,
        display_name: name,
        recovery_phrase: Some(words.words.to_string()),
    };
    let made = connection.client.create_persona(&new).await?;
    connection
        .output
        .data(&made, || format!("{} {}", made.name, made.account));
    phrase::say_new_account(connection.output, &words);
    Ok(())
}

/// Makes an invite link.
pub(crate) async fn invite(connection: &Connection, invite: Invite) -> Result<(), Failure> {
    let form = if invite.reference {
        InviteForm::Ref
    } else {
        InviteForm::Full
    };
    let new = NewInvite {
        expires_in_s: Some(u64::from(invite.days) * DAY_S),
        uses: Some(invite.uses),
        form,
    };
    let made = connection.client.invite(&connection.persona, &new).await?;
    connection.output.data(&made, || made.link.clone());
    if invite.qr {
        match qr::draw(&made.link) {
            Some(drawing) => connection.output.say(drawing),
            None => connection
                .output
                .say("The link is too long for a QR code; --ref makes a short one."),
        }
    }
    match made.reach {
        Reach::Relays => {}
        _ => connection.output.say("Reachable only while online: the link works while this node runs. `comptoir relay add` changes that."),
    }
    Ok(())
}

/// Follows an invite link.
pub(crate) async fn add(connection: &Connection, add: Add) -> Result<(), Failure> {
    let link = if add.link == "-" {
        stdin_text()?
    } else {
        add.link
    };
    let reason = Some(add.reason).filter(|reason| !reason.is_empty());
    let new = NewContact {
        link: link.trim().to_owned(),
        reason,
    };
    let contact = connection
        .client
        .add_contact(&connection.persona, &new)
        .await?;
    connection.output.data(&contact, || contact.id.to_string());
    let name = if contact.name.is_empty() {
        "The writer of the invite".to_owned()
    } else {
        one_line(&contact.name)
    };
    connection.output.say(format!(
        "{name} is asked; you can write once the request is accepted."
    ));
    Ok(())
}

/// Lists open requests.
pub(crate) async fn requests(connection: &Connection) -> Result<(), Failure> {
    let all = open_requests(connection).await?;
    connection.output.data(&all, || {
        let line = |request: &Request| {
            format!(
                "{:<8} {:<24} {}",
                request.id.as_str(),
                one_line(&request.card_name),
                one_line(&request.reason)
            )
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn open_requests(connection: &Connection) -> Result<Vec<Request>, Failure> {
    all_pages(async |after| {
        let limit = Some(PAGE);
        let query = PageQuery { limit, after };
        connection
            .client
            .requests(&connection.persona, &query)
            .await
    })
    .await
}

/// Accepts a request.
pub(crate) async fn accept(connection: &Connection, request: &str) -> Result<(), Failure> {
    let contact = connection
        .client
        .accept(&connection.persona, &request_id(connection, request).await?)
        .await?;
    connection.output.data(&contact, || contact.id.to_string());
    connection
        .output
        .say(format!("{} is a contact now.", one_line(&contact.name)));
    Ok(())
}

/// Declines a request.
pub(crate) async fn decline(
    connection: &Connection,
    request: &str,
    block: bool,
) -> Result<(), Failure> {
    let declined = connection
        .client
        .decline(
            &connection.persona,
            &request_id(connection, request).await?,
            &Decline { block },
        )
        .await?;
    connection
        .output
        .data(&declined, || declined.id.to_string());
    Ok(())
}

/// Finds a request by id, or by the name its card shows. Anybody may take any name: two of one are never guessed between.
async fn request_id(connection: &Connection, who: &str) -> Result<RequestId, Failure> {
    if let Ok(id) = who.parse() {
        return Ok(id);
    }
    let all = open_requests(connection).await?;
    let named: Vec<&Request> = all
        .iter()
        .filter(|request| request.card_name.to_lowercase() == who.to_lowercase())
        .collect();
    match named.as_slice() {
        [] => Err(Failure::not_found(format!(
            "no request is open from {who:?}; `comptoir requests` lists them"
        ))),
        [one] => Ok(one.id.clone()),
        several => {
            let ids: Vec<String> = several
                .iter()
                .map(|request| request.id.to_string())
                .collect();
            Err(Failure::usage(format!(
                "several requests come from a {who:?}: name one of {}",
                ids.join(", ")
            )))
        }
    }
}

/// Lists contacts.
pub(crate) async fn contacts(connection: &Connection) -> Result<(), Failure> {
    let all = all_pages(async |after| {
        let query = ContactQuery {
            limit: Some(PAGE),
            after,
            ..ContactQuery::default()
        };
        connection
            .client
            .contacts(&connection.persona, &query)
            .await
    })
    .await?;
    connection.output.data(&all, || {
        all.iter().map(contact_line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn contact_line(contact: &Contact) -> String {
    let state = match contact.state {
        ContactState::Asked => "asked",
        ContactState::Accepted => "",
        ContactState::Declined => "declined",
        ContactState::Expired => "no answer",
        ContactState::Unknown => "?",
    };
    let marks = [
        (contact.verified, "verified"),
        (contact.muted, "muted"),
        (contact.blocked, "blocked"),
        (contact.connected, "connected"),
        (
            contact.reach == Reach::OnlineOnly,
            "reachable only while online",
        ),
    ];
    let marks: Vec<&str> = marks
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, mark)| mark)
        .chain([state])
        .collect();
    format!(
        "{:<8} {:<24} {}",
        contact.id.as_str(),
        one_line(&contact.name),
        marks.join(" ")
    )
}

/// Renames a contact here.
pub(crate) async fn rename(
    connection: &Connection,
    who: &str,
    name: String,
) -> Result<(), Failure> {
    change(
        connection,
        who,
        ContactChange {
            name: Some(name),
            ..ContactChange::default()
        },
    )
    .await
}

/// Mutes a contact or ends that.
pub(crate) async fn mute(connection: &Connection, who: &str, muted: bool) -> Result<(), Failure> {
    change(
        connection,
        who,
        ContactChange {
            muted: Some(muted),
            ..ContactChange::default()
        },
    )
    .await
}

async fn change(connection: &Connection, who: &str, change: ContactChange) -> Result<(), Failure> {
    let contact = connection.contact(who).await?;
    let changed = connection
        .client
        .change_contact(&connection.persona, &contact.id, &change)
        .await?;
    connection.output.data(&changed, || contact_line(&changed));
    Ok(())
}

/// Shows the safety code, or records that it was compared.
pub(crate) async fn verify(
    connection: &Connection,
    who: &str,
    matches: bool,
) -> Result<(), Failure> {
    // Asked for by id: a list has no codes.
    let id = connection.contact(who).await?.id;
    let contact = connection.client.contact(&connection.persona, &id).await?;
    let code = contact
        .safety_code
        .clone()
        .ok_or_else(|| Failure::refused("their card is not known yet"))?;
    if !matches {
        connection.output.data(&contact, || code.clone());
        connection.output.say("Compare these digits with theirs, in person or by a call, then run this again with --matches.");
        return Ok(());
    }
    let verification = Verification { safety_code: code };
    let verified = connection
        .client
        .verify_contact(&connection.persona, &contact.id, &verification)
        .await?;
    connection
        .output
        .data(&verified, || contact_line(&verified));
    Ok(())
}

/// Blocks a contact or lifts the block.
pub(crate) async fn block(
    connection: &Connection,
    who: &str,
    blocked: bool,
) -> Result<(), Failure> {
    let contact = connection.contact(who).await?;
    let changed = if blocked {
        connection
            .client
            .block(&connection.persona, &contact.id)
            .await?
    } else {
        connection
            .client
            .unblock(&connection.persona, &contact.id)
            .await?
    };
    connection.output.data(&changed, || contact_line(&changed));
    Ok(())
}

/// All of stdin, at most 1 MiB: no link or message is longer.
pub(crate) fn stdin_text() -> Result<String, Failure> {
    let mut text = String::new();
    let limited = std::io::stdin().lock().take(1 << 20);
    let mut limited = std::io::BufReader::new(limited);
    limited
        .read_to_string(&mut text)
        .map_err(|error| Failure::general(format!("stdin: {error}")))?;
    Ok(text)
}
