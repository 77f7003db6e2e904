//! How text becomes words, the same way in the index and in the query.
//!
//! Compatibility forms are made one first (Unicode NFKC: `ＬａｎｃｅＤＢ` is `LanceDB`, `３％` is `3%`),
//! Traditional characters become Simplified ones (`資料庫` is `资料库`), then ICU's word segmentation
//! splits every script, Chinese and Japanese by its built-in dictionary, and English endings are cut.

use std::ops::RangeInclusive;

use lancedb::index::scalar::{
    BooleanQuery, FtsIndexBuilder, FtsQuery, FullTextSearchQuery, MatchQuery, Occur, Operator,
    PhraseQuery,
};
use rag_core::{Chunk, fold::is_unspaced};
use unicode_normalization::UnicodeNormalization;

use crate::schema;

/// Longer runs without a boundary are no words (keys, encoded data) and are not indexed; in bytes.
const LONGEST_WORD: usize = 64;
/// Memory of the one worker that builds the index; LanceDB's default is 2 GiB for each of many.
const BUILDER_MB: u64 = 512;
/// Characters of a Chinese or Japanese term that counts more where it stands as one. A guess; never
/// seriously measured.
const PHRASE: RangeInclusive<usize> = 3..=8;
/// So many such terms of a query at most: each is a search of its own.
const PHRASES: usize = 3;

/// What word search reads of a chunk: all that the embedder is given.
pub(crate) fn of_chunk(chunk: &Chunk) -> String {
    normal(&chunk.embedded_text())
}

/// A full-text query for plain text: any of its words, the more the better, none of them an operator.
/// None for text without a letter or a digit.
pub(crate) fn query(text: &str) -> Option<FullTextSearchQuery> {
    let terms = normal(text);
    if !terms.chars().any(char::is_alphanumeric) {
        return None;
    }
    let column = || Some(schema::WORDS.to_owned());
    let phrases: Vec<FtsQuery> = phrases(&terms)
        .into_iter()
        .map(|phrase| PhraseQuery::new(phrase).with_column(column()).into())
        .collect();
    let words = MatchQuery::new(terms)
        .with_column(column())
        .with_operator(Operator::Or);
    let query = if phrases.is_empty() {
        words.into()
    } else {
        let all = phrases.into_iter().chain([words.into()]);
        BooleanQuery::new(all.map(|query| (Occur::Should, query))).into()
    };
    Some(FullTextSearchQuery::new_query(query))
}

/// What of a query counts more where it stands as one: what it quotes, identifiers (`ERR-404_b`,
/// `store.open()`), and terms of a script without spaces that are short enough to stand in a text as
/// they stand in the query. ICU knows `数据` and `库` and not `数据库`, and a text with the two apart is a
/// worse hit. Nothing of a whole sentence, which stands nowhere.
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
    while let Some(open) = rest.find(QUOTES.map(|(open, _)| open)) {
        let Some(mark) = rest[open..].chars().next() else {
            break;
        };
        let inside = &rest[open + mark.len_utf8()..];
        let close = QUOTES.iter().find(|(open, _)| *open == mark);
        let Some(end) = close.and_then(|(_, close)| inside.find(*close)) else {
            rest = inside;
            continue;
        };
        let text = inside[..end].trim();
        if text.chars().filter(|c| c.is_alphanumeric()).count() > 1 {
            quoted.push(text);
        }
        rest = inside[end..].get(mark.len_utf8()..).unwrap_or_default();
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
        .base_tokenizer("icu/split".to_owned())
        .language("English")?
        .stem(true)
        .lower_case(true)
        .ascii_folding(true)
        .remove_stop_words(false)
        .with_position(true)
        .max_token_length(Some(LONGEST_WORD))
        .memory_limit_mb(BUILDER_MB)
        .num_workers(1))
}

fn normal(text: &str) -> String {
    let text: String = text.nfkc().collect();
    fast2s::convert(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
