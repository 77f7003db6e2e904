//! Drawing chunks to ask about: by seed, in turns over languages and their sources. Pure.

use std::collections::{BTreeMap, VecDeque};

use rag_core::SourceState;
use rag_core::fold::is_unspaced;
use rag_text::sentences;

/// Gives a place after another, none twice, until all are given. The same sources and seed give the same
/// order.
#[derive(Debug)]
pub(super) struct Draws {
    languages: Vec<Language>,
    random: Random,
}

/// The sources of one language.
#[derive(Debug)]
struct Language {
    /// How often its turn comes: the square root of its sources, so that a language of a few files is
    /// heard and one stray file does not take half of all turns.
    weight: f64,
    taken: f64,
    sources: VecDeque<Ordinals>,
}

/// The chunks of a source that are not given yet.
#[derive(Debug)]
struct Ordinals {
    /// Which of the sources, from 0.
    source: usize,
    /// Shuffled at the first turn: until then only their number is known.
    left: Vec<u32>,
    is_shuffled: bool,
}

impl Draws {
    pub(super) fn new(sources: &[SourceState], seed: u64) -> Self {
        let mut random = Random(seed);
        let mut by_language: BTreeMap<Option<&str>, Vec<Ordinals>> = BTreeMap::new();
        for (at, state) in sources.iter().enumerate().filter(|(_, s)| s.chunks > 0) {
            let language = by_language.entry(state.language.as_deref()).or_default();
            language.push(Ordinals {
                source: at,
                left: Vec::new(),
                is_shuffled: false,
            });
        }
        let languages = by_language.into_values().map(|mut sources| {
            random.shuffle(&mut sources);
            Language {
                weight: (sources.len() as f64).sqrt(),
                taken: 0.0,
                sources: sources.into(),
            }
        });
        let languages = languages.collect();
        Self { languages, random }
    }

    /// The next place: which of `sources`, which the drawing was begun with, and which of its chunks.
    pub(super) fn next(&mut self, sources: &[SourceState]) -> Option<(usize, u32)> {
        let left = self.languages.iter_mut().filter(|l| !l.sources.is_empty());
        let language = left.min_by(|a, b| (a.taken / a.weight).total_cmp(&(b.taken / b.weight)))?;
        language.taken += 1.0;
        let mut turn = language.sources.pop_front()?;
        if !turn.is_shuffled {
            turn.left = (0..sources[turn.source].chunks).collect();
            turn.is_shuffled = true;
            self.random.shuffle(&mut turn.left);
        }
        let place = (turn.source, turn.left.pop()?);
        if !turn.left.is_empty() {
            language.sources.push_back(turn);
        }
        Some(place)
    }
}

/// Fewest letters and digits of sentences that make running text, where a letter is a sound and where
/// it is a word or half of one.
const FEWEST_LETTERS: usize = 120;
const FEWEST_CHARACTERS: usize = 40;
/// The same for a single sentence.
const SHORT_SENTENCE: usize = 20;
const SHORT_CHINESE: usize = 8;

/// Whether a chunk's text has enough running text to ask about: sentences that end as sentences do. Rows
/// of tables, headings, code and lists of names do not count.
pub(super) fn is_running_text(text: &str) -> bool {
    let (mut letters, mut characters) = (0, 0);
    for span in sentences(text) {
        let sentence = span.slice(text);
        let ended =
            sentence.trim_end_matches(['"', '\'', '”', '’', '」', '』', ')', '）', '*', '_']);
        if !ended.ends_with(['.', '!', '?', '。', '！', '？', '…', '；']) || sentence.contains('\t')
        {
            continue;
        }
        let unspaced = sentence
            .chars()
            .filter(|c| c.is_alphanumeric() && is_unspaced(*c));
        let unspaced = unspaced.count();
        let all = sentence.chars().filter(|c| c.is_alphanumeric()).count();
        let marks = sentence.chars().filter(|c| is_mark_of_code(*c)).count();
        if marks * 15 > all || (all < SHORT_SENTENCE && unspaced < SHORT_CHINESE) {
            continue;
        }
        letters += all - unspaced;
        characters += unspaced;
    }
    // Counted together, so that mixed text passes by the sum of its parts.
    letters * FEWEST_CHARACTERS + characters * FEWEST_LETTERS >= FEWEST_LETTERS * FEWEST_CHARACTERS
}

fn is_mark_of_code(c: char) -> bool {
    matches!(
        c,
        '{' | '}' | '=' | '<' | '>' | '\\' | '|' | '_' | '$' | '#' | '@' | '~' | '^'
    )
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Fisher and Yates. The bias of the remainder is far below what anybody could notice.
    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            all.swap(last, other as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::state;

    fn sources(languages: &[(&str, usize, u32)]) -> Vec<SourceState> {
        let of = |(language, files, chunks): &(&str, usize, u32)| {
            let (language, chunks) = ((*language).to_owned(), *chunks);
            (0..*files).map(move |file| SourceState {
                language: Some(language.clone()),
                chunks,
                ..state(&format!("{language}/{file}.md"))
            })
        };
        languages.iter().flat_map(of).collect()
    }

    fn drawn(sources: &[SourceState], seed: u64) -> Vec<(usize, u32)> {
        let mut draws = Draws::new(sources, seed);
        std::iter::from_fn(|| draws.next(sources)).collect()
    }

    #[test]
    fn every_chunk_is_drawn_once_and_the_seed_decides_the_order() {
        let sources = sources(&[("en", 3, 4), ("zh-Hans", 2, 5), ("fr", 1, 0)]);
        let all = drawn(&sources, 7);
        assert_eq!(all.len(), 22);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 22);
        assert_eq!(all, drawn(&sources, 7));
        assert_ne!(all, drawn(&sources, 8));
        assert_eq!(drawn(&[], 7), []);
    }

    #[test]
    fn draws_are_spread_over_languages_and_sources() {
        let sources = sources(&[("en", 100, 50), ("zh-Hans", 4, 50), ("fr", 1, 50)]);
        let first: Vec<usize> = drawn(&sources, 1).iter().take(26).map(|d| d.0).collect();
        let of = |range: std::ops::Range<usize>| {
            first.iter().filter(|source| range.contains(source)).count()
        };
        assert_eq!((of(0..100), of(100..104), of(104..105)), (20, 4, 2));
        let english: HashSet<_> = first.iter().filter(|source| **source < 100).collect();
        assert_eq!(
            english.len(),
            20,
            "no source twice before all had their turn"
        );
    }

    #[test]
    fn running_text_is_told_from_tables_code_and_lists() {
        for running in [
            "The keeper of the northern light counted one hundred and one storms in a single winter, \
             and wrote each of them down in the log. The log was lost when the boat went under.",
            "青石桥建于清乾隆三年，全长四十二米，由当地石匠李永年主持修建。桥面用整块青石铺成，两侧各有栏板二十四块。",
            "## 夜班\n\n夜班指二十二时至次日六时之间的班次。每个夜班发放津贴45元，随当月工资一并发放，不计入加班费用。",
        ] {
            assert!(is_running_text(running), "{running}");
        }
        for other in [
            "",
            "The end.",
            "Ticket\tPrice\nDay\t12 kr\nWeek\t60 kr\n",
            "fn main() {\n    let x = list.iter().map(|x| x + 1).collect::<Vec<_>>();\n    println!(\"{x:?}\");\n}\n",
            "- Bergen\n- Oslo\n- Trondheim\n- Stavanger\n- Tromsø\n- Drammen\n- Fredrikstad\n- Sandnes\n",
            "# Annual Report 2025\n\n## Contents\n\nIntroduction\n\nFigures\n\nOutlook and remarks of the board\n",
        ] {
            assert!(!is_running_text(other), "{other}");
        }
    }
}
