// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guard: what every request must be before any route is looked at.
//!
//! The token alone keeps web pages out, since no browser sends it by itself. The guard stands in front for the day
//! when a token leaks or a route forgets one: a page on `evil.example` that rebinds its name to 127.0.0.1 still
//! says `Host: evil.example`, and a plain form still says `text/plain` or an `Origin` that is not ours.

use axum::http::{HeaderMap, Method, Uri, header};
use comptoir_protocol::limits::{LINK_BYTES_MAX, TEXT_BYTES_MAX};

use crate::problem::{Code, Problem};

/// A JSON body is at most 256 KiB: a text of 16 KiB in which every byte is escaped to six is 96 KiB, and the rest
/// is left for routes to come.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
const _: () = assert!(JSON_BYTES_MAX > 6 * TEXT_BYTES_MAX + LINK_BYTES_MAX);
/// A binary body, the same until a route takes files.
pub const BINARY_BYTES_MAX: usize = JSON_BYTES_MAX;

const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The unix socket. No browser can speak to it, and it has no port that `Host` could name.
    Unix,
    /// Loopback TCP on this port.
    Tcp(u16),
}

/// Checks everything that can be told from the head of a request.
pub fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    listener: Listener,
) -> Result<(), Problem> {
    check_host(uri, headers, listener)?;
    check_origin(headers, listener)?;
    check_fetch_site(headers)?;
    check_body(method, headers)
}

fn check_host(uri: &Uri, headers: &HeaderMap, listener: Listener) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(Code::HostForbidden, detail));
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return refused("exactly one Host header is needed");
    };
    if !host.to_str().is_ok_and(|host| is_own(host, listener)) {
        return refused("Host must be 127.0.0.1, localhost or [::1] with this port");
    }
    // `GET http://evil.example/ HTTP/1.1` names a second host in the request line.
    if uri
        .authority()
        .is_some_and(|authority| !is_own(authority.as_str(), listener))
    {
        return refused("the request line names another host");
    }
    Ok(())
}

fn is_own(authority: &str, listener: Listener) -> bool {
    OWN_NAMES.iter().any(|name| {
        let Some(rest) = authority
            .get(..name.len())
            .filter(|start| start.eq_ignore_ascii_case(name))
        else {
            return false;
        };
        match (authority[rest.len()..].strip_prefix(':'), listener) {
            (Some(port), Listener::Tcp(own)) => port == own.to_string(),
            (Some(port), Listener::Unix) => port.parse::<u16>().is_ok(),
            (None, Listener::Unix) => authority.len() == name.len(),
            // Without a port a client means port 80.
            (None, Listener::Tcp(own)) => own == 80 && authority.len() == name.len(),
        }
    })
}

fn check_origin(headers: &HeaderMap, listener: Listener) -> Result<(), Problem> {
    let own = |origin: &str| {
        // The unix socket serves no pages, so no origin is its own.
        matches!(listener, Listener::Tcp(_))
            && origin
                .strip_prefix("http://")
                .is_some_and(|rest| is_own(rest, listener))
    };
    let all_own = headers
        .get_all(header::ORIGIN)
        .iter()
        .all(|value| value.to_str().is_ok_and(own));
    if all_own {
        Ok(())
    } else {
        Err(Problem::new(
            Code::OriginForbidden,
            "the Origin is not this API's own",
        ))
    }
}

fn check_fetch_site(headers: &HeaderMap) -> Result<(), Problem> {
    let allowed = |value: &str| matches!(value, "same-origin" | "none");
    if headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|value| value.to_str().is_ok_and(allowed))
    {
        return Ok(());
    }
    Err(Problem::new(
        Code::CrossSiteForbidden,
        "Sec-Fetch-Site must be same-origin or none",
    ))
}

/// The types this API reads. A form can send neither, so both make a browser ask first (and be refused).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    Json,
    Binary,
}

/// Tells the type of a body; `Ok(None)` when no type is named.
pub(crate) fn body_type(headers: &HeaderMap) -> Result<Option<BodyType>, Problem> {
    let refused = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return refused("more than one Content-Type");
    }
    let essence = value
        .to_str()
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(Some(BodyType::Json)),
        "application/octet-stream" => Ok(Some(BodyType::Binary)),
        _ => refused("send the body as application/json"),
    }
}

fn check_body(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "send the body without Content-Encoding",
        ));
    }
    let length = content_length(headers)?;
    let kind = body_type(headers)?;
    let has_body =
        length.is_some_and(|length| length > 0) || headers.contains_key(header::TRANSFER_ENCODING);
    if has_body && kind.is_none() {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "the body needs a Content-Type: application/json",
        ));
    }
    if has_body && (method == Method::GET || method == Method::HEAD) {
        return Err(Problem::invalid("body", "a GET has none"));
    }
    let max = if kind == Some(BodyType::Binary) {
        BINARY_BYTES_MAX
    } else {
        JSON_BYTES_MAX
    };
    match length {
        Some(length) if length > max as u64 => Err(too_large(max)),
        _ => Ok(()),
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length
        .map(Some)
        .ok_or_else(|| Problem::invalid("Content-Length", "not a number"))
}

/// The problem of a body above `max` bytes.
pub(crate) fn too_large(max: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the body may have {max} bytes"))
}
