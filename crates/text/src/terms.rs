//! The content terms of a text, for measuring how much of one text stands in another, in either
//! language.
//!
//! Latin words are lower-cased and lightly stemmed; numbers are brought to one form; Chinese and
//! Japanese text gives the pairs of neighbouring characters, which need no dictionary.

use unicode_normalization::UnicodeNormalization;

/// Words that are in every English text and say nothing of its content.
const STOP_WORDS: [&str; 89] = [
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been",
    "but", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have", "he",
    "her", "his", "how", "i", "if", "in", "into", "is", "it", "its", "may", "me", "more", "most",
    "my", "no", "not", "of", "on", "one", "or", "other", "our", "out", "over", "she", "should",
    "so", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "to", "up", "us", "was", "we", "were", "what", "when", "where", "which",
    "while", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "please",
    "tell",
];

/// Characters that are function words by themselves nearly always; they break a run.
const STOP_CHARACTERS: &str = "的了是在和与與及或也都就而着吗嗎呢吧啊";

/// Terms of `text` in order of appearance, repeats included.
///
/// - Everything is first brought to NFKC and lower case.
/// - A word is a run of letters and digits with inner apostrophes; English suffixes (possessive,
///   plural, -ed, -ing, -ly, a final e) are taken off conservatively; stop words are left out.
/// - A number keeps its decimal point and per cent sign and loses its thousands separators and
///   trailing zeros: `3,000` → `3000`, `12.50 %` → `12.5%`.
/// - Han characters, kana and hangul give pairs of neighbours within a run, a run of one the character
///   itself; the few Chinese function words break runs.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let seen = text.nfkc().filter(|c| !is_invisible(*c));
    let chars: Vec<char> = seen.flat_map(char::to_lowercase).collect();
    let mut terms = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let from = at;
        if is_paired(chars[at]) {
            at = run(&chars, at, is_paired);
            push_pairs(&chars[from..at], &mut terms);
        } else if chars[at].is_ascii_digit() {
            let (term, after) = number_or_word(&chars, at);
            terms.push(term);
            at = after;
        } else if is_word(chars[at]) {
            at = word_end(&chars, at);
            let word: String = chars[from..at].iter().collect();
            let word = word.replace('’', "'");
            let word = word.strip_suffix("'s").unwrap_or(&word).replace('\'', "");
            if !word.is_empty() && !STOP_WORDS.contains(&word.as_str()) {
                terms.push(stem(&word));
            }
        } else {
            at += 1;
        }
    }
    terms
}

/// What stands within words and is not seen: soft hyphens, zero-width characters, byte order marks.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}'
    )
}

/// Han characters, kana and hangul.
fn is_paired(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}' | '\u{3041}'..='\u{30FF}' | '\u{AC00}'..='\u{D7AF}' | '々')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() && !is_paired(c)
}

fn run(chars: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    let length = chars[from..].iter().take_while(|c| belongs(**c)).count();
    from + length
}

/// The end of the word that starts at `from`; an apostrophe between letters is part of it.
fn word_end(chars: &[char], from: usize) -> usize {
    let mut at = run(chars, from, is_word);
    while at + 1 < chars.len() && matches!(chars[at], '\'' | '’') && is_word(chars[at + 1]) {
        at = run(chars, at + 1, is_word);
    }
    at
}

/// A number at `from`, or a word that starts with a digit (`3d`, `4th`), and what follows it.
fn number_or_word(chars: &[char], from: usize) -> (String, usize) {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut at = run(chars, from, is_digit);
    if chars.get(at).is_some_and(|c| is_word(*c)) {
        let end = run(chars, at, is_word);
        return (chars[from..end].iter().collect(), end);
    }
    let mut points = 0;
    while at + 1 < chars.len() && matches!(chars[at], '.' | ',') && is_digit(chars[at + 1]) {
        points += usize::from(chars[at] == '.');
        at = run(chars, at + 1, is_digit);
    }
    let mut number: String = chars[from..at].iter().filter(|c| **c != ',').collect();
    if points == 1 {
        number = number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned();
    }
    let spaced = usize::from(chars.get(at) == Some(&' '));
    if chars.get(at + spaced) == Some(&'%') {
        number.push('%');
        at += spaced + 1;
    }
    (number, at)
}

fn push_pairs(chars: &[char], terms: &mut Vec<String>) {
    for run in chars.split(|c| STOP_CHARACTERS.contains(*c)) {
        match run {
            [] => {}
            [one] => terms.push(one.to_string()),
            _ => terms.extend(run.windows(2).map(|pair| pair.iter().collect::<String>())),
        }
    }
}

/// `word` without its inflection. Not a dictionary's stem, but the same one for the forms of a word:
/// increase, increases, increased, increasing → increas.
fn stem(word: &str) -> String {
    if word.len() <= 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut stem = without_plural(word);
    if let Some(rest) = stem.strip_suffix("ly").filter(|rest| rest.len() >= 5) {
        stem = rest.to_owned();
    }
    for suffix in ["ing", "ed"] {
        let rest = stem.strip_suffix(suffix).filter(|rest| {
            rest.len() >= 3 && !rest.ends_with('e') && rest.bytes().any(|b| b"aeiouy".contains(&b))
        });
        if let Some(rest) = rest {
            stem = single_ending(rest).to_owned();
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    // happy, happier and happily meet in `happi`; so do supply and supplies.
    if stem.len() > 3 && stem.ends_with('y') {
        stem.pop();
        stem.push('i');
    }
    stem
}

fn without_plural(word: &str) -> String {
    if let Some(rest) = word.strip_suffix("ies").filter(|rest| rest.len() >= 2) {
        return format!("{rest}y");
    }
    for ending in ["sses", "shes", "ches", "xes", "zes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    let keeps = ["ss", "us", "is"]
        .iter()
        .any(|ending| word.ends_with(ending));
    match word.strip_suffix('s') {
        Some(rest) if !keeps => rest.to_owned(),
        _ => word.to_owned(),
    }
}

/// `runn` → `run`, but `fall`, `miss` and `buzz` stay.
fn single_ending(word: &str) -> &str {
    let bytes = word.as_bytes();
    match bytes {
        [.., a, b] if a == b && !b"lszaeiou".contains(b) => &word[..word.len() - 1],
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_meet_in_one_term() {
        for forms in [
            "increase increases increased increasing",
            "supply supplies supplied",
            "run runs running",
            "company company's companies",
            "make makes making",
            "box boxes boxed",
            "quick quickly",
        ] {
            let mut found = terms(forms);
            found.dedup();
            assert_eq!(found.len(), 1, "{forms}: {found:?}");
        }
    }

    #[test]
    fn short_words_and_other_endings_stay() {
        assert_eq!(
            terms("gas bus thesis class king red"),
            ["gas", "bus", "thesis", "class", "king", "red"]
        );
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(
            terms("3,000 and 12.50 % or 12.5%"),
            ["3000", "12.5%", "12.5%"]
        );
        assert_eq!(terms("１２％"), ["12%"]);
        assert_eq!(terms("$1,234.00"), ["1234"]);
        assert_eq!(terms("v1.2.30 in Q3 2024"), ["v1", "2.3", "q3", "2024"]);
    }

    #[test]
    fn what_is_not_seen_parts_no_word() {
        assert_eq!(terms("soft\u{ad}ware 码\u{200b}头"), ["softwar", "码头"]);
    }

    #[test]
    fn stop_words_say_nothing() {
        assert!(terms("What is the of and").is_empty());
        assert!(terms("的了").is_empty());
        assert!(terms(" .,!").is_empty());
    }

    #[test]
    fn chinese_gives_pairs_within_runs() {
        assert_eq!(terms("公司的营业收入"), ["公司", "营业", "业收", "收入"]);
        assert_eq!(terms("第三季度，B股"), ["第三", "三季", "季度", "b", "股"]);
        assert_eq!(
            terms("2024年收入增长12.5％"),
            ["2024", "年收", "收入", "入增", "增长", "12.5%"]
        );
    }
}
