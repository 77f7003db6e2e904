//! Where words of a page lead: link annotations with an address (ISO 32000-1, 12.5.6.5 and 12.6.4.7), the
//! words under them, and those words in the finished text.

use std::collections::HashMap;

use pdfboss_core::{Dict, Document, Page, Rect, object::decode_text_string};
use pdfboss_output::TextSpan;
use rag_core::{Area, Block, Link};

use super::{
    draft::{DraftLink, ligature},
    fields::annotations,
};

/// More links than this on one page are no reading matter.
const MAX_LINKS: usize = 1000;

/// Links times stretches of text that are compared on one page.
const MAX_COMPARISONS: usize = 20_000_000;

/// Longer addresses hold data, not a place.
const MAX_TARGET: usize = 2048;

/// The links on a page, in the order of the file.
pub(crate) fn on(document: &Document, page: &Page, spans: &[TextSpan]) -> Vec<DraftLink> {
    let items = annotations(document, page);
    let most = MAX_LINKS.min(MAX_COMPARISONS / spans.len().max(1));
    let links = items.iter().filter_map(|item| {
        let object = document.resolve(item).ok()?;
        let dict = object.as_dict()?;
        let target = target(document, dict)?;
        let rects = rects(document, dict);
        let words: Vec<String> = rects
            .iter()
            .flat_map(|rect| spans.iter().filter_map(|span| words_under(span, rect)))
            .collect();
        let text = words.join(" ");
        (!text.trim().is_empty()).then(|| DraftLink {
            text,
            area: area(&rects),
            target,
        })
    });
    links.take(most).collect()
}

fn target(document: &Document, dict: &Dict) -> Option<String> {
    if dict.get_name("Subtype")?.0.as_str() != "Link" {
        return None;
    }
    let action = document.resolve(dict.get("A")?).ok()?;
    let action = action.as_dict()?;
    if action.get_name("S")?.0.as_str() != "URI" {
        return None;
    }
    let uri = document.resolve(action.get("URI")?).ok()?;
    let uri = decode_text_string(uri.as_str_bytes()?);
    let uri = uri.trim();
    let is_plain = !uri.is_empty() && uri.len() <= MAX_TARGET && !uri.contains(char::is_control);
    is_plain.then(|| uri.to_owned())
}

/// The rectangles of a link: one for each line where it says so, otherwise one.
fn rects(document: &Document, dict: &Dict) -> Vec<Rect> {
    let numbers = |key: &str| -> Option<Vec<f32>> {
        let array = document.resolve(dict.get(key)?).ok()?;
        let array = array.as_array()?;
        let numbers = array
            .iter()
            .take(8 * 64)
            .map(|item| item.as_f64().map(|n| n as f32));
        numbers.collect()
    };
    let bounding = |corners: &[f32]| {
        let across = corners.iter().step_by(2).copied();
        let along = corners.iter().skip(1).step_by(2).copied();
        Rect::new(
            across.clone().fold(f32::MAX, f32::min),
            along.clone().fold(f32::MAX, f32::min),
            across.fold(f32::MIN, f32::max),
            along.fold(f32::MIN, f32::max),
        )
    };
    let quads = numbers("QuadPoints").unwrap_or_default();
    let quads: Vec<Rect> = quads.chunks_exact(8).map(bounding).collect();
    if !quads.is_empty() {
        return quads;
    }
    let rect = numbers("Rect").filter(|corners| corners.len() == 4);
    rect.map(|corners| bounding(&corners)).into_iter().collect()
}

/// The words of an upright stretch of text that lie in a rectangle for the better part.
fn words_under(span: &TextSpan, rect: &Rect) -> Option<String> {
    let middle = span.y + 0.3 * span.size;
    let is_beside = span.end_x <= rect.x0 || span.x >= rect.x1;
    let is_turned = span.rotate != 0 || span.vertical;
    if is_beside || is_turned || middle < rect.y0 || middle > rect.y1 {
        return None;
    }
    let chars: Vec<char> = span.text.chars().collect();
    let width = (span.end_x - span.x) / chars.len().max(1) as f32;
    // Where glyphs are not placed one by one, letters are taken to be equally wide; whole words make up
    // for the difference.
    let is_exact = span.glyph_x.len() == chars.len();
    let start = |at: usize| match span.glyph_x.get(at) {
        Some(x) if is_exact => *x,
        _ if at >= chars.len() => span.end_x,
        _ => span.x + width * at as f32,
    };
    let lies_in = |from: usize, to: usize| {
        let (left, right) = (start(from), start(to));
        let inside = right.min(rect.x1) - left.max(rect.x0);
        inside > 0.0 && inside >= (right - left) / 2.0
    };
    let mut words = String::new();
    let mut at = 0;
    while at < chars.len() {
        let following = &chars[at..];
        let length = if is_exact {
            1
        } else {
            let is_space = |c: &char| c.is_whitespace();
            following
                .iter()
                .position(is_space)
                .unwrap_or(following.len())
                .max(1)
        };
        if chars[at].is_whitespace() {
            words.push(' ');
        } else if lies_in(at, at + length) {
            words.extend(&chars[at..at + length]);
        }
        at += length;
    }
    let words = words.trim();
    (!words.is_empty()).then(|| words.to_owned())
}

fn area(rects: &[Rect]) -> Area {
    let least = |of: fn(&Rect) -> f32| rects.iter().map(of).fold(f32::MAX, f32::min) as i32;
    let most = |of: fn(&Rect) -> f32| rects.iter().map(of).fold(f32::MIN, f32::max) as i32;
    Area {
        left: least(|rect| rect.x0),
        bottom: least(|rect| rect.y0),
        right: most(|rect| rect.x1),
        top: most(|rect| rect.y1),
    }
}

/// The links of a page, of which `blocks` are the blocks, at their words in `text`. A link whose words
/// are not found there, in their order, is left out.
pub(crate) fn placed(links: &[DraftLink], blocks: &[Block], text: &str) -> Vec<Link> {
    let mut folded: HashMap<usize, Folded> = HashMap::new();
    let mut seen: HashMap<(usize, String), usize> = HashMap::new();
    let mut placed = Vec::new();
    for link in links {
        let words = Folded::of(&link.text, 0).text;
        if words.is_empty() {
            continue;
        }
        for (at, block) in blocks.iter().enumerate() {
            if block.area.is_some_and(|area| !touch(area, link.area)) {
                continue;
            }
            let folded = folded
                .entry(at)
                .or_insert_with(|| Folded::of(block.span.slice(text), block.span.start));
            // The same words may lead somewhere more than once.
            let from = seen.entry((at, words.clone())).or_default();
            let Some(found) = folded.text.get(*from..).and_then(|rest| rest.find(&words)) else {
                continue;
            };
            let start = *from + found;
            *from = start + words.len();
            placed.push(Link {
                span: folded.span(start, *from, text),
                target: link.target.clone(),
            });
            break;
        }
    }
    placed.sort_by_key(|link| link.span.start);
    joined(placed, text)
}

/// Links to one place with nothing but white space between them are one: a link over two lines.
fn joined(links: Vec<Link>, text: &str) -> Vec<Link> {
    let mut joined: Vec<Link> = Vec::with_capacity(links.len());
    for link in links {
        match joined.last_mut() {
            Some(before)
                if before.target == link.target
                    && text
                        .get(before.span.end..link.span.start)
                        .is_some_and(|gap| gap.trim().is_empty()) =>
            {
                before.span.end = before.span.end.max(link.span.end);
            }
            Some(before) if link.span.start < before.span.end => {}
            _ => joined.push(link),
        }
    }
    joined
}

fn touch(a: Area, b: Area) -> bool {
    // A link's frame and a block's box are drawn by different rules.
    let slack = 3;
    a.left <= b.right + slack
        && b.left <= a.right + slack
        && a.bottom <= b.top + slack
        && b.bottom <= a.top + slack
}

/// A text without white space and hyphens, which line ends add and take away, and where each byte of it
/// stands.
struct Folded {
    text: String,
    places: Vec<usize>,
}

impl Folded {
    fn of(text: &str, base: usize) -> Self {
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        for (at, c) in text.char_indices() {
            if !c.is_whitespace() && !matches!(c, '-' | '\u{2010}' | '\u{AD}') {
                match ligature(c) {
                    Some(letters) => folded.text.push_str(letters),
                    None => folded.text.push(c),
                }
                folded.places.resize(folded.text.len(), base + at);
            }
        }
        folded
    }

    /// The span in the whole text of the bytes from `start` to `end`, which is not empty.
    fn span(&self, start: usize, end: usize, text: &str) -> rag_core::Span {
        let last = self.places[end - 1];
        let length = text[last..].chars().next().map_or(0, char::len_utf8);
        rag_core::Span::new(self.places[start], last + length)
    }
}

#[cfg(test)]
mod tests {
    use rag_core::{BlockKind, Span};

    use super::*;

    fn link(text: &str, bottom: i32, target: &str) -> DraftLink {
        DraftLink {
            text: text.to_owned(),
            area: Area {
                left: 0,
                bottom,
                right: 100,
                top: bottom + 10,
            },
            target: target.to_owned(),
        }
    }

    fn targets(links: &[DraftLink], text: &str) -> Vec<(String, String)> {
        let blocks = [Block::new(BlockKind::Paragraph, Span::new(0, text.len()))];
        placed(links, &blocks, text)
            .into_iter()
            .map(|link| (link.span.slice(text).to_owned(), link.target))
            .collect()
    }

    #[test]
    fn words_that_lead_somewhere_twice_are_found_in_their_order() {
        let links = [
            link("here", 0, "a"),
            link("here", 0, "b"),
            link("gone", 0, "c"),
        ];
        let found = targets(&links, "Look here and here.");
        let expected = [("here", "a"), ("here", "b")];
        assert_eq!(found, expected.map(|(w, t)| (w.to_owned(), t.to_owned())));
        let blocks = [Block::new(BlockKind::Paragraph, Span::new(0, 19))];
        let placed = placed(&links, &blocks, "Look here and here.");
        assert_eq!((placed[0].span.start, placed[1].span.start), (5, 14));
    }

    #[test]
    fn a_link_over_two_lines_is_one_though_a_word_was_divided() {
        let links = [link("the light-", 20, "a"), link("house 灯塔", 10, "a")];
        let found = targets(&links, "See the lighthouse\n灯塔 there");
        assert_eq!(found, [("the lighthouse\n灯塔".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn a_link_belongs_to_the_block_it_lies_on() {
        let text = "Port\n\nPort";
        let at = |start, bottom| Block {
            area: Some(Area {
                left: 0,
                bottom,
                right: 100,
                top: bottom + 10,
            }),
            ..Block::new(BlockKind::Paragraph, Span::new(start, start + 4))
        };
        let found = placed(&[link("Port", 100, "a")], &[at(0, 700), at(6, 100)], text);
        assert_eq!(found[0].span, Span::new(6, 10));
    }
}
