//! What a body is made of: paragraphs with their links and tables with their cells, and how they are
//! written into the text. How they stood in the file is the body's business.

use rag_core::BlockKind;

use crate::flow::Flow;

#[derive(Debug)]
pub(super) enum Node {
    Paragraph(Paragraph),
    Table(Vec<Vec<Cell>>),
}

#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Paragraph {
    pub(super) kind: BlockKind,
    /// Line breaks are kept where the paragraph is a block of its own.
    pub(super) text: String,
    /// Stretches of `text` that point somewhere.
    links: Vec<(usize, usize, String)>,
    link: Option<(usize, String)>,
}

impl Node {
    /// The same, where what would be a list elsewhere is not one.
    pub(super) fn into_prose(self) -> Self {
        match self {
            Self::Paragraph(paragraph) => Self::Paragraph(Paragraph {
                kind: BlockKind::Paragraph,
                ..paragraph
            }),
            table @ Self::Table(_) => table,
        }
    }

    /// The same, where a heading stands above all others.
    pub(super) fn into_main_heading(self) -> Self {
        match self {
            Self::Paragraph(paragraph) => Self::Paragraph(Paragraph {
                kind: BlockKind::Heading(1),
                ..paragraph
            }),
            table @ Self::Table(_) => table,
        }
    }

    /// Writes a paragraph or a table as a block of its own.
    pub(super) fn write(&self, flow: &mut Flow) {
        match self {
            Self::Paragraph(paragraph) => paragraph.write(flow),
            Self::Table(rows) => write_table(flow, rows),
        }
    }
}

impl Paragraph {
    pub(super) fn new(kind: BlockKind) -> Self {
        Self {
            kind,
            text: String::new(),
            links: Vec::new(),
            link: None,
        }
    }

    /// Its words as one line, if it has any.
    pub(super) fn line(&self) -> Option<String> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// What follows in it points to `target`.
    pub(super) fn open_link(&mut self, target: &str) {
        self.link = Some((self.text.len(), target.to_owned()));
    }

    pub(super) fn close_link(&mut self) {
        if let Some((from, target)) = self.link.take() {
            self.links.push((from, self.text.len(), target));
        }
    }

    pub(super) fn prefix(&mut self, words: &str) {
        let by = words.len();
        self.text.insert_str(0, words);
        for link in &mut self.links {
            link.0 += by;
            link.1 += by;
        }
        if let Some(link) = &mut self.link {
            link.0 += by;
        }
    }

    fn write(&self, flow: &mut Flow) {
        if self.kind == BlockKind::Code {
            // Each line of a listing may be a paragraph of its own.
            if flow.is_in(BlockKind::Code) {
                flow.verbatim("\n");
            } else {
                flow.begin(BlockKind::Code);
            }
            flow.verbatim(&self.text);
            return;
        }
        flow.begin(self.kind);
        for (target, words) in self.pieces() {
            let from = flow.position();
            for (at, line) in words.split('\n').enumerate() {
                if at > 0 {
                    flow.separator('\n');
                }
                flow.words(line);
            }
            if let Some(target) = target {
                flow.link(from, target);
            }
        }
        flow.close();
    }

    /// The text, cut at the ends of links.
    fn pieces(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let mut at = 0;
        let mut links = self.links.iter().peekable();
        std::iter::from_fn(move || {
            while links
                .peek()
                .is_some_and(|link| link.0 < at || link.1 == link.0)
            {
                links.next();
            }
            let (end, target) = match links.peek() {
                Some((from, to, target)) if *from == at => (*to, Some(target.as_str())),
                Some((from, ..)) => (*from, None),
                None => (self.text.len(), None),
            };
            let piece = self.text.get(at..end).filter(|piece| !piece.is_empty())?;
            at = end;
            Some((target, piece))
        })
    }
}

/// The words of nodes, parted by spaces.
pub(super) fn words_of(nodes: &[Node]) -> String {
    let mut flow = Flow::default();
    write_cell(&mut flow, nodes);
    flow.finish().text
}

fn write_table(flow: &mut Flow, rows: &[Vec<Cell>]) {
    flow.begin(BlockKind::Table);
    for (row_at, row) in rows.iter().enumerate() {
        if row_at > 0 {
            flow.separator('\n');
        }
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                // The first row may begin with an empty cell.
                if flow.has_text() {
                    flow.separator('\t');
                } else {
                    flow.verbatim("\t");
                }
            }
            write_cell(flow, &cell.nodes);
        }
    }
    flow.close();
}

/// Writes what a cell holds as one line. Tables within it were counted when the body opened them:
/// they don't lie deep.
fn write_cell(flow: &mut Flow, nodes: &[Node]) {
    for node in nodes {
        match node {
            Node::Paragraph(paragraph) => {
                flow.words(" ");
                for (target, words) in paragraph.pieces() {
                    let from = flow.position();
                    flow.words(words);
                    if let Some(target) = target {
                        flow.link(from, target);
                    }
                }
            }
            Node::Table(rows) => {
                for cell in rows.iter().flatten() {
                    write_cell(flow, &cell.nodes);
                }
            }
        }
    }
}
