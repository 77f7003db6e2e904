//! Drafts of pages to one document: text, exact page spans, blocks, warnings, a title.

use pdfboss_core::{Date, Metadata};
use rag_core::{Block, BlockKind, Document, Link, Page, Span, fold::is_unspaced};

use super::{
    draft::{Draft, DraftBlock, divided},
    links,
    problems::{Problem, warnings},
};

/// A title longer than this is none.
const MAX_TITLE_CHARS: usize = 200;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    title: Option<String>,
    date: Option<String>,
}

impl From<&Metadata> for About {
    fn from(metadata: &Metadata) -> Self {
        let dates = [metadata.mod_date_parsed(), metadata.creation_date_parsed()];
        Self {
            title: metadata.title.as_deref().and_then(sensible_title),
            date: dates
                .into_iter()
                .flatten()
                .find(is_sensible)
                .map(Date::to_iso8601),
        }
    }
}

/// Whether a date can be one of a PDF: clocks that were never set, and years of two digits, can't.
fn is_sensible(date: &Date) -> bool {
    let is_leap = date.year.is_multiple_of(4)
        && (!date.year.is_multiple_of(100) || date.year.is_multiple_of(400));
    let days = match date.month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(is_leap),
        _ => 31,
    };
    (1985..2100).contains(&date.year) && date.day <= days
}

/// The document of these pages. `problems` come with the index of their page.
pub(crate) fn document(
    drafts: &[Draft],
    problems: Vec<(usize, Problem)>,
    about: About,
) -> Document {
    let mut writing = Writing::default();
    for (index, draft) in drafts.iter().enumerate() {
        writing.page(index, draft);
    }
    let links = writing.links(drafts);
    let Writing {
        text,
        pages,
        blocks,
        ..
    } = writing;
    let title = about
        .title
        .or_else(|| heading_title(&text, &pages, &blocks));
    Document {
        title,
        pages,
        blocks,
        links,
        date: about.date,
        warnings: warnings(problems, text.is_empty()),
        text,
        ..Document::default()
    }
}

#[derive(Default)]
struct Writing {
    text: String,
    pages: Vec<Page>,
    blocks: Vec<Block>,
    /// The first block of every page, which may have begun on the page before, and the one after its
    /// last.
    of_page: Vec<(usize, usize)>,
}

impl Writing {
    fn page(&mut self, index: usize, draft: &Draft) {
        let mut blocks = draft.blocks.iter().map(|block| (block, block.text()));
        let first = blocks.next();
        if let Some((block, text)) = &first {
            self.begin_page(block, text);
        }
        let first_block = self.blocks.len() - usize::from(first.is_some());
        let start = self.text.len() - first.map_or(0, |(_, text)| text.len());
        for (block, text) in blocks {
            let before = self.blocks.last().map(|block| block.kind);
            let in_list = block.kind == BlockKind::ListItem && before == Some(block.kind);
            self.text.push_str(if in_list { "\n" } else { "\n\n" });
            self.push(block, &text);
        }
        self.of_page.push((first_block, self.blocks.len()));
        self.pages.push(Page {
            number: index as u32 + 1,
            span: Span::new(start, self.text.len()),
        });
    }

    /// Writes the first block of a page. A paragraph that goes over the page break stays one block, with
    /// a line break in it or, within a divided word, nothing.
    fn begin_page(&mut self, block: &DraftBlock, text: &str) {
        let Some(last) = self.blocks.last_mut() else {
            return self.push(block, text);
        };
        let before = last.span.slice(&self.text);
        if !goes_on(last.kind, before, block.kind, text) {
            self.text.push_str("\n\n");
            return self.push(block, text);
        }
        if let Some(kept) = divided(before, text) {
            let end = last.span.start + kept;
            self.text.truncate(end);
            if let Some(page) = self.pages.iter_mut().rfind(|page| !page.span.is_empty()) {
                page.span.end = end;
            }
            for page in self
                .pages
                .iter_mut()
                .rev()
                .take_while(|page| page.span.start > end)
            {
                page.span = Span::new(end, end);
            }
        } else {
            self.text.push('\n');
        }
        self.text.push_str(text);
        last.span.end = self.text.len();
    }

    fn push(&mut self, block: &DraftBlock, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        let span = Span::new(start, self.text.len());
        self.blocks.push(Block {
            area: block.area,
            ..Block::new(block.kind, span)
        });
    }

    /// The links of all pages, once nothing is written any more.
    fn links(&self, drafts: &[Draft]) -> Vec<Link> {
        let mut all: Vec<Link> = Vec::new();
        for (draft, (from, to)) in drafts.iter().zip(&self.of_page) {
            let end = all.last().map_or(0, |link| link.span.end);
            let placed = links::placed(&draft.links, &self.blocks[*from..*to], &self.text);
            all.extend(placed.into_iter().filter(|link| link.span.start >= end));
        }
        all
    }
}

/// Whether the first block of a page (`kind`, `text`) goes on with the sentence that the last block of
/// the page before it left open.
fn goes_on(last: BlockKind, before: &str, kind: BlockKind, text: &str) -> bool {
    let is_prose = matches!(last, BlockKind::Paragraph | BlockKind::ListItem);
    if !is_prose || kind != BlockKind::Paragraph {
        return false;
    }
    let (Some(end), Some(start)) = (before.chars().next_back(), text.chars().next()) else {
        return false;
    };
    let is_open = end.is_alphanumeric() || matches!(end, ',' | '，' | '、' | '-' | '(' | '（');
    let is_han = |c: char| is_unspaced(c) && c.is_alphabetic();
    is_open
        && (start.is_lowercase() || is_han(start) && (is_han(end) || matches!(end, '，' | '、')))
        || divided(before, text).is_some()
}

/// A title from the metadata unless it is what a program wrote there by itself.
fn sensible_title(title: &str) -> Option<String> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = title.to_lowercase();
    let is_file_name = [
        ".doc", ".docx", ".indd", ".qxd", ".pdf", ".tex", ".dvi", ".xls", ".xlsx", ".ppt", ".pptx",
        ".rtf", ".htm", ".html", ".txt", ".md",
    ]
    .iter()
    .any(|ending| lower.ends_with(ending));
    let is_default = [
        "untitled",
        "microsoft word",
        "powerpoint presentation",
        "slide 1",
        "无标题",
        "document1",
        "title",
    ]
    .iter()
    .any(|default| lower == *default || lower.starts_with("microsoft word - "));
    let is_text = title.chars().any(char::is_alphabetic) && !title.contains('\u{FFFD}');
    let is_short = title.chars().count() <= MAX_TITLE_CHARS;
    (is_text && is_short && !is_file_name && !is_default).then_some(title)
}

/// The first outermost heading, if it stands on one of the first two pages.
fn heading_title(text: &str, pages: &[Page], blocks: &[Block]) -> Option<String> {
    let end = pages.get(1).or(pages.first())?.span.end;
    let heading = blocks
        .iter()
        .take_while(|block| block.span.start < end)
        .find(|block| block.kind == BlockKind::Heading(1))?;
    sensible_title(heading.span.slice(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(blocks: &[(BlockKind, &str)]) -> Draft {
        Draft {
            blocks: blocks
                .iter()
                .filter_map(|(kind, text)| DraftBlock::new(*kind, text.lines().map(str::to_owned)))
                .collect(),
            ..Draft::default()
        }
    }

    #[test]
    fn pages_have_exact_spans_and_stand_apart_by_a_blank_line() {
        let pages = [
            page(&[
                (BlockKind::Heading(1), "Report"),
                (BlockKind::Paragraph, "One."),
            ]),
            page(&[]),
            page(&[(BlockKind::Paragraph, "Two.")]),
        ];
        let document = document(&pages, Vec::new(), About::default());
        assert_eq!(document.text, "Report\n\nOne.\n\nTwo.");
        let slices: Vec<&str> = document
            .pages
            .iter()
            .map(|p| p.span.slice(&document.text))
            .collect();
        assert_eq!(slices, ["Report\n\nOne.", "", "Two."]);
        assert_eq!(document.page_at(8), Some(1));
        assert_eq!(document.page_at(14), Some(3));
        assert_eq!(document.title.as_deref(), Some("Report"));
    }

    #[test]
    fn a_paragraph_that_goes_over_a_page_is_one_block() {
        let paragraph = BlockKind::Paragraph;
        let pages = [
            page(&[(paragraph, "A sentence that")]),
            page(&[(paragraph, "goes on. It ends.")]),
            page(&[(paragraph, "Another.")]),
            page(&[(paragraph, "公司的营业收入")]),
            page(&[(paragraph, "同比增长。")]),
        ];
        let document = document(&pages, Vec::new(), About::default());
        let slices: Vec<&str> = document
            .blocks
            .iter()
            .map(|b| b.span.slice(&document.text))
            .collect();
        assert_eq!(
            slices,
            [
                "A sentence that\ngoes on. It ends.",
                "Another.",
                "公司的营业收入\n同比增长。"
            ]
        );
        assert_eq!(document.page_at(15), Some(1));
        assert_eq!(document.page_at(16), Some(2));
    }

    #[test]
    fn a_word_divided_by_a_page_break_is_made_whole() {
        let paragraph = BlockKind::Paragraph;
        let pages = [
            page(&[(paragraph, "The infor-")]),
            page(&[]),
            page(&[(paragraph, "mation is here.")]),
        ];
        let document = document(&pages, Vec::new(), About::default());
        assert_eq!(document.text, "The information is here.");
        assert_eq!(document.page_at(8), Some(1));
        assert_eq!(document.page_at(9), Some(3));
    }

    #[test]
    fn a_title_that_a_program_wrote_by_itself_is_none() {
        assert_eq!(sensible_title("Microsoft Word - plan.docx"), None);
        assert_eq!(sensible_title("untitled"), None);
        assert_eq!(sensible_title("report.indd"), None);
        assert_eq!(sensible_title("12-34"), None);
        assert_eq!(
            sensible_title(" Annual\n Report "),
            Some("Annual Report".to_owned())
        );
    }

    #[test]
    fn the_date_is_that_of_the_last_change_unless_it_can_not_be() {
        let date = |modified: &str, created: &str| {
            let metadata = Metadata {
                mod_date: Some(modified.to_owned()),
                creation_date: Some(created.to_owned()),
                ..Metadata::default()
            };
            About::from(&metadata).date
        };
        let created = "D:20230406071500+02'00'";
        assert_eq!(
            date("D:20240229120000Z", created).as_deref(),
            Some("2024-02-29T12:00:00Z")
        );
        for wrong in ["D:19040101000000Z", "D:20230229120000Z", "yesterday"] {
            assert_eq!(
                date(wrong, created).as_deref(),
                Some("2023-04-06T07:15:00+02:00")
            );
        }
    }
}
