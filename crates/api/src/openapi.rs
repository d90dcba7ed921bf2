// SPDX-License-Identifier: MIT OR Apache-2.0
//! The OpenAPI document: made from the routes, and the one place that says which scope each of them needs.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::auth::Scope;
use crate::problem::{FieldError, ProblemBody};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Comptoir local API",
        version = "1",
        description = "The API of a Comptoir node, on a unix socket and on loopback only. Every request carries \
            `Authorization: Bearer …`. A POST takes an `Idempotency-Key`. What is refused comes back as \
            `application/problem+json`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(ProblemBody, FieldError))
)]
struct Base;

/// The document before any route.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Base::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The CLI's own token (`full`), or a named one with the scopes listed.",
        ));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    document
}

/// Makes the document that is served from what the routes declare: each operation also says what a refusal looks
/// like, and each POST that it takes a key.
pub(crate) fn finish(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for (method, operation) in operations(&mut document) {
        operation["responses"]["default"] = json!({
            "description": "What went wrong",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemBody" } } },
        });
        if method == Method::POST {
            let key = json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Repeated with the same key and body, the request has its effect once.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            });
            match operation["parameters"].as_array_mut() {
                Some(parameters) => parameters.push(key),
                None => operation["parameters"] = json!([key]),
            }
        }
    }
    document
}

/// Writes the document as it is served and kept in `openapi.json`.
pub(crate) fn text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Not even a token: it tells nothing that is worth one.
    Nothing,
    /// A token, whatever it may do.
    AnyToken,
    /// A token with this scope.
    Scope(Scope),
    /// The CLI's own token.
    Full,
}

/// Reads what every route needs. A route that does not say, or says a word that is no scope, needs the CLI's own.
pub(crate) fn needs(document: &Value) -> BTreeMap<(Method, String), Need> {
    let mut needs = BTreeMap::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) {
                needs.insert((method, path.clone()), need(&operation["security"]));
            }
        }
    }
    needs
}

fn need(security: &Value) -> Need {
    let Some([requirement]) = security.as_array().map(Vec::as_slice) else {
        return Need::Full;
    };
    if requirement
        .as_object()
        .is_some_and(serde_json::Map::is_empty)
    {
        return Need::Nothing;
    }
    match requirement["token"].as_array().map(Vec::as_slice) {
        Some([]) => Need::AnyToken,
        Some([scope]) => scope
            .as_str()
            .and_then(|scope| scope.parse().ok())
            .map_or(Need::Full, Need::Scope),
        _ => Need::Full,
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = (Method, &mut Value)> {
    let paths = document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten();
    paths
        .flat_map(|(_, item)| item.as_object_mut().into_iter().flatten())
        .filter_map(|(method, operation)| {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
            Some((method, operation))
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    /// What stands for the CLI's own token where a route names its scope.
    const FULL: &str = "full";

    #[test]
    fn the_document_is_the_one_in_git() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let made = text(&crate::routes::all().1);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            made == kept,
            "the routes or bodies of the API changed. Look at what changes for callers (fields are only ever added), \
             then write the new document with\n    UPDATE_GOLDEN=1 cargo test --profile ci -p comptoir-api the_document\n\
             and commit crates/api/openapi.json"
        );
    }

    #[test]
    fn every_route_says_what_it_needs() {
        let document = crate::routes::all().1;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let security = &operation["security"];
                let full = security == &json!([{ "token": [FULL] }]);
                assert!(
                    full || need(security) != Need::Full,
                    "{method} {path}: {security}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_understood_needs_everything() {
        for security in [
            json!(null),
            json!([]),
            json!([{ "token": ["nonsense"] }]),
            json!([{}, { "token": [] }]),
        ] {
            assert_eq!(need(&security), Need::Full, "{security}");
        }
    }
}
