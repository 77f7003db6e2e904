//! Settings (TOML, INI, properties): the file's own text, cut at its sections.

use rag_core::{Document, Span};

use crate::{
    code,
    items::{Item, MAX_ITEMS},
    lines::{Line, lines},
};

/// The document of a decoded text of settings in the language `label`.
pub(crate) fn read(text: String, label: &str, media_type: &str) -> Document {
    code::document(text, Some(label), media_type)
}

/// Sections with the comments right above them.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut comment = None;
    let mut end = 0;
    for line in lines(text) {
        let words = line.words();
        if let Some(name) = section_of(words) {
            let start = comment.take().unwrap_or(line.span.start);
            if let Some(before) = items.last_mut() {
                before.end_at(end.min(start));
            }
            if items.len() >= MAX_ITEMS {
                break;
            }
            let span = Span::new(start, line.span.end);
            items.push(Item::new(span, line.place_of(name), 0));
        }
        if is_comment(line) {
            comment.get_or_insert(line.span.start);
        } else {
            comment = None;
        }
        if !words.is_empty() {
            end = line.span.end;
        }
    }
    if let Some(last) = items.last_mut() {
        last.end_at(end);
    }
    items
}

fn is_comment(line: Line<'_>) -> bool {
    line.words().starts_with(['#', ';'])
}

/// The name in `[name]` or `[[name]]`.
fn section_of(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    let name = inner[..inner.find(']')?].trim();
    let after = inner[inner.find(']')?..].trim_matches([']', ' ', '\t']);
    let is_end = after.is_empty() || after.starts_with(['#', ';']);
    (is_end && !name.is_empty() && !name.contains([',', '"'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_holds_its_lines_and_the_comment_above_it() {
        let text = "root = 1\n\n# Of ships.\n[ships]\nids = [\n  1,\n]\n\n[[ships.crew]] # each\nname = 'x'\n";
        let found: Vec<(&str, &str)> = items(text)
            .iter()
            .map(|item| (item.name().slice(text), item.span().slice(text)))
            .collect();
        assert_eq!(
            found,
            [
                ("ships", "# Of ships.\n[ships]\nids = [\n  1,\n]"),
                ("ships.crew", "[[ships.crew]] # each\nname = 'x'"),
            ]
        );
    }
}
