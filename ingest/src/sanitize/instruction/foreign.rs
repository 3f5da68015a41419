//! Sentences in another language than their document.
//!
//! Honest documents quote other languages, so this is no evidence by itself; together with a second person, a request or a question it is.

/// Whether a word is a function word of English that hardly any other language has.
fn is_english_word(word: &str) -> bool {
    matches!(
        word,
        "the"
            | "of"
            | "and"
            | "is"
            | "are"
            | "was"
            | "with"
            | "for"
            | "that"
            | "this"
            | "from"
            | "be"
            | "it"
            | "by"
            | "or"
            | "which"
            | "will"
            | "can"
            | "have"
            | "has"
            | "not"
            | "you"
            | "your"
            | "when"
            | "if"
            | "they"
            | "use"
            | "used"
            | "its"
            | "these"
    )
}

/// Fewer words are too few to tell.
const WORDS_MIN: usize = 6;

/// What a sentence is written in, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tongue {
    /// Too short to tell, or mixed.
    #[default]
    Unclear,
    English,
    /// Another language in Latin letters.
    Latin,
    /// Another script.
    Script,
}

/// Tells the tongue of a folded sentence; `accents` says how many of its letters had accents.
pub(super) fn tongue(folded: &str, accents: usize) -> Tongue {
    let ascii = folded.bytes().filter(u8::is_ascii_alphabetic).count();
    let letters = folded.chars().filter(|character| character.is_alphabetic()).count();
    if letters >= 12 && ascii * 2 < letters {
        return Tongue::Script;
    }
    let (mut words, mut english) = (0, 0);
    for word in folded.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words += 1;
        english += usize::from(is_english_word(word));
    }
    if words < WORDS_MIN {
        Tongue::Unclear
    } else if english * 12 < words && accents >= 2 {
        Tongue::Latin
    } else if english * 10 >= words {
        Tongue::English
    } else {
        Tongue::Unclear
    }
}

/// Whether a document speaks English but for a few sentences: of each its tongue, how many letters it has, and whether it is code, which speaks English in every language.
pub(super) fn is_english(sentences: impl Iterator<Item = (Tongue, usize, bool)>) -> bool {
    let (mut sure, mut english, mut foreign) = (0_usize, 0_usize, 0_usize);
    for (tongue, letters, in_code) in sentences {
        match tongue {
            Tongue::Latin | Tongue::Script => foreign += letters,
            _ if in_code => {}
            Tongue::English => {
                sure += 1;
                english += letters;
            }
            Tongue::Unclear => english += letters,
        }
    }
    sure >= 3 && foreign * 2 <= english
}
