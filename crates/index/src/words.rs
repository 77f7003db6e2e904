//! How text becomes words, the same way in the index and in the query.
//!
//! Compatibility forms are made one first (Unicode NFKC: `ＬａｎｃｅＤＢ` is `LanceDB`, `３％` is `3%`),
//! Traditional characters become Simplified ones (`資料庫` is `资料库`). Scripts that are written without
//! spaces, and Korean, whose words carry their endings, become pairs of neighbouring characters: a
//! dictionary may cut a term one way in a text and another way in a question, so the index knows none.
//! In a question the pairs that lie inside a word of a dictionary (ICU's) count twice, those across two
//! words once: over seven Chinese question sets that finds the answer first more often than pairs alike
//! and than an index of ICU's words (`benches/results/retrieval.md`). Everything else is cut where
//! letters and digits end, and English endings are dropped.

use std::ops::RangeInclusive;

use icu_segmenter::{WordSegmenter, options::WordBreakInvariantOptions};
use lancedb::index::scalar::{
    BooleanQuery, FtsIndexBuilder, FtsQuery, FullTextSearchQuery, MatchQuery, Occur, Operator,
    PhraseQuery,
};
use rag_core::{Chunk, fold::is_unspaced};
use unicode_normalization::UnicodeNormalization;

use crate::schema;

/// Longer runs without a boundary are no words (keys, encoded data) and are not indexed; in bytes.
pub(crate) const LONGEST_WORD: usize = 64;
/// Characters of a Chinese or Japanese term that counts more where it stands as one. A guess; never
/// seriously measured.
const PHRASE: RangeInclusive<usize> = 3..=8;
/// So many such terms of a query at most: each is a search of its own.
const PHRASES: usize = 3;

/// What word search reads of a chunk: all that the embedder is given. Its characters stand once more
/// at the end, each once, for questions of a single one.
pub(crate) fn of_chunk(chunk: &Chunk) -> String {
    let text = normal(&chunk.embedded_text());
    let mut singles: Vec<char> = text.chars().filter(|c| is_paired(*c)).collect();
    singles.sort_unstable();
    singles.dedup();
    let mut words = paired(&text);
    for single in singles {
        words.push(' ');
        words.push(single);
    }
    words
}

/// A full-text query for plain text: any of its words, the more the better, none of them an operator.
/// None for text without a letter or a digit.
pub(crate) fn query(text: &str) -> Option<FullTextSearchQuery> {
    let terms = normal(text);
    if !terms.chars().any(char::is_alphanumeric) {
        return None;
    }
    let column = || Some(schema::WORDS.to_owned());
    let phrases = phrases(&terms).into_iter().map(|phrase| {
        let pairs = paired(&phrase);
        FtsQuery::from(PhraseQuery::new(pairs).with_column(column()))
    });
    let telling = telling(&terms);
    let (mut words, within) = (paired(&telling), paired_within_words(&telling));
    if within.split_whitespace().ne(words.split_whitespace()) {
        // What stands twice in a query counts twice.
        words.push(' ');
        words.push_str(&within);
    }
    let words = MatchQuery::new(words).with_column(column());
    let words = words.with_operator(Operator::Or).into();
    let parts: Vec<FtsQuery> = phrases.chain([words]).collect();
    let query = match <[FtsQuery; 1]>::try_from(parts) {
        Ok([words]) => words,
        Err(parts) => BooleanQuery::new(parts.into_iter().map(|part| (Occur::Should, part))).into(),
    };
    Some(FullTextSearchQuery::new_query(query))
}

/// `terms` without the words that English questions are put with, as far as others are left. In the
/// index they stay, for phrases; in a query they cost the longest lists, and in a small collection,
/// where nothing is rare, they outweigh what is asked for.
fn telling(terms: &str) -> String {
    let kept: Vec<&str> = terms
        .split_whitespace()
        .filter(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            !ASKING.contains(&word.to_lowercase().as_str())
        })
        .collect();
    if kept.iter().any(|word| word.contains(char::is_alphanumeric)) {
        kept.join(" ")
    } else {
        terms.to_owned()
    }
}

/// Articles, forms of to be, to do and to have, prepositions, pronouns and question words.
const ASKING: [&str; 58] = [
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "did", "do", "does", "during", "for", "from", "had", "has", "have", "how", "i", "if",
    "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "that", "the", "their",
    "there", "these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which",
    "who", "whom", "whose", "why", "with",
];

/// As [`paired`], without the pairs that lie across two words.
fn paired_within_words(text: &str) -> String {
    let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut out = String::with_capacity(text.len() * 2);
    let mut start = 0;
    for end in segmenter.segment_str(text) {
        let word = &text[start..end];
        let is_parted = word.starts_with(is_paired) || text[..start].ends_with(is_paired);
        if is_parted {
            out.push(' ');
        }
        out.push_str(&paired(word));
        start = end;
    }
    out
}

/// What of a query counts more where it stands as one: what it quotes, identifiers (`ERR-404_b`,
/// `store.open()`), and terms of a script without spaces that are short enough to stand in a text as
/// they stand in the query: a text that has `数据` and `据库` apart is a worse hit for `数据库`. Nothing of a
/// whole sentence, which stands nowhere.
fn phrases(terms: &str) -> Vec<String> {
    let runs = terms.split(|c: char| !(is_unspaced(c) && c.is_alphanumeric()));
    let short = runs.filter(|run| PHRASE.contains(&run.chars().count()));
    let identifiers = terms.split_whitespace().filter(|word| is_identifier(word));
    let mut phrases: Vec<String> = Vec::new();
    for phrase in quoted(terms).into_iter().chain(identifiers).chain(short) {
        let is_new = !phrases.iter().any(|earlier| earlier.contains(phrase));
        if is_new && phrases.len() < PHRASES {
            phrases.push(phrase.to_owned());
        }
    }
    phrases
}

/// What stands between quotation marks, if it is more than one word or character.
fn quoted(terms: &str) -> Vec<&str> {
    let mut quoted = Vec::new();
    let mut rest = terms;
    let pair_of = |(at, c)| {
        let pair = QUOTES.iter().find(|(open, _)| *open == c);
        pair.map(|(open, close)| (at + open.len_utf8(), *close))
    };
    while let Some((start, close)) = rest.char_indices().find_map(pair_of) {
        rest = &rest[start..];
        let Some((text, after)) = rest.split_once(close) else {
            continue; // opened and never closed
        };
        let text = text.trim();
        if text.chars().filter(|c| c.is_alphanumeric()).count() > 1 {
            quoted.push(text);
        }
        rest = after;
    }
    quoted
}

/// Quotation marks in pairs, as they are after NFKC.
const QUOTES: [(char, char); 5] = [
    ('"', '"'),
    ('“', '”'),
    ('「', '」'),
    ('『', '』'),
    ('«', '»'),
];

/// Whether `word` has a mark between letters or digits that ordinary words do not have there.
fn is_identifier(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let marks = word.contains(['_', '.', '/', '\\', ':', '#', '@', '=', '$'])
        || (word.contains('-') && word.contains(|c: char| c.is_ascii_digit()));
    marks && word.is_ascii()
}

/// The full-text index over [`schema::WORDS`].
///
/// Stop words stay, because with this tokenizer LanceDB would remove those of all languages at once.
pub(crate) fn index() -> lancedb::Result<FtsIndexBuilder> {
    Ok(FtsIndexBuilder::default()
        .base_tokenizer("simple".to_owned())
        .language("English")?
        .stem(true)
        .lower_case(true)
        .ascii_folding(true)
        .remove_stop_words(false)
        .with_position(true)
        .max_token_length(Some(LONGEST_WORD)))
}

/// `text` with every run of characters that are paired as its pairs, parted by spaces; a run of one
/// stays as it is.
fn paired(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut last: Option<char> = None;
    let mut in_pair = false;
    for c in text.chars() {
        match (last, is_paired(c)) {
            (Some(before), true) => {
                if in_pair {
                    out.push(' ');
                    out.push(before);
                }
                out.push(c);
                in_pair = true;
            }
            (None, true) => {
                out.push(' ');
                out.push(c);
            }
            (Some(_), false) => {
                out.push(' ');
                out.push(c);
                in_pair = false;
            }
            (None, false) => out.push(c),
        }
        last = is_paired(c).then_some(c);
    }
    out
}

/// Letters of scripts that are written without spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer) and
/// of Korean.
pub(crate) fn is_paired(c: char) -> bool {
    (is_unspaced(c) && c.is_alphanumeric())
        || matches!(c,
            '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
            | '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7AF}')
}

/// `text` in one form of each character, Simplified.
pub(crate) fn normal(text: &str) -> String {
    let text: String = text.nfkc().collect();
    fast2s::convert(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_spaces_become_pairs() {
        for (text, expected) in [
            ("向量数据库", "向量 量数 数据 据库"),
            ("T恤衫，2024年", "T 恤衫 ，2024 年"),
            ("用LanceDB做", "用 LanceDB 做"),
            ("a cat", "a cat"),
            ("데이터", "데이 이터"),
            ("中", "中"),
        ] {
            let words = paired(text);
            let shown: Vec<&str> = words.split_whitespace().collect();
            assert_eq!(shown.join(" "), expected, "{text}");
        }
        let chunk = Chunk {
            text: "资料資料 x".to_owned(),
            ..Chunk::default()
        };
        assert_eq!(of_chunk(&chunk).trim(), "资料 料资 资料  x 料 资");
    }

    #[test]
    fn in_a_question_pairs_inside_a_word_count_once_more() {
        let shown = |text| {
            let words = paired_within_words(text);
            words.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("北京大学在哪里"), "北京 大学 在 哪里");
        assert_eq!(shown("用LanceDB做检索 well"), "用 LanceDB 做 检索 well");
        // Where nothing lies across two words, one search is enough.
        let english = "net profit of 2025, ERR-404_b's";
        assert_eq!(shown(english), english);
        assert_eq!(shown("检索"), paired("检索").trim());
    }

    #[test]
    fn the_words_of_asking_do_not_count_where_others_are_left() {
        assert_eq!(
            telling("What was the net profit in 2025?"),
            "net profit 2025?"
        );
        assert_eq!(telling("Who are we"), "Who are we");
        assert_eq!(telling("公司的 the 利润"), "公司的 利润");
    }

    #[test]
    fn what_is_quoted_or_an_identifier_counts_as_one() {
        assert_eq!(
            phrases(&normal("who said \"net profit\" of “the year”?")),
            ["net profit", "the year"]
        );
        assert_eq!(
            phrases(&normal("what does ERR-404_b mean in store.open()")),
            ["ERR-404_b", "store.open()"]
        );
        assert_eq!(
            phrases(&normal("「向量資料庫」是什么")),
            ["向量资料库", "是什么"]
        );
        assert_eq!(
            phrases(&normal("the well-known \"x\" and \"no end")),
            [""; 0]
        );
        assert_eq!(phrases(&normal("第三季度的营业收入增长了多少")), [""; 0]);
    }
}
