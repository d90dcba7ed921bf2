// SPDX-License-Identifier: MIT OR Apache-2.0
//! The app: the way of one request from the guard to its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use crate::auth::{Caller, Tokens};
use crate::guard::{self, Listener};
use crate::host::Host;
use crate::idempotency::Running;
use crate::openapi::{Need, needs};
use crate::problem::{Code, Language, PROBLEM_JSON, Problem};
use crate::routes;

/// What every route can use.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) running: Running,
    /// The OpenAPI document as it is served.
    pub(crate) document: Bytes,
    /// Becomes true when the server stops: what waits for events ends.
    pub(crate) stopping: watch::Receiver<bool>,
    needs: Arc<BTreeMap<(Method, String), Need>>,
}

/// Takes requests of any listener.
#[derive(Clone)]
pub(crate) struct App {
    api: Api,
    router: TowerToHyperService<Router>,
    requests: Arc<AtomicU64>,
}

impl App {
    pub(crate) fn new(
        host: Arc<dyn Host>,
        full_token_hash: [u8; 32],
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (router, document) = routes::all();
        let api = Api {
            host,
            tokens: Arc::new(Tokens::new(full_token_hash)),
            running: Running::default(),
            needs: Arc::new(needs(&document)),
            document: crate::openapi::text(&document).into(),
            stopping,
        };
        let router = router
            .layer(from_fn_with_state(api.clone(), authorize))
            .with_state(api.clone());
        Self {
            api,
            router: TowerToHyperService::new(router),
            requests: Arc::default(),
        }
    }

    /// Answers one request. If the connection goes away meanwhile, what writes is carried to its end.
    pub(crate) async fn handle(&self, mut request: Request<Body>, listener: Listener) -> Response {
        let started = Instant::now();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("call_{}_{number}", std::process::id());
        let language = Language::from_headers(request.headers());
        let method = request.method().clone();
        let instance = request.uri().path().to_owned();
        let response = match self.enter(&mut request, listener).await {
            Ok(()) => self.route(request).await,
            Err(problem) => problem.into_response(),
        };
        let response = finish(response, language, &instance, &request_id);
        // The path is left out: it holds ids.
        let (status, took_ms) = (response.status().as_u16(), started.elapsed().as_millis());
        tracing::debug!(%request_id, %method, status, took_ms, "request answered");
        response
    }

    async fn enter(&self, request: &mut Request<Body>, listener: Listener) -> Result<(), Problem> {
        guard::check(request.method(), request.uri(), request.headers(), listener)?;
        let caller = self
            .api
            .tokens
            .caller(request.headers(), self.api.host.as_ref())
            .await?;
        request.extensions_mut().insert(caller);
        Ok(())
    }

    async fn route(&self, request: Request<Body>) -> Response {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = self.router.call(request);
        if reads {
            return answer.await.unwrap_or_else(|never| match never {});
        }
        // A caller that hangs up must not leave its idempotency key free while the host still works under it.
        match tokio::spawn(answer).await {
            Ok(answer) => answer.unwrap_or_else(|never| match never {}),
            Err(error) => Problem::new(
                Code::Internal,
                format!("the request was not finished: {error}"),
            )
            .into_response(),
        }
    }
}

/// Asks for the token and scope that the matched route declares in the OpenAPI document.
async fn authorize(State(api): State<Api>, request: Request, next: Next) -> Response {
    let caller = request
        .extensions()
        .get::<Caller>()
        .unwrap_or(&Caller::Nobody);
    let matched = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let allowed = match matched.and_then(|path| api.need(request.method(), path)) {
        Some(need) => permit(need, caller)
            .and_then(|()| permit_persona(matched, request.uri().path(), caller)),
        // No such route, or not with this method: who has a token is told, others are not.
        None => permit(Need::AnyToken, caller),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Api {
    fn need(&self, method: &Method, path: &str) -> Option<Need> {
        let method = if method == Method::HEAD {
            Method::GET
        } else {
            method.clone()
        };
        self.needs.get(&(method, path.to_owned())).copied()
    }
}

fn permit(need: Need, caller: &Caller) -> Result<(), Problem> {
    let lacking = |what: &str| {
        Err(Problem::new(
            Code::ScopeMissing,
            format!("the token needs {what}"),
        ))
    };
    match (need, caller) {
        (Need::Nothing, _) | (_, Caller::Full) => Ok(()),
        (_, Caller::Nobody) => Err(Problem::new(
            Code::Unauthorized,
            "send Authorization: Bearer with the text of the file api.token",
        )),
        (Need::AnyToken, Caller::Named { .. }) => Ok(()),
        (Need::Scope(scope), Caller::Named { .. }) if caller.may(scope) => Ok(()),
        (Need::Scope(scope), Caller::Named { .. }) => lacking(&format!("the scope {scope}")),
        (Need::Full, Caller::Named { .. }) => lacking("to be the CLI's own"),
    }
}

/// Keeps a bound token to its persona. The text in the path is compared as it came: another spelling of the same
/// name (`m%61in`) is refused, which is the safe side.
fn permit_persona(matched: Option<&str>, path: &str, caller: &Caller) -> Result<(), Problem> {
    let Some(bound) = caller.persona() else {
        return Ok(());
    };
    if !matched.is_some_and(|matched| matched.starts_with("/v1/personas/{persona}")) {
        return Ok(());
    }
    if path.split('/').nth(3) == Some(bound.as_str()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::PersonaForbidden,
        format!("the token is for {bound} alone"),
    ))
}

/// Gives every answer its headers, and a problem its body.
fn finish(
    mut response: Response,
    language: Language,
    instance: &str,
    request_id: &str,
) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.code == Code::Internal {
            tracing::error!(%request_id, detail = %problem.detail, "a request failed");
        }
        response = render(&problem, language, instance, request_id);
    }
    let headers = response.headers_mut();
    // What is answered is for the caller alone: no cache, no guessing of types, no page around it.
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    response
}

fn render(problem: &Problem, language: Language, instance: &str, request_id: &str) -> Response {
    let body = problem.body(language, instance, request_id);
    let text = serde_json::to_vec(&body).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(if language == Language::French {
            "fr"
        } else {
            "en"
        }),
    );
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == Code::Unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    (problem.code.status(), headers, text).into_response()
}
