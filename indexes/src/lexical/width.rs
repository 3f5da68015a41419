//! Widths: the same letter is typed full-width or half-width, and is one letter.

/// Half-width katakana from U+FF65 on, in the order of their numbers.
const KATAKANA: &str = "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
const VOICED: char = '\u{ff9e}';
const HALF_VOICED: char = '\u{ff9f}';

/// The characters of a text with widths folded: full-width forms to ASCII, half-width katakana with their marks to whole ones.
pub(crate) fn fold(text: &str) -> Vec<char> {
    let mut folded = Vec::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{ff01}'..='\u{ff5e}' => folded.extend(char::from_u32(u32::from(character) - 0xfee0)),
            '\u{ff65}'..='\u{ff9d}' => folded.push(whole(character)),
            VOICED | HALF_VOICED => match folded.last_mut() {
                Some(last) if voiced(*last, character).is_some() => *last = voiced(*last, character).unwrap_or(*last),
                _ => folded.push(if character == VOICED { '゛' } else { '゜' }),
            },
            other => folded.push(other),
        }
    }
    folded
}

fn whole(character: char) -> char {
    let place = (u32::from(character) - 0xff65) as usize;
    KATAKANA.chars().nth(place).unwrap_or(character)
}

/// A katakana with its mark. The marked one follows the plain one in Unicode.
fn voiced(character: char, mark: char) -> Option<char> {
    let step = match (character, mark) {
        ('ウ', VOICED) => return Some('ヴ'),
        ('カ'..='ト' | 'ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ', VOICED) => 1,
        ('ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ', HALF_VOICED) => 2,
        _ => return None,
    };
    char::from_u32(u32::from(character) + step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(fold(text).into_iter().collect::<String>(), expected);
    }

    #[test]
    fn folds_what_is_typed_wide_or_narrow() {
        check("ＡＰＩ２４", "API24");
        check("ｶﾞｲﾄﾞ ﾊﾟｽﾜｰﾄﾞ", "ガイド パスワード");
        check("ｳﾞｧｲｵﾘﾝ", "ヴァイオリン");
        check("Straße 鍵", "Straße 鍵");
        check("ﾞ", "゛");
        check("aﾞ", "a゛");
    }
}
