//! YAML: the file's own text, cut at keys and list entries by their indentation.

use rag_core::{Document, Span};

use crate::{
    code,
    items::{Item, MAX_DEPTH, MAX_ITEMS},
    lines::{Line, lines},
};

/// The document of a decoded YAML text.
pub(crate) fn read(text: String) -> Document {
    code::document(text, Some("yaml"), "application/yaml")
}

/// Keys with their values and entries of lists, with the comments right above them.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut outline = Outline::default();
    for line in lines(text) {
        if outline.items.len() >= MAX_ITEMS {
            break;
        }
        outline.see(line, text);
    }
    outline.items
}

#[derive(Default)]
struct Outline {
    /// Indentation and index of the items around, outermost first.
    open: Vec<(usize, usize)>,
    /// Start of the comment right above.
    comment: Option<usize>,
    /// Indentation of a key whose value is a text of the lines below it (`key: |`).
    verbatim: Option<usize>,
    items: Vec<Item>,
}

impl Outline {
    fn see(&mut self, line: Line<'_>, text: &str) {
        let words = line.words();
        if words.is_empty() {
            self.comment = None;
            return;
        }
        let mut indent = line.indent();
        if self.verbatim.is_some_and(|key| indent > key) {
            self.extend(line.span.end);
            return;
        }
        self.verbatim = None;
        if words.starts_with('#') {
            self.comment.get_or_insert(line.span.start + indent);
            return;
        }
        let mut start = self.comment.take().unwrap_or(line.span.start + indent);
        if words.starts_with("---") || words.starts_with("...") {
            self.open.clear();
            return;
        }
        // `- - key: value` is an entry in an entry with a key.
        let mut rest = words;
        while let Some(entry) = rest.strip_prefix("- ").or((rest == "-").then_some("")) {
            self.begin(
                indent,
                Span::new(start, line.span.end),
                Span::new(start, start),
            );
            let inner = entry.trim_start();
            indent += rest.len() - inner.len();
            start = line.span.start + indent;
            rest = inner;
        }
        if let Some(key) = key_of(rest) {
            let name = line.place_of(key);
            self.begin(indent, Span::new(start, line.span.end), name);
            let value = text[name.end..line.span.end].trim_start_matches(['"', '\'', ' ', ':']);
            if value.starts_with(['|', '>']) {
                self.verbatim = Some(indent);
            }
        } else {
            // The lines of a value that goes on.
            while self.open.pop_if(|(open, _)| *open > indent).is_some() {}
            self.extend(line.span.end);
        }
    }

    fn begin(&mut self, indent: usize, span: Span, name: Span) {
        // An entry of a list may stand as far left as the key that the list is the value of.
        let is_entry = name.is_empty();
        let ends = |item: &Item, open: usize| {
            open > indent || open == indent && (item.name().is_empty() || !is_entry)
        };
        while let Some((open, index)) = self.open.last()
            && ends(&self.items[*index], *open)
        {
            self.open.pop();
        }
        self.extend(span.end);
        if self.open.len() < MAX_DEPTH {
            self.items.push(Item::new(span, name, self.open.len()));
            self.open.push((indent, self.items.len() - 1));
        }
    }

    /// The items around reach this far.
    fn extend(&mut self, end: usize) {
        for (_, index) in &self.open {
            self.items[*index].end_at(end);
        }
    }
}

/// The key that a line begins with, without its quotes.
fn key_of(words: &str) -> Option<&str> {
    if let Some(quote) = words.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let inner = &words[1..];
        let end = inner.find(quote)?;
        return inner[end + 1..].starts_with(':').then(|| &inner[..end]);
    }
    let end = words
        .find(": ")
        .or_else(|| words.ends_with(':').then(|| words.len() - 1))?;
    let key = words[..end].trim_end();
    (!key.is_empty() && !key.starts_with(['{', '[', '#'])).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Vec<String> {
        let shown = |item: &Item| {
            let lines = item.span().slice(text).lines().count();
            format!(
                "{}{}:{lines}",
                "  ".repeat(item.depth()),
                item.name().slice(text)
            )
        };
        items(text).iter().map(shown).collect()
    }

    #[test]
    fn keys_hold_what_is_indented_below_them() {
        let text = "# The port.\nport:\n  name: Averill\n  \"depth\": 7\n\nships:\n- id: 1\n  crew: [a, b]\n- id: 2\nnote: |\n  a: b\n  c\nlast: x\n";
        assert_eq!(
            outline(text),
            [
                "port:4",
                "  name:1",
                "  depth:1",
                "ships:4",
                "  :2",
                "    id:1",
                "    crew:1",
                "  :1",
                "    id:1",
                "note:3",
                "last:1"
            ]
        );
    }

    #[test]
    fn nothing_reaches_out_of_what_it_lies_in() {
        let text = "a:\n   b: 1\n c\n- d\n  - e: f\n g: h\n---\n- x\n-\n  y: |\n\n   z\n";
        let items = items(text);
        for pair in items.windows(2) {
            let [one, two] = pair else { continue };
            assert!(one.span().start <= two.span().start);
            if two.depth() > one.depth() {
                assert!(one.span().contains(two.span()), "{one:?} {two:?}");
            }
        }
        let deep: String = (0..5000)
            .map(|n| format!("{}k:\n", " ".repeat(n)))
            .collect::<Vec<_>>()
            .concat();
        assert!(
            super::items(&deep)
                .iter()
                .all(|item| item.depth() < MAX_DEPTH)
        );
    }
}
