//! The content of an `OpenDocument` file on its way into a body: paragraphs with what stands in them,
//! lists with their numbers, tables, notes and boxes.

use std::collections::HashMap;

use rag_core::BlockKind;

use super::{
    numbering::{Counts, Kept, LEVELS},
    pages,
    styles::{Family, OUTLINE, Styles},
};
use crate::office::{
    body::Body,
    node::Node,
    xml::{Tag, Token, Xml},
};

/// Notes and boxes within each other; those that lie deeper are not read.
const MAX_ASIDES: usize = 16;
/// Spaces that one element may stand for.
const MAX_SPACES: usize = 256;

/// Something that is embedded, and was read before.
#[derive(Debug)]
pub(super) enum Object {
    /// Stands in its paragraph.
    Formula(String),
    /// Follows its paragraph.
    Nodes(Vec<Node>),
}

#[derive(Debug)]
pub(super) struct Story<'s> {
    styles: &'s Styles,
    /// By the names of their folders.
    objects: HashMap<String, Object>,
    body: Body,
    /// What was open where the asides that are open begin.
    outer: Vec<Outer>,
    /// The lists that are open, from the outside inwards.
    lists: Vec<List>,
    /// Counts of lists that are over.
    kept: Kept,
    headings: Counts,
    /// Whether what was opened last is a paragraph rather than a frame: a title in it is a field, a
    /// title in a frame says what its picture shows.
    in_paragraph: Vec<bool>,
    /// What the paragraph that is open becomes, and the number before it.
    paragraph: Option<Ending>,
    /// What the paragraphs of a shape become in place of what they are.
    pub(super) kind: Option<BlockKind>,
    /// Text of the first paragraph that has the style of a title.
    pub(super) title: Option<String>,
    pages: u32,
    in_page: bool,
}

/// What happens when a paragraph ends.
#[derive(Debug, Default)]
struct Ending {
    number: Option<String>,
    is_title: bool,
    is_left_out: bool,
}

#[derive(Debug)]
struct Outer {
    /// Name of the element that the aside is.
    element: String,
    body: Body,
    lists: Vec<List>,
    paragraph: Option<Ending>,
    author: Option<String>,
}

#[derive(Debug, Default)]
struct List {
    style: String,
    id: Option<String>,
    counts: Counts,
    /// The number that the open item begins with, until its first paragraph has taken it.
    item: Option<Item>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    start: Option<u32>,
}

impl<'s> Story<'s> {
    pub(super) fn new(styles: &'s Styles, objects: HashMap<String, Object>) -> Self {
        Self {
            styles,
            objects,
            body: Body::default(),
            outer: Vec::new(),
            lists: Vec::new(),
            kept: Kept::default(),
            headings: Counts::default(),
            in_paragraph: Vec::new(),
            paragraph: None,
            kind: None,
            title: None,
            pages: 0,
            in_page: false,
        }
    }

    /// A story whose paragraphs are taken out as nodes.
    pub(super) fn aside(styles: &'s Styles) -> Self {
        Self {
            body: Body::aside(),
            ..Self::new(styles, HashMap::new())
        }
    }

    pub(super) fn take(mut self) -> Vec<Node> {
        self.close_asides(0);
        self.body.take()
    }

    pub(super) fn finish(mut self) -> Body {
        self.close_asides(0);
        self.body
    }

    pub(super) fn add(&mut self, nodes: Vec<Node>) {
        self.close_asides(0);
        self.body.add(nodes);
    }

    pub(super) fn has_pages(&self) -> bool {
        self.pages > 0
    }

    /// Begins the next page.
    pub(super) fn turn_page(&mut self) {
        self.close_asides(0);
        self.pages += 1;
        let pages = self.pages;
        self.body.flow().page(pages);
    }

    /// Reads to the end of the text.
    pub(super) fn read(&mut self, xml: &mut Xml<'_>) {
        while let Some(token) = xml.next() {
            self.token(token, xml);
        }
    }

    /// Reads the element that was just opened to its end.
    pub(super) fn read_element(&mut self, xml: &mut Xml<'_>) {
        let mut depth = 1_usize;
        while depth > 0 {
            let Some(token) = xml.next() else { break };
            let closes = matches!(token, Token::Close(_));
            if self.token(token, xml) {
                depth += 1;
            } else if closes {
                depth -= 1;
            }
        }
    }

    /// The nodes of the element that was just opened, which is a shape.
    pub(super) fn nodes(&mut self, xml: &mut Xml<'_>) -> Vec<Node> {
        let body = std::mem::replace(&mut self.body, Body::aside());
        let outer = std::mem::take(&mut self.outer);
        let lists = std::mem::take(&mut self.lists);
        let paragraph = self.paragraph.take();
        self.read_element(xml);
        self.close_asides(0);
        self.outer = outer;
        self.lists = lists;
        self.paragraph = paragraph;
        std::mem::replace(&mut self.body, body).take()
    }

    /// Whether the token opened an element that will be closed.
    fn token(&mut self, token: Token<'_>, xml: &mut Xml<'_>) -> bool {
        match token {
            Token::Open(tag) => return self.opened(&tag, xml),
            Token::Close(end) => self.closed(end.name()),
            Token::Text(words) if self.body.is_open() => {
                // Line ends of the file are none of the text.
                let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
                for (at, piece) in words.split(is_space).enumerate() {
                    if at > 0 {
                        self.body.text(" ");
                    }
                    self.body.text(piece);
                }
            }
            Token::Text(_) => {}
        }
        false
    }

    /// Whether the element is read, rather than passed over.
    fn opened(&mut self, tag: &Tag<'_>, xml: &mut Xml<'_>) -> bool {
        if self.is_left_out(tag) {
            xml.skip();
            return false;
        }
        match tag.name() {
            // No page stands on a page.
            "page" if self.in_page => {
                xml.skip();
                return false;
            }
            "page" => {
                self.in_page = true;
                pages::read(self, xml);
                self.in_page = false;
                return false;
            }
            "p" | "h" => self.begin(tag),
            "list" => self.open_list(tag),
            "list-item" => {
                let start = tag
                    .number("start-value")
                    .and_then(|n| u32::try_from(n).ok());
                if let Some(list) = self.lists.last_mut() {
                    list.item = Some(Item { start });
                }
            }
            // The number as the program that wrote it showed it.
            "number" if self.body.is_open() => {
                let number = xml.text();
                if let Some(ending) = &mut self.paragraph {
                    ending.number = Some(format!("{} ", number.trim()));
                }
                return false;
            }
            "frame" | "custom-shape" | "rect" | "ellipse" | "g" => self.in_paragraph.push(false),
            "note-body" | "annotation" | "text-box" => {
                if self.outer.len() >= MAX_ASIDES {
                    xml.skip();
                    return false;
                }
                self.open_aside(tag.name());
            }
            "creator" if self.is_in("annotation") && !self.body.is_open() => {
                let author = xml.text();
                if let Some(aside) = self.outer.last_mut() {
                    aside.author = Some(author);
                }
                return false;
            }
            "object" => self.embed(&tag.attr("href").unwrap_or_default()),
            name => return self.opened_in_text(name, tag, xml),
        }
        true
    }

    fn opened_in_text(&mut self, name: &str, tag: &Tag<'_>, xml: &mut Xml<'_>) -> bool {
        let body = &mut self.body;
        match name {
            "s" if body.is_open() => {
                let count = tag.count("c").min(MAX_SPACES);
                body.text(&" ".repeat(count));
            }
            "tab" if body.is_open() => body.text("\t"),
            "line-break" => body.line_break(),
            "a" => {
                let target = tag.attr("href").filter(|target| !target.starts_with('#'));
                if let Some(target) = target.filter(|_| body.is_open()) {
                    body.open_link(&target);
                }
            }
            "table" => body.open_table(),
            "table-row" => body.open_row(),
            "table-cell" | "covered-table-cell" => {
                // The cells that this one covers are there, and empty.
                body.open_cell();
                body.span(tag.count("number-columns-repeated"));
            }
            // Of a picture, not of the text.
            "title" | "desc" if !self.in_paragraph.last().is_some_and(|is| *is) => {
                xml.skip();
                return false;
            }
            "date" | "date-string" | "creator-initials" if !body.is_open() => {
                xml.skip();
                return false;
            }
            _ => {}
        }
        true
    }

    /// Looks, what was taken out, what only repeats headings, the numbers of pages and notes, and what
    /// is not shown.
    fn is_left_out(&self, tag: &Tag<'_>) -> bool {
        let hidden = |family| {
            let style = tag.attr("style-name");
            style.is_some_and(|style| self.styles.is_hidden(family, &style))
        };
        match tag.name() {
            "meta" | "page-sequence" | "settings" | "scripts" | "font-face-decls" | "styles"
            | "automatic-styles" | "master-styles" | "forms" | "tracked-changes"
            | "table-of-content" | "illustration-index" | "table-index" | "object-index"
            | "user-index" | "alphabetical-index" | "note-citation" | "page-number"
            | "page-count" | "ruby-text" | "event-listeners" | "binary-data" | "script"
            | "animations" | "named-expressions" | "desc" => true,
            "section" => {
                tag.attr("display").is_some_and(|shown| shown == "none") || hidden(Family::Section)
            }
            "span" => hidden(Family::Text),
            "p" | "h" => hidden(Family::Paragraph),
            _ => false,
        }
    }

    fn closed(&mut self, name: &str) {
        match name {
            "p" | "h" => self.end(),
            "list" => {
                if let Some(list) = self.lists.pop() {
                    self.leave(&list);
                }
            }
            "frame" | "custom-shape" | "rect" | "ellipse" | "g" => {
                self.in_paragraph.pop();
            }
            "note-body" | "annotation" | "text-box" if self.is_in(name) => self.close_aside(),
            "a" => self.body.close_link(),
            "table" => self.body.close_table(),
            "table-cell" | "covered-table-cell" => self.body.close_cell(),
            _ => {}
        }
    }

    fn begin(&mut self, tag: &Tag<'_>) {
        self.in_paragraph.push(true);
        let style = tag.attr("style-name").unwrap_or_default();
        let look = self.styles.look(&style);
        let is_heading = tag.name() == "h";
        let outline = if is_heading {
            Some(tag.count("outline-level").min(LEVELS))
        } else {
            look.outline.map(|level| usize::from(level) + 1)
        };
        let kind = match outline {
            _ if self.kind.is_some() => self.kind.unwrap_or(BlockKind::Paragraph),
            Some(level) => BlockKind::Heading(level.min(6) as u8),
            None if look.is_title => BlockKind::Heading(1),
            None if look.is_code => BlockKind::Code,
            None if !self.lists.is_empty() => BlockKind::ListItem,
            None => BlockKind::Paragraph,
        };
        let number = match self.take_item() {
            Some(number) => Some(number),
            None if is_heading && !tag.is_on("is-list-header") => {
                self.number_of_heading(&style, outline.unwrap_or(1) - 1)
            }
            None => None,
        };
        self.paragraph = Some(Ending {
            number,
            is_title: look.is_title && kind == BlockKind::Heading(1),
            is_left_out: look.is_contents,
        });
        self.body.begin(kind);
    }

    fn end(&mut self) {
        self.in_paragraph.pop();
        let ending = self.paragraph.take().unwrap_or_default();
        if ending.is_left_out {
            self.body.drop_open();
            return;
        }
        if ending.is_title && self.title.is_none() {
            self.title = self.body.open_words();
        }
        if let Some(number) = ending.number.filter(|_| self.body.has_words()) {
            self.body.prefix(&number);
        }
        self.body.end();
    }

    /// Counts the list item whose first paragraph begins; nothing where none does. The number may be
    /// empty.
    fn take_item(&mut self) -> Option<String> {
        let at = self.lists.len().checked_sub(1)?;
        let list = self.lists.last_mut()?;
        let item = list.item.take()?;
        let scheme = self.styles.scheme(&list.style)?;
        // A list within a list counts on in those above.
        let number = scheme.next(&mut list.counts, at, item.start);
        Some(number.unwrap_or_default())
    }

    fn number_of_heading(&mut self, style: &str, at: usize) -> Option<String> {
        let own = self.styles.list_of(style).unwrap_or(OUTLINE);
        // A style takes a heading out of the numbering by naming no list.
        let scheme = self.styles.scheme(own)?;
        scheme.next(&mut self.headings, at, None)
    }

    fn open_list(&mut self, tag: &Tag<'_>) {
        let above = self.lists.last();
        let style = tag
            .attr("style-name")
            .or(above.map(|list| list.style.clone()));
        let style = style.unwrap_or_default();
        let counts = match above {
            Some(above) if above.style == style => above.counts,
            Some(_) => Counts::default(),
            None => match tag.attr("continue-list") {
                Some(id) => self.kept.get(&id),
                None if tag.is_on("continue-numbering") => self.kept.get(&style),
                None => Counts::default(),
            },
        };
        self.lists.push(List {
            style,
            id: tag.attr("id"),
            counts,
            item: None,
        });
    }

    /// Keeps how far a list was counted.
    fn leave(&mut self, list: &List) {
        match self.lists.last_mut() {
            // Deeper levels go on in the next list that stands in the same item.
            Some(above) if above.style == list.style => above.counts = list.counts,
            Some(_) => {}
            None => {
                if let Some(id) = &list.id {
                    self.kept.keep(id, list.counts);
                }
                self.kept.keep(&list.style, list.counts);
            }
        }
    }

    fn is_in(&self, element: &str) -> bool {
        self.outer
            .last()
            .is_some_and(|outer| outer.element == element)
    }

    fn open_aside(&mut self, element: &str) {
        self.outer.push(Outer {
            element: element.to_owned(),
            body: std::mem::replace(&mut self.body, Body::aside()),
            lists: std::mem::take(&mut self.lists),
            paragraph: self.paragraph.take(),
            author: None,
        });
    }

    fn close_asides(&mut self, depth: usize) {
        while self.outer.len() > depth {
            self.close_aside();
        }
    }

    fn close_aside(&mut self) {
        let Some(outer) = self.outer.pop() else {
            return;
        };
        let mut nodes = self.body.take();
        self.body = outer.body;
        self.lists = outer.lists;
        self.paragraph = outer.paragraph;
        if let Some(author) = outer.author.filter(|author| !author.trim().is_empty()) {
            Node::say(&mut nodes, author.trim());
        }
        if outer.element == "text-box" {
            // A box belongs to the cell that it stands in.
            self.body.open_aside();
            self.body.add(nodes);
            self.body.close_aside();
        } else {
            self.body.note(nodes);
        }
    }

    fn embed(&mut self, target: &str) {
        let folder = target.trim_start_matches("./").to_lowercase();
        match self.objects.remove(&folder) {
            Some(Object::Formula(signs)) if !signs.is_empty() => self.body.text(&signs),
            Some(Object::Nodes(nodes)) => self.body.note(nodes),
            _ => {}
        }
    }
}
