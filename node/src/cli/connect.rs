// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection of a command to its daemon: the unix socket, and which persona acts.

use comptoir_api::client::{Client, ClientError};
use comptoir_api::dto::{Contact, ContactQuery, List};
use comptoir_api::id::{ContactId, PersonaName};

use super::output::Output;
use super::{Failure, names};
use crate::home::Home;

/// An open way to the daemon of a home.
pub(crate) struct Connection {
    /// The typed client.
    pub(crate) client: Client,
    /// Who acts.
    pub(crate) persona: PersonaName,
    /// Where words go.
    pub(crate) output: Output,
}

impl Connection {
    /// Finds the daemon's socket and token in `home`.
    pub(crate) fn open(home: &Home, persona: &str, output: Output) -> Result<Self, Failure> {
        let persona = names::persona(persona)?;
        let client = Client::open(home.dir())?;
        Ok(Self {
            client,
            persona,
            output,
        })
    }

    /// Finds a contact by id, or by the name that is shown. Two of one name are never guessed between.
    pub(crate) async fn contact(&self, who: &str) -> Result<Contact, Failure> {
        if let Ok(id) = who.parse::<ContactId>() {
            return Ok(self.client.contact(&self.persona, &id).await?);
        }
        let query = ContactQuery {
            name: Some(who.to_owned()),
            ..ContactQuery::default()
        };
        let mut found = self.client.contacts(&self.persona, &query).await?.data;
        match found.len() {
            0 => Err(Failure::not_found(format!(
                "no contact is called {who:?}; `comptoir contacts` lists them"
            ))),
            1 => Ok(found.remove(0)),
            _ => {
                let ids: Vec<String> = found.iter().map(|contact| contact.id.to_string()).collect();
                Err(Failure::usage(format!(
                    "several contacts are called {who:?}: name one of {}",
                    ids.join(", ")
                )))
            }
        }
    }

    /// The thread with a contact.
    pub(crate) async fn thread_with(
        &self,
        who: &str,
    ) -> Result<(Contact, comptoir_api::id::ThreadId), Failure> {
        let contact = self.contact(who).await?;
        match contact.thread.clone() {
            Some(thread) => Ok((contact, thread)),
            None => Err(Failure::refused(format!(
                "{} has not accepted yet",
                contact.name
            ))),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = error.exit().code();
        Failure::with_status(error.to_string(), status)
    }
}

/// Items asked for in one page: the most the API gives.
pub(crate) const PAGE: u32 = 500;

/// Everything of a list, page after page. `ask` gets what the page before gave as the place to go on.
pub(crate) async fn all_pages<T>(
    ask: impl AsyncFn(Option<String>) -> Result<List<T>, ClientError>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = ask(after).await?;
        all.extend(page.data);
        match page.next {
            Some(next) if page.has_more => after = Some(next),
            _ => return Ok(all),
        }
    }
}
