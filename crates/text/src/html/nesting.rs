//! What the parser is spared: nesting that no page has, and tags of XML that HTML would take for open.
//!
//! The tree builder of the HTML standard looks through all open elements at every tag, so that the time
//! for a page grows with its length times its depth; and formatting elements that are never closed are
//! opened again in every paragraph. Browsers cap the depth at 512 for the same reason. A tag that is
//! left out costs structure, never text.

use std::{borrow::Cow, collections::HashMap};

/// Deepest nesting that is kept.
const MAX_DEPTH: usize = 512;

/// Deepest nesting of lists. Their items lie in the tree too, without being counted here, so that a
/// list that is never closed would make every tag twice as dear as other elements do.
const MAX_LISTS: usize = 32;

/// So many formatting elements may wait for their end at once.
const MAX_FORMATTING: usize = 12;

/// Elements that have no content.
const VOID: [&str; 16] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "frame", "keygen",
];

/// Elements whose end tag may be left out: another start tag ends them, so they are not counted.
const UNCLOSED: [&str; 17] = [
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot",
    "colgroup", "rt", "rp", "body", "html",
];

const LISTS: [&str; 5] = ["ul", "ol", "dl", "menu", "dir"];

/// Elements that the parser opens again where a block cut them off.
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Elements whose content is characters, tags or not.
const RAW: [&str; 8] = [
    "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes",
];

/// The page as the parser may have it, and whether nesting was left out.
pub(super) fn bounded(page: &str) -> (Cow<'_, str>, bool) {
    let mut edits = Edits {
        page,
        is_xml: is_xml(page),
        open: Vec::new(),
        lists: 0,
        dropped: HashMap::new(),
        formatting: HashMap::new(),
        out: String::new(),
        kept_until: 0,
        is_too_deep: false,
    };
    let mut at = 0;
    while let Some(found) = page[at..].find('<') {
        at += found;
        if !starts_a_tag(&page.as_bytes()[at + 1..]) {
            at = end_of_other(page, at);
            continue;
        }
        // A tag that never ends is the end of the page for the parser too.
        let Some(tag) = Tag::at(page, at) else {
            break;
        };
        at = tag.end;
        edits.see(&tag);
        let is_whole = tag.closes || edits.is_xml && tag.is_empty;
        if !is_whole && RAW.contains(&&*tag.name) {
            at = end_of_raw(page, at, &tag.name);
        }
    }
    if edits.kept_until == 0 {
        return (Cow::Borrowed(page), false);
    }
    edits.out.push_str(&page[edits.kept_until..]);
    (Cow::Owned(edits.out), edits.is_too_deep)
}

/// Whether the page is XHTML, in which `<a id="x"/>` is a whole element.
fn is_xml(page: &str) -> bool {
    let head = &page[..page.floor_char_boundary(2048)];
    let head = head.trim_start_matches('\u{FEFF}').trim_start();
    head.starts_with("<?xml") || head.contains("http://www.w3.org/1999/xhtml")
}

struct Edits<'a> {
    page: &'a str,
    is_xml: bool,
    open: Vec<String>,
    /// How many of them are lists.
    lists: usize,
    /// By name, start tags that were left out and whose end tags are to be left out too.
    dropped: HashMap<String, usize>,
    /// By name, formatting elements that are open.
    formatting: HashMap<String, usize>,
    out: String,
    /// So much of the page is in `out` or was left out.
    kept_until: usize,
    is_too_deep: bool,
}

impl Edits<'_> {
    fn see(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if VOID.contains(&name) {
            return;
        }
        if tag.closes {
            self.close(tag);
        } else if tag.is_empty && self.is_xml {
            let start = &self.page[tag.start..tag.end];
            let start = start.trim_end_matches('>').trim_end_matches('/');
            let whole = format!("{start}></{name}>");
            self.replace(tag, &whole);
        } else if !UNCLOSED.contains(&name) {
            self.open(tag);
        }
    }

    fn open(&mut self, tag: &Tag) {
        let name = &*tag.name;
        let is_formatting = FORMATTING.contains(&name);
        let waiting = self.formatting.values().sum::<usize>();
        let is_too_many = is_formatting && name != "a" && waiting >= MAX_FORMATTING;
        let is_list = LISTS.contains(&name);
        let is_deep_list = is_list && self.lists >= MAX_LISTS;
        if self.open.len() >= MAX_DEPTH || is_deep_list || is_too_many {
            *self.dropped.entry(name.to_owned()).or_default() += 1;
            self.is_too_deep |= !is_too_many;
            self.replace(tag, "");
            return;
        }
        if is_formatting {
            let count = self.formatting.entry(name.to_owned()).or_default();
            // A link within a link ends it.
            *count = if name == "a" { 1 } else { *count + 1 };
        }
        self.lists += usize::from(is_list);
        // The parser itself ends a link, a heading or a button where the next one begins.
        if self
            .open
            .last()
            .is_none_or(|last| last != name || !matches!(name, "a" | "button"))
        {
            self.open.push(name.to_owned());
        }
    }

    fn close(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if let Some(count) = self.dropped.get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            self.replace(tag, "");
            return;
        }
        if let Some(count) = self.formatting.get_mut(name) {
            *count = count.saturating_sub(1);
        }
        if let Some(depth) = self.open.iter().rposition(|open| open == name) {
            if FORMATTING.contains(&name) {
                // Blocks that were opened inside of it stay open.
                self.open.remove(depth);
            } else {
                let closed = self.open.drain(depth..);
                self.lists -= closed.filter(|open| LISTS.contains(&open.as_str())).count();
            }
        }
    }

    fn replace(&mut self, tag: &Tag, with: &str) {
        self.out.push_str(&self.page[self.kept_until..tag.start]);
        self.out.push_str(with);
        self.kept_until = tag.end;
    }
}

fn starts_a_tag(behind_bracket: &[u8]) -> bool {
    matches!(behind_bracket, [b'/', first, ..] | [first, ..] if first.is_ascii_alphabetic())
}

/// A start or end tag.
#[derive(Debug)]
struct Tag {
    start: usize,
    end: usize,
    /// In lower case.
    name: String,
    closes: bool,
    /// `<x/>`
    is_empty: bool,
}

impl Tag {
    /// The tag that starts at the bracket at `start`.
    fn at(page: &str, start: usize) -> Option<Self> {
        let rest = &page.as_bytes()[start + 1..];
        let closes = rest.first() == Some(&b'/');
        let name_at = usize::from(closes);
        let is_end = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'/' | b'>');
        let length = rest[name_at..].iter().position(is_end)?;
        let name_end = name_at + length;
        let end = name_end + end_of_attributes(&rest[name_end..])?;
        let name = page.get(start + 1 + name_at..start + 1 + name_end)?;
        Some(Self {
            start,
            end: start + 1 + end,
            name: name.to_ascii_lowercase(),
            closes,
            is_empty: rest[..end].ends_with(b"/>"),
        })
    }
}

/// Length up to and with the bracket that ends a tag, which may stand in quotes before.
fn end_of_attributes(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, b) in rest.iter().enumerate() {
        match quote {
            Some(open) if *b == open => quote = None,
            None if *b == b'>' => return Some(at + 1),
            // Only a value is quoted; an apostrophe elsewhere is a character.
            None if after_equals && matches!(b, b'"' | b'\'') => quote = Some(*b),
            _ => {}
        }
        after_equals = *b == b'=' || after_equals && b.is_ascii_whitespace();
    }
    None
}

/// Behind a comment, a declaration or a bracket that is only a character.
fn end_of_other(page: &str, at: usize) -> usize {
    let rest = &page[at..];
    let behind = |mark: &str| {
        rest.find(mark)
            .map_or(page.len(), |end| at + end + mark.len())
    };
    if rest.starts_with("<!--") {
        behind("-->")
    } else if rest.starts_with("<![CDATA[") {
        behind("]]>")
    } else {
        at + 1
    }
}

/// Where the end tag of an element begins whose content is characters.
fn end_of_raw(page: &str, at: usize, name: &str) -> usize {
    let bytes = page.as_bytes();
    let mut from = at;
    while let Some(found) = page[from..].find("</") {
        let start = from + found;
        let here = bytes.get(start + 2..start + 2 + name.len());
        if here.is_some_and(|here| here.eq_ignore_ascii_case(name.as_bytes())) {
            return start;
        }
        from = start + 2;
    }
    page.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_page_is_left_as_it_is() {
        let page = "<!doctype html><p>a<p>b<ul><li>c<li>d</ul><a title='x > y' href=/>e</a><!-- <div> --><script>if (a<b) '<div>'</script>";
        assert!(matches!(bounded(page), (Cow::Borrowed(_), false)));
        let many = "<p>x<br><li>y<td>z".repeat(10_000);
        assert!(matches!(bounded(&many), (Cow::Borrowed(_), false)));
    }

    #[test]
    fn nesting_ends_at_the_depth_where_browsers_end_it() {
        let deep = format!(
            "{}text{}<p>after",
            "<div>".repeat(2_000),
            "</div>".repeat(2_000)
        );
        let (page, is_too_deep) = bounded(&deep);
        assert!(is_too_deep);
        assert_eq!(page.matches("<div>").count(), MAX_DEPTH);
        assert_eq!(page.matches("</div>").count(), MAX_DEPTH);
        assert!(page.ends_with("<p>after"));
    }

    #[test]
    fn lists_end_sooner_and_begin_anew_where_they_were_closed() {
        let (page, is_too_deep) = bounded_lists(1_000, "");
        assert!(is_too_deep);
        assert_eq!(page.matches("<ul>").count(), MAX_LISTS);
        assert_eq!(page.matches("<li>x").count(), 1_000);
        let (page, is_too_deep) = bounded_lists(1_000, "</ul>");
        assert!(!is_too_deep);
        assert_eq!(page.matches("<ul>").count(), 1_000);
    }

    fn bounded_lists(count: usize, end: &str) -> (String, bool) {
        let page = format!("<ul><li>x{end}").repeat(count);
        let (page, is_too_deep) = bounded(&page);
        (page.into_owned(), is_too_deep)
    }

    #[test]
    fn formatting_that_is_never_closed_does_not_pile_up() {
        let page: Vec<String> = (0..1_000).map(|n| format!("<p><b id={n}>x")).collect();
        let page = page.concat();
        let (page, is_too_deep) = bounded(&page);
        assert!(!is_too_deep);
        assert_eq!(page.matches("<b ").count(), MAX_FORMATTING);
        assert_eq!(page.matches('x').count(), 1_000);
    }

    #[test]
    fn an_empty_element_of_xml_ends_at_once() {
        let page = "<?xml version='1.0'?><html><title/><a id=\"x\"/>text<br/></html>";
        let (page, _) = bounded(page);
        assert!(
            page.contains("<title></title><a id=\"x\"></a>text<br/>"),
            "{page}"
        );
        assert!(matches!(bounded("<div/>x"), (Cow::Borrowed(_), false)));
    }

    #[test]
    fn damaged_tags_are_characters() {
        for page in [
            "<", "</", "<a", "a < b", "<a b='", "<!--", "<é>", "<script>",
        ] {
            assert_eq!(bounded(page).0, page);
        }
    }
}
