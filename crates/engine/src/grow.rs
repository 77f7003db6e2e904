//! Growing: a hit takes in its neighbours as far as its section and a budget go, so that what is shown
//! can be understood by itself; hits that come to lie within a better one are absorbed by it.

use std::collections::HashMap;

use rag_core::{Chunk, Hit, Lines, Span};
use rag_index::{Place, Read};

use crate::fuse::Candidate;

/// Neighbours looked at on each side.
pub(crate) const REACH: u32 = 3;

/// White space between two chunks that belong together; where more lies between, something was left
/// out there.
const WIDEST_GAP: usize = 4;

/// What a neighbour that was found as well adds to a hit, as a share of its own score, by distance.
const SPEAKS_FOR: [f32; 2] = [0.25, 0.1];

/// Lets chunks that stand beside each other speak for each other: a section of which several were
/// found is better than one of which only one was. `found` are best first before and after.
pub(crate) fn lift(mut found: Vec<Candidate>) -> Vec<Candidate> {
    let scores: HashMap<Place, f32> = found
        .iter()
        .map(|candidate| (candidate.ranked.place.clone(), candidate.score))
        .collect();
    for candidate in &mut found {
        let (source, at) = &candidate.ranked.place;
        let mut key = (source.clone(), 0);
        for (distance, share) in (1..).zip(SPEAKS_FOR) {
            for ordinal in [at.checked_sub(distance), at.checked_add(distance)] {
                let Some(ordinal) = ordinal else { continue };
                key.1 = ordinal;
                candidate.score += share * scores.get(&key).copied().unwrap_or(0.0);
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// The best `limit` of `hits`, which are best first, each with as many neighbours out of `read` as
/// `tokens` (of the embedder) allow.
pub(crate) fn grown(
    hits: Vec<Hit>,
    read: &HashMap<Place, Read>,
    limit: usize,
    tokens: usize,
) -> Vec<Hit> {
    let mut out: Vec<Hit> = Vec::with_capacity(limit);
    for mut hit in hits {
        let is_within = |better: &Hit| {
            better.source.key == hit.source.key
                && better.chunk.span.start <= hit.chunk.span.start
                && hit.chunk.span.end <= better.chunk.span.end
        };
        if out.iter().any(is_within) {
            continue;
        }
        let taken = |span: Span| {
            let overlaps = |better: &Hit| {
                better.source.key == hit.source.key
                    && better.chunk.span.start < span.end
                    && span.start < better.chunk.span.end
            };
            out.iter().any(overlaps)
        };
        let at = |ordinal: u32| {
            let beside = read.get(&(hit.source.key.clone(), ordinal))?;
            // Of the same bytes: the source may have been replaced between two looks.
            let fits = beside.source_hash == hit.source_hash && !taken(beside.chunk.span);
            fits.then_some(&beside.chunk)
        };
        hit.chunk = grow(&hit.chunk, at, tokens);
        out.push(hit);
        if out.len() == limit {
            break;
        }
    }
    out
}

/// `chunk` with the neighbours that `at` gives, the one after first, in turns.
fn grow<'a>(chunk: &Chunk, at: impl Fn(u32) -> Option<&'a Chunk>, tokens: usize) -> Chunk {
    let mut whole = chunk.clone();
    let (mut first, mut last) = (chunk.ordinal, chunk.ordinal);
    let (mut before, mut after) = (true, true);
    while before || after {
        if after {
            let next = last.checked_add(1).and_then(&at);
            match next.filter(|next| fits(&whole, next, tokens)) {
                Some(next) => {
                    append(&mut whole, next);
                    last += 1;
                }
                None => after = false,
            }
        }
        if before {
            let previous = first.checked_sub(1).and_then(&at);
            match previous.filter(|previous| fits(previous, &whole, tokens)) {
                Some(previous) => {
                    let mut joined = previous.clone();
                    append(&mut joined, &whole);
                    whole = joined;
                    first -= 1;
                }
                None => before = false,
            }
        }
    }
    whole.ordinal = chunk.ordinal;
    whole
}

/// Whether `one` and `next`, which follows it, may be joined: of one page, part and section (the first
/// chunk of a section holds its heading, which the next ones have in their path), with nothing left out
/// between them, within the budget.
fn fits(one: &Chunk, next: &Chunk, tokens: usize) -> bool {
    let gap = next.span.start.checked_sub(one.span.end);
    gap.is_some_and(|gap| gap <= WIDEST_GAP)
        && one.part == next.part
        && one.page_end == next.page
        && next.heading.starts_with(&one.heading)
        && next.heading.len() <= one.heading.len() + 1
        && (one.tokens as usize + next.tokens as usize) <= tokens
}

/// Puts `next` behind `one`. What stands between them is white space, of which only the length is
/// known: with it every place in the text stays where it is in the document, and every line too where
/// lines are known.
fn append(one: &mut Chunk, next: &Chunk) {
    let gap = next.span.start - one.span.end;
    let breaks = match (one.lines, next.lines) {
        (Some(one), Some(next)) => next.first.saturating_sub(one.last) as usize,
        _ if gap == 1 => 0,
        _ => gap,
    };
    let breaks = breaks.min(gap);
    one.text.extend(std::iter::repeat_n('\n', breaks));
    one.text.extend(std::iter::repeat_n(' ', gap - breaks));
    one.text.push_str(&next.text);
    one.span = Span::new(one.span.start, next.span.end);
    one.tokens += next.tokens;
    one.page = one.page.or(next.page);
    one.page_end = next.page_end.or(one.page_end);
    one.lines = match (one.lines, next.lines) {
        (Some(one), Some(next)) => Some(Lines {
            first: one.first,
            last: next.last,
        }),
        (one, next) => one.or(next),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hit;

    const TEXT: &str = "One first. Two second.\n\nThree third.\n\n\n\n\n\nFour fourth.";

    /// The chunks of `TEXT`: two of a paragraph, one of the next, and one after something left out.
    fn chunks() -> Vec<Chunk> {
        let spans = [(0, 10), (11, 22), (24, 36), (42, 54)];
        let chunk = |(ordinal, (start, end)): (u32, (usize, usize))| Chunk {
            ordinal,
            span: Span::new(start, end),
            text: TEXT[start..end].to_owned(),
            tokens: 3,
            ..Chunk::default()
        };
        (0..).zip(spans).map(chunk).collect()
    }

    fn grown_hits(order: &[usize], limit: usize, tokens: usize) -> Vec<String> {
        let hit = |at: &usize| Hit {
            chunk: chunks()[*at].clone(),
            ..hit("a", "")
        };
        let hits: Vec<Hit> = order.iter().map(hit).collect();
        let read = chunks().into_iter().map(|chunk| {
            let of_a = crate::testing::hit("a", "");
            let read = Read {
                source: of_a.source,
                source_hash: of_a.source_hash,
                chunk,
                of: None,
            };
            ((read.source.key.clone(), read.chunk.ordinal), read)
        });
        let grown = grown(hits, &read.collect(), limit, tokens);
        for hit in &grown {
            assert_eq!(hit.chunk.text, hit.chunk.span.slice(TEXT));
        }
        grown.into_iter().map(|hit| hit.chunk.text).collect()
    }

    #[test]
    fn a_hit_takes_in_what_stands_beside_it_within_the_budget() {
        assert_eq!(grown_hits(&[1], 5, 3), ["Two second."]);
        assert_eq!(grown_hits(&[1], 5, 6), ["Two second.\n\nThree third."]);
        assert_eq!(
            grown_hits(&[1], 5, 99),
            ["One first. Two second.\n\nThree third."]
        );
    }

    #[test]
    fn nothing_is_taken_in_over_a_place_where_something_was_left_out() {
        assert_eq!(grown_hits(&[3], 5, 99), ["Four fourth."]);
    }

    #[test]
    fn hits_within_a_better_one_are_absorbed_and_others_take_their_place() {
        let found = grown_hits(&[0, 2, 1, 3], 2, 99);
        assert_eq!(
            found,
            ["One first. Two second.\n\nThree third.", "Four fourth."]
        );
    }

    #[test]
    fn what_a_better_hit_has_taken_is_not_taken_again() {
        let found = grown_hits(&[0, 2], 5, 6);
        assert_eq!(found, ["One first. Two second.", "Three third."]);
    }

    #[test]
    fn pages_stay_apart() {
        let [mut one, mut next] = [0, 1].map(|at| chunks()[at].clone());
        (one.page, one.page_end, next.page) = (Some(1), Some(1), Some(1));
        assert!(fits(&one, &next, 99));
        next.page = Some(2);
        assert!(!fits(&one, &next, 99));
    }

    #[test]
    fn sections_stay_apart() {
        let [mut one, mut next] = [0, 1].map(|at| chunks()[at].clone());
        next.heading = vec!["Own".into()];
        // The first chunk of a section holds the heading that the next ones have in their path.
        assert!(fits(&one, &next, 99));
        next.heading.push("Below".into());
        assert!(!fits(&one, &next, 99));
        one.heading = vec!["Other".into()];
        next.heading = vec!["Own".into()];
        assert!(!fits(&one, &next, 99));
    }
}
