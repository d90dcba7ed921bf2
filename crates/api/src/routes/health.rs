// SPDX-License-Identifier: MIT OR Apache-2.0
//! Alive, ready, and figures for monitoring.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Api;
use crate::host::{Metric, MetricKind};
use crate::problem::{Code, Problem};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "healthz",
    responses((status = 200, description = "It answers", content_type = "text/plain")),
    security(()))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the node can work
///
/// 200 when the store is unlocked and writable and the loop keeps up. Why not is told to callers with a token, by
/// `GET /v1/node`.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses((status = 200, description = "It can work", content_type = "text/plain")),
    security(()))]
async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    match api.host.ready().await {
        Ok(()) => Ok("ready\n"),
        Err(_) => Err(Problem::new(Code::NotReady, "GET /v1/node says why")),
    }
}

/// Figures in the text format of Prometheus, without any label that names a peer
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "Figures", content_type = "text/plain")),
    security(("token" = ["node:read"])))]
async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let metrics = api.host.metrics().await?;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        render(&metrics),
    ))
}

/// Writes the figures. Names and labels are fixed words of the program, so nothing has to be escaped.
fn render(metrics: &[Metric]) -> String {
    let mut text = String::new();
    let mut last = "";
    for Metric {
        name,
        kind,
        help,
        label,
        value,
    } in metrics
    {
        if last != *name {
            let kind = match kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            let _ = writeln!(
                text,
                "# HELP comptoir_{name} {help}\n# TYPE comptoir_{name} {kind}"
            );
            last = name;
        }
        let _ = match label {
            Some((key, word)) => writeln!(text, "comptoir_{name}{{{key}=\"{word}\"}} {value}"),
            None => writeln!(text, "comptoir_{name} {value}"),
        };
    }
    text
}
