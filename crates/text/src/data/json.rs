//! JSON and JSON Lines: the file's own text, cut at members and elements, whatever their depth and
//! however the file is laid out. Comments and loose syntax (JSON5) are read too.
//!
//! Characters that were written as `\u4e2d` are written out, or nothing that is not English could be
//! found; lines keep their number.

use rag_core::{Document, Span};

use crate::{
    code,
    items::{Item, MAX_DEPTH, MAX_ITEMS},
};

/// The document of a decoded JSON text.
pub(crate) fn read(text: String, media_type: &str) -> Document {
    code::document(written_out(text), Some("json"), media_type)
}

/// `text` with its escaped characters beyond ASCII as themselves.
fn written_out(text: String) -> String {
    if !text.contains("\\u") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if let Some((c, length)) = escaped(rest) {
            out.push(c);
            length
        } else {
            // The next character is escaped, be it a backslash.
            let next = rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..=next]);
            1 + next
        };
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The character that an escape at the start of `text` stands for, and the escape's length. Control
/// characters and what is ASCII stay escaped.
fn escaped(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if (0xD800..0xDC00).contains(&first) {
        let second = unit(&text[6..]).filter(|unit| (0xDC00..0xE000).contains(unit))?;
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return char::from_u32(code).map(|c| (c, 12));
    }
    let c = char::from_u32(first)?;
    (first >= 0xA0 && !matches!(c, '\u{2028}' | '\u{2029}')).then_some((c, 6))
}

/// Members of objects, and the objects and arrays in arrays.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut scan = Scan {
        text,
        at: 0,
        open: Vec::new(),
        deeper: 0,
        key: None,
        closed: None,
        items: Vec::new(),
    };
    while scan.at < text.len() && scan.items.len() < MAX_ITEMS {
        scan.step();
    }
    // What a cut file leaves open ends with it.
    for index in std::mem::take(&mut scan.open) {
        scan.items[index].end_at(text.len());
    }
    scan.items
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The items whose values are open, outermost first.
    open: Vec<usize>,
    /// Brackets open beyond the depth at which items are told apart.
    deeper: usize,
    /// A string or word that may turn out to be a key, and whether its colon was seen.
    key: Option<(Span, bool)>,
    /// The item that ended last: a comma after it belongs to it.
    closed: Option<usize>,
    items: Vec<Item>,
}

impl Scan<'_> {
    fn step(&mut self) {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += 1;
        match rest[0] {
            b'{' | b'[' => self.enter(start),
            b'}' | b']' => self.leave(),
            b',' => {
                if let Some(closed) = self.closed.take() {
                    self.items[closed].end_at(self.at);
                }
                self.key = None;
            }
            b':' => {
                if let Some((_, is_key)) = &mut self.key {
                    *is_key = true;
                }
            }
            b'"' | b'\'' => {
                self.at = end_of_string(self.text.as_bytes(), start);
                self.scalar(start);
            }
            b'/' if rest.starts_with(b"//") => self.at = self.end_of(start, "\n"),
            b'/' if rest.starts_with(b"/*") => self.at = self.end_of(start + 2, "*/"),
            b if b.is_ascii_whitespace() => {}
            _ => {
                let is_end = |b: &u8| b.is_ascii_whitespace() || b"{}[],:\"".contains(b);
                let length = rest.iter().position(is_end).unwrap_or(rest.len());
                self.at = start + length.max(1);
                self.scalar(start);
            }
        }
    }

    fn end_of(&self, from: usize, mark: &str) -> usize {
        let found = self.text.get(from..).and_then(|rest| rest.find(mark));
        found.map_or(self.text.len(), |at| from + at + mark.len())
    }

    fn enter(&mut self, start: usize) {
        if self.deeper > 0 || self.open.len() >= MAX_DEPTH {
            self.deeper += 1;
            return;
        }
        let index = self.begin(start);
        self.open.push(index);
        self.closed = None;
    }

    fn leave(&mut self) {
        self.key = None;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(index) = self.open.pop() {
            self.items[index].end_at(self.at);
            self.closed = Some(index);
        }
    }

    /// A string, number or word ends here. Only one with a key is an item.
    fn scalar(&mut self, start: usize) {
        if self.deeper > 0 {
            return;
        }
        if let Some((_, true)) = self.key {
            let index = self.begin(start);
            self.items[index].end_at(self.at);
            self.closed = Some(index);
        } else {
            self.key = Some((Span::new(start, self.at), false));
            self.closed = None;
        }
    }

    /// Begins an item with the key before it, if there is one.
    fn begin(&mut self, start: usize) -> usize {
        let (start, name) = match self.key.take() {
            Some((key, true)) => {
                let quoted = key.slice(self.text);
                let bare = quoted.trim_matches(['"', '\'']);
                let inner = usize::from(bare.len() < quoted.len());
                let name = Span::new(key.start + inner, key.start + inner + bare.len());
                (key.start, name)
            }
            _ => (start, Span::new(start, start)),
        };
        let span = Span::new(start, self.at);
        self.items.push(Item::new(span, name, self.open.len()));
        self.items.len() - 1
    }
}

/// The end of the string that begins at `start`; one that is not closed ends with its line.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return at,
            b if b == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let name = |item: &Item| format!("{}{}", item.depth(), item.name().slice(text));
        items(text).iter().map(name).collect()
    }

    #[test]
    fn members_are_items_with_their_keys() {
        let text = r#"{"port": {"name": "A, \"b\"", "depth": 7.5}, "ships": [{"id": 1}, 2, "x"]}"#;
        assert_eq!(
            names(text),
            ["0", "1port", "2name", "2depth", "1ships", "2", "3id"]
        );
        let spans: Vec<&str> = items(text).iter().map(|i| i.span().slice(text)).collect();
        assert_eq!(spans[2], r#""name": "A, \"b\"","#);
        assert_eq!(spans[0], text);
    }

    #[test]
    fn lines_of_json_and_loose_json_are_read_too() {
        assert_eq!(names("{\"a\":1}\n{\"b\":2}\n"), ["0", "1a", "0", "1b"]);
        assert_eq!(
            names("{// why\n a: 'x', /* , */ b: [1,],}"),
            ["0", "1a", "1b"]
        );
    }

    #[test]
    fn escaped_characters_are_written_out_and_lines_kept() {
        let text = r#"{"a": "\u6e2f\u53e3 \ud83d\ude00 \u0041\u000a \\u6e2f \ud83d"}"#;
        let document = read(text.to_owned(), "application/json");
        assert_eq!(
            document.text,
            "{\"a\": \"港口 😀 \\u0041\\u000a \\\\u6e2f \\ud83d\"}"
        );
    }

    #[test]
    fn depth_and_damage_are_bounded() {
        let deep = "[".repeat(200_000);
        assert_eq!(items(&deep).len(), MAX_DEPTH);
        for damaged in [
            "{\"a\": {\"b",
            "}}]],,::",
            "{\"a\" \"b\" : }",
            "\"",
            "{a",
            "{\"中\": \"文",
        ] {
            for item in items(damaged) {
                assert!(damaged.get(item.span().start..item.span().end).is_some());
            }
        }
    }
}
