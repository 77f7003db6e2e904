//! The folding under which a quote is compared with its source.
//!
//! Two texts are the same if they are equal after: compatibility decomposition (Unicode NFKD, which
//! also makes full-width and half-width forms one), removal of invisible characters (soft hyphen,
//! zero-width characters, byte order mark), every run of white space made one space, and none beside
//! a Chinese or Japanese character, where a line break means nothing. Case and punctuation count.

use unicode_normalization::UnicodeNormalization;

use crate::Span;

/// `text` under the folding.
#[must_use]
pub fn fold(text: &str) -> String {
    folded(text).into_iter().map(|(c, _)| c).collect()
}

/// Where `quote` stands in `text` under the folding: the first place, as a byte range of `text`
/// itself. None for a quote that folds to nothing.
#[must_use]
pub fn find(text: &str, quote: &str) -> Option<Span> {
    let needle: Vec<char> = folded(quote).into_iter().map(|(c, _)| c).collect();
    if needle.is_empty() {
        return None;
    }
    let hay = folded(text);
    let at = hay
        .windows(needle.len())
        .position(|window| window.iter().map(|(c, _)| c).eq(&needle))?;
    let (first, last) = (hay[at].1, hay[at + needle.len() - 1].1);
    Some(Span::new(first.start, last.end))
}

/// Whether `quote` stands in `text` at exactly `span`, character for character after the folding.
#[must_use]
pub fn stands_at(text: &str, span: Span, quote: &str) -> bool {
    let quote = fold(quote);
    !quote.is_empty() && fold(span.slice(text)) == quote
}

/// Whether `c` belongs to a script that is written without spaces between words.
#[must_use]
pub fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{2E80}'..='\u{303F}'   // CJK radicals, ideographic punctuation
        | '\u{3040}'..='\u{30FF}' // kana
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF1F}' // full-width punctuation
        | '\u{20000}'..='\u{323AF}')
}

/// Every character of the folded text with the bytes of `text` it came from.
fn folded(text: &str) -> Vec<(char, Span)> {
    let mut out: Vec<(char, Span)> = Vec::with_capacity(text.len());
    let mut gap: Option<Span> = None;
    let mut unspaced_before = true; // nothing stands before the first character, a space neither
    for (start, original) in text.char_indices() {
        let span = Span::new(start, start + original.len_utf8());
        if is_invisible(original) {
            continue;
        }
        if original.is_whitespace() {
            gap = Some(Span::new(gap.map_or(span.start, |g| g.start), span.end));
            continue;
        }
        for c in std::iter::once(original).nfkd() {
            // Asked of the decomposed character: beside a full-width percent sign a space counts.
            if let Some(white) = gap.take()
                && !unspaced_before
                && !is_unspaced(c)
            {
                out.push((' ', white));
            }
            unspaced_before = is_unspaced(c);
            out.push((c, span));
        }
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_ligatures_white_space_and_invisible_characters_do_not_count() {
        assert_eq!(fold("ＡＢＣ　１２"), "ABC 12");
        assert_eq!(fold("e\u{301}ﬀort"), fold("éffort"));
        assert_eq!(fold("soft\u{ad}ware"), "software");
        assert_eq!(fold("  a\n\tb "), "a b");
    }

    #[test]
    fn white_space_beside_a_chinese_character_means_nothing() {
        assert_eq!(fold("营业收入\n同比 增长 12%"), "营业收入同比增长12%");
        assert_eq!(fold("Chinese 中文 text"), "Chinese中文text");
    }

    #[test]
    fn case_and_punctuation_count() {
        assert_ne!(fold("Revenue"), fold("revenue"));
        assert_eq!(find("It rose, then fell.", "rose then"), None);
    }

    #[test]
    fn a_found_span_is_a_place_in_the_text_itself() {
        let text = "前言。营业收入\n同比增长１２％，其余不变。";
        let span = find(text, "营业收入同比增长12%").unwrap();
        assert_eq!(span.slice(text), "营业收入\n同比增长１２％");
        assert!(stands_at(text, span, "营业收入同比增长12%"));
        assert!(!stands_at(text, span, "营业收入同比增长13%"));
    }

    #[test]
    fn an_empty_quote_stands_nowhere() {
        assert_eq!(find("text", " \u{200b}"), None);
        assert!(!stands_at("text", Span::new(0, 0), ""));
    }
}
