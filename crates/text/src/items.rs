//! What structured texts are made of: named stretches within each other. Code is taken apart by its
//! grammar, data by its keys; both are cut at the ends of items, and an item's name stands above the
//! pieces of it.

use rag_core::Span;

use crate::{code, data, lines::trimmed};

/// Items that lie deeper are not told apart: nobody reads a path of so many names, and hostile files nest
/// without end.
pub(crate) const MAX_DEPTH: usize = 12;

/// No more items than this are told apart in one text; what comes after them is cut by its lines.
pub(crate) const MAX_ITEMS: usize = 4_000_000;

/// So many bytes fit any chunk.
const SURE: usize = 8;

/// A named stretch of a text: a function with its comments, a key with its value, an element.
///
/// Places take four bytes each: data may have as many items as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    start: u32,
    end: u32,
    name_start: u32,
    name_end: u32,
    /// How many items it lies in.
    depth: u16,
}

impl Item {
    /// `name` is a stretch of the text; an empty one where the item has none.
    pub(crate) fn new(span: Span, name: Span, depth: usize) -> Self {
        Self {
            start: span.start as u32,
            end: span.end as u32,
            name_start: name.start as u32,
            name_end: name.end as u32,
            depth: depth as u16,
        }
    }

    pub(crate) fn span(&self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }

    pub(crate) fn name(&self) -> Span {
        Span::new(self.name_start as usize, self.name_end as usize)
    }

    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    pub(crate) fn end_at(&mut self, end: usize) {
        self.end = end as u32;
    }
}

/// The items of `text` in the language of that name, each before those inside it, none reaching out of
/// the one it lies in; none where the language is not known.
pub(crate) fn items(language: &str, text: &str) -> Vec<Item> {
    match language {
        "json" => data::json::items(text),
        "xml" => data::xml::items(text),
        "yaml" => data::yaml::items(text),
        "ini" | "toml" => data::settings::items(text),
        _ => code::items(language, text),
    }
}

/// A stretch of a text that is one item, several small ones, or what stands around the items of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) span: Span,
    /// Its size where it fits, none where it has to be cut further.
    pub(crate) size: Option<usize>,
    /// Names of the items around it, outermost first.
    pub(crate) above: Vec<Span>,
    /// Name of the item that it is or is the head of: it stands above what is cut off it.
    pub(crate) own: Option<Span>,
    /// Whether an item that is taken apart begins or ended here: what stood before is another matter.
    pub(crate) parted: bool,
}

/// Pieces that together hold all of `text` but white space, each as large as `weigh` allows it to be: it
/// gives the size of a stretch, or none of one that is too large. Stretches of at most `sure` bytes
/// always fit; small items next to each other are taken together up to that.
pub(crate) fn pieces(
    text: &str,
    items: &[Item],
    sure: usize,
    weigh: impl FnMut(Span) -> Option<usize>,
) -> Vec<Piece> {
    let mut cutting = Cutting {
        text,
        items,
        ends: subtree_ends(items),
        weigh,
        sure,
        above: Vec::new(),
        parted: false,
        run: None,
        pieces: Vec::new(),
    };
    cutting.walk();
    cutting.pieces
}

/// An item (or the whole text) that is being taken apart.
struct Frame {
    /// The next item directly inside, and where these end.
    next: usize,
    last: usize,
    /// So far all is in pieces.
    at: usize,
    end: usize,
    /// Name of the item, until its head is taken.
    head: Option<Span>,
}

struct Cutting<'a, W> {
    text: &'a str,
    items: &'a [Item],
    /// For every item, the index after the last item inside it.
    ends: Vec<u32>,
    weigh: W,
    sure: usize,
    above: Vec<Span>,
    parted: bool,
    /// Small stretches next to each other that are not a piece yet.
    run: Option<Span>,
    pieces: Vec<Piece>,
}

impl<W: FnMut(Span) -> Option<usize>> Cutting<'_, W> {
    fn walk(&mut self) {
        let mut stack = vec![Frame {
            next: 0,
            last: self.items.len(),
            at: 0,
            end: self.text.len(),
            head: None,
        }];
        while let Some(frame) = stack.last_mut() {
            if frame.next >= frame.last {
                let rest = Span::new(frame.at, frame.end);
                let head = frame.head.take();
                self.around(rest, head);
                self.flush();
                stack.pop();
                self.above.pop();
                self.parted = true;
                continue;
            }
            let index = frame.next;
            let item = self.items[index];
            let span = item.span();
            let inner_end = self.ends[index] as usize;
            let gap = Span::new(frame.at, span.start);
            let head = frame.head.take();
            frame.next = inner_end;
            frame.at = span.end;
            self.around(gap, head);
            if self.joins_run(span) {
                continue;
            }
            // Opening brackets belong to what they open.
            let lead = self.run.take_if(|run| !has_words(run.slice(self.text)));
            let span = Span::new(lead.map_or(span.start, |lead| lead.start), span.end);
            self.flush();
            let size = (self.weigh)(span);
            if size.is_some() || inner_end == index + 1 {
                self.push(span, size, Some(item.name()));
                continue;
            }
            self.parted = true;
            stack.push(Frame {
                next: index + 1,
                last: inner_end,
                at: span.start,
                end: span.end,
                head: Some(item.name()),
            });
            self.above.push(item.name());
        }
    }

    /// Takes what stands before, between or after the items of another one. Closing brackets and commas
    /// alone belong to what stands before them.
    fn around(&mut self, gap: Span, head: Option<Span>) {
        let gap = trimmed(self.text, gap);
        if gap.is_empty() {
            return;
        }
        let has_words = has_words(gap.slice(self.text));
        if has_words && head.is_some() {
            // The head of an item does not stand below its own name.
            let own = self.above.pop();
            self.flush();
            let size = (self.weigh)(gap);
            self.push(gap, size, head);
            self.above.extend(own);
            return;
        }
        if !has_words && self.run.is_none() && self.joins_last(gap) || self.joins_run(gap) {
            return;
        }
        self.flush();
        if !has_words && self.joins_last(gap) {
            return;
        }
        let size = (self.weigh)(gap);
        self.push(gap, size, None);
    }

    /// Whether `span` could be added to the last piece.
    fn joins_last(&mut self, span: Span) -> bool {
        let Some(last) = self.pieces.last() else {
            return false;
        };
        let joined = Span::new(last.span.start, span.end);
        let size = last.size.and_then(|_| (self.weigh)(joined));
        if let (Some(size), Some(last)) = (size, self.pieces.last_mut()) {
            last.span = joined;
            last.size = Some(size);
        }
        size.is_some()
    }

    /// Whether `span` could be added to the run of small stretches, or begin one.
    fn joins_run(&mut self, span: Span) -> bool {
        let start = self.run.map_or(span.start, |run| run.start);
        let joined = Span::new(start, span.end);
        let fits = joined.len() <= self.sure.max(SURE);
        if fits {
            self.run = Some(joined);
        }
        fits
    }

    fn flush(&mut self) {
        if let Some(run) = self.run.take() {
            let size = (self.weigh)(run);
            self.push(run, size, None);
        }
    }

    fn push(&mut self, span: Span, size: Option<usize>, own: Option<Span>) {
        self.pieces.push(Piece {
            span,
            size,
            above: self.above.clone(),
            own,
            parted: std::mem::take(&mut self.parted),
        });
    }
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

fn subtree_ends(items: &[Item]) -> Vec<u32> {
    let mut ends = vec![items.len() as u32; items.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        while let Some(last) = open.pop_if(|last| items[*last].depth >= item.depth) {
            ends[last] = index as u32;
        }
        open.push(index);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fits `cap` bytes, with the names above it.
    fn cut(language: &str, text: &str, cap: usize) -> Vec<String> {
        let name = |span: &Span| span.slice(text);
        let weigh = |span: Span| (span.len() <= cap).then_some(span.len());
        pieces(text, &items(language, text), 0, weigh)
            .iter()
            .map(|piece| {
                let above = piece.above.iter().map(name);
                let above: Vec<&str> = above.filter(|name| !name.is_empty()).collect();
                format!("{}: {}", above.join("/"), piece.span.slice(text))
            })
            .collect()
    }

    #[test]
    fn what_fits_is_not_taken_apart() {
        let text = r#"{"a": 1, "b": {"c": 2}}"#;
        let items = items("json", text);
        let whole = Span::new(0, text.len());
        let pieces = pieces(text, &items, text.len(), |span| Some(span.len()));
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].span, whole);
    }

    #[test]
    fn an_item_that_is_too_large_is_cut_at_those_inside_it_and_brackets_stay_with_them() {
        let text = r#"{"first": {"alpha": [1, 2], "beta": "two"}, "last": 3}"#;
        assert_eq!(
            cut("json", text, 20),
            [
                r#": {"first": {"#,
                r#"first: "alpha": [1, 2],"#,
                r#"first: "beta": "two"},"#,
                r#": "last": 3}"#,
            ]
        );
    }

    #[test]
    fn a_function_is_cut_off_with_its_comment_and_below_its_class() {
        let text = "class Harbour:\n    # How deep it is.\n    def depth(self):\n        return 7\n\n    def name(self):\n        return 'Port'\n";
        assert_eq!(
            cut("python", text, 70),
            [
                ": class Harbour:",
                "Harbour: # How deep it is.\n    def depth(self):\n        return 7",
                "Harbour: def name(self):\n        return 'Port'",
            ]
        );
    }
}
