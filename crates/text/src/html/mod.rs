//! HTML: what a reader of the page reads, in blocks.
//!
//! The tree is walked without recursion, so nesting has no depth that would break it. Nothing but
//! white space is added inside a run of text: a quote stands in the page once its tags are removed. The
//! cells of a table are therefore parted by tabs and its rows by line breaks, not by pipes.

use rag_core::{BlockKind, Document};
use scraper::{ElementRef, Html, Node, node::Element};

use crate::{flow::Flow, language};

/// Elements whose content is no text of the page.
const SILENT: [&str; 24] = [
    "head", "script", "style", "template", "noscript", "svg", "iframe", "object", "embed",
    "canvas", "audio", "video", "input", "button", "select", "textarea", "option", "datalist",
    "progress", "meter", "map", "rp", "rt", "dialog",
];

/// Elements around the page's matter rather than in it.
const CHROME: [&str; 4] = ["nav", "footer", "aside", "menu"];

/// The same, said by a role.
const CHROME_ROLES: [&str; 5] = [
    "navigation",
    "banner",
    "contentinfo",
    "complementary",
    "search",
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

/// A page that gives less text than this without its chrome may be all chrome.
const LITTLE_TEXT: usize = 200;

/// What of a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Without navigation, footers and the like.
    Matter,
    Everything,
}

/// Whether an HTML page starts here: white space, comments and an XML declaration may come first.
pub(crate) fn starts_a_page(bytes: &[u8]) -> bool {
    let mut rest = &bytes[..bytes.len().min(4096)];
    rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', ..] => b"?>",
            _ => break,
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = &rest[at + end.len()..];
    }
    let starts = |mark: &str| {
        rest.len() > mark.len()
            && rest[..mark.len()].eq_ignore_ascii_case(mark.as_bytes())
            && !rest[mark.len()].is_ascii_alphanumeric()
    };
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|mark| starts(mark))
}

/// The document of a decoded HTML page.
pub(crate) fn read(page: &str) -> Document {
    let html = Html::parse_document(page);
    let mut read = walk(&html, Extent::Matter);
    if read.text.len() < LITTLE_TEXT {
        let whole = walk(&html, Extent::Everything);
        if whole.text.len() > read.text.len() * 4 {
            read = whole;
        }
    }
    Document {
        title: title_of(&html),
        language: html
            .root_element()
            .attr("lang")
            .or_else(|| html.root_element().attr("xml:lang"))
            .and_then(language::normal_tag),
        ..read
    }
}

/// The document of a page that is a chapter or a message: nothing of it is navigation.
pub(crate) fn read_whole(page: &str) -> Document {
    let html = Html::parse_document(page);
    Document {
        title: title_of(&html),
        ..walk(&html, Extent::Everything)
    }
}

/// The content of the first `title` element outside of pictures.
fn title_of(html: &Html) -> Option<String> {
    let mut node = html.tree.root().first_child();
    while let Some(here) = node {
        let name = here.value().as_element().map(Element::name);
        if name == Some("title") {
            let texts = here.children().filter_map(|child| child.value().as_text());
            let title = texts
                .flat_map(|text| text.split_whitespace())
                .collect::<Vec<_>>()
                .join(" ");
            return (!title.is_empty()).then_some(title);
        }
        let inner = if name == Some("svg") {
            None
        } else {
            here.first_child()
        };
        node = inner
            .or_else(|| here.next_sibling())
            .or_else(|| here.ancestors().find_map(|above| above.next_sibling()));
    }
    None
}

fn walk(html: &Html, extent: Extent) -> Document {
    let mut reading = Reading {
        flow: Flow::default(),
        extent,
        items: Vec::new(),
        anchors: Vec::new(),
        headings: Vec::new(),
        kept: 0,
        pre: 0,
        table: 0,
        cells_in_row: 0,
    };
    let mut node = html.tree.root().first_child();
    while let Some(here) = node {
        let enters = match here.value() {
            Node::Text(text) => {
                reading.text(text);
                false
            }
            Node::Element(element) => {
                let is_grid = element.name() == "table"
                    && reading.table == 0
                    && ElementRef::wrap(here).is_some_and(is_grid);
                reading.open(element, is_grid)
            }
            _ => false,
        };
        if enters && let Some(child) = here.first_child() {
            node = Some(child);
            continue;
        }
        if enters && let Node::Element(element) = here.value() {
            reading.close(element);
        }
        // The next node in order, closing every element that ends on the way there.
        let mut at = here;
        node = loop {
            if let Some(next) = at.next_sibling() {
                break Some(next);
            }
            let Some(above) = at.parent() else {
                break None;
            };
            if let Node::Element(element) = above.value() {
                reading.close(element);
            }
            at = above;
        };
    }
    reading.flow.finish()
}

/// Whether a table holds data: pages are laid out in tables too, and then a cell holds whole blocks.
fn is_grid(table: ElementRef<'_>) -> bool {
    let mut rows = 0;
    for element in table.descendent_elements().skip(1) {
        match element.value().name() {
            "table" | "pre" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => return false,
            "tr" => rows += 1,
            _ => {}
        }
    }
    rows > 0
}

/// The state of a walk through the tree.
struct Reading {
    flow: Flow,
    extent: Extent,
    /// For every list item around: whether its first block was begun.
    items: Vec<bool>,
    /// Where the words of every open anchor begin, and where it points to.
    anchors: Vec<(usize, String)>,
    headings: Vec<u8>,
    /// Depth inside `main` and `article`, whose asides and footers belong to the matter.
    kept: usize,
    pre: usize,
    /// Depth inside a table of data.
    table: usize,
    cells_in_row: usize,
}

impl Reading {
    fn text(&mut self, text: &str) {
        if self.pre > 0 && self.table == 0 {
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

    /// Whether the walk goes into the element.
    fn open(&mut self, element: &Element, is_grid: bool) -> bool {
        let name = element.name();
        if SILENT.contains(&name) && !(name == "dialog" && element.attr("open").is_some())
            || is_hidden(element)
            || self.is_chrome(element)
        {
            // Words on both sides of a picture or a control are not one word.
            if name != "rt" && name != "rp" && !self.in_grid() && self.flow.is_open() {
                self.flow.words(" ");
            }
            return false;
        }
        if matches!(name, "main" | "article") {
            self.kept += 1;
        }
        if let ("a", Some(target)) = (name, element.attr("href")) {
            let from = self.flow.position();
            self.anchors.push((from, target.trim().to_owned()));
        }
        if self.in_grid() {
            self.open_in_grid(name);
            return true;
        }
        match name {
            "br" => self.flow.separator('\n'),
            "pre" => {
                self.pre += 1;
                self.flow.begin(BlockKind::Code);
            }
            "li" => {
                self.items.push(false);
                self.flow.close();
            }
            "table" if is_grid => {
                self.table = 1;
                self.flow.begin(BlockKind::Table);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.headings.push(name.as_bytes()[1] - b'0');
                self.flow.close();
            }
            _ if is_block(name) => self.flow.close(),
            _ => {}
        }
        true
    }

    fn close(&mut self, element: &Element) {
        let name = element.name();
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
        if self.in_grid() {
            if name == "table" {
                self.table -= 1;
                self.flow.close();
            } else if is_block(name) {
                self.flow.words(" ");
            }
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

    fn open_in_grid(&mut self, name: &str) {
        match name {
            "tr" => {
                self.flow.separator('\n');
                self.cells_in_row = 0;
            }
            "td" | "th" => {
                if self.cells_in_row > 0 {
                    self.flow.separator('\t');
                }
                self.cells_in_row += 1;
            }
            "br" => self.flow.words(" "),
            _ if is_block(name) => self.flow.words(" "),
            _ => {}
        }
    }

    fn in_grid(&self) -> bool {
        self.table > 0
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
        if self.extent == Extent::Everything {
            return false;
        }
        let is_aside = matches!(element.name(), "aside" | "footer") && self.kept > 0;
        let role = element.attr("role").unwrap_or_default();
        CHROME.contains(&element.name()) && !is_aside || CHROME_ROLES.contains(&role)
    }
}

fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name) || matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot")
}

fn is_hidden(element: &Element) -> bool {
    let style = || {
        let style = element.attr("style").unwrap_or_default();
        let style: String = style
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(2000)
            .collect();
        let style = style.to_ascii_lowercase();
        style.contains("display:none") || style.contains("visibility:hidden")
    };
    element.attr("hidden").is_some() || element.attr("aria-hidden") == Some("true") || style()
}

#[cfg(test)]
mod tests {
    use rag_core::Block;

    use super::*;

    fn parts(page: &str) -> Vec<(BlockKind, String)> {
        let document = read(page);
        let part = |block: &Block| (block.kind, block.span.slice(&document.text).to_owned());
        document.blocks.iter().map(part).collect()
    }

    fn texts(page: &str) -> Vec<String> {
        parts(page).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn blocks_have_their_kinds_and_the_page_its_title_and_language() {
        let page = "<html lang=zh-CN><head><title> The\n page </title></head><body><h2>Head</h2>\
                    text before<p>One <b>bo</b>ld&nbsp;&amp; plain.</p><ul><li>first<li><p>second</p><p>more</p>\
                    </ul><pre>\na\n  b\n</pre>";
        let document = read(page);
        assert_eq!(document.title.as_deref(), Some("The page"));
        assert_eq!(document.language.as_deref(), Some("zh-Hans"));
        let part = |kind, text: &str| (kind, text.to_owned());
        assert_eq!(
            parts(page),
            [
                part(BlockKind::Heading(2), "Head"),
                part(BlockKind::Paragraph, "text before"),
                part(BlockKind::Paragraph, "One bold\u{a0}& plain."),
                part(BlockKind::ListItem, "first"),
                part(BlockKind::ListItem, "second"),
                part(BlockKind::Paragraph, "more"),
                part(BlockKind::Code, "a\n  b"),
            ]
        );
    }

    #[test]
    fn a_table_has_its_cells_parted_by_tabs_and_no_other_character() {
        let page = "<table><caption>Costs</caption><tr><th>Name<th>Sum</tr>\
                    <tr><td><p>A</p><p>B</p><td> 1 <br> 2 </table>";
        assert_eq!(
            parts(page),
            [(BlockKind::Table, "Costs\nName\tSum\nA B\t1 2".to_owned())]
        );
    }

    #[test]
    fn a_table_that_lays_out_a_page_is_no_table() {
        let page = "<table><tr><td><h1>T</h1>words</td><td><table><tr><td>x</td></tr></table></td></tr></table>";
        let kinds: Vec<BlockKind> = parts(page).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(
            kinds,
            [
                BlockKind::Heading(1),
                BlockKind::Paragraph,
                BlockKind::Table
            ]
        );
    }

    #[test]
    fn scripts_hidden_parts_and_navigation_are_left_out() {
        let page = format!(
            "<nav>Home</nav><script>js</script><style>css</style><template>t</template>\
             <div hidden>h</div><p style='display: none'>n</p><button>Go</button><!-- c -->\
             <main><p>{}</p><aside>note</aside></main><footer>foot</footer>",
            "The matter. ".repeat(30)
        );
        let found = texts(&page);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("The matter."));
        assert_eq!(found[1], "note");
    }

    #[test]
    fn a_page_that_is_all_navigation_is_read_whole() {
        assert_eq!(texts("<nav><ul><li>One<li>Two</ul></nav>"), ["One", "Two"]);
    }

    #[test]
    fn inline_tags_add_and_take_no_space() {
        assert_eq!(
            texts("<p>un<i>believ</i>able <b> so </b>it is</p>"),
            ["unbelievable so it is"]
        );
        assert_eq!(
            texts("<p>a<br>b</p><p>漢<ruby>字<rt>じ</rt></ruby>だ</p>"),
            ["a\nb", "漢字だ"]
        );
    }

    #[test]
    fn links_stand_at_their_words() {
        let document = read(
            "<p>See <a href=' https://a.example/ '> the <b>site</b></a>, <a href='#x'>up</a>.",
        );
        let links: Vec<_> = document
            .links
            .iter()
            .map(|link| (link.span.slice(&document.text), link.target.as_str()))
            .collect();
        assert_eq!(links, [("the site", "https://a.example/")]);
    }

    #[test]
    fn deep_nesting_ends() {
        let page = format!("{}deep", "<div>".repeat(5_000));
        assert_eq!(texts(&page), ["deep"]);
    }
}
