//! What the model sees of a sentence by itself.
//!
//! Two kinds of features: n-grams of its characters and words, hashed; and named ones, made of the cues of the lexicon, which mean the same in every language, and of the sentence's shape.

use std::sync::LazyLock;

use crate::sanitize::instruction::{
    cue::Cue,
    prelude::{Classes, HEAD, START},
    rules::FAMILIES,
    score::Score,
};

/// Takes in features: sums their weights, or keeps them for training.
pub(crate) trait Sink {
    /// Whether it takes anything in at all.
    const SEES: bool = true;
    /// An n-gram of the sentence that is being looked at.
    fn gram(&mut self, hash: u32);
    /// A named feature of it.
    fn named(&mut self, feature: usize);
    /// The next features are those of the next sentence.
    fn end_sentence(&mut self);
    /// A named feature of an earlier sentence.
    fn context(&mut self, sentence: usize, feature: usize);
    /// The sum of a sentence so far, of a sink that sums.
    fn margin(&self, _sentence: usize) -> i32 {
        0
    }
    /// The next sentence is one whose sum is known.
    fn recall(&mut self, _margin: i32) {}
    /// What the surroundings of an earlier sentence add is known.
    fn recall_context(&mut self, _sentence: usize, _sum: i32) {}
}

/// Where only the rules judge.
impl Sink for () {
    const SEES: bool = false;
    fn gram(&mut self, _: u32) {}
    fn named(&mut self, _: usize) {}
    fn end_sentence(&mut self) {}
    fn context(&mut self, _: usize, _: usize) {}
}

const CLASS_MAX: usize = 96;
/// A cue is in the sentence; … and begins a clause; … and is followed by a colon.
const CLASS: usize = 0;
const CLASS_START: usize = CLASS + CLASS_MAX;
const CLASS_HEAD: usize = CLASS_START + CLASS_MAX;
/// The classes of the first cue, if it begins the sentence.
const FIRST: usize = CLASS_HEAD + CLASS_MAX;
/// A class, and the class of the cue after it.
const PAIR: usize = FIRST + CLASS_MAX;
/// Points of each family of rules, and in all.
const FAMILY_BINS: usize = 8;
const FAMILY: usize = PAIR + CLASS_MAX * CLASS_MAX;
const POINTS_BINS: usize = 16;
const POINTS: usize = FAMILY + FAMILIES * FAMILY_BINS;
/// The shape of the sentence.
const SHAPE: usize = POINTS + POINTS_BINS;
const SHAPES: usize = 64;
/// A sentence that says enough to be judged by itself.
pub(crate) const SAYS_ENOUGH: usize = SHAPE + 40;
/// A line of code.
pub(crate) const IN_CODE: usize = SHAPE + 7;
/// What stands around it: [`super::context`].
pub(super) const CONTEXT: usize = SHAPE + SHAPES;
pub(super) const CONTEXTS: usize = 512;
/// How many named features there are.
pub(crate) const FEATURES: usize = CONTEXT + CONTEXTS;

/// Two cues this far apart, in half words, are a pair.
const PAIR_GAP: u16 = 12;
/// No word has more bytes that count.
const WORD_MAX_BYTES: usize = 24;

/// Words that English hardly does without, and that hardly any other language has.
const ENGLISH: &str = "the of and is are was were with for that this from be it by or which will can have has not you your when if they use used its these to in on as at an we our all any each do does but there their then than into must should may how what where who one more also only so such no other some out up about";
const ENGLISH_BUCKETS: usize = 4096;

/// A bit for each word of [`ENGLISH`].
static ENGLISH_WORDS: LazyLock<[u64; ENGLISH_BUCKETS / 64]> = LazyLock::new(|| {
    let mut bits = [0; ENGLISH_BUCKETS / 64];
    for word in ENGLISH.split(' ') {
        let hash = word.bytes().fold(0, mix);
        let bucket = top(spread(hash ^ 0x77)) as usize % ENGLISH_BUCKETS;
        bits[bucket / 64] |= 1 << (bucket % 64);
    }
    bits
});

/// The n-grams of a folded sentence: words alone, in twos and threes, and characters by three, four and six bytes. The words' hashes are kept for the context; returned is how many of them are English.
pub(in crate::sanitize::instruction) fn grams(folded: &str, sink: &mut impl Sink, words: &mut Vec<u32>) -> u32 {
    let english_words = &*ENGLISH_WORDS;
    let mut english = 0;
    let bytes = folded.as_bytes();
    let mut hash = 0_u64;
    let mut len = 0_usize;
    let (mut last, mut before) = (0_u64, 0_u64);
    for byte in bytes.iter().copied().chain(std::iter::once(b' ')) {
        if byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'_' || byte == b'\'' {
            if len < WORD_MAX_BYTES {
                hash = mix(hash, byte);
            }
            len += 1;
        } else if len > 0 {
            let word = spread(hash ^ 0x77);
            sink.gram(top(word));
            sink.gram(top(spread(word ^ last.rotate_left(17))));
            sink.gram(top(spread(word ^ last.rotate_left(17) ^ before.rotate_left(31))));
            words.push(if len >= 4 { top(word) } else { 0 });
            let bucket = top(word) as usize % ENGLISH_BUCKETS;
            english += u32::from(english_words[bucket / 64] >> (bucket % 64) & 1 == 1);
            (before, last) = (last, word);
            (hash, len) = (0, 0);
        }
    }
    characters(bytes, sink);
    english
}

const fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ plain(byte) as u64).wrapping_mul(0x0100_0000_01b3)
}

fn characters(bytes: &[u8], sink: &mut impl Sink) {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut window = 0x20_u64;
    for (at, byte) in bytes.iter().copied().chain(std::iter::once(b' ')).enumerate() {
        window = window << 8 | u64::from(plain(byte));
        if at >= 1 {
            sink.gram(top((window & 0xff_ffff).wrapping_mul(SEED)));
        }
        if at >= 2 {
            sink.gram(top((window & 0xffff_ffff | 1 << 40).wrapping_mul(SEED)));
        }
        if at >= 4 {
            sink.gram(top((window & 0xffff_ffff_ffff | 1 << 56).wrapping_mul(SEED)));
        }
    }
}

/// Digits are all the same.
const fn plain(byte: u8) -> u8 {
    if byte.is_ascii_digit() { b'0' } else { byte }
}

const fn spread(hash: u64) -> u64 {
    let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

const fn top(hash: u64) -> u32 {
    (hash >> 36) as u32
}

/// The cues of a sentence, what the rules make of them, and its shape.
pub(in crate::sanitize::instruction) fn cues(cues: &[Cue], union: Classes, score: &Score, sink: &mut impl Sink) {
    let (mut starting, mut heading) = (0, 0);
    for (index, cue) in cues.iter().enumerate() {
        if cue.classes & START != 0 {
            starting |= cue.classes;
        }
        if cue.classes & HEAD != 0 {
            heading |= cue.classes;
        }
        if let Some(next) = cues.get(index + 1).filter(|next| next.from <= cue.to + PAIR_GAP) {
            for left in classes(cue.classes) {
                classes(next.classes).for_each(|right| sink.named(PAIR + left * CLASS_MAX + right));
            }
        }
    }
    classes(union).for_each(|class| sink.named(CLASS + class));
    classes(starting).for_each(|class| sink.named(CLASS_START + class));
    classes(heading).for_each(|class| sink.named(CLASS_HEAD + class));
    if let Some(first) = cues.first().filter(|first| first.from == 0) {
        classes(first.classes).for_each(|class| sink.named(FIRST + class));
    }
    for (family, points) in score.families.iter().enumerate() {
        if *points > 0 {
            sink.named(FAMILY + family * FAMILY_BINS + usize::from(*points / 2).min(FAMILY_BINS - 1));
        }
    }
    sink.named(POINTS + usize::from(score.points).min(POINTS_BINS - 1));
}

/// The numbers of the classes of a set.
fn classes(set: Classes) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let class = rest.trailing_zeros() as usize;
        rest &= rest.wrapping_sub(1);
        (class < CLASS_MAX).then_some(class)
    })
}

/// What a sentence looks like from afar. Returned is whether it says enough to be judged: a bracket, a name or a row of numbers is no instruction by itself.
pub(in crate::sanitize::instruction) fn shape(own: &str, words: usize, in_code: bool, sink: &mut impl Sink) -> bool {
    let bytes = own.as_bytes();
    let count = |is: fn(&u8) -> bool| bytes.iter().filter(|byte| is(byte)).count();
    let (capitals, small) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    // A letter beyond ASCII begins with one byte of this kind.
    let letters = capitals + small + count(|byte| *byte >= 0xc0);
    let is_other_script = count(|byte| *byte >= 0xc8) >= 8;
    let says_enough = letters >= 14 && letters * 2 >= bytes.len() && words >= 4 || is_other_script;
    let signs = count(|byte| matches!(byte, b'{' | b'}' | b'(' | b')' | b'=' | b';' | b'<' | b'>' | b'/' | b'\\'));
    let quotes =
        count(|byte| matches!(byte, b'"' | b'`')) + usize::from(!own.is_ascii() && own.contains(['“', '”', '«', '「']));
    let mut shape = |feature: usize, holds: bool| {
        if holds {
            sink.named(SHAPE + feature);
        }
    };
    let length = [3, 6, 10, 16, 24, 40].iter().filter(|bound| words >= **bound).count();
    shape(length, true);
    shape(IN_CODE - SHAPE, in_code);
    shape(8, own.ends_with('?'));
    shape(9, own.ends_with(':'));
    shape(10, own.ends_with('!'));
    shape(11, own.ends_with('.'));
    shape(12, quotes == 1);
    shape(13, quotes >= 2);
    shape(14, own.contains("://") || own.contains("www."));
    shape(15, own.contains('@'));
    shape(16, capitals > small && capitals >= 8);
    shape(17, capitals >= 12 && small > 0);
    shape(18, count(u8::is_ascii_digit) * 5 > bytes.len());
    shape(19, signs * 12 > bytes.len());
    shape(20, own.contains('_'));
    shape(21, !own.is_ascii());
    shape(22, bytes.iter().filter(|byte| !byte.is_ascii()).count() * 3 > bytes.len());
    shape(23, own.contains('\n'));
    let first = match bytes.first() {
        Some(b'-' | b'*' | b'+') => 24,
        Some(b'#') => 25,
        Some(b'>') => 26,
        Some(b'[' | b'<' | b'{') => 27,
        Some(b'|') => 28,
        Some(b'"' | b'\'' | b'`') => 29,
        Some(byte) if byte.is_ascii_digit() => 30,
        Some(byte) if byte.is_ascii_uppercase() => 31,
        Some(byte) if byte.is_ascii_lowercase() => 32,
        _ => 33,
    };
    shape(first, true);
    shape(34, own.contains("**") || own.contains("__"));
    shape(35, own.contains("]("));
    shape(36, own.ends_with('|'));
    shape(SAYS_ENOUGH - SHAPE, says_enough);
    says_enough
}

/// Whether a sentence has enough words for the model's verdict; a few words of another script in a text are a name or a quotation.
pub(in crate::sanitize::instruction) fn is_a_sentence(own: &str, words: usize) -> bool {
    if own.is_ascii() {
        return words >= 4 && own.bytes().filter(u8::is_ascii_alphabetic).count() >= 14;
    }
    // By the first bytes of letters: Latin; Greek, Cyrillic, Hebrew and Arabic; Indic and Thai; Chinese, Japanese and Korean.
    let (mut latin, mut spaced, mut indic, mut dense) = (0, 0, 0, 0);
    for byte in own.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => latin += 1,
            0xcd..=0xdf => spaced += 1,
            0xe0 | 0xe1 => indic += 1,
            0xe3..=0xed => dense += 1,
            _ => {}
        }
    }
    latin >= 14 && words >= 4 || spaced >= 16 && words >= 5 || indic >= 16 || dense >= 10
}

#[cfg(test)]
mod tests {
    use super::{CLASS_MAX, HEAD, classes, is_a_sentence};

    #[test]
    fn a_few_words_are_no_sentence() {
        for (text, words, expected) in [
            ("the данные данные данные.", 4, false),
            ("会议 会议", 2, false),
            ("Вышлите нам счёт за прошлый месяц.", 6, true),
            ("请在星期五之前把表格交给我们。", 1, true),
            ("Send us the bill.", 4, false),
            ("Send us the last bill.", 5, true),
        ] {
            assert_eq!(is_a_sentence(text, words), expected, "{text}");
        }
    }

    #[test]
    fn every_class_has_its_features() {
        assert!((HEAD.trailing_zeros() as usize) < CLASS_MAX);
        assert_eq!(classes(0b1010_0001).collect::<Vec<_>>(), [0, 5, 7]);
    }
}
