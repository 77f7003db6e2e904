//! The body of a document as it comes out of a stream of tags: paragraphs, tables whose cells hold
//! paragraphs and tables, and asides (text boxes, notes) that stand in the middle of a paragraph and
//! are read after it.
//!
//! What is closed without having been opened counts for nothing, and what is open at the end is closed.

use rag_core::{BlockKind, Document};

use super::node::{Cell, Node, Paragraph};
use crate::flow::Flow;

/// Tables and text boxes within each other; what lies deeper is read as part of the deepest.
const MAX_FRAMES: usize = 32;
/// Columns that a cell which spans many takes up at most; a row of a form has some dozen.
const MAX_SPAN: usize = 64;

#[derive(Debug)]
pub(super) struct Body {
    flow: Flow,
    /// From the page inwards; never empty.
    frames: Vec<Frame>,
    /// The frame that notes follow in: the page, or the aside that the body was made as.
    base: usize,
    /// Frames opened beyond the limit and not closed yet.
    deeper: usize,
    /// Characters taken so far, so that it can be told whether something gave any.
    taken: usize,
    /// The first heading, which is a title where nothing else is.
    first_heading: Option<String>,
}

/// What paragraphs are written into.
#[derive(Debug, Default)]
struct Frame {
    role: Role,
    /// Paragraphs and tables that are finished, except on the page, which writes them at once.
    nodes: Vec<Node>,
    open: Option<Paragraph>,
    /// Asides of the open paragraph.
    asides: Vec<Node>,
}

#[derive(Debug, Default)]
enum Role {
    #[default]
    Page,
    Table(Vec<Vec<Cell>>),
    Cell {
        span: usize,
    },
    Aside,
}

impl Default for Body {
    fn default() -> Self {
        Self {
            flow: Flow::default(),
            frames: vec![Frame::default()],
            base: 0,
            deeper: 0,
            taken: 0,
            first_heading: None,
        }
    }
}

impl Body {
    /// A body whose blocks are taken out as nodes rather than written.
    pub(super) fn aside() -> Self {
        let mut body = Self::default();
        body.open_aside();
        body.base = 1;
        body
    }

    /// The nodes of a body that was made by [`Body::aside`], which is empty after that.
    pub(super) fn take(&mut self) -> Vec<Node> {
        self.deeper = 0;
        while self.frames.len() > self.base + 1 {
            self.close_frame();
        }
        self.end();
        std::mem::take(&mut self.top().nodes)
    }

    /// Begins a paragraph and ends the one that was open.
    pub(super) fn begin(&mut self, kind: BlockKind) {
        self.end();
        self.top().open = Some(Paragraph::new(kind));
    }

    /// Changes what the open paragraph is.
    pub(super) fn make(&mut self, kind: BlockKind) {
        if let Some(open) = &mut self.top().open {
            open.kind = kind;
        }
    }

    /// Puts words before those of the open paragraph: its number.
    pub(super) fn prefix(&mut self, words: &str) {
        if let Some(open) = &mut self.top().open {
            open.prefix(words);
        }
    }

    /// The words of the open paragraph.
    pub(super) fn open_words(&self) -> Option<String> {
        self.frames.last()?.open.as_ref()?.line()
    }

    /// Leaves out the open paragraph, but not what stands in it aside.
    pub(super) fn drop_open(&mut self) {
        self.top().open = None;
        self.end();
    }

    /// Whether the open paragraph has a character other than white space.
    pub(super) fn has_words(&self) -> bool {
        let open = self.frames.last().and_then(|frame| frame.open.as_ref());
        open.is_some_and(|open| !open.text.trim().is_empty())
    }

    pub(super) fn is_open(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.open.is_some())
    }

    /// Adds words to the open paragraph, or to a new one.
    pub(super) fn text(&mut self, words: &str) {
        self.taken += words.len();
        if !self.is_open() {
            self.begin(BlockKind::Paragraph);
        }
        if let Some(open) = &mut self.top().open {
            open.text.push_str(words);
        }
    }

    /// Characters taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn line_break(&mut self) {
        if let Some(open) = &mut self.top().open {
            open.text.push('\n');
        }
    }

    /// What follows in the paragraph points to `target`.
    pub(super) fn open_link(&mut self, target: &str) {
        self.close_link();
        if let Some(open) = &mut self.top().open {
            open.open_link(target);
        }
    }

    pub(super) fn close_link(&mut self) {
        if let Some(open) = &mut self.top().open {
            open.close_link();
        }
    }

    /// Ends the open paragraph.
    pub(super) fn end(&mut self) {
        self.close_link();
        let frame = self.top();
        let open = frame.open.take();
        let asides = std::mem::take(&mut frame.asides);
        if let Some(paragraph) = open.filter(|open| !open.text.trim().is_empty()) {
            self.put(Node::Paragraph(paragraph));
        }
        self.put_all(asides);
    }

    pub(super) fn open_table(&mut self) {
        self.end();
        self.open_frame(Role::Table(Vec::new()));
    }

    pub(super) fn open_row(&mut self) {
        if self.deeper == 0
            && let Role::Table(rows) = &mut self.top().role
        {
            rows.push(Vec::new());
        }
    }

    /// Opens a cell that takes up so many columns.
    pub(super) fn open_cell(&mut self) {
        self.open_frame(Role::Cell { span: 1 });
    }

    /// Says that the open cell takes up so many columns.
    pub(super) fn span(&mut self, columns: usize) {
        if let Role::Cell { span } = &mut self.top().role {
            *span = columns.clamp(1, MAX_SPAN);
        }
    }

    pub(super) fn close_cell(&mut self) {
        self.close_frame();
    }

    /// A row begins anew with the next one: nothing is left to be done.
    pub(super) fn close_table(&mut self) {
        self.close_frame();
    }

    /// Opens an aside: its paragraphs are read after the one that is open.
    pub(super) fn open_aside(&mut self) {
        self.open_frame(Role::Aside);
    }

    pub(super) fn close_aside(&mut self) {
        self.close_frame();
    }

    /// Puts a note after the outermost paragraph or table that is open.
    pub(super) fn note(&mut self, nodes: Vec<Node>) {
        self.taken += nodes.len();
        let is_inside = self.frames.len() > self.base + 1;
        match self.frames.get_mut(self.base) {
            Some(base) if is_inside || base.open.is_some() => base.asides.extend(nodes),
            _ => self.put_all(nodes),
        }
    }

    /// Adds nodes that were made elsewhere.
    pub(super) fn add(&mut self, nodes: Vec<Node>) {
        self.end();
        self.put_all(nodes);
    }

    /// Writes into the text beneath, for pages and parts; the open paragraph is ended.
    pub(super) fn flow(&mut self) -> &mut Flow {
        self.close_all();
        &mut self.flow
    }

    pub(super) fn first_heading(&self) -> Option<&str> {
        self.first_heading.as_deref()
    }

    pub(super) fn finish(mut self) -> Document {
        self.close_all();
        self.flow.finish()
    }

    fn close_all(&mut self) {
        self.deeper = 0;
        while self.frames.len() > 1 {
            self.close_frame();
        }
        self.end();
    }

    fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn open_frame(&mut self, role: Role) {
        if self.deeper > 0 || self.frames.len() >= MAX_FRAMES {
            self.end();
            self.deeper += 1;
            return;
        }
        self.frames.push(Frame {
            role,
            ..Frame::default()
        });
    }

    fn close_frame(&mut self) {
        self.end();
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        if self.frames.len() < 2 {
            return;
        }
        let Some(frame) = self.frames.pop() else {
            return;
        };
        match frame.role {
            Role::Page | Role::Aside => {
                let outer = self.top();
                if outer.open.is_some() {
                    outer.asides.extend(frame.nodes);
                } else {
                    self.put_all(frame.nodes);
                }
            }
            Role::Cell { span } => self.put_cell(frame.nodes, span),
            Role::Table(rows) => {
                // What stands in a table outside of its cells comes before it.
                self.put_all(frame.nodes);
                self.put_table(rows);
            }
        }
    }

    fn put_cell(&mut self, nodes: Vec<Node>, span: usize) {
        let frame = self.top();
        let Role::Table(rows) = &mut frame.role else {
            self.put_all(nodes);
            return;
        };
        if rows.is_empty() {
            rows.push(Vec::new());
        }
        if let Some(row) = rows.last_mut() {
            row.push(Cell { nodes });
            row.extend((1..span).map(|_| Cell::default()));
        }
    }

    fn put_table(&mut self, mut rows: Vec<Vec<Cell>>) {
        rows.retain(|row| row.iter().any(|cell| !cell.nodes.is_empty()));
        // A frame around text is no table.
        if let [row] = &mut rows[..]
            && let [cell] = &mut row[..]
        {
            let nodes = std::mem::take(&mut cell.nodes);
            self.put_all(nodes);
        } else if !rows.is_empty() {
            self.put(Node::Table(rows));
        }
        if self.frames.len() == self.base + 1 && !self.is_open() {
            let notes = std::mem::take(&mut self.top().asides);
            self.put_all(notes);
        }
    }

    fn put_all(&mut self, nodes: Vec<Node>) {
        for node in nodes {
            self.put(node);
        }
    }

    fn put(&mut self, node: Node) {
        if self.frames.len() > 1 {
            self.top().nodes.push(node);
            return;
        }
        if let Node::Paragraph(paragraph) = &node
            && let BlockKind::Heading(_) = paragraph.kind
            && self.first_heading.is_none()
        {
            self.first_heading = paragraph.line();
        }
        node.write(&mut self.flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::office::tests::blocks;

    fn cell(body: &mut Body, text: &str) {
        body.open_cell();
        body.text(text);
        body.close_cell();
    }

    #[test]
    fn asides_and_notes_follow_the_paragraph_or_table_that_they_stand_in() {
        let mut body = Body::default();
        body.begin(BlockKind::Paragraph);
        body.text("Before");
        body.open_aside();
        body.text("in a box");
        body.close_aside();
        body.text(" and after.");
        body.end();
        body.open_table();
        body.open_row();
        cell(&mut body, "a");
        body.open_cell();
        body.text("b");
        let mut note = Body::aside();
        note.text("a note");
        body.note(note.take());
        body.close_cell();
        body.close_table();
        let document = body.finish();
        let expected = [
            (BlockKind::Paragraph, "Before and after."),
            (BlockKind::Paragraph, "in a box"),
            (BlockKind::Table, "a\tb"),
            (BlockKind::Paragraph, "a note"),
        ];
        assert_eq!(blocks(&document), expected);
    }

    #[test]
    fn a_cell_is_one_line_and_keeps_its_column() {
        let mut body = Body::default();
        body.open_table();
        body.open_row();
        cell(&mut body, "");
        cell(&mut body, "Winter");
        body.open_row();
        body.open_cell();
        body.span(2);
        body.text("two");
        body.begin(BlockKind::ListItem);
        body.text("para\ngraphs");
        body.open_table();
        for words in ["in", "ner"] {
            body.open_row();
            cell(&mut body, words);
        }
        body.close_table();
        body.close_cell();
        cell(&mut body, "end");
        body.close_table();
        let document = body.finish();
        let table = "\tWinter\ntwo para graphs in ner\t\tend";
        assert_eq!(blocks(&document), [(BlockKind::Table, table)]);
    }

    #[test]
    fn a_table_of_one_cell_is_the_text_in_it() {
        let mut body = Body::default();
        body.open_table();
        body.open_row();
        body.open_cell();
        body.begin(BlockKind::Heading(2));
        body.text("Warning");
        body.begin(BlockKind::Paragraph);
        body.text("Mind the step.");
        body.close_cell();
        body.close_table();
        let document = body.finish();
        let expected = [
            (BlockKind::Heading(2), "Warning"),
            (BlockKind::Paragraph, "Mind the step."),
        ];
        assert_eq!(blocks(&document), expected);
    }

    #[test]
    fn no_depth_of_tables_is_too_deep() {
        let mut body = Body::default();
        for _ in 0..10_000 {
            body.open_table();
            body.open_row();
            body.open_cell();
            body.text("x");
        }
        for _ in 0..10_000 {
            body.close_cell();
            body.close_table();
        }
        body.begin(BlockKind::Paragraph);
        body.text("after");
        let document = body.finish();
        assert_eq!(document.text.matches('x').count(), 10_000);
        assert!(document.text.ends_with("\n\nafter"));
    }

    #[test]
    fn links_have_their_places_in_paragraphs_and_cells() {
        let mut body = Body::default();
        body.begin(BlockKind::ListItem);
        body.text("See ");
        body.open_link("https://a.example/");
        body.text("the  site");
        body.close_link();
        body.text(".");
        body.prefix("1. ");
        body.open_table();
        body.open_row();
        cell(&mut body, "x");
        body.open_cell();
        body.begin(BlockKind::Paragraph);
        body.open_link("b.html");
        body.text("there");
        body.close_cell();
        body.close_table();
        let document = body.finish();
        let links: Vec<_> = document
            .links
            .iter()
            .map(|link| (link.span.slice(&document.text), link.target.as_str()))
            .collect();
        assert_eq!(
            links,
            [("the site", "https://a.example/"), ("there", "b.html")]
        );
        assert!(document.text.starts_with("1. See the site.\n\nx\tthere"));
    }
}
