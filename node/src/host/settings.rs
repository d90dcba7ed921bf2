// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings by name: what each persona may choose, as `persona.name`.

use comptoir_api::dto::Setting as ApiSetting;
use comptoir_api::host::HostError;
use comptoir_engine::query;
use comptoir_engine::{Command, Setting};
use serde_json::{Value, json};

use super::{Host, unreadable};

const READ_RECEIPTS: &str = "read_receipts";
const NAME: &str = "name";

impl Host {
    pub(super) fn all_settings(&self) -> Result<Vec<ApiSetting>, HostError> {
        let mut settings = Vec::new();
        for persona in query::personas(&self.view()).map_err(unreadable)? {
            let of = self.persona_name(persona.persona);
            settings.push(ApiSetting {
                name: format!("{of}.{READ_RECEIPTS}"),
                value: json!(persona.read_receipts),
                default: json!(true),
                about: "Whether contacts are told what was read.".to_owned(),
            });
            settings.push(ApiSetting {
                name: format!("{of}.{NAME}"),
                value: json!(persona.name),
                default: json!(of),
                about: "The name on the card, shown to contacts.".to_owned(),
            });
        }
        Ok(settings)
    }

    /// All are read before the first is carried out, so that a mistake in one changes none.
    pub(super) async fn set_all(
        &self,
        changes: Vec<(String, Value)>,
    ) -> Result<Vec<ApiSetting>, HostError> {
        let changes = changes
            .into_iter()
            .map(|(name, value)| self.setting(&name, value))
            .collect::<Result<Vec<_>, _>>()?;
        for (persona, setting) in changes {
            self.ask(persona, Command::Set(setting), None).await?;
        }
        self.all_settings()
    }

    fn setting(&self, name: &str, value: Value) -> Result<(u16, Setting), HostError> {
        let invalid = |detail: &str| HostError::Invalid {
            field: name.to_owned(),
            detail: detail.to_owned(),
        };
        let (persona, setting) = name
            .split_once('.')
            .ok_or_else(|| invalid("there is no such setting; settings are named persona.name"))?;
        let persona = persona
            .parse()
            .map_err(|_| invalid("there is no such persona"))?;
        let number = self.persona(&persona)?;
        match (setting, value) {
            (READ_RECEIPTS, Value::Bool(told)) => Ok((number, Setting::ReadReceipts(told))),
            (READ_RECEIPTS, _) => Err(invalid("give true or false")),
            (NAME, Value::String(text)) if text.trim().is_empty() => {
                Err(invalid("an empty name tells contacts nothing"))
            }
            (NAME, Value::String(text)) => Ok((number, Setting::Name(text))),
            (NAME, _) => Err(invalid("give a text")),
            _ => Err(invalid("there is no such setting")),
        }
    }
}
