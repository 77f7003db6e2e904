//! The numbers that `OpenDocument` shows before list items and headings, which no text holds.

use std::collections::HashMap;

use crate::office::numerals::Numerals;

/// Levels that a list may have.
pub(super) const LEVELS: usize = 10;

/// How the levels of a list are numbered.
#[derive(Debug, Default)]
pub(super) struct Scheme {
    pub(super) levels: [Level; LEVELS],
}

#[derive(Debug)]
pub(super) struct Level {
    pub(super) numerals: Numerals,
    pub(super) before: String,
    pub(super) after: String,
    /// How many levels are shown, this one included.
    pub(super) shown: usize,
    pub(super) start: u32,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            numerals: Numerals::None,
            before: String::new(),
            after: String::new(),
            shown: 1,
            start: 1,
        }
    }
}

/// How far a list has been counted, level by level; nothing where a level begins anew.
pub(super) type Counts = [Option<u32>; LEVELS];

/// The counts of lists that may be continued, by their ids and by the names of their styles.
#[derive(Debug, Default)]
pub(super) struct Kept {
    counts: HashMap<String, Counts>,
}

impl Kept {
    pub(super) fn keep(&mut self, name: &str, counts: Counts) {
        self.counts.insert(name.to_owned(), counts);
    }

    pub(super) fn get(&self, name: &str) -> Counts {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

impl Scheme {
    /// Counts one item; its number as it is shown, with the space that follows it. Nothing for a sign
    /// that is the same for every item.
    pub(super) fn next(
        &self,
        counts: &mut Counts,
        at: usize,
        start: Option<u32>,
    ) -> Option<String> {
        let at = at.min(LEVELS - 1);
        for (count, level) in counts.iter_mut().zip(&self.levels).take(at) {
            count.get_or_insert(level.start);
        }
        let begun = counts[at].map(|n| n.saturating_add(1));
        counts[at] = start.or(begun).or(Some(self.levels[at].start));
        counts[at + 1..].fill(None);
        let here = &self.levels[at];
        if matches!(here.numerals, Numerals::Bullet | Numerals::None) {
            return None;
        }
        let from = (at + 1).saturating_sub(here.shown);
        let numbers: Vec<String> = (from..=at)
            .filter_map(|at| Some(self.levels[at].numerals.shown(counts[at]?)))
            .filter(|number| !number.is_empty())
            .collect();
        let shown = format!("{}{}{}", here.before, numbers.join("."), here.after);
        Some(format!("{} ", shown.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_on_and_begin_anew_below_a_higher_level() {
        let mut scheme = Scheme::default();
        scheme.levels[0].numerals = Numerals::Decimal;
        scheme.levels[0].after = ".".to_owned();
        scheme.levels[1] = Level {
            numerals: Numerals::LowerLetter,
            after: ")".to_owned(),
            shown: 2,
            ..Level::default()
        };
        scheme.levels[2].numerals = Numerals::Bullet;
        let mut counts = Counts::default();
        let mut next = |at, start| scheme.next(&mut counts, at, start).unwrap_or_default();
        let places = [0, 1, 1, 2, 0, 1, 99];
        let shown = places.map(|at| next(at, None));
        assert_eq!(shown, ["1. ", "1.a) ", "1.b) ", "", "2. ", "2.a) ", ""]);
        assert_eq!(next(0, Some(7)), "7. ");
    }
}
