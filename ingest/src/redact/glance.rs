//! What a text has in it, in one pass: enough to know which detectors can find nothing there.
//!
//! Most passages hold neither a credential nor personal data, and most detectors ask for something that such a passage lacks: a long word, a row of digits, a sign of assignment. What is left out here changes no answer; a test holds the detectors to it.

/// The shortest thing that a vendor's token can be. All of it is printable ASCII without blanks.
pub(super) const TOKEN_BYTES_MIN: usize = 15;
/// The shortest JSON Web Token, and the shortest bearer credential.
pub(super) const LONG_BYTES_MIN: usize = 20;
/// The fewest digits of a payment card.
pub(super) const CARD_DIGITS_MIN: usize = 12;
/// The digits of a social security number.
pub(super) const SSN_DIGITS_MIN: usize = 9;
/// The fewest digits of a telephone number.
pub(super) const PHONE_DIGITS_MIN: usize = 6;

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Glance {
    /// The longest run of printable ASCII without blanks, in bytes.
    pub(super) word_bytes: usize,
    /// The most digits without an ASCII letter between them.
    pub(super) digits: usize,
    /// Whether two ASCII letters stand before two digits, as an account number begins.
    pub(super) opens_iban: bool,
    pub(super) dots: usize,
    pub(super) colons: usize,
    /// Whether something may be assigned to a name: `:`, `=`, `,` or `|`.
    pub(super) assigns: bool,
    pub(super) equals: bool,
}

impl Glance {
    pub(super) fn of(text: &str) -> Self {
        let mut glance = Self::default();
        let (mut word, mut digits) = (0, 0);
        let mut before = [0_u8; 3];
        for &byte in text.as_bytes() {
            word = if byte.is_ascii_graphic() { word + 1 } else { 0 };
            glance.word_bytes = glance.word_bytes.max(word);
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    glance.digits = glance.digits.max(digits);
                    glance.opens_iban |= before[2].is_ascii_digit()
                        && before[1].is_ascii_alphabetic()
                        && before[0].is_ascii_alphabetic();
                }
                b'A'..=b'Z' | b'a'..=b'z' => digits = 0,
                b'.' => glance.dots += 1,
                b':' => {
                    glance.colons += 1;
                    glance.assigns = true;
                }
                b'=' => {
                    glance.equals = true;
                    glance.assigns = true;
                }
                b',' | b'|' => glance.assigns = true,
                _ => {}
            }
            before = [before[1], before[2], byte];
        }
        glance
    }

    /// Sees everything, so that nothing is left out.
    #[cfg(test)]
    pub(super) const EVERYTHING: Self = Self {
        word_bytes: usize::MAX,
        digits: usize::MAX,
        opens_iban: true,
        dots: usize::MAX,
        colons: usize::MAX,
        assigns: true,
        equals: true,
    };
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex, test_runner::Config};

    use super::*;
    use crate::redact::{RedactionKind, credentials::FORMS, find_seen};

    #[track_caller]
    fn check(text: &str) {
        let personal = RedactionKind::PERSONAL.into();
        let seen = find_seen(text, &Glance::of(text), &personal);
        assert_eq!(seen, find_seen(text, &Glance::EVERYTHING, &personal), "{text:?}");
    }

    #[test]
    fn says_what_there_is() {
        let glance = Glance::of("w12 w3 (20) 4-5, GB82 x=1.2.3:späte5 abc_def-ghi");
        let expected =
            Glance { word_bytes: 11, digits: 5, opens_iban: true, dots: 2, colons: 1, assigns: true, equals: true };
        assert_eq!(glance, expected);
        assert_eq!(Glance::of("w1 w22, w333").digits, 3);
        assert!(!Glance::of("w1 w22 a1b22").opens_iban && !Glance::of("plain words").assigns);
    }

    fn around() -> impl Strategy<Value = (String, String)> {
        ("(|the |x=|w1 |ü|key: )", "(|.| and|\n|ü| w2)")
    }

    /// Values of every sort that a detector looks for, and what is nearly one.
    fn values() -> impl Strategy<Value = String> {
        let forms: Vec<BoxedStrategy<String>> =
            FORMS.iter().map(|form| string_regex(form).expect("a form is a pattern").boxed()).collect();
        prop_oneof![
            4 => proptest::strategy::Union::new(forms),
            1 => "ey[JI][A-Za-z0-9_-]{7,12}\\.[A-Za-z0-9_/-]{7,12}(\\.[A-Za-z0-9_/-]{0,4})?",
            1 => "[a-z]{2,5}://[a-z]{0,3}:[a-z0-9]{1,4}@h",
            1 => "(AccountKey|password|Pwd)=[A-Za-z0-9]{5,9}( |;|)",
            1 => "(password|api_key|client id|x-key|token)[a-z_]{0,3}\"? ?(:|=|=>|:=|\\|\\||,) ?\"?[A-Za-z0-9+/=_.~!-]{7,20}",
            1 => "(bearer|Basic|TOKEN) {1,3}[A-Za-z0-9+/=_.~-]{19,24}",
            1 => "-----BEGIN (RSA )?PRIVATE KEY-----[a-z]{0,4}",
            1 => "[a-z.]{1,5}[@＠][a-z]{1,3}\\.(com|de)",
            1 => "(GB82WEST12345698765432|NO9386011117947|DE89 3704 0044 0532 0130 00|4111 1111 1111 1111|378282246310005|4222222222222)",
            1 => "(SSN |)[1-8][0-9]{2}([-‐ ]|)[0-9]{2}([-‐ ]|)[0-9]{4}",
            1 => "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}|[0-9a-f]{1,4}(:[0-9a-f]{0,4}){2,7}|2a00::[a-f]{1,3}",
            1 => "(call |)(\\+|00|)[0-9]{1,3}[ ./()\u{a0}\u{2009}-]{0,2}[0-9]{2,3}[ .()-]{0,2}[0-9]{2,4}(x[0-9]{1,2})?",
        ]
    }

    proptest! {
        #![proptest_config(Config { cases: 3_000, failure_persistence: None, ..Config::default() })]

        #[test]
        fn what_is_left_out_finds_nothing((before, after) in around(), value in values()) {
            check(&format!("{before}{value}{after}"));
            check(&value);
        }

        #[test]
        fn nor_in_other_texts(text in "([A-Za-z0-9:=@._+/ ,|-]|[ü\u{a0}\u{2009}\u{2010}]){0,60}") {
            check(&text);
        }

        /// The bound that is told of all forms, on each of them.
        #[test]
        fn no_token_is_shorter(form in 0..FORMS.len(), seed in any::<u64>()) {
            let mut runner = proptest::test_runner::TestRunner::new_with_rng(
                Config::default(),
                proptest::test_runner::TestRng::from_seed(
                    proptest::test_runner::RngAlgorithm::ChaCha,
                    blake_like(seed).as_slice(),
                ),
            );
            let token = string_regex(FORMS[form]).unwrap().new_tree(&mut runner).unwrap().current();
            prop_assert!(token.len() >= TOKEN_BYTES_MIN && token.bytes().all(|byte| byte.is_ascii_graphic()), "{token}");
        }
    }

    fn blake_like(seed: u64) -> [u8; 32] {
        std::array::from_fn(|index| seed.rotate_left(u32::try_from(index).unwrap() * 7).to_le_bytes()[0])
    }

    use proptest::strategy::ValueTree as _;
}
