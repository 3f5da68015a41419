//! How a number is shown: as a date, a percentage, with so many digits, or not at all.

/// What a format code makes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    General,
    Fixed {
        decimals: usize,
        has_thousands: bool,
    },
    Percent {
        decimals: usize,
    },
    Date,
    Time,
    DateTime,
    /// `;;;` shows nothing.
    Hidden,
}

impl Format {
    /// A format that every workbook has.
    pub(super) const fn builtin(id: u32) -> Self {
        match id {
            1 | 37 | 38 => Self::Fixed { decimals: 0, has_thousands: id != 1 },
            2 => Self::Fixed { decimals: 2, has_thousands: false },
            3 => Self::Fixed { decimals: 0, has_thousands: true },
            4 | 39 | 40 => Self::Fixed { decimals: 2, has_thousands: true },
            9 => Self::Percent { decimals: 0 },
            10 => Self::Percent { decimals: 2 },
            14..=17 => Self::Date,
            18..=21 | 45..=47 => Self::Time,
            22 => Self::DateTime,
            _ => Self::General,
        }
    }

    /// A format by its code. Only the section for positive numbers is read.
    pub(super) fn from_code(code: &str) -> Self {
        if code.contains(';') && code.chars().all(|character| matches!(character, ';' | ' ')) {
            return Self::Hidden;
        }
        let plain = bare(code.split(';').next().unwrap_or_default()).to_ascii_lowercase();
        if plain.contains("general") {
            return Self::General;
        }
        let has = |letters: &[char]| plain.contains(letters);
        let has_clock = has(&['h', 's']);
        let has_calendar = has(&['d', 'y']) || (has(&['m']) && !has_clock);
        let decimals =
            plain.split('.').nth(1).map_or(0, |after| after.bytes().take_while(|byte| b"0#?".contains(byte)).count());
        match (has_calendar, has_clock) {
            (true, true) => Self::DateTime,
            (true, false) => Self::Date,
            (false, true) => Self::Time,
            _ if plain.contains('%') => Self::Percent { decimals },
            _ if has(&['e', '/']) || !has(&['0', '#']) => Self::General,
            _ => Self::Fixed { decimals, has_thousands: plain.contains(",#") || plain.contains(",0") },
        }
    }

    /// The text that is shown for a number; `None` if none is.
    pub(super) fn show(self, value: f64, is_1904: bool) -> Option<String> {
        if !value.is_finite() {
            return Some(value.to_string());
        }
        Some(match self {
            Self::Hidden => return None,
            Self::General => general(value),
            Self::Fixed { decimals, has_thousands } => fixed(value, decimals, has_thousands),
            Self::Percent { decimals } => format!("{}%", fixed(value * 100.0, decimals, false)),
            Self::Date | Self::Time | Self::DateTime => self.moment(value, is_1904).unwrap_or_else(|| general(value)),
        })
    }

    fn moment(self, value: f64, is_1904: bool) -> Option<String> {
        if !(0.0..2_958_466.0).contains(&value) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the range of dates")]
        let (days, seconds) = (value.floor() as i64, (value.fract() * 86_400.0).round() as i64);
        let date = {
            // From the day before 1 January 1900, counting the 29 February that was not.
            let (year, month, day) = civil(days + if is_1904 { -24_107 } else { -25_569 });
            format!("{year:04}-{month:02}-{day:02}")
        };
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let clock = clock.strip_suffix(":00").map(str::to_owned).unwrap_or(clock);
        Some(match self {
            Self::Date => date,
            Self::Time => clock,
            _ => format!("{date} {clock}"),
        })
    }
}

/// A code without literals, escapes, padding and conditions.
fn bare(code: &str) -> String {
    let mut plain = String::new();
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                let _ = characters.by_ref().find(|next| *next == '"');
            }
            '\\' | '_' | '*' => drop(characters.next()),
            '[' => {
                let inside: String = characters.by_ref().take_while(|next| *next != ']').collect();
                // `[h]` counts hours; `[Red]`, `[$€-407]` and `[>9]` say how it looks.
                if inside.chars().all(|letter| matches!(letter, 'h' | 'm' | 's' | 'H' | 'M' | 'S')) {
                    plain.push_str(&inside);
                }
            }
            _ => plain.push(character),
        }
    }
    plain
}

fn general(value: f64) -> String {
    if value != 0.0 && !(1e-9..1e15).contains(&value.abs()) {
        return format!("{value:e}");
    }
    // A cell shows eleven digits; what floating point adds beyond them is not there for a person.
    let whole = format!("{:.0}", value.abs().trunc()).len();
    let text = format!("{value:.*}", 11usize.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn fixed(value: f64, decimals: usize, has_thousands: bool) -> String {
    let text = format!("{:.*}", decimals.min(20), value.abs());
    let sign = if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { "-" } else { "" };
    if !has_thousands {
        return format!("{sign}{text}");
    }
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or_else(|| format!("{sign}{grouped}"), |fraction| format!("{sign}{grouped}.{fraction}"))
}

/// Year, month and day of a day counted from 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn codes_are_understood() {
        for (code, value, expected) in [
            ("General", 12.5, "12.5"),
            ("0", 3.7, "4"),
            ("0.000", 1.0, "1.000"),
            ("#,##0.00", -1_234_567.891, "-1,234,567.89"),
            ("#,##0 \"days\"", 1234.0, "1,234"),
            ("[$€-407] #,##0.00", 5.0, "5.00"),
            ("0.0%", 0.5, "50.0%"),
            ("dd/mm/yyyy", 45_000.0, "2023-03-15"),
            ("m/d/yy h:mm", 45_000.5, "2023-03-15 12:00"),
            ("[h]:mm:ss", 0.75, "18:00"),
            ("mmm yyyy", 1.0, "1899-12-31"),
            ("0.00E+00", 1.5, "1.5"),
            ("@", 7.0, "7"),
            ("\"d\"0", 7.0, "7"),
        ] {
            assert_eq!(Format::from_code(code).show(value, false).as_deref(), Some(expected), "{code}");
        }
        assert_eq!(Format::from_code(";;;"), Format::Hidden);
        assert_eq!(Format::Date.show(0.0, true).as_deref(), Some("1904-01-01"));
        assert_eq!(Format::Date.show(-1.0, false).as_deref(), Some("-1"));
        for value in [f64::NAN, f64::INFINITY, 1e300, -1e-300, f64::MIN] {
            assert!(Format::DateTime.show(value, false).is_some());
        }
    }
}
