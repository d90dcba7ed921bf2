// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about invite links: make one, follow one.

use comptoir_api::dto::{InviteForm, NewContact, NewInvite, Reach};

use super::args::{Add, Invite};
use super::connect::Connection;
use super::output::one_line;
use super::stdin::stdin_text;
use super::{Failure, qr};

const DAY_S: u64 = 24 * 60 * 60;

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
