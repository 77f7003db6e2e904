//! Where sentences end, in English and Chinese.
//!
//! One pass, one rule for each mark. Where a full stop may also be an abbreviation's the rule leans
//! towards not ending: two sentences taken as one cost less than half a sentence taken for a whole.

use rag_core::{Span, fold::is_unspaced};

/// Marks that end a sentence wherever they stand.
const ENDS_ALWAYS: [char; 6] = ['。', '！', '？', '；', '｡', '︒'];

/// Quotes and brackets that close after the mark and belong to its sentence.
const CLOSERS: [char; 18] = [
    '”', '’', '」', '』', '）', '】', '》', '〉', '〕', '］', '｝', '»', '›', ')', ']', '}', '﹂',
    '﹄',
];

/// Abbreviations that never end a sentence: something always follows.
const NEVER_LAST: [&str; 60] = [
    "mr", "mrs", "ms", "messrs", "mme", "dr", "prof", "rev", "hon", "st", "mt", "gen", "col",
    "capt", "lt", "sgt", "cmdr", "maj", "gov", "sen", "rep", "pres", "supt", "fr", "fig", "figs",
    "eq", "eqs", "eqn", "tab", "ref", "refs", "vol", "vols", "ch", "chap", "sec", "sect", "para",
    "app", "ed", "eds", "al", "vs", "v", "cf", "viz", "ca", "approx", "est", "dept", "univ",
    "incl", "e.g", "i.e", "a.k.a", "resp", "op", "cit", "esp",
];

/// Abbreviations only before a number; otherwise words (`No. That is wrong.`).
const BEFORE_NUMBER: [&str; 22] = [
    "no", "nos", "nr", "p", "pp", "art", "arts", "par", "pt", "item", "jan", "feb", "mar", "apr",
    "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
];

/// Abbreviations that may end a sentence, beside those with a full stop inside (`U.S.`, `p.m.`).
const MAYBE_LAST: [&str; 14] = [
    "inc", "ltd", "co", "corp", "llc", "plc", "bros", "etc", "jr", "sr", "esq", "ave", "blvd",
    "govt",
];

/// Words that begin a sentence far more often than they follow an abbreviation or an initial.
const STARTERS: [&str; 48] = [
    "The", "A", "An", "In", "It", "He", "She", "They", "We", "This", "These", "That", "Those",
    "There", "However", "But", "And", "On", "As", "For", "At", "Our", "Its", "His", "Her", "Their",
    "If", "When", "While", "After", "Before", "Since", "With", "By", "To", "From", "Although",
    "Also", "You", "What", "Which", "Who", "How", "Why", "Where", "No", "Not", "Some",
];

/// Spans of the sentences of `text`, in order and without overlap. White space around a sentence
/// belongs to none; nothing else is left out. None is empty.
///
/// Ends: 。！？；… and . ! ? with their closing quotes and brackets, where no abbreviation, initial,
/// number or address says otherwise; a blank line; the end of a heading or table row of Markdown; a
/// line break before a bullet or a number. A single line break inside a paragraph is no end.
#[must_use]
pub fn sentences(text: &str) -> Vec<Span> {
    let mut scan = Scan {
        text,
        start: 0,
        line_start: 0,
        open_quote: false,
        found: Vec::new(),
    };
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let after = at + c.len_utf8();
        at = match c {
            '\n' => {
                if scan.line_ends_sentence(at) {
                    scan.end(at);
                }
                scan.line_start = after;
                after
            }
            '\u{2029}' => scan.end(after),
            '"' => {
                scan.open_quote = !scan.open_quote;
                after
            }
            _ if ENDS_ALWAYS.contains(&c) => {
                let end = scan.through_marks_and_closers(after);
                scan.end(end)
            }
            '.' | '!' | '?' | '…' => match scan.latin_end(at, c) {
                Some(end) => scan.end(end),
                None => after,
            },
            _ => after,
        };
    }
    scan.end(text.len());
    scan.found
}

struct Scan<'a> {
    text: &'a str,
    /// Where the sentence that is being read starts.
    start: usize,
    line_start: usize,
    /// Whether a straight double quote is open: the next one closes.
    open_quote: bool,
    found: Vec<Span>,
}

impl Scan<'_> {
    /// Ends the sentence before `end`; returns `end`.
    fn end(&mut self, end: usize) -> usize {
        let span = crate::lines::trimmed(self.text, Span::new(self.start, end));
        if !span.is_empty() {
            self.found.push(span);
        }
        self.start = end;
        self.open_quote = false;
        end
    }

    /// The end of the run of marks and closers that starts at `at`.
    fn through_marks_and_closers(&self, at: usize) -> usize {
        let marks = end_of_run(self.text, at, |c| {
            ENDS_ALWAYS.contains(&c) || matches!(c, '…' | '!' | '?')
        });
        self.through_closers(marks)
    }

    fn through_closers(&self, at: usize) -> usize {
        let mut open = self.open_quote;
        end_of_run(self.text, at, |c| {
            CLOSERS.contains(&c) || (c == '"' && std::mem::take(&mut open))
        })
    }

    /// Whether the line break at `at` ends a sentence.
    fn line_ends_sentence(&self, at: usize) -> bool {
        let line = self.text[self.line_start..at].trim_start();
        let next = self.text[at + 1..].trim_start_matches([' ', '\t', '\u{3000}', '\r']);
        next.is_empty()
            || next.starts_with('\n')
            || line.starts_with('#')
            || line.starts_with('|')
            || starts_item(next)
    }

    /// The end of the sentence whose mark `c` stands at `at`; none where it goes on.
    fn latin_end(&self, at: usize, c: char) -> Option<usize> {
        let marks = end_of_run(self.text, at, |c| {
            matches!(c, '.' | '!' | '?' | '…') || ENDS_ALWAYS.contains(&c)
        });
        let end = self.through_closers(marks);
        let rest = &self.text[end..];
        let Some(next) = rest.chars().next() else {
            return Some(end);
        };
        let is_stop = c == '.' && marks == at + 1;
        if is_unspaced(next) {
            // 第3.节 and 1.引言 go on; so does what a Chinese comma follows.
            let before = self.text[..at].chars().next_back();
            let goes_on = matches!(next, '，' | '、' | '：' | '；')
                || (is_stop && before.is_none_or(|c| !c.is_alphabetic()));
            return (!goes_on).then_some(end);
        }
        if !next.is_whitespace() {
            // A Chinese ellipsis needs no space after it, everything else does.
            let in_chinese =
                c == '…' && self.text[..at].chars().next_back().is_some_and(is_unspaced);
            return in_chinese.then_some(end);
        }
        let follow = rest.trim_start();
        if follow.chars().next().is_some_and(char::is_lowercase) {
            return None;
        }
        if is_stop && self.is_abbreviated(at, follow) {
            return None;
        }
        Some(end)
    }

    /// Whether the full stop at `at` belongs to an abbreviation, an initial or a list number.
    fn is_abbreviated(&self, at: usize, follow: &str) -> bool {
        let before = &self.text[self.start..at];
        let from = before
            .char_indices()
            .rev()
            .take(24)
            .find(|(_, c)| c.is_whitespace() || is_unspaced(*c) || "([\"'“‘/-–—".contains(*c))
            .map_or(0, |(i, c)| i + c.len_utf8());
        let word = &before[from..];
        let opens_sentence = before[..from].trim().is_empty();
        if opens_sentence && is_list_number(word) {
            return true;
        }
        let starts_anew = || {
            let next = follow.split(|c: char| c.is_whitespace() || c == ',').next();
            next.is_some_and(|next| STARTERS.contains(&next))
        };
        let mut letters = word.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return letter.is_uppercase() && !starts_anew();
        }
        if word.len() > 12 {
            return false;
        }
        let lower = word.to_lowercase();
        let lower = lower.as_str();
        if BEFORE_NUMBER.contains(&lower) {
            return follow.starts_with(|c: char| c.is_numeric());
        }
        NEVER_LAST.contains(&lower)
            || (MAYBE_LAST.contains(&lower) || is_dotted(lower)) && !starts_anew()
    }
}

/// `u.s`, `ph.d`, `p.m`: short groups of letters with full stops between.
fn is_dotted(word: &str) -> bool {
    word.contains('.')
        && word.split('.').all(|part| {
            (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic())
        })
}

/// `1`, `12`, `iv`, `a`: what stands before the full stop of a numbered item.
fn is_list_number(word: &str) -> bool {
    let is_roman = || word.len() <= 4 && word.bytes().all(|b| b"ivxIVX".contains(&b));
    let is_letter = || word.len() == 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let is_section = || word.len() <= 8 && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    !word.is_empty() && (is_section() || is_roman() || is_letter())
}

/// Whether a line starts with a bullet, a number or a heading's mark.
fn starts_item(line: &str) -> bool {
    let mut chars = line.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    let rest = chars.as_str();
    match first {
        '-' | '*' | '+' | '–' | '—' => rest.starts_with([' ', '\t']),
        '•'
        | '·'
        | '●'
        | '○'
        | '■'
        | '□'
        | '▪'
        | '◦'
        | '‣'
        | '※'
        | '|'
        | '\u{2460}'..='\u{24FF}'
        | '\u{2776}'..='\u{2793}' => true,
        '#' => rest.trim_start_matches('#').starts_with(' '),
        '(' | '（' => {
            let end = end_of_run(rest, 0, is_item_digit);
            end > 0 && rest[end..].starts_with([')', '）'])
        }
        _ if is_item_digit(first) => {
            let end = end_of_run(line, 0, is_item_digit);
            let mark = &line[end..];
            mark.starts_with(['、', '）', '．'])
                || mark.starts_with(") ")
                || mark.starts_with(". ") && end <= 3
        }
        _ => false,
    }
}

fn is_item_digit(c: char) -> bool {
    c.is_ascii_digit() || "一二三四五六七八九十".contains(c)
}

/// Longest run of marks or digits that is looked at whole: a file of nothing but full stops must not
/// be read to its end from each of them.
const LONGEST_RUN: usize = 256;

fn end_of_run(text: &str, from: usize, mut belongs: impl FnMut(char) -> bool) -> usize {
    let run = text[from..].chars().take(LONGEST_RUN);
    from + run
        .take_while(|c| belongs(*c))
        .map(char::len_utf8)
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|s| s.slice(text)).collect()
    }

    #[test]
    fn chinese_sentences_end_with_their_marks_and_closing_quotes() {
        assert_eq!(
            split("他说：“天气很好。”我们出发吧！真的吗？？（当然。）第一；第二……完"),
            [
                "他说：“天气很好。”",
                "我们出发吧！",
                "真的吗？？",
                "（当然。）",
                "第一；",
                "第二……",
                "完"
            ]
        );
        assert_eq!(split("「你來。」他說。"), ["「你來。」", "他說。"]);
        assert_eq!(
            split("他说\"好。\"然后走了。"),
            ["他说\"好。\"", "然后走了。"]
        );
    }

    #[test]
    fn english_sentences_end_with_their_marks_and_closing_quotes() {
        assert_eq!(
            split("It rose. \"Why?\" she asked. (It fell.) Really?! Yes..."),
            [
                "It rose.",
                "\"Why?\" she asked.",
                "(It fell.)",
                "Really?!",
                "Yes..."
            ]
        );
    }

    #[test]
    fn abbreviations_initials_numbers_and_addresses_do_not_end_a_sentence() {
        for whole in [
            "Mr. Smith and Dr. J. R. Jones met at St. Mary's.",
            "See Fig. 3 and No. 5, i.e. the second, e.g. Table 2.",
            "Pi is 3.14 and the version is v1.2.3 on Jan. 5.",
            "Visit https://example.org/a.b?c=d. then go on.",
            "The U.S. Government and Acme Inc. Holdings agreed.",
            "It was ... well, odd.",
            "Kim et al. Showed nothing vs. Lee.",
            "1. First item of a list.",
        ] {
            assert_eq!(split(whole), [whole]);
        }
    }

    #[test]
    fn an_abbreviation_may_still_end_a_sentence() {
        assert_eq!(
            split("He left the U.S. The end."),
            ["He left the U.S.", "The end."]
        );
        assert_eq!(split("No. That is wrong."), ["No.", "That is wrong."]);
        assert_eq!(
            split("It was in 2019. Then it ended."),
            ["It was in 2019.", "Then it ended."]
        );
    }

    #[test]
    fn line_breaks_end_a_sentence_only_between_paragraphs_and_items() {
        assert_eq!(split("one line\nand another"), ["one line\nand another"]);
        assert_eq!(split("one\n\ntwo\n  \nthree"), ["one", "two", "three"]);
        assert_eq!(
            split("- a\n- b\n1. c\n2) d\n• e"),
            ["- a", "- b", "1. c", "2) d", "• e"]
        );
        assert_eq!(
            split("一、甲\n二、乙\n（三）丙"),
            ["一、甲", "二、乙", "（三）丙"]
        );
        assert_eq!(split("# Head\ntext"), ["# Head", "text"]);
    }

    #[test]
    fn mixed_scripts_end_where_either_does() {
        assert_eq!(
            split("We use LanceDB.它很快。Fast!好"),
            ["We use LanceDB.", "它很快。", "Fast!", "好"]
        );
        assert_eq!(split("1.引言"), ["1.引言"]);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(sentences("").is_empty());
        assert!(sentences(" \n\n ").is_empty());
        assert_eq!(split("."), ["."]);
    }

    proptest! {
        #[test]
        fn spans_are_ordered_trimmed_and_leave_only_white_space_out(
            text in "([A-Za-z0-9 .!?\"()\n#|-]|。|！|？|；|…|”|「|」|中|文|é|\u{3000}|U\\.S\\. |1\\. ){0,80}"
        ) {
            let found = sentences(&text);
            let mut at = 0;
            for span in &found {
                prop_assert!(span.start >= at && span.end > span.start);
                prop_assert!(text[at..span.start].trim().is_empty());
                let slice = span.slice(&text);
                prop_assert!(!slice.is_empty() && slice.trim() == slice);
                at = span.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
