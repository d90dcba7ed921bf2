// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page: a bounded part of a list and where the next one begins.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries on a page when the caller names no limit.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;
/// Entries on a page at most: 500 messages of 16 KiB text, the largest there is, are 8 MiB of answer.
pub const PAGE_LIMIT_MAX: u32 = 500;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// Whether more entries follow.
    pub has_more: bool,
    /// What to pass as `after` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> List<T> {
    /// Makes a page after which nothing follows.
    #[must_use]
    pub fn whole(data: Vec<T>) -> Self {
        Self {
            data,
            has_more: false,
            next: None,
        }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Entries at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before. If left unset: the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl PageQuery {
    /// The limit to use: the one given, within 1 to 500, or 50.
    #[must_use]
    pub fn limit(&self) -> u32 {
        limit_of(self.limit)
    }
}

/// The limit to use for what a caller gave: within 1 to 500, or 50 when nothing was given.
#[must_use]
pub fn limit_of(given: Option<u32>) -> u32 {
    given.unwrap_or(PAGE_LIMIT_DEFAULT).clamp(1, PAGE_LIMIT_MAX)
}
