//! `rag search`: the passages that fit a question.

use std::time::Instant;

use rag_core::wire::{HitRow, SearchResult};
use rag_core::{Lines, Mode, Query, Reason, Why};

use crate::args::Search;
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, name};
use crate::wiring;

pub(crate) fn run(
    config: &Config,
    options: &Search,
    printer: &mut Printer,
) -> anyhow::Result<Exit> {
    let query = Query {
        text: options.query.clone(),
        mode: options.mode.into(),
        limit: usize::from(options.limit),
        filter: options.within.filter(),
    };
    let mut engine = match query.mode {
        Mode::Words => wiring::engine(config)?,
        _ => wiring::searching_engine(config)?,
    };
    if query.mode == Mode::Rerank {
        engine = engine.with_reranker(wiring::reranker(config, options.reranker.as_deref(), None)?);
    }
    let started = Instant::now();
    let mut notes = Vec::new();
    let hits = engine.search_noting(&query, &mut |note| {
        printer.say(&format!("note: {note}"));
        notes.push(note.to_owned());
    })?;
    let result = SearchResult {
        query: query.text,
        hits: HitRow::rows(&hits),
        notes,
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
    };
    let exit = if result.hits.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    };
    if printer.is_json() {
        printer.value(&result)?;
    } else if result.hits.is_empty() {
        printer.say("nothing found");
    }
    if !printer.is_json() {
        for hit in &result.hits {
            let place = place(&hit.source, hit.part.as_deref(), hit.page, found_lines(hit));
            let under = under(&hit.heading, hit.part.as_deref());
            printer.line(&format!("{:>2}. {place}{under}", hit.rank))?;
            printer.line(&format!("    {}", excerpt(found(hit), 200)))?;
            if options.explain {
                printer.line(&format!("    {}", explained(hit)))?;
            }
        }
    }
    Ok(exit)
}

/// The text of a hit from what was found on.
fn found(hit: &HitRow) -> &str {
    let from = hit.focus.start.saturating_sub(hit.span.start);
    hit.text.get(from..).unwrap_or(&hit.text)
}

/// The lines of what was found.
fn found_lines(hit: &HitRow) -> Option<Lines> {
    let lines = hit.lines?;
    let from = hit.focus.start.checked_sub(hit.span.start)?;
    let to = hit.focus.end.checked_sub(hit.span.start)?;
    let breaks = |text: Option<&str>| text.map(|text| text.matches('\n').count() as u32);
    let first = lines.first + breaks(hit.text.get(..from))?;
    Some(Lines {
        first,
        last: first + breaks(hit.text.get(from..to))?,
    })
}

/// What each search said of a hit, on one line.
pub(crate) fn explained(hit: &HitRow) -> String {
    let said = |search: &str, score: &str, reason: Option<Reason>| match reason {
        Some(Reason {
            rank,
            score: value,
            points,
        }) => format!("{search} #{rank} ({score} {value:.2}) +{points:.4}"),
        None => format!("{search}: not found"),
    };
    let Why {
        vector,
        words,
        rerank,
        repeats,
    } = hit.why;
    let mut all = vec![
        said("words", "BM25", words),
        said("vector", "cosine", vector),
    ];
    all.extend(rerank.map(|reason| said("rerank", "score", Some(reason))));
    all.extend(repeats.map(|rank| format!("set back: nearly the same as {rank}.")));
    format!("score {:.4} = {}", hit.score, all.join(", "))
}

/// A source with its part, its page or its lines, as people write it.
pub(crate) fn place(
    source: &str,
    part: Option<&str>,
    page: Option<u32>,
    lines: Option<Lines>,
) -> String {
    let mut source = name(source);
    if let Some(part) = part {
        source = format!("{source} › {}", name(part));
    }
    match (page, lines) {
        (Some(page), _) => format!("{source} p. {page}"),
        (None, Some(lines)) if lines.first == lines.last => format!("{source}:{}", lines.first),
        (None, Some(lines)) => format!("{source}:{}-{}", lines.first, lines.last),
        (None, None) => source,
    }
}

/// The heading path, set off from the place before it, which names the part already.
pub(crate) fn under(heading: &[String], part: Option<&str>) -> String {
    let names = heading.iter().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| Some(*name) != part).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" › {}", name(&names.join(" › ")))
    }
}

/// The beginning of `text` on one line, at most `most` characters.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use rag_core::Span;

    use super::*;

    #[test]
    fn places_read_as_people_write_them() {
        let lines = |first, last| Some(Lines { first, last });
        assert_eq!(place("a.pdf", None, Some(3), None), "a.pdf p. 3");
        assert_eq!(place("a.md", None, None, lines(3, 3)), "a.md:3");
        assert_eq!(place("a.md", None, None, lines(3, 9)), "a.md:3-9");
        assert_eq!(place("a.html", None, None, None), "a.html");
        let inner = place("a.zip", Some("b/c.pdf"), Some(2), None);
        assert_eq!(inner, "a.zip › b/c.pdf p. 2");
    }

    #[test]
    fn of_a_hit_with_its_neighbours_the_place_of_what_was_found_is_shown() {
        let hit = HitRow {
            rank: 1,
            source: "a.md".into(),
            part: None,
            page: None,
            page_end: None,
            lines: Some(Lines { first: 3, last: 7 }),
            heading: Vec::new(),
            span: Span::new(10, 28),
            focus: Span::new(17, 22),
            text: "before\ntwo\nl\nafter".into(),
            table_header: None,
            score: 1.0,
            why: Why::default(),
        };
        assert_eq!(found(&hit), "two\nl\nafter");
        assert_eq!(found_lines(&hit), Some(Lines { first: 4, last: 5 }));
    }

    #[test]
    fn an_excerpt_is_one_line_and_never_cuts_a_character() {
        assert_eq!(excerpt("一\n二  三", 3), "一 二…");
        assert_eq!(excerpt("short", 10), "short");
    }
}
