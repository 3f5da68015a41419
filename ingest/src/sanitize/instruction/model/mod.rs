//! A small trained model beside the rules: how much a sentence looks like an instruction to a machine, learned from examples.
//!
//! A linear model over the features of [`features`] and [`context`]: hashed character and word n-grams in a table of bytes, and some thousands of named features. A margin is a sum of small integers, so that it is the same on every machine. `cargo xtask train-sanitizer` makes the file; `ingest/model/README.md` is its model card.

pub(crate) mod context;
pub(crate) mod features;

use std::{borrow::Cow, sync::LazyLock};

use self::features::{FEATURES, Sink};

/// The table of n-grams has so many bits of address.
pub(crate) const GRAM_BITS: u32 = 18;
/// One in the unit of a margin: margins are log-odds in 256ths.
pub(crate) const ONE: i32 = 256;
/// One in the unit of a weight of the table.
pub(crate) const GRAM_ONE: i32 = 32;

const MAGIC: &[u8; 8] = b"RFSANIT1";
const HEADER_BYTES: usize = MAGIC.len() + 4 * 4;
const GRAMS: usize = 1 << GRAM_BITS;
/// The length of a model's file.
pub(crate) const MODEL_BYTES: usize = HEADER_BYTES + GRAMS + 2 * FEATURES;

/// The file that ships, next to its model card.
static SHIPPED_BYTES: &[u8] = include_bytes!("../../../../model/sanitizer.bin");

/// The model that ships.
pub(crate) static SHIPPED: LazyLock<Model> =
    LazyLock::new(|| Model::read(Cow::Borrowed(SHIPPED_BYTES)).expect("the file is a constant and tested"));

/// Which model ships: the beginning of its file's digest.
pub(crate) fn shipped_digest() -> String {
    blake3::hash(SHIPPED_BYTES).to_hex()[..8].to_owned()
}

/// Where the model draws its lines, in the unit of a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// A sentence at or above is an instruction by itself.
    pub(crate) seed: i32,
    /// A sentence at or above is one beside a sentence that is.
    pub(crate) beside: i32,
    /// A sentence that the rules find stays if its margin is below.
    pub(crate) veto: i32,
}

/// Weights and lines.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    bytes: Cow<'static, [u8]>,
    named: Vec<i16>,
    bias: i32,
    pub(crate) lines: Lines,
}

impl Model {
    /// Reads a model's file; `None` if it is none.
    pub(crate) fn read(bytes: Cow<'static, [u8]>) -> Option<Self> {
        if bytes.len() != MODEL_BYTES || !bytes.starts_with(MAGIC) {
            return None;
        }
        let number = |index: usize| {
            let at = MAGIC.len() + 4 * index;
            bytes.get(at..at + 4).and_then(|own| own.try_into().ok()).map(i32::from_le_bytes)
        };
        let (bias, seed, beside, veto) = (number(0)?, number(1)?, number(2)?, number(3)?);
        let named =
            bytes[HEADER_BYTES + GRAMS..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(Self { bytes, named, bias, lines: Lines { seed, beside, veto } })
    }

    /// The file of a model.
    #[cfg(any(test, feature = "training"))]
    pub(crate) fn write(grams: &[i8], named: &[i16], bias: i32, lines: Lines) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [bias, lines.seed, lines.beside, lines.veto] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend(grams.iter().flat_map(|weight| weight.to_le_bytes()));
        bytes.extend(named.iter().flat_map(|weight| weight.to_le_bytes()));
        bytes
    }

    fn grams(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..HEADER_BYTES + GRAMS]
    }
}

/// The weight of an n-gram in the table.
fn gram(grams: &[u8], hash: u32) -> i32 {
    i8::from_le_bytes([grams[hash as usize & (GRAMS - 1)]]).into()
}

/// Sums weights up to the margins of sentences.
pub(crate) struct Margins<'a> {
    grams: &'a [u8],
    named: &'a [i16],
    bias: i32,
    sums: Vec<i32>,
    gram_sum: i32,
    gram_count: u32,
    named_sum: i32,
}

impl<'a> Margins<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        let (grams, named, bias) = (model.grams(), model.named.as_slice(), model.bias);
        Self { grams, named, bias, sums: Vec::new(), gram_sum: 0, gram_count: 0, named_sum: 0 }
    }

    /// The margins of the sentences, in order.
    pub(crate) fn finish(self) -> Vec<i32> {
        self.sums
    }
}

impl Sink for Margins<'_> {
    #[inline]
    fn gram(&mut self, hash: u32) {
        self.gram_sum = self.gram_sum.saturating_add(gram(self.grams, hash));
        self.gram_count += 1;
    }

    #[inline]
    fn named(&mut self, feature: usize) {
        self.named_sum += i32::from(self.named.get(feature).copied().unwrap_or_default());
    }

    fn end_sentence(&mut self) {
        // In 64 bits: a sentence may be as long as its document.
        let scaled = i64::from(self.gram_sum) * i64::from(ONE / GRAM_ONE) * 256;
        let grams = scaled / i64::from(root_256(self.gram_count.max(1)));
        let grams = i32::try_from(grams).unwrap_or(if grams < 0 { i32::MIN } else { i32::MAX });
        self.sums.push(self.bias.saturating_add(grams).saturating_add(self.named_sum));
        (self.gram_sum, self.gram_count, self.named_sum) = (0, 0, 0);
    }

    fn context(&mut self, sentence: usize, feature: usize) {
        if let Some(sum) = self.sums.get_mut(sentence) {
            *sum += i32::from(self.named.get(feature).copied().unwrap_or_default());
        }
    }

    fn margin(&self, sentence: usize) -> i32 {
        self.sums.get(sentence).copied().unwrap_or_default()
    }

    fn recall(&mut self, margin: i32) {
        self.sums.push(margin);
    }

    fn recall_context(&mut self, sentence: usize, sum: i32) {
        if let Some(own) = self.sums.get_mut(sentence) {
            *own += sum;
        }
    }
}

/// The square root of a count in 256ths, rounded down.
fn root_256(count: u32) -> i32 {
    i32::try_from((u64::from(count) << 16).isqrt()).unwrap_or(i32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{FEATURES, GRAMS, Lines, Model, SHIPPED, gram, root_256};

    #[test]
    fn a_model_survives_its_file() {
        let lines = Lines { seed: 700, beside: -3, veto: -900 };
        let mut grams = vec![0_i8; GRAMS];
        grams[7] = -128;
        let mut named = vec![0_i16; FEATURES];
        named[3] = i16::MIN;
        let bytes = Model::write(&grams, &named, -1234, lines);
        let model = Model::read(Cow::Owned(bytes.clone())).expect("it was just written");
        assert_eq!((model.bias, model.lines, gram(model.grams(), 7), model.named[3]), (-1234, lines, -128, i16::MIN));
        assert!(Model::read(Cow::Owned(bytes[1..].to_vec())).is_none());
    }

    #[test]
    fn the_file_that_ships_is_a_model() {
        assert!(SHIPPED.lines.seed > SHIPPED.lines.beside && SHIPPED.lines.beside > SHIPPED.lines.veto);
        assert_eq!([1, 4, 100].map(root_256), [256, 512, 2560]);
    }
}
