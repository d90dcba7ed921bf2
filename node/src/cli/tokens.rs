// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens for programs that use the local API.

use comptoir_api::auth::Scope;
use comptoir_api::dto::{NewToken, Token};

use super::args::TokensAction;
use super::connect::Connection;
use super::{Failure, names};

/// Lists, makes or ends tokens.
pub(crate) async fn tokens(
    connection: &Connection,
    action: Option<TokensAction>,
) -> Result<(), Failure> {
    match action {
        None => {
            let tokens = connection.client.tokens().await?.data;
            connection.output.data(&tokens, || {
                tokens.iter().map(token_line).collect::<Vec<_>>().join("\n")
            });
        }
        Some(TokensAction::Create {
            name,
            scope,
            persona,
        }) => {
            let scopes = scope.split(',').map(|scope| scope.trim().parse::<Scope>());
            let scopes = scopes
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Failure::usage(error.to_string()))?;
            let persona = persona.as_deref().map(names::persona).transpose()?;
            let made = connection
                .client
                .create_token(&NewToken {
                    name,
                    scopes,
                    persona,
                    expires_in_s: None,
                })
                .await?;
            connection.output.data(&made, || made.secret.clone());
            connection
                .output
                .say("This is shown once; only its hash is kept.");
        }
        Some(TokensAction::Remove { name }) => {
            let tokens = connection.client.tokens().await?.data;
            let token = tokens.into_iter().find(|token| token.name == name);
            let token =
                token.ok_or_else(|| Failure::not_found(format!("no token is called {name:?}")))?;
            connection.client.delete_token(&token.id).await?;
            connection.output.data(&token, || token.name.clone());
        }
    }
    Ok(())
}

fn token_line(token: &Token) -> String {
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    let persona = token
        .persona
        .as_ref()
        .map(|persona| format!(" (only {persona})"))
        .unwrap_or_default();
    format!("{:<16} {}{persona}", token.name, scopes.join(","))
}
