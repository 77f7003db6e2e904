//! Paragraphs on their way into a body: rich text says of each paragraph, not of a table, that it
//! stands in one.

use rag_core::BlockKind;

use super::group::Paragraph;
use crate::office::{body::Body, docx::styles::Look, node::Node};

/// Tables within each other.
const MAX_TABLES: usize = 8;

/// The document's own text, or a note.
#[derive(Debug, Default)]
pub(super) struct Story {
    body: Body,
    /// The tables that are open, from the outside inwards.
    tables: Vec<Table>,
    /// Between the beginning of a row and its end, where not every paragraph says that it is in it.
    in_row: bool,
    /// Number or sign of the open paragraph.
    label: String,
    /// Where words point to that are still to come.
    link: Option<String>,
    /// Text of the first paragraph that has the style of a title.
    pub(super) title: Option<String>,
}

#[derive(Debug, Default)]
struct Table {
    in_row: bool,
    in_cell: bool,
}

impl Story {
    pub(super) fn aside() -> Self {
        Self {
            body: Body::aside(),
            ..Self::default()
        }
    }

    pub(super) fn text(&mut self, text: &str, paragraph: Paragraph) {
        if !self.body.is_open() {
            // A line that is empty does not end a table.
            if text.trim().is_empty() {
                return;
            }
            self.place(paragraph);
            self.body.begin(BlockKind::Paragraph);
        }
        if let Some(target) = self.link.take() {
            self.body.open_link(&target);
        }
        self.body.text(text);
    }

    pub(super) fn line_break(&mut self) {
        self.body.line_break();
    }

    pub(super) fn open_link(&mut self, target: String) {
        self.link = Some(target);
    }

    pub(super) fn close_link(&mut self) {
        self.link = None;
        self.body.close_link();
    }

    /// Takes up a number or sign that stands before the open paragraph.
    pub(super) fn label(&mut self, text: &str) {
        self.label.push_str(text);
    }

    pub(super) fn note(&mut self, nodes: Vec<Node>) {
        self.body.note(nodes);
    }

    /// Ends the open paragraph.
    pub(super) fn end_paragraph(&mut self, paragraph: Paragraph, look: &Look) {
        let label = std::mem::take(&mut self.label);
        if !self.body.has_words() {
            self.body.end();
            // An empty line between two tables parts them.
            self.close_beyond(self.depth_of(paragraph));
            return;
        }
        if look.is_contents {
            self.body.drop_open();
            return;
        }
        let outline = paragraph
            .outline
            .or(look.outline)
            .filter(|level| *level < 9);
        let starts_item = || {
            self.body
                .open_words()
                .is_some_and(|words| starts_item(&words))
        };
        let is_listed = paragraph.is_listed
            || !label.trim().is_empty()
            || (paragraph.is_hanging && starts_item());
        let kind = look.kind(outline, is_listed);
        if look.is_title && self.title.is_none() {
            self.title = self.body.open_words();
        }
        // A sign that is the same before every item says nothing.
        if label.chars().any(char::is_alphanumeric) {
            self.body.prefix(&format!("{} ", label.trim()));
        }
        self.body.make(kind);
        self.body.end();
    }

    pub(super) fn begin_row(&mut self) {
        self.in_row = true;
    }

    /// Ends a cell of the table that lies `depth` deep.
    pub(super) fn end_cell(&mut self, depth: usize) {
        self.body.end();
        self.reach(depth.min(MAX_TABLES));
        self.body.close_cell();
        if let Some(table) = self.tables.last_mut() {
            table.in_cell = false;
        }
    }

    pub(super) fn end_row(&mut self, depth: usize) {
        self.body.end();
        self.close_beyond(depth);
        self.in_row &= depth > 1;
        if let Some(table) = self.tables.last_mut() {
            table.in_row = false;
            if std::mem::take(&mut table.in_cell) {
                self.body.close_cell();
            }
        }
    }

    /// What was read as nodes of another body.
    pub(super) fn take(mut self) -> Vec<Node> {
        self.reach(0);
        self.body.take()
    }

    /// What was read as a body, with all tables closed.
    pub(super) fn finish(mut self) -> Body {
        self.body.end();
        self.reach(0);
        self.body
    }

    /// Opens and closes tables until `paragraph` stands where it says.
    fn place(&mut self, paragraph: Paragraph) {
        self.reach(self.depth_of(paragraph));
    }

    fn depth_of(&self, paragraph: Paragraph) -> usize {
        let is_inside = paragraph.in_table || self.in_row;
        let depth = if is_inside {
            paragraph.nesting.max(1)
        } else {
            0
        };
        depth.min(MAX_TABLES)
    }

    fn close_beyond(&mut self, depth: usize) {
        while self.tables.len() > depth {
            self.close_table();
        }
    }

    /// Closes or opens tables until there are `depth`, and in the innermost a cell.
    fn reach(&mut self, depth: usize) {
        self.close_beyond(depth);
        if depth == 0 {
            return;
        }
        loop {
            if let Some(table) = self.tables.last_mut() {
                if !std::mem::replace(&mut table.in_row, true) {
                    self.body.open_row();
                }
                if !std::mem::replace(&mut table.in_cell, true) {
                    self.body.open_cell();
                }
            }
            if self.tables.len() >= depth {
                return;
            }
            self.body.open_table();
            self.tables.push(Table::default());
        }
    }

    fn close_table(&mut self) {
        if self.tables.pop().is_some_and(|table| table.in_cell) {
            self.body.close_cell();
        }
        self.body.close_table();
    }
}

/// Whether a paragraph begins as items do whose signs and numbers are text.
fn starts_item(words: &str) -> bool {
    let first = words.split(' ').next().unwrap_or_default();
    let number = first.trim_start_matches('(').trim_end_matches(['.', ')']);
    let is_number = first.len() > number.len()
        && (1..=4).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_alphanumeric());
    is_number || matches!(first, "•" | "–" | "-" | "*" | "◦" | "▪" | "·")
}
