//! The ledgers of answers that no prompt was made for, and what is said of hidden text. Pure.

use rag_core::ledger::{Entry, Fate};
use rag_core::{Hit, Ledger};

/// Of a question that was refused before any passage was looked at.
pub(crate) fn unused(hits: &[Hit], least: f32) -> Ledger {
    let reason = format!("refused: all hits together give less confidence than {least}");
    entries(hits, Fate::NotReached, Some(&reason))
}

/// Of an extractive answer, for which the sentences of every hit are weighed.
pub(crate) fn weighed(hits: &[Hit]) -> Ledger {
    entries(hits, Fate::Used, None)
}

fn entries(hits: &[Hit], fate: Fate, reason: Option<&str>) -> Ledger {
    let entry = |rank| Entry {
        rank,
        tokens: None,
        fate,
        reason: reason.map(str::to_owned),
        hidden: 0,
    };
    Ledger {
        entries: (1..=hits.len() as u32).map(entry).collect(),
        ..Ledger::default()
    }
}

/// What is said where characters that are not to be seen were kept from the model.
pub(crate) fn hidden(hits: &[Hit], ledger: &Ledger) -> Option<String> {
    let with = ledger
        .entries
        .iter()
        .zip(hits)
        .filter(|(entry, _)| entry.hidden > 0);
    let (mut count, mut names) = (0, Vec::new());
    for (entry, hit) in with {
        count += entry.hidden;
        if !names.contains(&hit.source.path.as_str()) {
            names.push(&hit.source.path);
        }
    }
    let (are, s) = if count == 1 {
        ("was", "")
    } else {
        ("were", "s")
    };
    (count > 0).then(|| {
        let names = names.join(", ");
        format!("{count} invisible character{s} {are} kept from the model: {names}")
    })
}
