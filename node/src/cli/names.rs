// SPDX-License-Identifier: MIT OR Apache-2.0
//! The names somebody chooses: looked at before a phrase is shown or anything is made.

use comptoir_api::id::PersonaName;
use comptoir_protocol::limits::NAME_BYTES_MAX;

use super::Failure;
use super::connect::Connection;

/// The name contacts see: not nothing, and short enough for a card.
pub(crate) fn check_shown(name: &str) -> Result<(), Failure> {
    match name.trim().len() {
        0 => Err(Failure::usage("an empty name tells contacts nothing")),
        _ if name.len() > NAME_BYTES_MAX => Err(Failure::usage(format!(
            "the name has {} bytes, at most {NAME_BYTES_MAX} are allowed",
            name.len()
        ))),
        _ => Ok(()),
    }
}

/// Reads the word for `--as`.
pub(crate) fn persona(word: &str) -> Result<PersonaName, Failure> {
    let name = word.parse::<PersonaName>();
    name.map_err(|error| Failure::usage(error.to_string()))
}

/// The word for `--as` of a persona to be made: well formed, and nobody has it yet.
pub(crate) async fn free_persona(
    connection: &Connection,
    word: &str,
) -> Result<PersonaName, Failure> {
    let name = persona(word)?;
    let known = connection.client.personas().await?.data;
    if known.iter().any(|persona| persona.name == name) {
        return Err(Failure::refused(format!(
            "there is a persona {name} already"
        )));
    }
    Ok(name)
}
