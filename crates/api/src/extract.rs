// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a route reads from a request and answers with, each failure a [`Problem`].

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::Api;
use crate::auth::Caller;
use crate::guard::{self, BodyType, JSON_BYTES_MAX};
use crate::host::{Idempotency, Written};
use crate::idempotency::{Once, REPLAYED_HEADER};
use crate::problem::{Code, Problem};

/// A body has 30 s to arrive: 256 KiB over a loopback take none, and a slow sender holds a connection.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// JSON nests at most 32 deep; no body of this API goes beyond 4.
const JSON_DEPTH_MAX: usize = 32;

/// The ids in a path.
pub(crate) struct Ids<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Path(ids) = Path::from_request_parts(parts, api)
            .await
            .map_err(|error| Problem::invalid("path", error.body_text()))?;
        Ok(Self(ids))
    }
}

/// The query.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Query(query) = Query::from_request_parts(parts, api)
            .await
            .map_err(|error| Problem::invalid("query", error.body_text()))?;
        Ok(Self(query))
    }
}

/// A JSON body and, for a POST, its idempotency key. No body at all reads as `{}`.
pub(crate) struct Given<T> {
    pub(crate) body: T,
    once: Once,
}

impl<T> Given<T> {
    /// What to hand to the host; the key stays held while `self` lives.
    pub(crate) fn once(&self) -> Option<Idempotency> {
        self.once.idempotency.clone()
    }
}

/// A body with nothing in it that matters.
#[derive(serde::Deserialize)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Api> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if guard::body_type(&parts.headers)? == Some(BodyType::Binary) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "this route takes application/json",
            ));
        }
        let reading = tokio::time::timeout(BODY_TIME_MAX, read(body, JSON_BYTES_MAX)).await;
        let bytes = reading
            .map_err(|_| Problem::new(Code::RequestTimeout, "the body did not arrive in 30 s"))??;
        let caller = parts.extensions.get::<Caller>().unwrap_or(&Caller::Nobody);
        // What is not valid is refused before its key counts as used.
        let body = parse(if bytes.is_empty() { b"{}" } else { &bytes })?;
        let once = Once::read(
            &parts.method,
            parts.uri.path(),
            &parts.headers,
            caller,
            &bytes,
            &api.running,
        )?;
        Ok(Self { body, once })
    }
}

/// Collects a body of at most `max` bytes; a claimed length allocates nothing.
async fn read(body: Body, max: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Problem::invalid("body", error.to_string()))?;
        if bytes.len() + chunk.len() > max {
            return Err(guard::too_large(max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > JSON_DEPTH_MAX {
        return Err(Problem::new(
            Code::TooDeep,
            format!("at most {JSON_DEPTH_MAX} levels"),
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::invalid("body", error.to_string()),
        _ => Problem::new(Code::MalformedJson, error.to_string()),
    })
}

/// How deep brackets nest outside strings. Looked at before parsing: the parser recurses, also through what it skips.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What a POST made, with its status.
pub(crate) struct Posted<T>(pub(crate) StatusCode, pub(crate) Written<T>);

impl<T> Posted<T> {
    /// 200: done.
    pub(crate) fn done(written: Written<T>) -> Self {
        Self(StatusCode::OK, written)
    }

    /// 201: made.
    pub(crate) fn created(written: Written<T>) -> Self {
        Self(StatusCode::CREATED, written)
    }

    /// 202: durable in the outbox. Delivery comes as an event.
    pub(crate) fn accepted(written: Written<T>) -> Self {
        Self(StatusCode::ACCEPTED, written)
    }
}

impl<T: Serialize> IntoResponse for Posted<T> {
    fn into_response(self) -> Response {
        let Self(status, Written { value, replayed }) = self;
        let mut response = (status, Json(value)).into_response();
        if replayed {
            response
                .headers_mut()
                .insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Leaves the problem in the response's extensions: only the server knows the request's id and language.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let cases = [
            ("", 0),
            ("{}", 1),
            (r#"{"a":[{}]}"#, 3),
            (r#""[[[[""#, 0),
            (r#"["\"[["]"#, 1),
            ("]]][", 1),
        ];
        for (text, expected) in cases {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn deep_bodies_are_refused_before_the_parser_sees_them() {
        let deep = "[".repeat(JSON_BYTES_MAX);
        assert_eq!(
            parse::<serde_json::Value>(deep.as_bytes())
                .unwrap_err()
                .code,
            Code::TooDeep
        );
        assert_eq!(
            parse::<serde_json::Value>(b"{").unwrap_err().code,
            Code::MalformedJson
        );
        assert_eq!(
            parse::<Vec<u8>>(b"{}").unwrap_err().code,
            Code::InvalidRequest
        );
    }
}
