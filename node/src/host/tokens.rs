// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named tokens: kept as one note of the store, hashes only.

use comptoir_api::auth::TokenRecord;
use comptoir_api::host::{Answer, HostError, TokenHost};
use comptoir_api::id::TokenId;
use comptoir_api::time::Timestamp;
use comptoir_store::Core;

use super::{Host, at_once};
use crate::time::wall_ms;

const NOTE: &str = "tokens";

/// At most 500 tokens: with 300 bytes each they fit the note.
const TOKENS_MAX: usize = 500;

impl Host {
    async fn change_tokens(
        &self,
        change: impl FnOnce(&mut Vec<TokenRecord>) -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let _one_at_a_time = self.node.inner.notes.lock().await;
        let mut records = load(&self.node.inner.core)?;
        change(&mut records)?;
        let bytes = serde_json::to_vec(&records).expect("tokens always turn into JSON");
        let core = std::sync::Arc::clone(&self.node.inner.core);
        let written = tokio::task::spawn_blocking(move || core.put_note(NOTE, &bytes)).await;
        written
            .map_err(|error| HostError::Internal(error.to_string()))?
            .map_err(|error| self.unwritable(error.to_string()))
    }
}

impl TokenHost for Host {
    fn tokens(&self) -> Answer<'_, Vec<TokenRecord>> {
        at_once(load(&self.node.inner.core))
    }

    fn put_token(&self, record: TokenRecord) -> Answer<'_, ()> {
        Box::pin(self.change_tokens(move |records| {
            records.retain(|known| known.id != record.id);
            if records.len() >= TOKENS_MAX {
                return Err(HostError::Conflict(format!(
                    "there are {TOKENS_MAX} tokens already"
                )));
            }
            records.push(record);
            Ok(())
        }))
    }

    fn delete_token(&self, token: TokenId) -> Answer<'_, ()> {
        Box::pin(self.change_tokens(move |records| {
            records.retain(|known| known.id != token);
            Ok(())
        }))
    }

    fn random(&self) -> [u8; 32] {
        // Without randomness no token may be made; the API has no way to hear that, and a fixed secret would be one
        // that everybody knows.
        crate::random().expect("the system gave randomness at the start and gives it on")
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(wall_ms())
    }
}

fn load(core: &Core) -> Result<Vec<TokenRecord>, HostError> {
    let bytes = core
        .note(NOTE)
        .map_err(|error| HostError::Internal(error.to_string()))?;
    match bytes {
        None => Ok(Vec::new()),
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| HostError::Internal(format!("the tokens: {error}"))),
    }
}
