//! Markdown: the file's own text with its blocks, as `CommonMark` (with tables, footnotes, wiki links
//! and front matter) sees them.
//!
//! A block covers its marks too (`## `, `- `, `| a |`): what is quoted stands in the file like that.
//! Notes of Obsidian and Logseq are Markdown with their own marks: `[[links]]`, `title:: x`.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use rag_core::{Block, BlockKind, Document, Link, Span};

use super::{front::Front, unseen};
use crate::{
    code,
    hidden::{Hidden, blanked},
    lines::{lines, trimmed},
};

/// What is read beyond `CommonMark`.
const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS)
    .union(Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS)
    .union(Options::ENABLE_WIKILINKS);

/// The document of a decoded Markdown text. Comments and what its HTML does not show become spaces: all
/// that is left stands where it stands in the file.
pub(crate) fn read(text: String) -> Document {
    let mut hidden = Hidden::default();
    let unseen = unseen::places(&text, OPTIONS);
    let text = if unseen.is_empty() {
        text
    } else {
        blanked(&text, &unseen, &mut hidden)
    };
    let mut outline = Outline::default();
    for (event, range) in Parser::new_ext(&text, OPTIONS).into_offset_iter() {
        outline.see(event, range, &text);
    }
    let front = outline
        .front_matter
        .map(|span| Front::read(&text, span))
        .or_else(|| page_properties(&text))
        .unwrap_or_default();
    let told = front.told.into_iter();
    let told = told.map(|span| Block::new(BlockKind::Paragraph, span));
    let blocks = told.chain(outline.blocks).collect();
    let mut blocks = without_overlap(&text, blocks);
    for block in &mut blocks {
        if matches!(block.kind, BlockKind::Heading(_)) {
            block.label = Some(heading_text(block.span.slice(&text)));
        }
    }
    outline.links.sort_by_key(|link| link.span.start);
    Document {
        title: front.title.or_else(|| first_heading(&blocks)),
        date: front.date,
        tags: front.tags,
        blocks,
        links: outline.links,
        text,
        lines_are_source_lines: true,
        warnings: hidden.warning().into_iter().collect(),
        ..Document::default()
    }
}

/// What a page of Logseq says of itself in its first lines: `title:: x`, `tags:: a, b`.
fn page_properties(text: &str) -> Option<Front> {
    let properties = lines(text).take_while(|line| {
        let key = line.text.split_once(":: ").map(|(key, _)| key);
        key.is_some_and(|key| key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    });
    let end = properties.last()?.span.end;
    let front = Front::read(text, Span::new(0, end));
    // These lines are a paragraph as it is.
    let told = Vec::new();
    Some(Front { told, ..front })
}

/// A heading's own words: without its marks, its underline and the marks of emphasis.
fn heading_text(block: &str) -> String {
    let mut lines = block.lines();
    let first = lines.next().unwrap_or_default();
    let is_underline = |line: &&str| {
        !line.trim().is_empty() && line.trim().chars().all(|c| matches!(c, '=' | '-'))
    };
    let marks = first.trim_start_matches('#');
    let first = if marks.starts_with([' ', '\t']) {
        marks
    } else {
        first
    };
    let closed = first.trim_end().trim_end_matches('#');
    let first = if closed.ends_with([' ', '\t']) {
        closed
    } else {
        first
    };
    std::iter::once(first)
        .chain(lines.filter(|line| !is_underline(line)))
        .flat_map(str::split_whitespace)
        .map(|word| word.replace(['*', '`'], ""))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the events have told so far. Containers (lists, quotes) give nothing themselves; their
/// innermost blocks do.
#[derive(Default)]
struct Outline {
    blocks: Vec<Block>,
    links: Vec<Link>,
    front_matter: Option<Span>,
    in_front_matter: bool,
    /// The list items around the current event, outermost first.
    items: Vec<Item>,
    /// Depth inside a block that is taken whole; its inner events say nothing new.
    inside_leaf: usize,
}

/// A list item of which the words before any inner block are not taken yet.
struct Item {
    start: usize,
    /// End of the words seen so far directly in the item.
    end: Option<usize>,
    /// Whether the item's first block was taken.
    taken: bool,
}

impl Outline {
    fn see(&mut self, event: Event<'_>, range: Range<usize>, text: &str) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => {
                self.in_front_matter = true;
                self.front_matter
                    .get_or_insert(Span::new(range.start, range.end));
            }
            Event::End(TagEnd::MetadataBlock(_)) => self.in_front_matter = false,
            _ if self.in_front_matter => {}
            Event::Start(tag) => {
                if let Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } = &tag {
                    self.point(dest_url, &range);
                }
                self.enter(&tag, &range, text);
            }
            Event::End(tag) => self.leave(tag),
            Event::Rule => {}
            _ if self.inside_leaf == 0 => self.words(range.end),
            _ => {}
        }
    }

    /// Collects a link with its words. A picture that is written into its link is none.
    fn point(&mut self, target: &str, range: &Range<usize>) {
        if !target.is_empty() && !target.starts_with(['#']) && !target.starts_with("data:") {
            self.links.push(Link {
                span: Span::new(range.start, range.end),
                target: target.to_owned(),
            });
        }
    }

    fn enter(&mut self, tag: &Tag<'_>, range: &Range<usize>, text: &str) {
        if self.inside_leaf > 0 {
            self.inside_leaf += 1;
            return;
        }
        let kind = match tag {
            Tag::Item => {
                self.flush_item();
                self.items.push(Item {
                    start: range.start,
                    end: None,
                    taken: false,
                });
                return;
            }
            Tag::List(_) | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.flush_item();
                return;
            }
            Tag::Heading { level, .. } => BlockKind::Heading(depth(*level)),
            Tag::Table(_) => BlockKind::Table,
            Tag::CodeBlock(_) => BlockKind::Code,
            Tag::Paragraph | Tag::HtmlBlock => BlockKind::Paragraph,
            // Emphasis, links and the like directly in a tight list item.
            _ => {
                self.words(range.end);
                return;
            }
        };
        self.flush_item();
        self.inside_leaf = 1;
        if matches!(tag, Tag::HtmlBlock) && !has_words(&text[range.clone()]) {
            return;
        }
        let mut span = Span::new(range.start, range.end);
        let mut kind = kind;
        if let Some(item) = self.items.last_mut()
            && !item.taken
        {
            item.taken = true;
            if kind == BlockKind::Paragraph {
                kind = BlockKind::ListItem;
                span.start = item.start;
            }
        }
        let label = match tag {
            Tag::CodeBlock(CodeBlockKind::Fenced(told)) => code::label_of(told),
            _ => None,
        };
        let block = Block::new(kind, span);
        self.blocks.push(Block { label, ..block });
    }

    fn leave(&mut self, tag: TagEnd) {
        if self.inside_leaf > 0 {
            self.inside_leaf -= 1;
        } else if tag == TagEnd::Item {
            self.flush_item();
            self.items.pop();
        }
    }

    fn words(&mut self, end: usize) {
        if let Some(item) = self.items.last_mut() {
            item.end = Some(item.end.map_or(end, |before| before.max(end)));
        }
    }

    /// Takes the words that stand directly in the innermost item.
    fn flush_item(&mut self) {
        if let Some(item) = self.items.last_mut()
            && let Some(end) = item.end.take()
        {
            let start = if item.taken {
                self.blocks
                    .last()
                    .map_or(item.start, |block| block.span.end)
            } else {
                item.start
            };
            item.taken = true;
            let span = Span::new(start, end);
            self.blocks.push(Block::new(BlockKind::ListItem, span));
        }
    }
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

/// Whether anything but tags and comments stands in a block of HTML.
fn has_words(html: &str) -> bool {
    let start = html.trim_start().as_bytes();
    let is_silent = |tag: &&str| {
        let name = start.get(1..=tag.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(tag.as_bytes()))
    };
    if ["script", "style"].iter().any(is_silent) {
        return false;
    }
    let mut rest = html;
    loop {
        let (before, after) = rest.split_once('<').unwrap_or((rest, ""));
        if before.chars().any(char::is_alphanumeric) {
            return true;
        }
        let close = if after.starts_with("!--") { "-->" } else { ">" };
        match after.split_once(close) {
            Some((_, next)) => rest = next,
            None => return false,
        }
    }
}

/// In order, trimmed, each ending where the next starts at the latest; none empty.
fn without_overlap(text: &str, mut blocks: Vec<Block>) -> Vec<Block> {
    blocks.sort_by_key(|block| block.span.start);
    let starts: Vec<usize> = blocks
        .iter()
        .skip(1)
        .map(|block| block.span.start)
        .collect();
    for (block, next) in blocks.iter_mut().zip(starts) {
        block.span.end = block.span.end.min(next);
    }
    for block in &mut blocks {
        block.span = trimmed(text, block.span);
    }
    blocks.retain(|block| !block.span.is_empty());
    blocks
}

fn first_heading(blocks: &[Block]) -> Option<String> {
    let is_first = |block: &&Block| block.kind == BlockKind::Heading(1);
    let label = blocks.iter().find(is_first)?.label.clone();
    label.filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(BlockKind, String)> {
        let document = read(text.to_owned());
        let part = |block: &Block| (block.kind, block.span.slice(&document.text).to_owned());
        document.blocks.iter().map(part).collect()
    }

    fn part(kind: BlockKind, text: &str) -> (BlockKind, String) {
        (kind, text.to_owned())
    }

    #[test]
    fn every_kind_of_block_is_found_with_its_marks() {
        let text = "# Title\n\nA line\nand more.\n\n- one\n- two *words*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nfn x() {}\n```\n\nSub\n---\n";
        assert_eq!(
            parts(text),
            [
                part(BlockKind::Heading(1), "# Title"),
                part(BlockKind::Paragraph, "A line\nand more."),
                part(BlockKind::ListItem, "- one"),
                part(BlockKind::ListItem, "- two *words*"),
                part(BlockKind::Table, "| a | b |\n|---|---|\n| 1 | 2 |"),
                part(BlockKind::Code, "```rust\nfn x() {}\n```"),
                part(BlockKind::Heading(2), "Sub\n---"),
            ]
        );
    }

    #[test]
    fn nested_lists_and_quotes_do_not_overlap() {
        let text = "- outer\n  - inner one\n  - inner two\n- loose\n\n  second paragraph\n\n> quoted\n> twice\n";
        assert_eq!(
            parts(text),
            [
                part(BlockKind::ListItem, "- outer"),
                part(BlockKind::ListItem, "- inner one"),
                part(BlockKind::ListItem, "- inner two"),
                part(BlockKind::ListItem, "- loose"),
                part(BlockKind::Paragraph, "second paragraph"),
                part(BlockKind::Paragraph, "quoted\n> twice"),
            ]
        );
    }

    #[test]
    fn front_matter_gives_title_and_date_and_its_tags_are_a_block() {
        let text =
            "---\ntitle: \"年度报告\"\ndate: 2026-11-21\ntags: [a]\n---\n\n# Other\n\nText.\n";
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("年度报告"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
        assert_eq!(
            parts(text),
            [
                part(BlockKind::Paragraph, "tags: [a]"),
                part(BlockKind::Heading(1), "# Other"),
                part(BlockKind::Paragraph, "Text."),
            ]
        );
        let toml = read("+++\ntitle = 'Guide'\n+++\nText.\n".to_owned());
        assert_eq!(toml.title.as_deref(), Some("Guide"));
    }

    #[test]
    fn the_first_heading_of_level_one_is_the_title() {
        let title = |text: &str| read(text.to_owned()).title;
        assert_eq!(
            title("## a\n\n# The *big* one #\n"),
            Some("The big one".to_owned())
        );
        assert_eq!(title("Big\n===\n"), Some("Big".to_owned()));
        assert_eq!(title("# Notes on C#\n"), Some("Notes on C#".to_owned()));
        assert_eq!(title("## a\n"), None);
    }

    #[test]
    fn notes_have_wiki_links_and_properties() {
        let text = "title:: Storms\ntags:: sea, port\n\n- see [[Port Averill|the port]] and ![[chart.png]]\n- [site](https://example.org/) [here](#x)\n";
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("Storms"));
        assert_eq!(parts(text)[0].1, "title:: Storms\ntags:: sea, port");
        let links: Vec<(&str, &str)> = document
            .links
            .iter()
            .map(|link| (link.span.slice(text), link.target.as_str()))
            .collect();
        assert_eq!(
            links,
            [
                ("[[Port Averill|the port]]", "Port Averill"),
                ("![[chart.png]]", "chart.png"),
                ("[site](https://example.org/)", "https://example.org/"),
            ]
        );
    }

    #[test]
    fn code_knows_its_language() {
        let document = read("```rs,ignore\nfn x() {}\n```\n\n    indented\n".to_owned());
        let labels: Vec<_> = document.blocks.iter().map(|b| b.label.as_deref()).collect();
        assert_eq!(labels, [Some("rust"), None]);
    }

    #[test]
    fn html_without_words_is_no_block() {
        assert_eq!(
            parts(
                "<!-- a comment -->\n\n<img src=\"x\">\n\n<style>\np { color: red }\n</style>\n\n<p>Words</p>\n"
            ),
            [part(BlockKind::Paragraph, "<p>Words</p>")]
        );
    }

    #[test]
    fn an_unclosed_fence_or_front_matter_loses_nothing() {
        assert_eq!(parts("---\ntitle: x\n\ntext").last().unwrap().1, "text");
        assert_eq!(
            parts("```\ncode\nmore").last().unwrap().1,
            "```\ncode\nmore"
        );
    }
}
