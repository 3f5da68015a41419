//! What a request brings beside its reader: when, for what purpose and from where.

use std::net::IpAddr;

use cedar_policy::{Context, RestrictedExpression};

use super::{looks::ContextLooks, schema::uid};
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

/// What some policies see of a request: for equal sights they have one answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Seen {
    millis: Option<i64>,
    hour: Option<i64>,
    weekday: Option<i64>,
    purpose: Option<String>,
    network: Option<IpAddr>,
    /// Its attributes are the reader's.
    device: bool,
}

impl RequestContext {
    /// What some policies see of a request at a moment.
    pub(super) fn seen(&self, now: Timestamp, looks: ContextLooks) -> Seen {
        let millis = now.0.div_euclid(MICROS_PER_MILLI);
        let (days, in_day) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
        let weekday = (days + EPOCH_AFTER_MONDAY).rem_euclid(7) + 1;
        Seen {
            millis: looks.now.then_some(millis),
            hour: looks.hour.then_some(in_day / MILLIS_PER_HOUR),
            weekday: looks.weekday.then_some(weekday),
            purpose: self.purpose.clone().filter(|_| looks.purpose),
            // An IPv4 address that came over IPv6 is the IPv4 address: a range is written in one way.
            network: self.network.filter(|_| looks.network).map(|network| network.to_canonical()),
            device: looks.device,
        }
    }
}

impl Seen {
    /// Whether the same is ever seen again: not of a moment.
    pub(super) const fn may_come_again(&self) -> bool {
        self.millis.is_none()
    }

    /// The context of an evaluation; `None` for a moment that Cedar cannot write.
    pub(super) fn context(&self) -> Option<Context> {
        let mut pairs = Vec::new();
        if let Some(millis) = self.millis {
            let (days, in_day) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
            pairs.push(("now", RestrictedExpression::new_datetime(datetime(days, in_day)?)));
        }
        for (name, number) in [("hour", self.hour), ("weekday", self.weekday)] {
            pairs.extend(number.map(|number| (name, RestrictedExpression::new_long(number))));
        }
        if self.device {
            pairs.push(("device", RestrictedExpression::new_entity_uid(uid("Device", "device"))));
        }
        if let Some(purpose) = &self.purpose {
            pairs.push(("purpose", RestrictedExpression::new_string(purpose.clone())));
        }
        if let Some(network) = self.network {
            pairs.push(("network", RestrictedExpression::new_ip(network.to_string())));
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
    use crate::rules::looks::Looks;

    fn everything() -> ContextLooks {
        Looks::everything().context
    }

    #[track_caller]
    fn check(now: i64, written: &str, hour: i64, weekday: i64) {
        let context = RequestContext::default().seen(Timestamp(now), everything()).context().unwrap();
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
        assert!(RequestContext::default().seen(Timestamp(i64::MAX), everything()).context().is_none());
    }

    #[test]
    fn an_address_is_written_in_one_way() {
        let context = |address: &str| {
            let network = Some(address.parse().unwrap());
            RequestContext { network, ..RequestContext::default() }.seen(Timestamp(0), everything()).context().unwrap()
        };
        assert_eq!(context("::ffff:10.0.0.1").get("network"), context("10.0.0.1").get("network"));
    }

    #[test]
    fn what_is_not_looked_at_makes_no_difference() {
        let hour = ContextLooks { hour: true, ..ContextLooks::default() };
        let context = RequestContext { purpose: Some("x".to_owned()), network: None };
        let seen = context.seen(Timestamp(1), hour);
        assert_eq!(seen, RequestContext::default().seen(Timestamp(3_599_999_999), hour));
        assert_ne!(seen, RequestContext::default().seen(Timestamp(3_600_000_000), hour));
        assert!(seen.may_come_again() && !context.seen(Timestamp(1), everything()).may_come_again());
        assert!(seen.context().unwrap().get("purpose").is_none());
    }
}
