//! What a request brings beside its reader: when, for what purpose and from where.

use std::net::IpAddr;

use cedar_policy::{Context, RestrictedExpression};

use super::schema::uid;
use crate::acl::Timestamp;

const MICROS_PER_MILLI: i64 = 1_000;
const MILLIS_PER_HOUR: i64 = 3_600_000;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;
/// The first of January 1970 was a Thursday: three days after a Monday.
const EPOCH_AFTER_MONDAY: i64 = 3;

/// What is known of a request beside who reads. What is not known is missing, and a policy that needs it has to say what then.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RequestContext {
    /// What it is for, as the credential says.
    pub purpose: Option<String>,
    /// The address that it comes from.
    pub network: Option<IpAddr>,
}

impl RequestContext {
    /// The context of an evaluation; `None` for a moment that Cedar cannot write.
    pub(super) fn at(&self, now: Timestamp) -> Option<Context> {
        let millis = now.0.div_euclid(MICROS_PER_MILLI);
        let (days, in_day) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
        let weekday = (days + EPOCH_AFTER_MONDAY).rem_euclid(7) + 1;
        let mut pairs = vec![
            ("now", RestrictedExpression::new_datetime(datetime(days, in_day)?)),
            ("hour", RestrictedExpression::new_long(in_day / MILLIS_PER_HOUR)),
            ("weekday", RestrictedExpression::new_long(weekday)),
            ("device", RestrictedExpression::new_entity_uid(uid("Device", "device"))),
        ];
        if let Some(purpose) = &self.purpose {
            pairs.push(("purpose", RestrictedExpression::new_string(purpose.clone())));
        }
        if let Some(network) = self.network {
            // An IPv4 address that came over IPv6 is the IPv4 address: a range is written in one way.
            pairs.push(("network", RestrictedExpression::new_ip(network.to_canonical().to_string())));
        }
        Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value))).ok()
    }
}

/// Cedar counts in milliseconds, and reads years of four digits.
fn datetime(days: i64, in_day: i64) -> Option<String> {
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (in_day / MILLIS_PER_HOUR, in_day / 60_000 % 60, in_day / 1_000 % 60);
    let milli = in_day % 1_000;
    let is_written = (0..=9_999).contains(&year);
    is_written.then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

/// The date of a day since the epoch, by Howard Hinnant's "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use cedar_policy::EvalResult;

    use super::*;

    #[track_caller]
    fn check(now: i64, written: &str, hour: i64, weekday: i64) {
        let context = RequestContext::default().at(Timestamp(now)).unwrap();
        assert_eq!(context.get("hour"), Some(EvalResult::Long(hour)), "{written}");
        assert_eq!(context.get("weekday"), Some(EvalResult::Long(weekday)), "{written}");
        let found = context.get("now").map(|now| now.to_string());
        assert_eq!(found, Some(format!("datetime(\"{written}\")")));
    }

    #[test]
    fn a_moment_has_its_date_hour_and_weekday() {
        check(0, "1970-01-01T00:00:00.000Z", 0, 4);
        check(-1, "1969-12-31T23:59:59.999Z", 23, 3);
        check(1_796_112_000_000_000, "2026-12-01T08:00:00.000Z", 8, 2);
        check(1_709_164_800_123_456, "2024-02-29T00:00:00.123Z", 0, 4);
        assert!(RequestContext::default().at(Timestamp(i64::MAX)).is_none());
    }

    #[test]
    fn an_address_is_written_in_one_way() {
        let context = |address: &str| {
            let network = Some(address.parse().unwrap());
            RequestContext { network, ..RequestContext::default() }.at(Timestamp(0)).unwrap()
        };
        assert_eq!(context("::ffff:10.0.0.1").get("network"), context("10.0.0.1").get("network"));
    }
}
