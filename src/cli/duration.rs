//! Durations and moments as a person writes them: `15m`, `30d`, `2027-01-01T00:00:00Z`.

use ringfence_indexes::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Parses `90`, `90s`, `15m`, `8h` or `30d` into seconds.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let unit: u32 = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write it like `90s`, `15m`, `8h` or `30d`".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "write it like `90s`, `15m`, `8h` or `30d`")?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(|| "is out of range".to_owned())
}

/// A moment: `2027-01-01T00:00:00Z` as it is, or a duration from now.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<String, String> {
    if OffsetDateTime::parse(text, &Rfc3339).is_ok() {
        return Ok(text.to_owned());
    }
    let seconds = seconds(text).map_err(|_| "write it like `30d` or `2027-01-01T00:00:00Z`")?;
    Ok(shown(Timestamp(now.0 + i64::from(seconds) * 1_000_000)))
}

/// A moment for people and machines, to the second.
pub(super) fn shown(timestamp: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(timestamp.0.div_euclid(1_000_000)).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_refused() {
        for (text, expected) in [("90", 90), ("90s", 90), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "s", "1w", "-1", "1.5h", "99999999999d", "m15", "49711d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_said_or_counted_from_now() {
        let now = Timestamp(1_800_000_000_000_000);
        assert_eq!(moment("2027-01-01T00:00:00Z", now).unwrap(), "2027-01-01T00:00:00Z");
        assert_eq!(moment("1d", now).unwrap(), "2027-01-16T08:00:00Z");
        assert!(moment("tomorrow", now).is_err());
    }
}
