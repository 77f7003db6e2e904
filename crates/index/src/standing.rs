//! Where words stand in a text, under the folding of the word search: for questions that are answered by
//! every place and not by the best ones.
//!
//! A text becomes units: a word of letters and digits as the index has it (NFKC, lower case, without
//! accents), or one character of a script without spaces (NFKC, Simplified). What is wanted are terms, each
//! of some units one behind the other. Of English endings only that of the plural is put aside: the index
//! takes `population` and `populous` for one word, which finds more and counts wrongly.

use std::collections::{BTreeSet, HashMap};

use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery, Operator};
use rag_core::Span;
use unicode_normalization::char::is_combining_mark;

use crate::error::Result;
use crate::words::{self, LONGEST_WORD};
use crate::{Read, Scope, Store, schema};

/// Chunks that are read and looked at together.
const AT_ONCE: usize = 500;

/// What must stand in a text.
#[derive(Debug, Clone)]
pub struct Wanted {
    cutter: Cutter,
    terms: Vec<Term>,
}

/// Units one behind the other.
#[derive(Debug, Clone)]
struct Term {
    units: Vec<String>,
    /// The same as the index is asked for them.
    words: Vec<String>,
    /// For each unit but the last: whether a full stop may part it from the next, as in the term itself.
    stops: Vec<bool>,
}

/// One unit of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unit {
    /// By which two are the same.
    form: String,
    word: String,
    /// A character of a script without spaces.
    is_single: bool,
    span: Span,
}

impl Wanted {
    /// What wants each of `terms` whole; none where one of them has no letter and no digit, or none that
    /// the index keeps.
    ///
    /// # Errors
    /// `Internal` where LanceDB does not cut text as the index is cut.
    pub fn all(terms: &[&str]) -> rag_core::Result<Option<Self>> {
        let mut cutter = Cutter::new()?;
        let mut wanted = Vec::new();
        for term in terms {
            let units = cutter.units(term);
            let is_kept = |unit: &Unit| unit.is_single || unit.span.len() <= LONGEST_WORD;
            if !units.iter().any(is_kept) {
                return Ok(None);
            }
            let gaps = units.windows(2);
            let gaps = gaps.map(|pair| Span::new(pair[0].span.end, pair[1].span.start).slice(term));
            wanted.push(Term {
                words: units.iter().map(|unit| unit.word.clone()).collect(),
                stops: gaps.map(|gap| gap.contains('.')).collect(),
                units: units.into_iter().map(|unit| unit.form).collect(),
            });
        }
        let is_any = !wanted.is_empty();
        Ok(is_any.then_some(Self {
            cutter,
            terms: wanted,
        }))
    }

    /// For each term the places where it stands in `text`, in order and without overlap.
    pub fn standing(&mut self, text: &str) -> Vec<Vec<Span>> {
        let units = self.cutter.units(text);
        let places = |term: &Term| {
            let mut places = Vec::new();
            let mut at = 0;
            while at + term.units.len() <= units.len() {
                let here = &units[at..at + term.units.len()];
                if stands(term, here, text) {
                    places.push(Span::new(here[0].span.start, here[here.len() - 1].span.end));
                    at += here.len();
                } else {
                    at += 1;
                }
            }
            places
        };
        self.terms.iter().map(places).collect()
    }

    /// The words and characters that a chunk must have in the index, each once, as a query.
    fn query(&self) -> FullTextSearchQuery {
        let units: BTreeSet<&str> = self
            .terms
            .iter()
            .flat_map(|term| term.words.iter().map(String::as_str))
            .filter(|unit| unit.len() <= LONGEST_WORD)
            .collect();
        let units: Vec<&str> = units.into_iter().collect();
        let query = MatchQuery::new(units.join(" "));
        let query = query.with_column(Some(schema::WORDS.to_owned()));
        let query: FtsQuery = query.with_operator(Operator::And).into();
        FullTextSearchQuery::new_query(query)
    }
}

fn stands(term: &Term, here: &[Unit], text: &str) -> bool {
    let forms = here.iter().map(|unit| unit.form.as_str());
    if !forms.eq(term.units.iter().map(String::as_str)) {
        return false;
    }
    here.windows(2).zip(&term.stops).all(|(pair, may_stop)| {
        let gap = Span::new(pair[0].span.end, pair[1].span.start).slice(text);
        is_within(gap, pair[0].is_single || pair[1].is_single, *may_stop)
    })
}

/// Whether what stands between two units leaves them together. Between characters of a script without
/// spaces that is white space (a line of a PDF ends anywhere) and the dot within foreign names.
fn is_within(gap: &str, beside_single: bool, may_stop: bool) -> bool {
    if gap.contains("\n\n") || gap.contains('\t') {
        return false;
    }
    let breaks = |c: char| {
        if beside_single {
            !(c.is_whitespace() || is_invisible(c) || matches!(c, '·' | '‧' | '・' | '-'))
        } else {
            matches!(c, '。' | '！' | '？' | '!' | '?' | ';' | '；' | ':' | '：')
                || (c == '.' && !may_stop)
        }
    };
    !gap.chars().any(breaks)
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}'
    )
}

/// Cuts text into units, as the index is cut.
#[derive(Debug, Clone)]
struct Cutter {
    tokenizer: Box<dyn lance_index::scalar::inverted::document_tokenizer::LanceTokenizer>,
    /// Words that were met, as the index has them before it takes endings off.
    known: HashMap<String, Vec<String>>,
}

/// So many words are remembered.
const REMEMBERED: usize = 100_000;

impl Cutter {
    fn new() -> rag_core::Result<Self> {
        let tokenizer = words::index().and_then(|index| Ok(index.stem(false).build()?));
        let tokenizer = tokenizer.map_err(|error| {
            rag_core::Error::new(rag_core::Code::Internal, "text can't be cut into words")
                .because(error)
        })?;
        Ok(Self {
            tokenizer,
            known: HashMap::new(),
        })
    }

    fn units(&mut self, text: &str) -> Vec<Unit> {
        let mut units = Vec::new();
        let mut word: Option<Span> = None;
        let mut letters = text.char_indices().peekable();
        while let Some((start, c)) = letters.next() {
            let mut span = Span::new(start, start + c.len_utf8());
            // A letter is one with the marks that stand behind it.
            while let Some((at, mark)) = letters.next_if(|(_, next)| is_mark(*next)) {
                span.end = at + mark.len_utf8();
            }
            let is_letter = c.is_alphanumeric();
            if is_letter && c.is_ascii() {
                word = Some(Span::new(word.map_or(span.start, |w| w.start), span.end));
                continue;
            }
            let shown = words::normal(span.slice(text));
            if shown.chars().any(words::is_paired) {
                self.end(word.take(), text, &mut units);
                units.extend(
                    shown
                        .chars()
                        .filter(|c| words::is_paired(*c))
                        .map(|c| Unit {
                            form: c.to_string(),
                            word: c.to_string(),
                            is_single: true,
                            span,
                        }),
                );
            } else if shown.contains(char::is_alphanumeric) {
                word = Some(Span::new(word.map_or(span.start, |w| w.start), span.end));
            } else {
                self.end(word.take(), text, &mut units);
            }
        }
        self.end(word, text, &mut units);
        units
    }

    /// Ends a word, if there is one.
    fn end(&mut self, word: Option<Span>, text: &str, units: &mut Vec<Unit>) {
        let Some(span) = word else { return };
        let written = span.slice(text);
        if !self.known.contains_key(written) {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let forms = self.forms(written);
            self.known.insert(written.to_owned(), forms);
        }
        let words = self.known.get(written).into_iter().flatten();
        units.extend(words.map(|word| Unit {
            form: without_plural(word),
            word: word.clone(),
            is_single: false,
            span,
        }));
    }

    /// The tokens of one word; a word too long for the index stands for itself.
    fn forms(&mut self, written: &str) -> Vec<String> {
        let shown = words::normal(written);
        let mut forms = Vec::new();
        let mut tokens = self.tokenizer.token_stream_for_doc(&shown);
        tokens.process(&mut |token| forms.push(token.text.clone()));
        if forms.is_empty() {
            forms.push(shown.to_lowercase());
        }
        forms
    }
}

/// An English word in the singular, as far as its ending tells.
fn without_plural(word: &str) -> String {
    if word.len() <= 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    if let Some(rest) = word.strip_suffix("ies").filter(|rest| rest.len() >= 2) {
        return format!("{rest}y");
    }
    let ends = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    if ends(&["sses", "shes", "ches", "xes", "zes"]) {
        return word[..word.len() - 2].to_owned();
    }
    match word.strip_suffix('s') {
        Some(rest) if !ends(&["ss", "us", "is"]) => rest.to_owned(),
        _ => word.to_owned(),
    }
}

/// What belongs to the letter before it: combining marks, and the voicing marks of half-width kana.
fn is_mark(c: char) -> bool {
    is_combining_mark(c) || matches!(c, '\u{FF9E}' | '\u{FF9F}')
}

impl Store {
    /// Reads every chunk of the sources of `scope` whose words make it possible that all of `wanted` stands
    /// in it, some at a time, in the order of their sources and places; those in whose headings a part of
    /// it stands are among them. Returns how many.
    ///
    /// # Errors
    /// Whatever `on_chunks` returns, and what the store reports.
    pub fn each_holding(
        &self,
        scope: &Scope,
        wanted: &Wanted,
        on_chunks: &mut dyn FnMut(Vec<Read>) -> rag_core::Result<()>,
    ) -> rag_core::Result<usize> {
        let mut ranked = self.all_holding(scope, wanted)?;
        ranked.sort_by(|a, b| a.place.cmp(&b.place));
        for some in ranked.chunks(AT_ONCE) {
            let mut read = self.chunks_at(&some.iter().collect::<Vec<_>>(), 0)?;
            let read = some.iter().filter_map(|ranked| read.remove(&ranked.place));
            on_chunks(read.collect())?;
        }
        Ok(ranked.len())
    }

    fn all_holding(&self, scope: &Scope, wanted: &Wanted) -> Result<Vec<crate::Ranked>> {
        let all = self.count(&self.table, schema::CHUNK)? as usize;
        if all == 0 || scope.is_empty() {
            return Ok(Vec::new());
        }
        let query = wanted.query();
        match self.words_in_view(scope, &query, all)? {
            Some(ranked) => Ok(ranked),
            None => self.words_by_plan(scope, query, all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of `text` is found, for one term.
    fn found<'t>(term: &str, text: &'t str) -> Vec<&'t str> {
        let mut wanted = Wanted::all(&[term]).unwrap().unwrap();
        let places = wanted.standing(text).remove(0);
        places.into_iter().map(|span| span.slice(text)).collect()
    }

    #[test]
    fn words_meet_in_any_case_width_and_number() {
        assert_eq!(
            found("storm", "Storms, STORM and a stormy ｓｔｏｒｍ; storming"),
            ["Storms", "STORM", "ｓｔｏｒｍ"]
        );
        assert_eq!(
            found("café", "Cafe\u{301}, CAFÉ, cafe"),
            ["Cafe\u{301}", "CAFÉ", "cafe"]
        );
        assert_eq!(found("12", "１２, 12, 123"), ["１２", "12"]);
    }

    #[test]
    fn a_term_of_words_stands_where_they_follow_each_other() {
        let text = "The harbour master; the harbour-masters\nharbour\nmaster. Harbour. Master. Master harbour.";
        assert_eq!(
            found("Harbour Master", text),
            ["harbour master", "harbour-masters", "harbour\nmaster"]
        );
        assert_eq!(
            found("St. Mary", "St. Mary and St Mary"),
            ["St. Mary", "St Mary"]
        );
    }

    #[test]
    fn characters_meet_in_either_script_and_across_the_end_of_a_line() {
        assert_eq!(
            found("数据库", "資料庫和數據庫，数据\n库；数据、库"),
            ["數據庫", "数据\n库"]
        );
        assert_eq!(
            found("LanceDB数据", "用ＬａｎｃｅＤＢ 數據"),
            ["ＬａｎｃｅＤＢ 數據"]
        );
        assert_eq!(found("码", "码头的号码"), ["码", "码"]);
    }

    #[test]
    fn what_has_no_letter_is_wanted_nowhere() {
        assert!(Wanted::all(&["?!"]).unwrap().is_none());
        assert!(Wanted::all(&["storm", " "]).unwrap().is_none());
        assert!(Wanted::all(&[]).unwrap().is_none());
        assert!(
            Wanted::all(&[&"x".repeat(LONGEST_WORD + 1)])
                .unwrap()
                .is_none()
        );
    }
}
