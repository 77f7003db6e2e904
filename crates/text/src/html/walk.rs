//! The walk through a page's tree: its text in blocks.
//!
//! Nothing but white space is added inside a run of text: a quote
//! stands in the page once its tags are removed. The cells of a table are therefore parted by tabs and
//! its rows by line breaks, not by pipes.

use rag_core::{BlockKind, Document};
use scraper::{ElementRef, Html, node::Element};

use super::{
    alt,
    chrome::{self, Chrome},
    listing,
    sight::{Sheets, Sight},
    table::{Grid, is_grid},
    tree::{Visit, visit},
};
use crate::flow::Flow;
use crate::hidden::{Hidden, hides};

/// Elements whose content is no text of the page.
pub(super) const SILENT: [&str; 26] = [
    "head",
    "script",
    "style",
    "template",
    "noscript",
    "svg",
    "iframe",
    "object",
    "embed",
    "canvas",
    "audio",
    "video",
    "input",
    "button",
    "select",
    "textarea",
    "option",
    "datalist",
    "progress",
    "meter",
    "map",
    "rp",
    "rt",
    "dialog",
    "annotation",
    "annotation-xml",
];

/// Elements that begin a block of their own.
const BLOCKS: [&str; 41] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
    "optgroup",
];

/// The text of a page without its chrome; all of it where there is none to be left out.
pub(super) fn walk(html: &Html, chrome: Option<&Chrome>) -> Document {
    let sheets = Sheets::of(html);
    let mut reading = Reading {
        flow: Flow::default(),
        chrome,
        sights: vec![Sight::of_page(&sheets)],
        sheets,
        hidden: Hidden::default(),
        items: Vec::new(),
        anchors: Vec::new(),
        headings: Vec::new(),
        listings: Vec::new(),
        kept: 0,
        pre: 0,
        grid: None,
        after_cell: Vec::new(),
    };
    visit(html, &mut reading);
    let mut document = reading.flow.finish();
    document.warnings.extend(reading.hidden.warning());
    for (block, language) in reading.listings {
        let block = document.blocks.get_mut(block);
        if let Some(block) = block.filter(|block| block.kind == BlockKind::Code) {
            block.label = Some(language);
        }
    }
    document
}

/// The state of a walk through the tree.
struct Reading<'a> {
    flow: Flow,
    chrome: Option<&'a Chrome>,
    sheets: Sheets,
    /// Of every element around.
    sights: Vec<Sight>,
    /// What was left out because nobody sees it.
    hidden: Hidden,
    /// For every list item around: whether its first block was begun.
    items: Vec<bool>,
    /// Where the words of every open anchor begin, and where it points to.
    anchors: Vec<(usize, String)>,
    headings: Vec<u8>,
    /// Listings by the numbers of their blocks, with their languages.
    listings: Vec<(usize, String)>,
    /// Depth inside `main` and `article`, whose asides and footers belong to the matter.
    kept: usize,
    pre: usize,
    /// The table of data around.
    grid: Option<Grid>,
    /// For every open cell: how many tabs follow it.
    after_cell: Vec<usize>,
}

impl Visit<'_> for Reading<'_> {
    fn text(&mut self, text: &str) {
        if self.sights.last().is_some_and(|sight| sight.is_unseen()) {
            self.hidden.add(text);
            return;
        }
        if self.pre > 0 && self.grid.is_none() {
            if !self.flow.is_open() {
                self.flow.begin(BlockKind::Code);
            }
            self.flow.verbatim(text);
        } else {
            if !self.flow.is_open() {
                if text.trim().is_empty() {
                    return;
                }
                self.begin();
            }
            self.flow.words(text);
        }
    }

    fn open(&mut self, here: ElementRef<'_>) -> bool {
        let element = here.value();
        let name = element.name();
        let is_silent = is_silent(element);
        let is_hidden = !is_silent && (is_hidden(element) || self.sheets.hide(element));
        if is_hidden && element.attr("aria-hidden").is_none() {
            for text in here.text() {
                self.hidden.add(text);
            }
        }
        if is_silent || is_hidden || self.is_chrome(element) {
            // Words on both sides of a picture or a control are not one word.
            if name != "rt" && name != "rp" && self.grid.is_none() && self.flow.is_open() {
                self.flow.words(" ");
            }
            return false;
        }
        let around = self.sights.last().copied();
        let around = around.unwrap_or_else(|| Sight::of_page(&self.sheets));
        self.sights.push(around.within(element, &self.sheets));
        if matches!(name, "main" | "article") {
            self.kept += 1;
        }
        if let ("a", Some(target)) = (name, element.attr("href")) {
            let from = self.flow.position();
            self.anchors.push((from, target.trim().to_owned()));
        }
        if self.grid.is_some() {
            self.open_in_grid(element);
        } else {
            self.open_block(here);
        }
        true
    }

    fn close(&mut self, element: &Element) {
        let name = element.name();
        self.sights.pop();
        if matches!(name, "main" | "article") {
            self.kept = self.kept.saturating_sub(1);
        }
        if name == "a"
            && element.attr("href").is_some()
            && let Some((from, target)) = self.anchors.pop()
            && !target.starts_with(['#'])
            && !target.starts_with("javascript:")
        {
            self.flow.link(from, &target);
        }
        if self.grid.is_some() {
            self.close_in_grid(name);
            return;
        }
        match name {
            "pre" => {
                self.pre = self.pre.saturating_sub(1);
                self.flow.close();
            }
            "li" => {
                self.items.pop();
                self.flow.close();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.headings.pop();
                self.flow.close();
            }
            _ if is_block(name) => self.flow.close(),
            _ => {}
        }
    }
}

impl Reading<'_> {
    fn open_block(&mut self, here: ElementRef<'_>) {
        match here.value().name() {
            "br" => self.flow.separator('\n'),
            "pre" => {
                self.pre += 1;
                self.flow.begin(BlockKind::Code);
                if let Some(language) = listing::language_of(here) {
                    self.listings.push((self.flow.blocks(), language));
                }
            }
            "li" => {
                self.items.push(false);
                self.flow.close();
            }
            "table" => {
                self.flow.close();
                self.grid = is_grid(here).then(Grid::default);
            }
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                self.headings.push(name.as_bytes()[1] - b'0');
                self.flow.close();
            }
            "img" => self.picture(here.value()),
            name if is_block(name) => self.flow.close(),
            _ => {}
        }
    }

    /// A picture that stands by itself gives what it shows, where that is told in a sentence.
    fn picture(&mut self, element: &Element) {
        let alt = element.attr("alt").filter(|alt| alt::is_sentence(alt));
        if let Some(alt) = alt.filter(|_| !self.flow.is_open()) {
            self.begin();
            self.flow.words(alt);
            self.flow.close();
        }
    }

    fn open_in_grid(&mut self, element: &Element) {
        let Some(grid) = &mut self.grid else {
            return;
        };
        match element.name() {
            // A caption stands before its table, whose first row is its head.
            "caption" => self.flow.begin(BlockKind::Paragraph),
            "tr" => {
                if grid.has_rows {
                    self.flow.separator('\n');
                } else {
                    self.flow.begin(BlockKind::Table);
                }
                grid.begin_row();
            }
            "td" | "th" => {
                let (before, after) = grid.place(element);
                self.tabs(before);
                self.after_cell.push(after);
            }
            "br" => self.flow.words(" "),
            name if is_block(name) => self.flow.words(" "),
            _ => {}
        }
    }

    fn close_in_grid(&mut self, name: &str) {
        match name {
            "table" => {
                self.grid = None;
                self.after_cell.clear();
                self.flow.close();
            }
            "caption" => self.flow.close(),
            "td" | "th" => {
                let after = self.after_cell.pop().unwrap_or_default();
                self.tabs(after);
            }
            name if is_block(name) && self.flow.is_open() => self.flow.words(" "),
            _ => {}
        }
    }

    fn tabs(&mut self, count: usize) {
        for _ in 0..count {
            self.flow.separator('\t');
        }
    }

    /// Begins a block of the kind that the elements around say.
    fn begin(&mut self) {
        let kind = if let Some(level) = self.headings.last() {
            BlockKind::Heading(*level)
        } else if self.items.last() == Some(&false) {
            BlockKind::ListItem
        } else {
            BlockKind::Paragraph
        };
        if let Some(begun) = self.items.last_mut() {
            *begun = true;
        }
        self.flow.begin(kind);
    }

    fn is_chrome(&self, element: &Element) -> bool {
        let Some(chrome) = self.chrome else {
            return false;
        };
        chrome.holds(element) || chrome::is_by_element(element, self.kept > 0)
    }
}

/// Whether an element begins a block of its own.
pub(super) fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name) || matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot")
}

/// Whether an element has no text that is shown.
pub(super) fn is_silent(element: &Element) -> bool {
    let name = element.name();
    SILENT.contains(&name) && !(name == "dialog" && element.attr("open").is_some())
}

/// Whether an element says that it is not shown.
pub(super) fn is_hidden(element: &Element) -> bool {
    element.attr("hidden").is_some()
        || element.attr("aria-hidden") == Some("true")
        || element.attr("style").is_some_and(hides)
}
