//! Colours, as far as they decide whether a person can read a text.

/// A colour on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Rgb {
    pub(crate) const WHITE: Self = Self(255, 255, 255);
    pub(crate) const BLACK: Self = Self(0, 0, 0);

    /// Six hexadecimal digits, or eight with the opacity first, as Office writes them.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('#');
        let digits = if text.len() == 8 { text.get(2..)? } else { text };
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = value.to_be_bytes();
        Some(Self(red, green, blue))
    }

    /// From parts of one.
    pub(crate) fn from_unit(red: f32, green: f32, blue: f32) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
        Self(byte(red), byte(green), byte(blue))
    }

    /// Whether text of this colour cannot be read on a background: a contrast below 1.2 to 1, by the formula of WCAG 2.
    pub(crate) fn vanishes_on(self, background: Self) -> bool {
        let (one, other) = (self.luminance(), background.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05) < 1.2 && self.distance(background) < 48
    }

    fn luminance(self) -> f32 {
        let linear = |byte: u8| {
            let part = f32::from(byte) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126f32.mul_add(linear(self.0), 0.7152f32.mul_add(linear(self.1), 0.0722 * linear(self.2)))
    }

    fn distance(self, other: Self) -> u8 {
        let parts = [self.0.abs_diff(other.0), self.1.abs_diff(other.1), self.2.abs_diff(other.2)];
        parts.into_iter().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Rgb;

    #[test]
    fn what_cannot_be_read_vanishes() {
        let color = |hex| Rgb::from_hex(hex).expect("a colour");
        for (text, background) in
            [("FFFFFF", "FFFFFF"), ("FFFEFEFE", "FFFFFF"), ("#F4F4F4", "FFFFFF"), ("000000", "050505")]
        {
            assert!(color(text).vanishes_on(color(background)), "{text} on {background}");
        }
        for (text, background) in
            [("FFFFFF", "1F497D"), ("999999", "FFFFFF"), ("FFFF00", "FFFFFF"), ("000000", "FFFFFF")]
        {
            assert!(!color(text).vanishes_on(color(background)), "{text} on {background}");
        }
        assert_eq!((Rgb::from_hex("auto"), Rgb::from_hex("12345"), Rgb::from_hex("é12345")), (None, None, None));
    }
}
