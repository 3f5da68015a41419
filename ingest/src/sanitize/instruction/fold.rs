//! A sentence as the lexicon spells it: lower case, without accents, with one space between words.
//!
//! Full-width, mathematical and enclosed letters become plain ones on the way.

use unicode_normalization::UnicodeNormalization as _;

/// Folds a sentence.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Folds a sentence into a buffer that is used again.
pub(super) fn fold_into(text: &str, folded: &mut String) {
    folded.clear();
    let mut spaced = true;
    for character in text.chars() {
        if character.is_ascii() {
            let space = character.is_ascii_whitespace();
            if !space {
                folded.push(character.to_ascii_lowercase());
            } else if !spaced {
                folded.push(' ');
            }
            spaced = space;
        } else {
            fold_beyond_ascii(character, folded);
            spaced = folded.ends_with(' ');
        }
    }
}

fn fold_beyond_ascii(character: char, folded: &mut String) {
    match character {
        '‘' | '’' | 'ʼ' | '′' => folded.push('\''),
        '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' => folded.push('"'),
        character if character.is_whitespace() => {
            if !folded.ends_with(' ') {
                folded.push(' ');
            }
        }
        // Negative squared and circled letters have no compatibility form.
        '\u{1f130}'..='\u{1f149}' => push_letter(character, 0x1f130, folded),
        '\u{1f150}'..='\u{1f169}' => push_letter(character, 0x1f150, folded),
        '\u{1f170}'..='\u{1f189}' => push_letter(character, 0x1f170, folded),
        '\u{1f1e6}'..='\u{1f1ff}' => push_letter(character, 0x1f1e6, folded),
        character => {
            for part in std::iter::once(character).nfkd().flat_map(char::to_lowercase) {
                if !matches!(part, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{ad}') {
                    folded.push(part);
                }
            }
        }
    }
}

fn push_letter(character: char, base: u32, folded: &mut String) {
    let offset = u8::try_from(u32::from(character) - base).unwrap_or(0);
    folded.push(char::from(b'a' + offset.min(25)));
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn spellings_become_one() {
        assert_eq!(fold("Ignoré  ALL\n“that”"), "ignore all \"that\"");
        assert_eq!(fold("ｉｇｎｏｒｅ 𝐢𝐠𝐧𝐨𝐫𝐞 ⓘⓖⓝⓞⓡⓔ 🅸🅶🅽🅾🆁🅴"), "ignore ignore ignore ignore");
    }
}
