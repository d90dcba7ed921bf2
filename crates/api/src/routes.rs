// SPDX-License-Identifier: MIT OR Apache-2.0
//! The routes, one file a resource. What each needs is declared beside it and enforced in one place.

mod contacts;
mod events;
mod health;
mod held_back;
mod node;
mod personas;
mod relays;
mod requests;
mod stream;
mod threads;
mod tokens;

use axum::Router;
use axum::http::Method;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use crate::app::Api;
use crate::openapi;
use crate::problem::{Code, Problem};

/// All routes, and the document that describes them.
pub(crate) fn all() -> (Router<Api>, Value) {
    let routes = OpenApiRouter::with_openapi(openapi::base())
        .merge(personas::routes())
        .merge(contacts::routes())
        .merge(requests::routes())
        .merge(threads::routes())
        .merge(held_back::routes())
        .merge(events::routes())
        .merge(node::routes())
        .merge(relays::routes())
        .merge(tokens::routes())
        .merge(health::routes());
    let (router, document) = routes.split_for_parts();
    let router = router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method);
    (router, openapi::finish(&document))
}

async fn no_route() -> Problem {
    Problem::new(
        Code::RouteNotFound,
        "GET /v1/openapi.json lists what there is",
    )
}

async fn no_method(method: Method) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("{method} is not one of this route's methods"),
    )
}
