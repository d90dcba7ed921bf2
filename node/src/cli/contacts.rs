// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about contacts: list, rename, mute, verify, block.

use comptoir_api::dto::{Contact, ContactChange, ContactQuery, ContactState, Reach, Verification};

use super::Failure;
use super::connect::{Connection, PAGE, all_pages};
use super::output::one_line;

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
