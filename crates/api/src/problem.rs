// SPDX-License-Identifier: MIT OR Apache-2.0
//! The problem: what a refused request gets back (RFC 9457), in English or French.

use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";
const TYPE_PREFIX: &str = "urn:comptoir:problem:";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $en:literal, $fr:literal;)*) => {
        /// The stable name of what went wrong. Programs decide by it; titles and details are for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it stands in `code`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The status that goes with it.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)* }
            }

            /// The title in a language.
            #[must_use]
            pub fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Code::$name, Language::English) => $en, (Code::$name, Language::French) => $fr,)*
                }
            }
        }
    };
}

codes! {
    /// The request is not what the route takes; `errors` names the places.
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is not valid", "La requête n’est pas valable";
    /// The body is not JSON.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON", "Le corps n’est pas du JSON";
    /// The body is JSON nested too deeply.
    TooDeep = "too_deep", BAD_REQUEST, "The body is nested too deeply", "Le corps est trop imbriqué";
    /// No token, or none that is known here.
    Unauthorized = "unauthorized", UNAUTHORIZED, "A valid token is needed", "Il faut un jeton valable";
    /// The token lacks the scope of the route.
    ScopeMissing = "scope_missing", FORBIDDEN, "The token does not allow this", "Le jeton ne permet pas cela";
    /// The token is bound to another persona.
    PersonaForbidden = "persona_forbidden", FORBIDDEN,
        "The token is for another persona", "Le jeton est pour une autre identité";
    /// `Host` names another machine than this one: DNS rebinding.
    HostForbidden = "host_forbidden", FORBIDDEN, "The Host is not this API", "L’hôte n’est pas cette API";
    /// `Origin` is a page that is not ours.
    OriginForbidden = "origin_forbidden", FORBIDDEN,
        "Pages of other sites may not call this API", "Les pages d’autres sites ne peuvent pas appeler cette API";
    /// `Sec-Fetch-Site` says that another site asks.
    CrossSiteForbidden = "cross_site_forbidden", FORBIDDEN,
        "Other sites may not call this API", "D’autres sites ne peuvent pas appeler cette API";
    /// There is nothing of that id.
    NotFound = "not_found", NOT_FOUND, "Not found", "Introuvable";
    /// There is no such route.
    RouteNotFound = "route_not_found", NOT_FOUND, "There is no such route", "Cette route n’existe pas";
    /// The route exists, not with this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        "The route does not take this method", "La route n’accepte pas cette méthode";
    /// The body did not come in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT,
        "The request took too long to arrive", "La requête a mis trop de temps à arriver";
    /// What is there already stands against it.
    Conflict = "conflict", CONFLICT, "It conflicts with what is there", "Cela contredit ce qui existe";
    /// The first request under this key still runs.
    IdempotencyRunning = "idempotency_running", CONFLICT,
        "A request with this key is still running", "Une requête avec cette clé est encore en cours";
    /// Events between the cursor and the oldest kept are gone.
    CursorExpired = "cursor_expired", GONE,
        "Events after this cursor are no longer kept", "Les évènements après ce curseur ne sont plus conservés";
    /// The body is larger than the route takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large", "Le corps est trop grand";
    /// The body is of a type this API does not take.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json or application/octet-stream",
        "Le corps doit être application/json ou application/octet-stream";
    /// The same key came with another request before.
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY,
        "This key was used for another request", "Cette clé a servi pour une autre requête";
    /// A rule of the node or of the other side refuses it.
    Refused = "refused", FORBIDDEN, "Refused", "Refusé";
    /// The other side is blocked.
    Blocked = "blocked", FORBIDDEN, "This contact is blocked", "Ce contact est bloqué";
    /// The contact has not accepted yet.
    NotAccepted = "not_accepted", FORBIDDEN,
        "The contact has not accepted yet", "Le contact n’a pas encore accepté";
    /// The link, card, token or ticket is past its time.
    LinkExpired = "link_expired", FORBIDDEN, "The link has expired", "Le lien a expiré";
    /// The link, token or ticket was used up or revoked.
    LinkUsed = "link_used", FORBIDDEN,
        "The link has been used or revoked", "Le lien a déjà servi ou a été révoqué";
    /// The link is damaged, or not one of ours.
    BadLink = "bad_link", BAD_REQUEST, "The link is not valid", "Le lien n’est pas valable";
    /// The safety code given is not the present one.
    SafetyCodeDiffers = "safety_code_differs", FORBIDDEN,
        "The safety code is not the present one", "Le code de sécurité n’est pas l’actuel";
    /// Only the author may do that.
    NotYours = "not_yours", FORBIDDEN, "Only its author may do that", "Seul son auteur peut le faire";
    /// It needs a newer version of the program.
    NeedsNewer = "needs_newer", FORBIDDEN,
        "It needs a newer version", "Il faut une version plus récente";
    /// Too much at once.
    TooMany = "too_many", TOO_MANY_REQUESTS, "Too many at once", "Trop à la fois";
    /// A fault of the node; the log of the daemon says more under the request id.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The node failed", "Le nœud a échoué";
    /// A relay or peer could not be reached.
    Network = "network", BAD_GATEWAY, "The network did not answer", "Le réseau n’a pas répondu";
    /// The node is starting.
    NotReady = "not_ready", SERVICE_UNAVAILABLE, "The node is starting", "Le nœud démarre";
    /// The node is stopping.
    Stopping = "stopping", SERVICE_UNAVAILABLE, "The node is stopping", "Le nœud s’arrête";
    /// The store takes no writes now.
    ReadOnly = "read_only", SERVICE_UNAVAILABLE, "The store takes no writes", "Le magasin n’accepte pas d’écritures";
    /// The disk is full; nothing was written.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The disk is full", "Le disque est plein";
}

impl Code {
    /// Finds the code with this text; a newer server may send one that is not known here.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

/// The language of titles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

impl Language {
    /// Chooses by `Accept-Language`: whichever of `fr` and `en` has the higher weight, the first of equals.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let wanted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let mut best = (0.0_f32, Self::English);
        for part in wanted.split(',').take(16) {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or("").trim().to_ascii_lowercase();
            let language = match tag.split('-').next() {
                Some("fr") => Self::French,
                Some("en" | "*") => Self::English,
                _ => continue,
            };
            let weight = pieces
                .find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok())
                .unwrap_or(1.0_f32);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// One place in a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Which field, parameter or header.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem before it has met its request: the server adds title, instance and request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// What is special about this time, in English.
    pub detail: String,
    /// The places that are wrong.
    pub errors: Vec<FieldError>,
    /// When to try again.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// Makes a problem.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// Makes an [`Code::InvalidRequest`] about one field.
    #[must_use]
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let error = FieldError {
            field: field.to_owned(),
            detail: detail.clone(),
        };
        Self {
            code: Code::InvalidRequest,
            detail: format!("{field}: {detail}"),
            errors: vec![error],
            retry_after_s: None,
        }
    }

    /// Makes the body that goes out.
    #[must_use]
    pub fn body(&self, language: Language, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("{TYPE_PREFIX}{}", self.code.as_str().replace('_', "-")),
            title: self.code.title(language).to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            errors: self.errors.clone(),
            retry_after_s: self.retry_after_s,
            request_id: request_id.to_owned(),
        }
    }
}

/// A problem as it goes out: `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// `urn:comptoir:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short sentence in the language asked for.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable name of what went wrong.
    pub code: String,
    /// What is special about this time.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// The places that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The id of the request in the daemon's log.
    pub request_id: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_found_by_their_text() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert_ne!(code.title(Language::English), code.title(Language::French));
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn the_language_follows_the_weights() {
        let cases = [
            ("", Language::English),
            ("fr", Language::French),
            ("fr-CH, en;q=0.5", Language::French),
            ("en;q=0.4, fr;q=0.9", Language::French),
            ("de, en;q=0.4, fr;q=0.2", Language::English),
            ("fr;q=0", Language::English),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, text.parse().unwrap());
            assert_eq!(Language::from_headers(&headers), expected, "{text}");
        }
    }
}
