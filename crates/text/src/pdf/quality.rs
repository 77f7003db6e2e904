//! Whether what a reader gives of a page looks like text: the check that decides between the readers.

use rag_core::fold::is_unspaced;

use super::draft::Draft;

/// Above this share of undecoded characters the other reader is heard.
pub(crate) const MAX_GARBAGE: f64 = 0.3;

/// Above this share a page counts as read in part only.
const NOTABLE_GARBAGE: f64 = 0.05;

/// Fewer words can't show how long words are.
const MIN_WORDS: usize = 20;
/// No language written with spaces has words of so many letters on average; German law has eight.
const MAX_MEAN_LETTERS: f64 = 16.0;
/// So large a share of words of one letter is a word set letter by letter.
const MAX_SINGLE_LETTERS: f64 = 0.6;

/// What is wrong with the characters of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quality {
    /// Share of characters that are no text.
    pub(crate) garbage: f64,
    pub(crate) spacing: Spacing,
    /// Characters, white space aside.
    pub(crate) chars: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    Sound,
    /// `Wordsstandtogether`.
    Glued,
    /// `W o r d s  s t a n d  a p a r t`.
    Torn,
}

impl Quality {
    pub(crate) fn of(draft: &Draft) -> Self {
        let (mut chars, mut garbage) = (0, 0);
        let (mut words, mut letters, mut singles) = (0, 0, 0);
        for word in draft.lines().flat_map(str::split_whitespace) {
            let mut length = 0;
            for c in word.chars() {
                chars += 1;
                garbage += usize::from(is_garbage(c));
                length += usize::from(c.is_alphabetic() && !is_unspaced(c));
            }
            if length > 0 && !word.contains("://") {
                words += 1;
                letters += length;
                singles += usize::from(length == 1 && word.chars().count() == 1);
            }
        }
        let mean = letters as f64 / words.max(1) as f64;
        let spacing = if letters >= MIN_WORDS * 5 && mean > MAX_MEAN_LETTERS {
            Spacing::Glued
        } else if words >= MIN_WORDS && singles as f64 > MAX_SINGLE_LETTERS * words as f64 {
            Spacing::Torn
        } else {
            Spacing::Sound
        };
        Self {
            garbage: garbage as f64 / chars.max(1) as f64,
            spacing,
            chars,
        }
    }

    /// Whether it reads so badly that another reader, or the picture of the page, may be better.
    pub(crate) fn is_garbage(self) -> bool {
        self.garbage > MAX_GARBAGE
    }

    pub(crate) fn is_doubtful(self) -> bool {
        self.is_garbage() || self.spacing != Spacing::Sound
    }

    /// Whether so many characters are none that it has to be said.
    pub(crate) fn is_damaged(self) -> bool {
        self.garbage > NOTABLE_GARBAGE
    }

    /// Whether this reading of a page is better than another, which is doubtful.
    pub(crate) fn beats(self, other: Self) -> bool {
        if self.chars == 0 || other.chars == 0 {
            return self.chars > 0;
        }
        // A reader that leaves out half the page is no better for its clean rest.
        let is_whole = self.chars * 2 >= other.chars;
        let is_sounder = self.spacing == Spacing::Sound && other.spacing != Spacing::Sound;
        is_whole
            && (self.garbage < other.garbage && !self.is_doubtful()
                || self.garbage <= other.garbage && is_sounder
                || other.is_garbage() && self.garbage < other.garbage)
    }
}

/// Replacement, private-use and control characters.
fn is_garbage(c: char) -> bool {
    matches!(c,
        '\u{FFFD}' | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}' | '\u{FFFE}' | '\u{FFFF}')
        || c.is_control()
}

#[cfg(test)]
mod tests {
    use rag_core::BlockKind;

    use super::super::draft::DraftBlock;
    use super::*;

    fn quality(text: &str) -> Quality {
        Quality::of(&Draft {
            blocks: Vec::from_iter(DraftBlock::new(BlockKind::Paragraph, [text.to_owned()])),
            ..Draft::default()
        })
    }

    #[test]
    fn undecoded_characters_are_counted() {
        assert!((quality("ab\u{FFFD}\u{E001}").garbage - 0.5).abs() < 1e-9);
        assert!(quality("").garbage.abs() < 1e-9);
        assert!(quality("\u{FFFD}\u{FFFD} a").is_garbage());
    }

    #[test]
    fn words_that_are_glued_or_torn_are_seen_and_chinese_is_neither() {
        let words = "the keeper of the lighthouse counted the storms ".repeat(10);
        assert_eq!(quality(&words).spacing, Spacing::Sound);
        assert_eq!(
            quality(&words.replace(' ', "").replace("storms", "storms ")).spacing,
            Spacing::Glued
        );
        let torn: Vec<String> = words.chars().map(|c| c.to_string()).collect();
        assert_eq!(quality(&torn.join(" ")).spacing, Spacing::Torn);
        let chinese = "公司的营业收入同比增长百分之十二。".repeat(10);
        assert_eq!(quality(&chinese).spacing, Spacing::Sound);
    }

    #[test]
    fn of_two_readings_the_one_that_is_text_wins_unless_it_leaves_much_out() {
        let words = "the keeper counted ".repeat(20);
        let glued = words.replace(' ', "");
        let (words, glued) = (quality(&words), quality(&glued));
        assert!(words.beats(glued) && !glued.beats(words));
        assert!(!quality("the keeper").beats(glued));
        assert!(quality("a").beats(quality("")) && !quality("").beats(quality("a")));
    }
}
