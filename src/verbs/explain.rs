//! `rag ask --explain`: what was retrieved, by which search, what became of it, and where the time went.

use std::io;

use rag_core::ledger::{Entry, Fate};
use rag_core::wire::HitRow;
use rag_core::{Answer, Timings};

use crate::terminal::Printer;
use crate::verbs::search::{explained, place};

/// Prints all that `--json` has of it, for people.
pub(crate) fn show(answer: &Answer, printer: &mut Printer) -> io::Result<()> {
    printer.line("")?;
    if let Some(counts) = &answer.everything {
        printer.line(&format!(
            "counted: {} in the text of {} sources, by the full-text index; nothing was ranked or left out",
            counts.terms.join(" + "),
            counts.searched
        ))?;
    } else {
        printer.line(&format!(
            "retrieved: {}; confidence {:.2}",
            passages(answer.hits.len()),
            answer.confidence
        ))?;
    }
    for (hit, entry) in HitRow::rows(&answer.hits)
        .iter()
        .zip(&answer.ledger.entries)
    {
        let place = place(&hit.source, hit.part.as_deref(), hit.page, hit.lines);
        printer.line(&format!("{:>2}. {place}: {}", hit.rank, fate(entry)))?;
        printer.line(&format!("    {}", explained(hit)))?;
    }
    let ledger = &answer.ledger;
    if let (Some(frame), Some(room), Some(used)) =
        (ledger.frame_tokens, ledger.room_tokens, ledger.used_tokens)
    {
        let usage = &answer.usage;
        printer.line(&format!(
            "tokens: {frame} for instructions and question, {used} of {room} for {}; {} dropped; {} written{}",
            passages(usage.passages),
            usage.dropped_passages,
            usage.generated_tokens,
            if usage.cut { " (cut at --max-tokens)" } else { "" }
        ))?;
    }
    printer.line(&times(&answer.timings))
}

fn passages(count: usize) -> String {
    format!("{count} passage{}", if count == 1 { "" } else { "s" })
}

/// What became of a hit, in a few words.
fn fate(entry: &Entry) -> String {
    let said = match entry.fate {
        Fate::Used => "used",
        Fate::Dropped => "dropped",
        Fate::NotReached => "not looked at",
    };
    let tokens = entry.tokens.map(|tokens| format!(", {tokens} tokens"));
    let reason = entry.reason.as_ref().map(|reason| format!(": {reason}"));
    let hidden =
        (entry.hidden > 0).then(|| format!(" (invisible characters left out: {})", entry.hidden));
    let parts = [tokens, reason, hidden].into_iter().flatten();
    format!("{said}{}", parts.collect::<String>())
}

/// The stages that took any time.
fn times(timings: &Timings) -> String {
    let stages = [
        ("loading models", timings.load_ms),
        ("search", timings.search_ms),
        ("of which the question's vector", timings.embed_ms),
        ("choosing passages", timings.prompt_ms),
        ("reading them", timings.prefill_ms),
        ("writing", timings.decode_ms),
        ("checking citations", timings.cite_ms),
    ];
    let stages = stages.iter().filter(|(_, millis)| *millis > 0.0);
    let stages: Vec<String> = stages
        .map(|(stage, ms)| format!("{stage} {ms:.0} ms"))
        .collect();
    format!("time: {:.0} ms ({})", timings.total_ms, stages.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_hit_reads_as_one_line() {
        let entry = Entry {
            rank: 2,
            tokens: Some(180),
            fate: Fate::Dropped,
            reason: Some("does not fit the 12 tokens that are left for passages".into()),
            hidden: 3,
        };
        assert_eq!(
            fate(&entry),
            "dropped, 180 tokens: does not fit the 12 tokens that are left for passages (invisible characters left out: 3)"
        );
    }

    #[test]
    fn stages_that_took_no_time_are_not_named() {
        let timings = Timings {
            search_ms: 12.4,
            total_ms: 13.0,
            ..Timings::default()
        };
        assert_eq!(times(&timings), "time: 13 ms (search 12 ms)");
    }
}
