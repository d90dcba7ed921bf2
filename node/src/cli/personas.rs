// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about personas: list them, add one.

use comptoir_api::dto::NewPersona;

use super::args::PersonasAction;
use super::connect::Connection;
use super::output::one_line;
use super::{Failure, names, phrase};

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
