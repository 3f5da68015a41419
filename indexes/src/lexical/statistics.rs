//! What is counted over a scope before anything is scored.
//!
//! Collections of one scope may have different analyzers. A word of the query becomes a term of each; how rare it is, is counted over all of them together,
//! so that one word weighs the same wherever it stands, and how long a passage is, is compared with those that were cut alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use crate::{
    lexical::{
        analyzer::Stems,
        forward::Forward,
        kind::AnalyzerKind,
        postings::{Place, Word},
        prefix::Prefix,
        query::Words,
    },
    segment::LiveSegment,
};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Lengths and frequencies below these have their part of the formula computed once a search.
const LENGTHS_KEPT: usize = 256;
const FREQUENCIES_KEPT: usize = 2;
/// Of fewer rows, each has its part computed: the list would cost more.
const LIST_ROWS_MIN: u64 = 512;
/// What f64 may have rounded off a bound.
const ROUNDING: f64 = 1.0 + 1e-9;

/// Where a term's rows lie in one segment.
pub(super) struct List {
    pub(super) segment: usize,
    pub(super) term: usize,
    rows: Rows,
}

enum Rows {
    Place(Place),
    /// Of several terms together.
    Joined(Vec<(u32, u32)>),
}

impl List {
    /// The rows, rising, and how often each has the term.
    pub(super) fn read(&self, live: &LiveSegment, mut each: impl FnMut(u32, u32)) {
        match &self.rows {
            Rows::Place(place) => live.segment.postings.read(place, each),
            Rows::Joined(rows) => rows.iter().for_each(|(row, count)| each(*row, *count)),
        }
    }

    /// How many live rows have the term.
    fn live_count(&self, live: &LiveSegment) -> u64 {
        if let (true, Rows::Place(place)) = (live.is_whole(), &self.rows) {
            return u64::from(place.count());
        }
        let mut count = 0;
        self.read(live, |row, _| count += u64::from(live.is_live(row as usize)));
        count
    }
}

/// Counts over the live rows of a scope.
pub(super) struct Statistics {
    /// Segment by segment, in each the weightiest term first.
    pub(super) lists: Vec<List>,
    /// The weight of each term, falling: for each word of the query that it stands for, how often it is asked times how rare it is.
    pub(super) weights: Vec<f64>,
    /// What no sum of a term and those after it reaches.
    pub(super) bounds: Vec<f64>,
    lengths: BTreeMap<AnalyzerKind, Lengths>,
}

impl Statistics {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn of(segments: &[&LiveSegment], query: &Words) -> Self {
        let mut totals: BTreeMap<AnalyzerKind, (u64, u64)> = BTreeMap::new();
        for live in segments {
            let (rows, length) = totals.entry(live.segment.analyzer).or_default();
            *rows += live.live_rows as u64;
            *length += live.live_length;
        }
        let count: u64 = totals.values().map(|(rows, _)| rows).sum();
        let asked = Asked::new(query, totals.keys().copied());
        let lists = asked.lists(segments);
        let mut having = vec![0_u64; asked.terms.len()];
        lists.iter().for_each(|list| having[list.term] += list.live_count(segments[list.segment]));
        let mut having_word = vec![0_u64; asked.times.len()];
        for (term, having) in asked.terms.iter().zip(&having) {
            term.words.iter().for_each(|word| having_word[*word] += having);
        }
        let idf = |having: u64| (1.0 + (count as f64 - having as f64 + 0.5) / (having as f64 + 0.5)).ln();
        let weight =
            |term: &Term| term.words.iter().map(|word| f64::from(asked.times[*word]) * idf(having_word[*word])).sum();
        let weights = asked.terms.iter().map(weight).collect();
        let average = |(rows, length): (u64, u64)| if rows == 0 { 0.0 } else { length as f64 / rows as f64 };
        let lengths = totals.into_iter().map(|(kind, total)| (kind, Lengths::new(average(total), total.0))).collect();
        Self { lists, weights, bounds: Vec::new(), lengths }.by_weight()
    }

    /// Renumbers the terms by falling weight; equal weights keep the order of analyzers and of the bytes of terms.
    fn by_weight(mut self) -> Self {
        let mut order: Vec<usize> = (0..self.weights.len()).collect();
        order.sort_by(|left, right| self.weights[*right].total_cmp(&self.weights[*left]));
        let mut rank = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, term)| rank[*term] = place);
        self.lists.iter_mut().for_each(|list| list.term = rank[list.term]);
        self.lists.sort_by_key(|list| (list.segment, list.term));
        self.weights = order.into_iter().map(|term| self.weights[term]).collect();
        self.bounds = self.weights.iter().map(|weight| weight * (K1 + 1.0) * ROUNDING).collect();
        for term in (1..self.bounds.len()).rev() {
            self.bounds[term - 1] += self.bounds[term];
        }
        self
    }

    /// How lengths count in a segment.
    pub(super) fn lengths(&self, live: &LiveSegment) -> &Lengths {
        self.lengths.get(&live.segment.analyzer).expect("every analyzer of the scope was counted")
    }
}

/// A term of one analyzer, and the words of the query that it stands for.
struct Term {
    kind: AnalyzerKind,
    sought: Sought,
    words: Vec<usize>,
}

enum Sought {
    Whole(Box<str>),
    Beginning(Prefix),
}

/// The query in the terms of each analyzer of a scope.
struct Asked {
    /// How often each word is asked.
    times: Vec<u32>,
    /// By analyzer, then by the bytes of the term; one that goes on is the last.
    terms: Vec<Term>,
}

impl Asked {
    fn new(query: &Words, kinds: impl Iterator<Item = AnalyzerKind>) -> Self {
        let mut times: Vec<u32> = query.counts.values().copied().collect();
        times.extend(query.prefix.as_ref().map(|_| 1));
        let mut terms = Vec::new();
        for kind in kinds {
            let mut stems = Stems::new(kind);
            let mut words: BTreeMap<Box<str>, Vec<usize>> = BTreeMap::new();
            for (place, word) in query.counts.keys().enumerate() {
                words.entry(stems.of(word)).or_default().push(place);
            }
            terms.extend(words.into_iter().map(|(term, words)| Term { kind, sought: Sought::Whole(term), words }));
            terms.extend(query.prefix.as_ref().map(|beginning| Term {
                kind,
                sought: Sought::Beginning(Prefix::new(kind, beginning)),
                words: vec![times.len() - 1],
            }));
        }
        Self { times, terms }
    }

    fn lists(&self, segments: &[&LiveSegment]) -> Vec<List> {
        let hashed = |term: &Term| match &term.sought {
            Sought::Whole(word) => Word::new(word).hash,
            Sought::Beginning(_) => 0,
        };
        let hashes: Vec<u32> = self.terms.iter().map(hashed).collect();
        let mut lists = Vec::new();
        for (segment, live) in segments.iter().enumerate() {
            let start = self.terms.partition_point(|term| term.kind < live.segment.analyzer);
            let own = self.terms[start..].iter().take_while(|term| term.kind == live.segment.analyzer);
            let postings = &live.segment.postings;
            if let Some(forward) = postings.forward() {
                let found = by_row(live, forward, own.clone().zip(&hashes[start..]));
                let found = (start..).zip(found).filter(|(_, rows)| !rows.is_empty());
                lists.extend(found.map(|(term, rows)| List { segment, term, rows: Rows::Joined(rows) }));
                continue;
            }
            for (term, asked) in (start..).zip(own) {
                let rows = match &asked.sought {
                    Sought::Whole(word) => postings.find(Word { hash: hashes[term], term: word }).map(Rows::Place),
                    Sought::Beginning(prefix) => Some(Rows::Joined(prefix.rows(postings))),
                };
                lists.extend(rows.map(|rows| List { segment, term, rows }));
            }
        }
        lists
    }
}

/// The live rows of a slab that have each of these terms, and how often. Each row is looked at once.
fn by_row<'a>(
    live: &LiveSegment,
    forward: &Forward,
    terms: impl Iterator<Item = (&'a Term, &'a u32)>,
) -> Vec<Vec<(u32, u32)>> {
    let terms: Vec<(&Term, u32)> = terms.map(|(term, hash)| (term, *hash)).collect();
    let mut found = vec![Vec::new(); terms.len()];
    for row in live.ranges().flatten() {
        for ((asked, hash), found) in terms.iter().zip(&mut found) {
            let count = match &asked.sought {
                Sought::Whole(word) => forward.count(row, Word { hash: *hash, term: word }),
                Sought::Beginning(prefix) => prefix.count(forward, row),
            };
            if let Some(count) = count.filter(|_| live.is_live(row)) {
                found.push((u32::try_from(row).expect("rows are counted in 32 bits"), count));
            }
        }
    }
    found
}

/// How length and frequency count beside an average length.
pub(super) struct Lengths {
    average: f64,
    rows: u64,
    /// The part of the formula for few and short; made when first asked for.
    parts: OnceLock<Vec<[f64; FREQUENCIES_KEPT]>>,
}

impl Lengths {
    fn new(average: f64, rows: u64) -> Self {
        Self { average, rows, parts: OnceLock::new() }
    }

    /// The parts of short rows, to be handed to [`Self::part`].
    pub(super) fn parts(&self) -> &[[f64; FREQUENCIES_KEPT]] {
        if self.rows < LIST_ROWS_MIN {
            return &[];
        }
        let parts = |length| [1, 2].map(|frequency| self.compute(frequency, length));
        self.parts.get_or_init(|| (0_u32..).take(LENGTHS_KEPT).map(parts).collect())
    }

    /// The part of the formula that frequency and length make.
    pub(super) fn part(&self, parts: &[[f64; FREQUENCIES_KEPT]], frequency: u32, length: u32) -> f64 {
        let known = parts.get(length as usize).and_then(|parts| parts.get((frequency as usize).wrapping_sub(1)));
        known.copied().unwrap_or_else(|| self.compute(frequency, length))
    }

    fn compute(&self, frequency: u32, length: u32) -> f64 {
        let (frequency, length) = (f64::from(frequency), f64::from(length));
        frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * length / self.average))
    }
}

/// The terms of a query's words under one analyzer, each once.
pub(super) fn terms_of<'a>(kind: AnalyzerKind, words: impl Iterator<Item = &'a str>) -> BTreeSet<Box<str>> {
    let mut stems = Stems::new(kind);
    words.map(|word| stems.of(word)).collect()
}
