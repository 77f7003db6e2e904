//! What an English question leans on: pronouns, questions that are cut short, and what was spoken of.
//! Pure; it proposes, and the documents decide.

mod vocabulary;

use std::collections::HashSet;

use rag_core::Span;

use self::vocabulary::{
    ASKING, EMPTY_IT, FILLERS, GOES_ON, MONTHS, PARTICIPLES, PREPOSITIONS, RELATIVE, TIMES, VERBS,
};
use super::rewrite::{Lean, StandIn, StandsFor};

struct Word<'a> {
    span: Span,
    text: &'a str,
    lower: String,
}

/// Letters and digits, with apostrophes, hyphens and points inside.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let is_inner = |at: usize| {
        let beside = |at: usize| characters.get(at).is_some_and(|(_, c)| c.is_alphanumeric());
        matches!(characters[at].1, '\'' | '’' | '-' | '.' | ',')
            && at > 0
            && beside(at - 1)
            && beside(at + 1)
            && (matches!(characters[at].1, '\'' | '’' | '-')
                || characters[at + 1].1.is_ascii_digit())
    };
    let mut from = None;
    for at in 0..=characters.len() {
        let inside = at < characters.len() && (characters[at].1.is_alphanumeric() || is_inner(at));
        match (inside, from) {
            (true, None) => from = Some(characters[at].0),
            (false, Some(start)) => {
                let end = characters.get(at).map_or(text.len(), |(at, _)| *at);
                let word = &text[start..end];
                words.push(Word {
                    span: Span::new(start, end),
                    text: word,
                    lower: word.to_lowercase().replace('’', "'"),
                });
                from = None;
            }
            _ => {}
        }
    }
    words
}

/// How `question` leans, and the question without the words that only say that it goes on.
pub(super) fn lean(question: &str) -> (Lean, String) {
    let lower = question.to_lowercase();
    let starts = |start: &&&str| {
        let rest = lower.strip_prefix(**start);
        rest.is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric()))
    };
    let going_on = GOES_ON
        .iter()
        .find(starts)
        .filter(|start| lower.is_char_boundary(start.len()));
    let bare = going_on
        .and_then(|start| question.get(start.len()..))
        .map_or(question, |rest| rest.trim_start_matches([' ', ',']))
        .to_owned();
    let all = words(question);
    let stand_ins = stand_ins(question, &all);
    if !stand_ins.is_empty() {
        return (Lean::StandIns(stand_ins), bare);
    }
    let inner = words(&bare);
    let about = going_on.is_some_and(|start| start.ends_with("about") || start.ends_with(" of"));
    let first = inner.first().map_or("", |word| word.lower.as_str());
    let has_verb = inner
        .iter()
        .any(|word| VERBS.contains(&word.lower.as_str()) || word.lower.ends_with("'s"));
    let contents = inner.iter().filter(|word| is_content(&word.lower)).count();
    let could_be = match first {
        "which" | "whose" | "how" | "since" | "until" => contents <= 2,
        // Behind these stands a verb: "Who commands the Petrel?"
        "what" | "who" | "whom" | "when" | "where" | "why" => contents == 0,
        _ => going_on.is_some() || PREPOSITIONS.contains(&first),
    };
    let cut_short = could_be && !has_verb && inner.len() <= 7;
    if about || cut_short {
        let is_relative = |word: &Word<'_>| {
            RELATIVE.contains(&word.lower.as_str()) || TIMES.contains(&word.lower.as_str())
        };
        let is_told = inner
            .iter()
            .any(|word| RELATIVE.contains(&word.lower.as_str()))
            && inner
                .iter()
                .all(|word| is_relative(word) || !is_content(&word.lower));
        let named = if is_told {
            String::new()
        } else {
            anew(&bare, &inner)
        };
        return (Lean::Anew(named), bare);
    }
    let own_names = names(&bare, true);
    let has_number = inner.iter().any(|word| is_number(word.text));
    if own_names.is_empty() && !has_number && rag_text::terms(&bare).len() <= 4 {
        return (Lean::Perhaps, bare);
    }
    (Lean::Not, bare)
}

/// What a question that is cut short names: "And for a child?" → "child".
fn anew(bare: &str, words: &[Word<'_>]) -> String {
    let is_empty = |word: &&Word<'_>| {
        let word = word.lower.as_str();
        ASKING.contains(&word)
            || PREPOSITIONS.contains(&word)
            || FILLERS.contains(&word)
            || matches!(word, "a" | "an" | "the" | "any")
    };
    let first = words.iter().find(|word| !is_empty(word));
    let last = words.iter().rev().find(|word| !is_empty(word));
    match (first, last) {
        (Some(first), Some(last)) => bare[first.span.start..last.span.end].to_owned(),
        _ => String::new(),
    }
}

fn stand_ins(question: &str, words: &[Word<'_>]) -> Vec<StandIn> {
    let names = names(question, true);
    let mut found = Vec::new();
    let lower = |at: usize| words.get(at).map_or("", |word| word.lower.as_str());
    for (at, word) in words.iter().enumerate() {
        // A name before it in the same question is what it stands for.
        if names.iter().any(|name| name.end <= word.span.start) {
            break;
        }
        let (next, before) = (lower(at + 1), if at > 0 { lower(at - 1) } else { "" });
        let plain = word.lower.split('\'').next().unwrap_or_default();
        let span = Span::new(word.span.start, word.span.start + plain.len());
        let is_final = at + 1 == words.len();
        let stands = |of, possessive| {
            Some(StandIn {
                span,
                of,
                possessive,
            })
        };
        let stand_in = match plain {
            "it" if is_empty_it(next, lower(at + 2)) => None,
            "it" => stands(StandsFor::Anything, false),
            "she" | "he" | "they" | "them" | "him" => stands(StandsFor::Person, false),
            "its" => stands(StandsFor::Anything, true),
            "his" | "their" => stands(StandsFor::Person, true),
            "her" => stands(StandsFor::Person, !is_final && is_content(next)),
            "there"
                if !matches!(next, "is" | "are" | "was" | "were" | "be" | "any" | "a")
                    && !VERBS.contains(&before) =>
            {
                stands(StandsFor::Place, false)
            }
            "this" | "that" | "these" | "those" => pointing(words, at).map(|span| StandIn {
                span,
                of: StandsFor::Anything,
                possessive: false,
            }),
            _ => None,
        };
        found.extend(stand_in);
    }
    found
}

fn is_empty_it(next: &str, after: &str) -> bool {
    EMPTY_IT.contains(&next) || (next == "is" || next == "was") && EMPTY_IT.contains(&after)
}

/// The span of a "that" which points back, with the noun it stands before; none for a conjunction and
/// for "this year".
fn pointing(words: &[Word<'_>], at: usize) -> Option<Span> {
    let word = &words[at];
    let next = words.get(at + 1);
    if next.is_some_and(|next| TIMES.contains(&next.lower.as_str())) {
        return None;
    }
    let before = at.checked_sub(1).map(|before| words[before].lower.as_str());
    let after = words.get(at + 2).map(|word| word.lower.as_str());
    let is_verb = |word: &Word<'_>| VERBS.contains(&word.lower.as_str());
    let noun = next.filter(|next| is_content(&next.lower) && !is_verb(next));
    // "who commands that vessel", but not "the ferry that sails".
    let is_noun = noun
        .is_some_and(|noun| !noun.lower.ends_with('s') && !noun.lower.ends_with("ed"))
        && after.is_none_or(|after| PREPOSITIONS.contains(&after) || VERBS.contains(&after));
    let points = word.lower != "that"
        || next.is_none()
        || is_noun
        || before.is_none_or(|before| PREPOSITIONS.contains(&before) || VERBS.contains(&before));
    if !points {
        return None;
    }
    let end = noun.map_or(word.span.end, |noun| noun.span.end);
    Some(Span::new(word.span.start, end))
}

fn is_content(word: &str) -> bool {
    !rag_text::terms(word).is_empty()
        && !ASKING.contains(&word)
        && !FILLERS.contains(&word)
        && !VERBS.contains(&word)
        && !PREPOSITIONS.contains(&word)
}

fn is_number(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
        && !word.is_empty()
}

/// Names in a text, each with an article before it: runs of capitalised words.
fn names(text: &str, is_question: bool) -> Vec<Span> {
    let words = words(text);
    let is_name = |at: usize| {
        let Some(word) = words.get(at) else {
            return false;
        };
        let capital = word.text.starts_with(char::is_uppercase)
            || word.text.contains(char::is_uppercase)
                && word.text.contains(|c: char| c.is_ascii_digit());
        capital && is_content(&word.lower) && !MONTHS.contains(&word.lower.as_str())
    };
    let gap = |at: usize| &text[words[at].span.end..words[at + 1].span.start];
    let begins = |at: usize| at == 0 || gap(at - 1).contains(['.', '?', '!', ':', '\n']);
    let mut names = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if !is_name(at) {
            at += 1;
            continue;
        }
        let mut last = at;
        loop {
            let follows = |next: usize| is_name(next) && !begins(next);
            if follows(last + 1) && gap(last).trim().is_empty() {
                last += 1;
            } else if words.get(last + 1).is_some_and(|word| word.lower == "of")
                && follows(last + 2)
            {
                last += 2;
            } else {
                break;
            }
        }
        // The first word of a sentence has its capital anyway.
        if is_question || last > at || !begins(at) {
            let article = at
                .checked_sub(1)
                .filter(|before| words[*before].lower == "the");
            let start = words[article.unwrap_or(at)].span.start;
            let name = words[last].text;
            let own = name.strip_suffix("'s").or(name.strip_suffix("’s"));
            let end = words[last].span.start + own.unwrap_or(name).len();
            names.push(Span::new(start, end));
        }
        at = last + 1;
    }
    names
}

/// Content words beside each other that are no part of a name.
fn runs(text: &str) -> Vec<Span> {
    let names = names(text, true);
    let words = words(text);
    let mut runs: Vec<Span> = Vec::new();
    let mut last_end = None;
    for word in &words {
        let inside = names
            .iter()
            .any(|name| name.start <= word.span.start && word.span.end <= name.end);
        if inside || !is_content(&word.lower) || is_number(word.text) {
            continue;
        }
        match runs.last_mut() {
            Some(run)
                if last_end.is_some_and(|end| text[end..word.span.start].trim().is_empty()) =>
            {
                run.end = word.span.end;
            }
            _ => runs.push(word.span),
        }
        last_end = Some(word.span.end);
    }
    runs
}

/// What a text speaks of: names, then other things.
pub(super) fn things(text: &str, is_question: bool) -> Vec<String> {
    let named = names(text, is_question).into_iter().map(|span| {
        let name = span.slice(text);
        name.strip_prefix("The ")
            .map_or_else(|| name.to_owned(), |rest| format!("the {rest}"))
    });
    let runs = if is_question { runs(text) } else { Vec::new() };
    let words = words(text);
    let last = words.last().map(|word| word.span.end);
    let does = |word: &Word<'_>| matches!(word.lower.as_str(), "do" | "does" | "did");
    let after = words.iter().position(does).map(|at| &words[at..]);
    // "did the board approve for a new gearbox" ends with a thing.
    let is_apart = |word: &Word<'_>| PREPOSITIONS.contains(&word.lower.as_str());
    let ends_with_verb = after.is_some_and(|after| !after.iter().any(is_apart));
    let others = runs.into_iter().map(|span| {
        let is_last = ends_with_verb && Some(span.end) == last;
        format!("the {}", without_verb(span.slice(text), is_last))
    });
    named.chain(others).collect()
}

/// "children's jackets kept" without its verb, and so "ctenophores eat" at the end of a question with
/// "do".
fn without_verb(run: &str, ends_with_verb: bool) -> &str {
    let is_verb = |word: &str| word.ends_with("ed") || PARTICIPLES.contains(&word);
    match run.rsplit_once(' ') {
        Some((rest, last)) if ends_with_verb || is_verb(last) => rest,
        _ => run,
    }
}

/// `previous` asked of what is named `anew`: in the place of a name, a number, a thing of the same kind,
/// then of each other thing.
pub(super) fn swaps(previous: &str, anew: &str) -> Vec<String> {
    let names = names(previous, true);
    let runs = runs(previous);
    let spans_of = |span: Span| {
        words(span.slice(previous))
            .into_iter()
            .map(move |word| word.span.shifted(span.start))
    };
    let numbers: Vec<Span> = words(previous)
        .iter()
        .filter(|word| is_number(word.text))
        .map(|word| word.span)
        .collect();
    let anew_name = self::names(anew, true).first().map(|span| span.slice(anew));
    let last_word = |text: &str| words(text).last().map(|word| word.lower.clone());
    // A name takes the place of a name, and a number that of a number.
    let is_number_anew = words(anew).iter().all(|word| is_number(word.text));
    let mut swapped: Vec<(Span, &str)> = Vec::new();
    if is_number_anew {
        swapped.extend(numbers.iter().map(|span| (*span, anew)));
    } else if let Some(name) = anew_name {
        swapped.extend(names.iter().map(|span| (*span, name)));
    }
    if swapped.is_empty() {
        let alike = |span: &&Span| last_word(span.slice(previous)) == last_word(anew);
        swapped.extend(runs.iter().filter(alike).map(|span| (*span, anew)));
        let count = words(anew).len();
        for run in &runs {
            // A child ticket rather than a child, in the place of an adult ticket.
            swapped.push((*run, anew));
            let inner: Vec<Span> = spans_of(*run).collect();
            if inner.len() > count {
                swapped.push((Span::new(run.start, inner[count - 1].end), anew));
            }
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for (span, anew) in swapped {
        let text = with_article(previous, span, anew);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// `text` with `anew` at `span`; "a" and "an" before it are made to fit.
fn with_article(text: &str, span: Span, anew: &str) -> String {
    let (before, after) = (&text[..span.start], &text[span.end..]);
    let vowel = anew.starts_with(['a', 'e', 'i', 'o', 'u']);
    let before = match (before.strip_suffix(" an "), before.strip_suffix(" a ")) {
        (Some(rest), _) if !vowel => format!("{rest} a "),
        (_, Some(rest)) if vowel => format!("{rest} an "),
        _ => before.to_owned(),
    };
    // "the Tern" gives its article to "Petrel".
    let has_article = span.slice(text).to_lowercase().starts_with("the ");
    let article = if has_article && !anew.to_lowercase().starts_with("the ") && !is_number(anew) {
        "the "
    } else {
        ""
    };
    format!("{before}{article}{anew}{after}")
}

/// Terms of what a question is about, without the words that only ask.
pub(super) fn telling(question: &str) -> HashSet<String> {
    let words = words(question);
    let telling = words.iter().filter(|word| is_content(&word.lower));
    telling
        .flat_map(|word| rag_text::terms(word.text))
        .collect()
}

/// `question` under the heading of `thing`: "The Tern: how many cars?"
pub(super) fn under(thing: &str, question: &str) -> String {
    let first = question
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let question = if ASKING.contains(&first.as_str()) || VERBS.contains(&first.as_str()) {
        let mut characters = question.chars();
        let first = characters.next().map(|c| c.to_lowercase().to_string());
        first.unwrap_or_default() + characters.as_str()
    } else {
        question.to_owned()
    };
    format!("{}: {question}", capital(thing))
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
