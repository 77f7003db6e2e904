//! The one rule by which a hit is right.

use rag_core::Hit;
use unicode_normalization::UnicodeNormalization;

use super::{Evidence, Gold};

/// Whether a hit comes from the gold document (and page, where one is given) and holds a gold answer, or
/// at least half of the evidence's character 8-grams, under NFKC, lower case and without white space.
pub(super) fn is_right(hit: &Hit, gold: &Gold) -> bool {
    let single = Evidence {
        doc: gold.doc.clone(),
        page: gold.page,
        text: gold.evidence.clone(),
    };
    let places = if gold.evidence_all.is_empty() {
        std::slice::from_ref(&single)
    } else {
        &gold.evidence_all
    };
    let text = fold(&hit.chunk.text);
    places.iter().any(|place| {
        let Some(doc) = place.doc.as_deref() else {
            return false;
        };
        same_document(&hit.source.path, doc)
            && on_page(hit, place.page)
            && holds(&text, place, gold)
    })
}

fn same_document(source: &str, doc: &str) -> bool {
    source == doc || ends_with_path(source, doc) || ends_with_path(doc, source)
}

fn ends_with_path(long: &str, short: &str) -> bool {
    long.strip_suffix(short)
        .is_some_and(|rest| rest.ends_with('/'))
}

fn on_page(hit: &Hit, page: Option<u32>) -> bool {
    page.is_none_or(|page| {
        let first = hit.chunk.page.unwrap_or(0);
        (first..=hit.chunk.page_end.unwrap_or(first)).contains(&page)
    })
}

fn holds(text: &str, place: &Evidence, gold: &Gold) -> bool {
    let answered = gold
        .answers
        .iter()
        .map(|answer| fold(answer))
        .any(|answer| answer.chars().count() > 2 && text.contains(&answer));
    answered
        || match &place.text {
            Some(evidence) => half_of(evidence, text),
            None => gold.answers.is_empty(),
        }
}

/// Whether at least half of the evidence's character 8-grams stand in the folded text.
fn half_of(evidence: &str, text: &str) -> bool {
    const N: usize = 8;
    let evidence: Vec<char> = fold(evidence).chars().collect();
    let grams: Vec<String> = evidence
        .windows(N.min(evidence.len().max(1)))
        .map(|gram| gram.iter().collect())
        .collect();
    let found = grams
        .iter()
        .filter(|gram| text.contains(gram.as_str()))
        .count();
    found * 2 >= grams.len()
}

pub(super) fn fold(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_evidence_is_enough_however_it_is_wrapped() {
        let evidence = "营业收入同比增长12.5%，主要来自轮渡业务。";
        assert!(half_of(
            evidence,
            &fold("前文。营业收入同比\n增长１２.5%，主要来自轮渡")
        ));
        assert!(!half_of(evidence, &fold("主要来自轮渡业务")));
    }
}
