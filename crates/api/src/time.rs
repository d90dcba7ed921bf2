// SPDX-License-Identifier: MIT OR Apache-2.0
//! The timestamp: milliseconds since 1970 inside, RFC 3339 in UTC on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

const DAY_MS: u64 = 86_400_000;
/// The last millisecond of the year 9999; RFC 3339 has four digits for a year. What lies behind is clamped to it.
const LATEST_MS: u64 = 253_402_300_799_999;

/// A moment in UTC, to the millisecond; text is always written as `2026-11-22T19:50:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T19:50:00.123Z")]
pub struct Timestamp(u64);

/// Not a moment as RFC 3339 writes it in UTC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time in UTC such as 2026-11-22T19:50:00Z")]
pub struct BadTimestamp(pub String);

impl Timestamp {
    /// Makes the moment `ms` milliseconds after 1970; what lies after the year 9999 becomes its last millisecond.
    #[must_use]
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min(LATEST_MS))
    }

    /// The milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / DAY_MS);
        let ms = self.0 % DAY_MS;
        let (hour, minute, second, milli) =
            (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        parse(text).ok_or_else(|| BadTimestamp(text.chars().take(40).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() < 20 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0_u64, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let milli = match &bytes[19..] {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let digits = number(20, 20 + fraction.len())?;
            let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
            digits * 1000 / scale
        }
        _ => return None,
    };
    let days = days(year, month, day)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(Timestamp(
        days * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli,
    ))
}

/// The date of a day counted from 1970, by Howard Hinnant's `civil_from_days`: years that begin in March
/// put the leap day last, so that no table is needed.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let march_year = year - u64::from(month <= 2);
    let (era, year_of_era) = (march_year / 400, march_year % 400);
    let march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * march + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    // 30 February would slide into March; a date must be its own image.
    (civil(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    #[test]
    fn known_moments_are_written_as_rfc_3339() {
        assert_eq!(
            Timestamp::from_ms(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(951_782_400_000).to_string(),
            "2000-02-29T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(1_795_376_999_123).to_string(),
            "2026-11-22T19:49:59.123Z"
        );
        assert_eq!(
            Timestamp::from_ms(u64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        for day in 0..146_097 {
            let moment = Timestamp::from_ms(day * DAY_MS + 86_399_999);
            assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        let bad = [
            "",
            "2026-11-22",
            "2026-02-30T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00+01:00",
        ];
        for text in bad.into_iter().chain([
            "1969-12-31T00:00:00Z",
            "2026-11-22T00:00:00.Z",
            "२०२६-११-२२T००:००:००Z",
        ]) {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!(
            "2026-11-22T00:00:00.5Z".parse::<Timestamp>().unwrap().ms() % 1000,
            500
        );
    }
}
