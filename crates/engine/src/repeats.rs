//! Repeats: hits that say nearly the same as a better one (copies, versions, boilerplate) give way to
//! others. Nothing is hidden: they stand behind. Pure.

use std::cmp::Ordering;
use std::collections::HashSet;

use rag_core::{Hit, fold};

/// Length of the pieces that are compared, in characters after folding.
const PIECE: usize = 5;
/// So many pieces of a text at most, those of the least hash: enough to tell 0.7 from 0.8.
const SKETCH: usize = 128;
/// Texts whose pieces are the same to this share (of both together) say nearly the same.
const SAME: f32 = 0.75;

/// Puts hits that repeat a better one behind the others and notes the rank of what they repeat.
/// `hits` are best first.
pub(crate) fn demote(hits: Vec<Hit>) -> Vec<Hit> {
    let mut kept: Vec<(Hit, Sketch)> = Vec::with_capacity(hits.len());
    let mut repeats = Vec::new();
    for mut hit in hits {
        let sketch = Sketch::of(&hit.chunk.text);
        match kept
            .iter()
            .position(|(_, earlier)| earlier.is_like(&sketch))
        {
            Some(at) => {
                hit.why.repeats = u32::try_from(at + 1).ok();
                repeats.push(hit);
            }
            None => kept.push((hit, sketch)),
        }
    }
    kept.into_iter()
        .map(|(hit, _)| hit)
        .chain(repeats)
        .collect()
}

/// What is compared of a text (Broder's bottom-k sketch: "On the resemblance and containment of
/// documents", 1997).
struct Sketch {
    /// The least hashes of its pieces, in order.
    least: Vec<u64>,
    /// Two reports of the same words with other figures do not say the same.
    figures: u64,
}

impl Sketch {
    fn of(text: &str) -> Self {
        let folded: Vec<char> = fold::fold(text).chars().collect();
        let pieces: HashSet<u64> = if folded.len() < PIECE {
            HashSet::from([hash(&folded)])
        } else {
            folded.windows(PIECE).map(hash).collect()
        };
        let mut least: Vec<u64> = pieces.into_iter().collect();
        least.sort_unstable();
        least.truncate(SKETCH);
        let figures: Vec<char> = folded.into_iter().filter(|c| c.is_numeric()).collect();
        Self {
            least,
            figures: hash(&figures),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.figures == other.figures && alike(&self.least, &other.least) >= SAME
    }
}

/// FNV-1a over characters, mixed so that the least hashes are those of no particular pieces.
fn hash(piece: &[char]) -> u64 {
    let sum = piece.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, c| {
        (sum ^ u64::from(*c)).wrapping_mul(0x0100_0000_01b3)
    });
    (sum ^ (sum >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The share of pieces that two texts have in common, estimated over the least of both together.
fn alike(one: &[u64], other: &[u64]) -> f32 {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    let (mut all, mut both) = (0_usize, 0_usize);
    let enough = one.len().max(other.len());
    while all < enough {
        let order = match (left.peek(), right.peek()) {
            (Some(here), Some(there)) => here.cmp(there),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        all += 1;
        both += usize::from(order.is_eq());
        if order.is_le() {
            left.next();
        }
        if order.is_ge() {
            right.next();
        }
    }
    both as f32 / all.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hit;

    fn demoted(texts: &[&str]) -> Vec<(usize, Option<u32>)> {
        let hit = |(place, text): (usize, &&str)| hit(&place.to_string(), text);
        let hits = demote(texts.iter().enumerate().map(hit).collect());
        let place = |hit: Hit| (hit.source.path.parse().unwrap(), hit.why.repeats);
        hits.into_iter().map(place).collect()
    }

    const NOTICE: &str = "The keeper shall trim the lamp at dusk, note the state of the sea and the \
        wind in the log, and wake the second keeper at midnight without fail, whatever the weather.";

    #[test]
    fn a_copy_with_a_changed_word_gives_way_to_other_texts() {
        let edited = NOTICE.replace("without fail", "at all costs");
        let wrapped = NOTICE.replace(", ", ",\n");
        let found = demoted(&[NOTICE, &wrapped, "The harbour is closed.", &edited]);
        assert_eq!(found, [(0, None), (2, None), (1, Some(1)), (3, Some(1))]);
    }

    #[test]
    fn the_same_words_with_other_figures_are_another_text() {
        let reports = [2024, 2025].map(|year| format!("{NOTICE} Report of the year {year}."));
        let found = demoted(&[&reports[0], &reports[1]]);
        assert_eq!(found, [(0, None), (1, None)]);
    }

    #[test]
    fn texts_of_one_subject_are_not_repeats() {
        let other =
            "The keeper trims the lamp at dawn and sleeps; the second keeper notes the wind.";
        assert_eq!(demoted(&[NOTICE, other, "", "一", "二"]).len(), 5);
        let places = demoted(&[NOTICE, other, "", "一", "二"]);
        assert!(
            places.iter().all(|(_, repeats)| repeats.is_none()),
            "{places:?}"
        );
    }

    #[test]
    fn chinese_copies_are_told_as_well() {
        let text = "守塔人应在黄昏时修剪灯芯，在航海日志中记下海况和风向，并在午夜唤醒第二守塔人，无论天气如何。";
        let copy = text.replace(
            "并在午夜唤醒第二守塔人，无论天气如何",
            "然后去睡，由第二守塔人守到天亮",
        );
        assert_eq!(demoted(&[text, &copy])[1], (1, None));
        let copy = text.replace('，', ",");
        assert_eq!(demoted(&[text, &copy])[1], (1, Some(1)));
    }
}
