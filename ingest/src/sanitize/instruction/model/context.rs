//! What the model sees around a sentence: its neighbours, and whether it speaks of what they speak of.
//!
//! Everything is counted in a window of some sentences, so that a sentence of a long document is judged like one of a short one, and so that the work is linear.

use std::collections::VecDeque;

use super::features::{CONTEXT, CONTEXTS, Sink};

/// So many sentences before and after are the surroundings.
pub(crate) const WINDOW: usize = 10;
/// Buckets of the words in the window.
const BUCKETS: usize = 4096;

/// What the context needs to know of a sentence.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glance {
    /// Points of the rules.
    pub(crate) points: u16,
    /// Begins as a command does.
    pub(crate) begins: bool,
    /// Speaks to someone.
    pub(crate) speaks: bool,
    /// Speaks about attacks, prompts or models.
    pub(crate) about: bool,
    /// Is in another language than the document.
    pub(crate) foreign: bool,
    pub(crate) in_code: bool,
    pub(crate) asks: bool,
    pub(crate) paragraph: u32,
    /// How many of its words only English has.
    pub(crate) english: u32,
    /// Where its words begin and end in the list of all words.
    pub(crate) words: (u32, u32),
}

/// Adds the features of the context to every sentence, or the sum of them where it is known.
pub(crate) fn add(glances: &[Glance], words: &[u32], known: &[Option<i32>], sink: &mut impl Sink) {
    let mut window = Window::new(words);
    for (index, glance) in glances.iter().enumerate() {
        if let Some(sum) = known.get(index).copied().flatten() {
            sink.recall_context(index, sum);
            continue;
        }
        window.move_to(index, glances);
        sentence(index, glance, glances, &window, sink);
    }
}

/// Words and sentences near the one that is looked at.
struct Window<'a> {
    words: &'a [u32],
    counts: Vec<u16>,
    inside: VecDeque<Glance>,
    /// The number of the first sentence inside, and of the first behind it.
    first: usize,
    end: usize,
    begins: usize,
    about: usize,
    points: usize,
    code: usize,
    english: usize,
    all_words: usize,
}

impl<'a> Window<'a> {
    fn new(words: &'a [u32]) -> Self {
        Self {
            words,
            counts: vec![0; BUCKETS],
            inside: VecDeque::new(),
            first: 0,
            end: 0,
            begins: 0,
            about: 0,
            points: 0,
            code: 0,
            english: 0,
            all_words: 0,
        }
    }

    fn own(&self, glance: &Glance) -> &'a [u32] {
        self.words.get(glance.words.0 as usize..glance.words.1 as usize).unwrap_or_default()
    }

    /// Moves forward to the surroundings of a sentence.
    fn move_to(&mut self, index: usize, glances: &[Glance]) {
        let first = index.saturating_sub(WINDOW);
        while self.first < first.min(self.end) {
            self.leave();
        }
        if self.end < first {
            (self.first, self.end) = (first, first);
        }
        for next in &glances[self.end..glances.len().min(index + WINDOW + 1)] {
            self.enter(next);
        }
    }

    fn enter(&mut self, glance: &Glance) {
        self.end += 1;
        for word in self.own(glance) {
            self.counts[*word as usize % BUCKETS] += 1;
        }
        self.begins += usize::from(glance.begins);
        self.about += usize::from(glance.about);
        self.points += usize::from(glance.points.min(8));
        self.code += usize::from(glance.in_code);
        self.english += glance.english as usize;
        self.all_words += self.own(glance).len();
        self.inside.push_back(*glance);
    }

    fn leave(&mut self) {
        let Some(glance) = self.inside.pop_front() else { return };
        self.first += 1;
        for word in self.own(&glance) {
            self.counts[*word as usize % BUCKETS] -= 1;
        }
        self.begins -= usize::from(glance.begins);
        self.about -= usize::from(glance.about);
        self.points -= usize::from(glance.points.min(8));
        self.code -= usize::from(glance.in_code);
        self.english -= glance.english as usize;
        self.all_words -= self.own(&glance).len();
    }

    /// How many of a sentence's longer words stand elsewhere in the window, and how many it has.
    fn shared(&self, glance: &Glance) -> (usize, usize) {
        let own = self.own(glance);
        let long = own.iter().filter(|word| **word != 0);
        let mut count = 0;
        let mut shared = 0;
        for word in long {
            count += 1;
            // Most words of a text stand nowhere else near, which needs no counting.
            let all = usize::from(self.counts[*word as usize % BUCKETS]);
            shared += usize::from(all > 1 && all > own.iter().filter(|other| *other == word).count());
        }
        (shared, count)
    }
}

fn sentence(index: usize, glance: &Glance, glances: &[Glance], window: &Window<'_>, sink: &mut impl Sink) {
    let mut add = |feature: usize| {
        debug_assert!(feature < CONTEXTS);
        sink.context(index, CONTEXT + feature);
    };
    let others = window.inside.len().saturating_sub(1);
    let (shared, count) = window.shared(glance);
    // Without company or without words of its own there is nothing to share.
    let overlap = if others < 3 || count < 2 { 0 } else { 1 + (shared * 5).div_ceil(count).min(5) };
    let kind = usize::from(glance.begins) | usize::from(glance.speaks) << 1 | usize::from(glance.asks) << 2;
    add(overlap);
    add(8 + overlap * 8 + kind);
    let bin = |part: usize, whole: usize| {
        if whole == 0 { 0 } else { [0, 10, 25, 50].iter().filter(|bound| part * 100 > **bound * whole).count() }
    };
    let commands = bin(window.begins.saturating_sub(usize::from(glance.begins)), others);
    let about = bin(window.about.saturating_sub(usize::from(glance.about)), others);
    add(80 + commands * 8 + kind);
    add(120 + about * 2 + usize::from(glance.about));
    add(130 + about * 8 + kind);
    let near = (window.points - usize::from(glance.points.min(8))) * 2 / others.max(1);
    add(170 + near.min(9));
    add(180 + bin(window.code, others + 1) * 2 + usize::from(glance.in_code));
    if glance.foreign {
        add(192 + kind);
        add(200 + usize::from(glance.points.min(8)) / 2);
    }
    add(300 + tongue(glance, window) * 2 + usize::from(glance.in_code));
    neighbour(index.checked_sub(1).and_then(|before| glances.get(before)), glance, 210, &mut add);
    neighbour(glances.get(index + 1), glance, 250, &mut add);
    add(290 + [0, 1, 3, 8, 20].iter().filter(|bound| others > **bound).count());
}

/// How English a sentence is, and how English its surroundings are.
fn tongue(glance: &Glance, window: &Window<'_>) -> usize {
    let own = window.own(glance).len();
    let share = |english: usize, words: usize, least: usize, bounds: [usize; 2]| {
        if words < least {
            0
        } else {
            1 + usize::from(english > 0) + bounds.iter().filter(|bound| english * 100 >= **bound * words).count()
        }
    };
    let here = share(glance.english as usize, own, 5, [10, 25]);
    let around = share(window.english - glance.english as usize, window.all_words - own, 20, [10, 20]);
    here * 5 + around + 25 * usize::from(own >= 9)
}

/// The sentence before or after: how far, and how much it looks like an instruction.
fn neighbour(other: Option<&Glance>, own: &Glance, base: usize, add: &mut impl FnMut(usize)) {
    let Some(other) = other else {
        add(base);
        return;
    };
    let near = usize::from(other.paragraph == own.paragraph);
    add(base + 1 + near);
    add(base + 3 + near * 8 + usize::from(other.points).min(14) / 2);
    add(base + 20 + near * 4 + usize::from(other.begins) * 2 + usize::from(other.speaks));
    if other.foreign != own.foreign {
        add(base + 30);
    }
}

#[cfg(test)]
mod tests {
    use super::{Glance, Sink, add};

    #[derive(Default)]
    struct Seen(Vec<Vec<usize>>);

    impl Sink for Seen {
        fn gram(&mut self, _: u32) {}
        fn named(&mut self, _: usize) {}
        fn end_sentence(&mut self) {}
        fn context(&mut self, sentence: usize, feature: usize) {
            self.0.resize((sentence + 1).max(self.0.len()), Vec::new());
            self.0[sentence].push(feature);
        }
    }

    fn seen(count: u32) -> Vec<Vec<usize>> {
        let glance =
            |number: u32| Glance { words: (number * 3, number * 3 + 3), paragraph: number, ..Glance::default() };
        let glances: Vec<Glance> = (0..count).map(glance).collect();
        let words: Vec<u32> = (0..count * 3).map(|word| word % 7 + 1).collect();
        let mut seen = Seen::default();
        add(&glances, &words, &[], &mut seen);
        seen.0
    }

    #[test]
    fn a_sentence_sees_its_window_and_no_further() {
        let (short, long) = (seen(31), seen(400));
        assert_eq!(short.len(), 31);
        // The same surroundings, the same features: far from both ends, with the same words near.
        assert_eq!(long[35], long[35 + 7 * 20]);
        assert_eq!(short[15], long[15]);
    }
}
