//! Sketches of passages: how alike two texts are, without comparing the texts.
//!
//! One-permutation MinHash over shingles of three words (Li, Owen, Zhang 2012).
//! A sketch is a function of the text alone, so which of two passages is dropped never depends on a third.

/// How many bins a sketch has; the estimate's standard deviation at 0.9 is below 0.04.
const BINS: usize = 64;
/// Words a shingle spans.
const SHINGLE_WORDS: usize = 3;
/// Bins without a shingle.
const EMPTY: u16 = u16::MAX;
/// From this likeness on two passages say the same.
const DUPLICATE: f32 = 0.9;

/// The sketch of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sketch([u16; BINS]);

impl Sketch {
    pub(crate) fn of(text: &str) -> Self {
        let mut bins = [EMPTY; BINS];
        let words: Vec<u64> = text.split_whitespace().map(hash_word).collect();
        let width = SHINGLE_WORDS.min(words.len().max(1));
        for shingle in words.windows(width) {
            let hash = shingle.iter().fold(0x9e37_79b9_7f4a_7c15, |hash: u64, word| mix(hash ^ word));
            let bin = usize::try_from(hash >> 58).expect("six bits index 64 bins");
            let value = u16::try_from(hash & 0xffff).expect("sixteen bits").min(EMPTY - 1);
            bins[bin] = bins[bin].min(value);
        }
        Self(bins)
    }

    /// Whether the estimated Jaccard similarity says that the texts are near-duplicates. A text without words has none.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        self.likeness(other) >= DUPLICATE
    }

    /// The estimated Jaccard similarity, 0 where neither text has words.
    #[expect(clippy::cast_precision_loss, reason = "at most 64")]
    pub(crate) fn likeness(&self, other: &Self) -> f32 {
        let pairs = || self.0.iter().zip(&other.0).filter(|(left, right)| **left != EMPTY || **right != EMPTY);
        let equal = pairs().filter(|(left, right)| left == right).count();
        let count = pairs().count();
        if count == 0 { 0.0 } else { equal as f32 / count as f32 }
    }
}

/// FNV-1a over the lower-cased letters and digits, so that case and punctuation do not count.
fn hash_word(word: &str) -> u64 {
    let letters = word.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase);
    let hash = letters.fold(0xcbf2_9ce4_8422_2325, |hash: u64, letter| {
        (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

/// The finaliser of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: bool) {
        assert_eq!(Sketch::of(left).is_near(&Sketch::of(right)), expected);
        assert_eq!(Sketch::of(right).is_near(&Sketch::of(left)), expected);
    }

    #[test]
    fn tells_copies_from_others() {
        let text: String = (0..200).map(|index| format!("word{index} ")).collect();
        let other: String = (0..200).map(|index| format!("term{index} ")).collect();
        check(&text, &text, true);
        check(&text, &text.to_uppercase().replace(' ', ",  "), true);
        check(&text, &format!("{text} postscript"), true);
        check(&text, &other, false);
        check(&text, &format!("{text}{other}"), false);
        check("", "", false);
        check("one", "two", false);
        check("one", "One!", true);
    }
}
