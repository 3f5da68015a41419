//! Tiers: segments are written once and merged as in a log-structured merge tree, so that a write copies little and a search meets few.

use crate::segment::LiveSegment;

/// Segments of one tier before they become one. A search asks each segment for its words, so few are better than cheap writes.
const TIER_SEGMENTS_MAX: usize = 2;
/// Segments of fewer rows are all of the lowest tier.
const TIER_ROWS_MIN: usize = 16;
/// Segments of this many rows are merged no further, which bounds the time a write can take.
pub(crate) const SEGMENT_ROWS_MAX: usize = 16_384;

/// Drops what is all dead, rewrites what is mostly dead, and merges tiers that are full.
pub(crate) fn tidy(segments: &mut Vec<LiveSegment>, merge: impl Fn(&[LiveSegment]) -> LiveSegment) {
    segments.retain(|segment| segment.live_rows > 0);
    for segment in segments.iter_mut() {
        if segment.live_rows * 2 < segment.segment.rows.len() {
            *segment = merge(std::slice::from_ref(segment));
        }
    }
    while let Some(tier) = full_tier(segments) {
        let (full, mut others): (Vec<_>, Vec<_>) =
            segments.drain(..).partition(|segment| tier_of(segment) == Some(tier));
        others.push(merge(&full));
        *segments = others;
    }
}

fn full_tier(segments: &[LiveSegment]) -> Option<u32> {
    let tiers = segments.iter().filter_map(tier_of);
    tiers.clone().find(|tier| tiers.clone().filter(|other| other == tier).count() > TIER_SEGMENTS_MAX)
}

/// Tiers grow by a factor of four; the largest segments are in none.
fn tier_of(segment: &LiveSegment) -> Option<u32> {
    let rows = segment.live_rows;
    (rows < SEGMENT_ROWS_MAX).then(|| (rows / TIER_ROWS_MIN).max(1).ilog2() / 2)
}
