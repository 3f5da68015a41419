//! Which of the ranked rows make the answer: the best ones, without what is over a document's share, repeats a better one, or scores too little.
//!
//! With diversity asked for, rows are chosen one by one by maximal marginal relevance (Carbonell and Goldstein 1998):
//! each time the one with the largest `(1 - d) · score - d · likeness` to those already chosen. The chosen are listed by score all the same.
//! Everything compared is a row of the ranking, so it lies in the scope.

use std::sync::Arc;

use crate::{
    document::DocumentRecord,
    error::EngineError,
    fusion::Candidate,
    search::{Hit, SearchRequest},
    segment::{LiveSegment, Row},
    sketch::Sketch,
    vector::flat::{compare, rank},
};

/// Rows that are looked at for each one wanted, where the answer is to be diverse.
pub(crate) const POOL_FACTOR: usize = 4;

/// The rows that make the answer, and whether no deeper list could add one.
pub(crate) struct Chosen {
    /// Places among the candidates, rising.
    pub(crate) places: Vec<usize>,
    pub(crate) is_final: bool,
}

/// Chooses among candidates, which are ranked best first.
pub(crate) fn choose(
    segments: &[&LiveSegment],
    candidates: &[Candidate],
    request: &SearchRequest<'_>,
) -> Result<Chosen, EngineError> {
    let worthy = request
        .min_score
        .map_or(candidates.len(), |least| candidates.partition_point(|candidate| candidate.score >= least));
    let ends_early = worthy < candidates.len();
    let sketches = vec![None; worthy];
    let mut choice = Choice { segments, candidates: &candidates[..worthy], request, places: Vec::new(), sketches };
    match request.diversity {
        Some(diversity) if diversity > 0.0 => choice.diverse(diversity)?,
        _ => choice.best()?,
    }
    choice.places.sort_unstable();
    Ok(Chosen { is_final: ends_early || choice.places.len() >= request.top_k, places: choice.places })
}

struct Choice<'a> {
    segments: &'a [&'a LiveSegment],
    candidates: &'a [Candidate],
    request: &'a SearchRequest<'a>,
    places: Vec<usize>,
    /// What was read of each candidate, as far as it was needed.
    sketches: Vec<Option<Sketch>>,
}

impl Choice<'_> {
    fn best(&mut self) -> Result<(), EngineError> {
        for place in 0..self.candidates.len() {
            if self.places.len() >= self.request.top_k {
                break;
            }
            if self.is_open(place)? {
                self.places.push(place);
            }
        }
        Ok(())
    }

    fn diverse(&mut self, diversity: f32) -> Result<(), EngineError> {
        let pool = self.request.top_k.saturating_mul(POOL_FACTOR).min(self.candidates.len());
        // The likeness of each to the chosen one that it is most like.
        let mut likeness = vec![0.0_f32; pool];
        let mut left: Vec<usize> = (0..pool).collect();
        while self.places.len() < self.request.top_k {
            let mut open = Vec::with_capacity(left.len());
            for place in left {
                if self.is_open(place)? {
                    open.push(place);
                }
            }
            let key = |place: &usize| {
                let candidate = &self.candidates[*place];
                ((1.0 - diversity) * candidate.score - diversity * likeness[*place], candidate.id)
            };
            let Some(next) = open.iter().copied().min_by(|left, right| rank(key(left), key(right))) else { break };
            self.places.push(next);
            open.retain(|place| *place != next);
            for (place, alike) in open.iter().zip(self.likeness(next, &open)?) {
                likeness[*place] = likeness[*place].max(alike);
            }
            left = open;
        }
        Ok(())
    }

    /// Whether a row may still be chosen beside those that are.
    fn is_open(&mut self, place: usize) -> Result<bool, EngineError> {
        if let Some(most) = self.request.max_per_document {
            let document = &self.row(place).document;
            let same = |other: &&usize| {
                let other = &self.row(**other).document;
                (&other.collection, &other.id) == (&document.collection, &document.id)
            };
            if self.places.iter().filter(same).count() >= most {
                return Ok(false);
            }
        }
        if self.request.collapse_duplicates {
            let sketch = self.sketch(place)?;
            for index in 0..self.places.len() {
                if self.sketch(self.places[index])?.is_near(&sketch) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How like a row others are, from 0 to 1: by meaning where both have a vector of one space, else by their words.
    fn likeness(&mut self, to: usize, others: &[usize]) -> Result<Vec<f32>, EngineError> {
        let Candidate { segment, row, is_client, .. } = &self.candidates[to];
        let vector = self.segments[*segment].segment.vector(*row)?;
        let is_comparable = |place: &usize| {
            let other = &self.candidates[*place];
            let vectors = &self.segments[other.segment].segment.vectors;
            let of_space = vector.as_ref().is_some_and(|vector| vectors.dimensions == vector.dimensions());
            of_space && other.is_client == *is_client && vectors.position(other.row).is_some()
        };
        let mut likeness = vec![0.0; others.len()];
        let (by_vector, by_words): (Vec<usize>, Vec<usize>) =
            (0..others.len()).partition(|index| is_comparable(&others[*index]));
        if let Some(vector) = &vector {
            let place = |index: &usize| {
                let other = &self.candidates[others[*index]];
                (other.segment, other.row)
            };
            let rows: Vec<(usize, usize)> = by_vector.iter().map(place).collect();
            for (index, cosine) in by_vector.into_iter().zip(compare(self.segments, &rows, vector)?) {
                likeness[index] = cosine.clamp(0.0, 1.0);
            }
        }
        for index in by_words {
            let sketch = self.sketch(others[index])?;
            likeness[index] = self.sketch(to)?.likeness(&sketch);
        }
        Ok(likeness)
    }

    fn sketch(&mut self, place: usize) -> Result<Sketch, EngineError> {
        if let Some(sketch) = &self.sketches[place] {
            return Ok(sketch.clone());
        }
        let Row { document, chunk } = self.row(place);
        let sketch = document.read_chunk(*chunk as usize)?.sketch();
        self.sketches[place] = Some(sketch.clone());
        Ok(sketch)
    }

    fn row(&self, place: usize) -> &Row {
        let Candidate { segment, row, .. } = &self.candidates[place];
        &self.segments[*segment].segment.rows[*row]
    }
}

/// A hit of each chosen row.
pub(crate) fn hits(
    segments: &[&LiveSegment],
    candidates: &[Candidate],
    places: &[usize],
) -> Result<Vec<Hit>, EngineError> {
    let hit = |place: &usize| {
        let Candidate { segment, row, score, keyword, vector, .. } = &candidates[*place];
        let Row { document, chunk } = &segments[*segment].segment.rows[*row];
        let chunk = Arc::new(document.read_chunk(*chunk as usize)?);
        let document = Arc::new(DocumentRecord::read(document)?);
        Ok(Hit { score: *score, keyword: *keyword, vector: *vector, chunk, document })
    };
    places.iter().map(hit).collect()
}
