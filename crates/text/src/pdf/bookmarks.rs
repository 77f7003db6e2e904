//! The file's own table of contents (ISO 32000-1, 12.3.3): what stands in it is a heading on its page,
//! however large its letters are.

use std::collections::HashMap;

use pdfboss_core::{
    Document, OutlineItem,
    destination::{Destination, DestinationPage, Fit},
};
use rag_core::{Area, BlockKind};
use unicode_normalization::UnicodeNormalization as _;

use super::draft::{Draft, DraftBlock};

/// A heading may take so many lines.
const MAX_LINES: usize = 3;

/// Longer entries are no headings.
const MAX_CHARS: usize = 300;

/// So many letters may stand before an entry's words on the page: `Chapter 12`, `第十二章`.
const MAX_NUMBER_CHARS: usize = 12;

/// An entry of the table of contents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bookmark {
    /// Index of the page.
    page: usize,
    /// From 1.
    level: u8,
    title: String,
    /// How high on the page it leads.
    top: Option<f32>,
}

/// The entries that lead to a page of this file, in their order.
pub(crate) fn of(document: &Document) -> Vec<Bookmark> {
    let items = document.outline();
    if items.is_empty() {
        return Vec::new();
    }
    let pages: HashMap<_, _> = (0..document.flattened_page_count())
        .filter_map(|index| Some((document.page(index).ok()?.object_ref()?, index)))
        .collect();
    let mut bookmarks = Vec::new();
    let mut waiting: Vec<(&OutlineItem, u8)> = items.iter().rev().map(|item| (item, 1)).collect();
    while let Some((item, level)) = waiting.pop() {
        let deeper = level.saturating_add(1);
        waiting.extend(item.children.iter().rev().map(|child| (child, deeper)));
        let Some(Destination { page, fit }) = item.destination else {
            continue;
        };
        let page = match page {
            DestinationPage::Object(object) => pages.get(&object).copied(),
            DestinationPage::Number(number) => Some(number as usize),
        };
        let Some(page) = page else { continue };
        bookmarks.push(Bookmark {
            page,
            level: level.min(6),
            title: item.title.clone(),
            top: top_of(fit),
        });
    }
    bookmarks
}

fn top_of(fit: Fit) -> Option<f32> {
    match fit {
        Fit::Xyz { top, .. } | Fit::FitH { top } | Fit::FitBH { top } => top,
        Fit::FitR { top, .. } => Some(top),
        Fit::Fit | Fit::FitV { .. } | Fit::FitB | Fit::FitBV { .. } => None,
    }
}

/// Makes headings of the blocks, or their first lines, that say what an entry says. A heading that was
/// told by its size and has no entry takes the level of those that look like it.
pub(crate) fn mark(drafts: &mut [Draft], bookmarks: &[Bookmark]) {
    let mut levels: HashMap<u8, u8> = HashMap::new();
    let mut marked: HashMap<usize, Vec<usize>> = HashMap::new();
    for bookmark in bookmarks {
        let Some(draft) = drafts.get_mut(bookmark.page) else {
            continue;
        };
        let of_page = marked.entry(bookmark.page).or_default();
        let Some((at, lines)) = place(draft, bookmark, of_page) else {
            continue;
        };
        let block = &mut draft.blocks[at];
        if let BlockKind::Heading(by_size) = block.kind {
            levels.entry(by_size).or_insert(bookmark.level);
        }
        if lines < block.lines.len() {
            let rest = split(block, lines);
            draft.blocks.insert(at + 1, rest);
            for later in of_page.iter_mut().filter(|later| **later > at) {
                *later += 1;
            }
        }
        draft.blocks[at].kind = BlockKind::Heading(bookmark.level);
        of_page.push(at);
    }
    for (page, draft) in drafts.iter_mut().enumerate() {
        let of_page = marked.get(&page);
        for (at, block) in draft.blocks.iter_mut().enumerate() {
            let is_marked = of_page.is_some_and(|marked| marked.contains(&at));
            if let BlockKind::Heading(by_size) = block.kind
                && !is_marked
            {
                let level = levels.get(&by_size).copied().unwrap_or(by_size);
                block.kind = BlockKind::Heading(level);
            }
        }
    }
}

/// The block that a bookmark names, and how many of its lines are the heading: the one nearest to where
/// it leads.
fn place(draft: &Draft, bookmark: &Bookmark, marked: &[usize]) -> Option<(usize, usize)> {
    let title = folded(&bookmark.title);
    if title.is_empty() || title.chars().count() > MAX_CHARS {
        return None;
    }
    let distance = |block: &DraftBlock| match (bookmark.top, block.area) {
        (Some(top), Some(area)) => (top - area.top as f32).abs(),
        _ => 0.0,
    };
    draft
        .blocks
        .iter()
        .enumerate()
        .filter(|(at, block)| block.kind != BlockKind::Table && !marked.contains(at))
        .filter_map(|(at, block)| Some((at, heading_lines(block, &title)?, distance(block))))
        .min_by(|a, b| a.2.total_cmp(&b.2))
        .map(|(at, lines, _)| (at, lines))
}

/// How many of the block's first lines say `title`.
fn heading_lines(block: &DraftBlock, title: &str) -> Option<usize> {
    let mut text = String::new();
    for (at, line) in block.lines.iter().take(MAX_LINES).enumerate() {
        text.push_str(&folded(line));
        if says(&text, title) {
            return Some(at + 1);
        }
        if text.len() > title.len() + 4 * MAX_NUMBER_CHARS {
            return None;
        }
    }
    None
}

/// Whether two folded texts are the same but for a number before one of them.
fn says(text: &str, title: &str) -> bool {
    let (long, short) = if text.len() >= title.len() {
        (text, title)
    } else {
        (title, text)
    };
    let Some(number) = long.strip_suffix(short) else {
        return false;
    };
    let is_number = number.starts_with(|c: char| c.is_numeric())
        || ["chapter", "appendix", "part", "section", "第", "附"]
            .iter()
            .any(|word| number.starts_with(word))
        || number.chars().all(|c| "ivxlcabdefgh".contains(c)) && number.chars().count() <= 4
        || number.chars().all(|c| "一二三四五六七八九十".contains(c));
    let leaves_words = short.chars().any(char::is_alphabetic);
    number.is_empty() || leaves_words && is_number && number.chars().count() <= MAX_NUMBER_CHARS
}

/// Letters and digits alone, in lower case and in their usual forms.
fn folded(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Takes the lines after the first few off a block, which are as high as one another.
fn split(block: &mut DraftBlock, lines: usize) -> DraftBlock {
    let share = lines as f32 / block.lines.len() as f32;
    let rest = block.lines.split_off(lines);
    let cut = block.area.map(|area| {
        let height = area.top.saturating_sub(area.bottom) as f32;
        area.top - (height * share) as i32
    });
    let below = block
        .area
        .zip(cut)
        .map(|(area, cut)| Area { top: cut, ..area });
    if let (Some(area), Some(cut)) = (&mut block.area, cut) {
        area.bottom = cut;
    }
    let kind = match block.kind {
        BlockKind::Heading(_) => BlockKind::Paragraph,
        kind => kind,
    };
    DraftBlock {
        kind,
        lines: rest,
        area: below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookmark(level: u8, title: &str, top: Option<f32>) -> Bookmark {
        Bookmark {
            page: 0,
            level,
            title: title.to_owned(),
            top,
        }
    }

    fn page(blocks: &[(BlockKind, &str)]) -> Draft {
        let made = |(kind, text): &(BlockKind, &str)| {
            DraftBlock::new(*kind, text.lines().map(str::to_owned))
        };
        Draft {
            blocks: blocks.iter().filter_map(made).collect(),
            ..Draft::default()
        }
    }

    fn kinds(draft: &Draft) -> Vec<(BlockKind, String)> {
        draft.blocks.iter().map(|b| (b.kind, b.text())).collect()
    }

    #[test]
    fn what_the_table_of_contents_names_is_a_heading_of_that_level() {
        let (paragraph, heading) = (BlockKind::Paragraph, BlockKind::Heading);
        let mut pages = [page(&[
            (heading(1), "The Annual Report"),
            (BlockKind::ListItem, "2.1 The Lamp\nIt burns."),
            (paragraph, "第三章 灯塔"),
            (heading(1), "Lenses"),
            (paragraph, "The lamp is old."),
        ])];
        let bookmarks = [
            bookmark(1, "The annual report", None),
            bookmark(2, "The Lamp", None),
            bookmark(2, "灯塔", None),
        ];
        mark(&mut pages, &bookmarks);
        let expected = [
            (heading(1), "The Annual Report"),
            (heading(2), "2.1 The Lamp"),
            (BlockKind::ListItem, "It burns."),
            (heading(2), "第三章 灯塔"),
            (heading(1), "Lenses"),
            (paragraph, "The lamp is old."),
        ];
        assert_eq!(
            kinds(&pages[0]),
            expected.map(|(kind, text)| (kind, text.to_owned()))
        );
    }

    #[test]
    fn of_two_places_with_the_same_words_the_nearer_one_is_the_heading() {
        let mut draft = page(&[
            (BlockKind::Paragraph, "Lamps"),
            (BlockKind::Paragraph, "Lamps"),
        ]);
        for (block, top) in draft.blocks.iter_mut().zip([780, 400]) {
            let (left, right) = (72, 200);
            block.area = Some(Area {
                left,
                bottom: top - 12,
                right,
                top,
            });
        }
        let mut pages = [draft];
        mark(&mut pages, &[bookmark(1, "Lamps", Some(405.0))]);
        let kinds: Vec<_> = pages[0].blocks.iter().map(|b| b.kind).collect();
        assert_eq!(kinds, [BlockKind::Paragraph, BlockKind::Heading(1)]);
    }

    #[test]
    fn a_sentence_that_begins_with_an_entrys_words_is_no_heading() {
        let mut pages = [page(&[(
            BlockKind::Paragraph,
            "The lamp is old and bright.",
        )])];
        let before = pages.clone();
        mark(&mut pages, &[bookmark(1, "The lamp", None)]);
        assert_eq!(pages, before);
    }
}
