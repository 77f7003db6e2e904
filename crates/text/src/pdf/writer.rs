//! Drafts of pages to one document: text, exact page spans, blocks, warnings, a title.

use std::fmt::Write as _;

use rag_core::{Block, BlockKind, Document, Page, Span, Warning, WarningKind, fold::is_unspaced};

use super::draft::{Draft, divided};

/// A title longer than this is none.
const MAX_TITLE_CHARS: usize = 200;

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    /// It shows pictures and no text.
    NoText,
    /// This share of its characters could not be decoded.
    Undecoded(f64),
    Skipped(String),
    Failed(String),
    /// The file has no page.
    NoPages,
    /// This page and those after it are beyond the limit on text.
    TooLong,
}

/// The document of these pages. `problems` come with the index of their page.
pub(crate) fn document(
    drafts: &[Draft],
    problems: Vec<(usize, Problem)>,
    metadata_title: Option<&str>,
) -> Document {
    let mut writing = Writing::default();
    for (index, draft) in drafts.iter().enumerate() {
        writing.page(index, draft);
    }
    let Writing {
        text,
        pages,
        blocks,
    } = writing;
    let title = metadata_title
        .and_then(sensible_title)
        .or_else(|| heading_title(&text, &pages, &blocks));
    Document {
        title,
        pages,
        blocks,
        text,
        warnings: warnings(problems),
        ..Document::default()
    }
}

#[derive(Default)]
struct Writing {
    text: String,
    pages: Vec<Page>,
    blocks: Vec<Block>,
}

impl Writing {
    fn page(&mut self, index: usize, draft: &Draft) {
        let mut blocks = draft.blocks.iter().map(|block| (block.kind, block.text()));
        let first = blocks.next();
        if let Some((kind, text)) = &first {
            self.begin_page(*kind, text);
        }
        let start = self.text.len() - first.map_or(0, |(_, text)| text.len());
        for (kind, text) in blocks {
            let before = self.blocks.last().map(|block| block.kind);
            let in_list = kind == BlockKind::ListItem && before == Some(kind);
            self.text.push_str(if in_list { "\n" } else { "\n\n" });
            self.push(kind, &text);
        }
        self.pages.push(Page {
            number: index as u32 + 1,
            span: Span::new(start, self.text.len()),
        });
    }

    /// Writes the first block of a page. A paragraph that goes over the page break stays one block, with
    /// a line break in it or, within a divided word, nothing.
    fn begin_page(&mut self, kind: BlockKind, text: &str) {
        let Some(last) = self.blocks.last_mut() else {
            return self.push(kind, text);
        };
        let before = last.span.slice(&self.text);
        if !goes_on(last.kind, before, kind, text) {
            self.text.push_str("\n\n");
            return self.push(kind, text);
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

    fn push(&mut self, kind: BlockKind, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        let span = Span::new(start, self.text.len());
        self.blocks.push(Block::new(kind, span));
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

/// One warning for each kind of problem and run of pages.
fn warnings(problems: Vec<(usize, Problem)>) -> Vec<Warning> {
    let mut no_text = Vec::new();
    let mut warnings = Vec::new();
    for (index, problem) in problems {
        let page = index as u32 + 1;
        let fact = match problem {
            Problem::NoText => {
                no_text.push(page);
                continue;
            }
            Problem::NoPages => {
                warnings.push(lost(None, "the file has no pages".to_owned()));
                continue;
            }
            Problem::Undecoded(share) => {
                format!(
                    "{:.0} % of the characters could not be decoded",
                    share * 100.0
                )
            }
            Problem::Skipped(fact) => fact,
            Problem::Failed(cause) => format!("the page could not be read: {cause}"),
            Problem::TooLong => {
                "this page and those after it are beyond the limit on text".to_owned()
            }
        };
        warnings.push(lost(Some(page), fact));
    }
    if let Some(first) = no_text.first().copied() {
        let (noun, page) = if no_text.len() == 1 {
            ("page", Some(first))
        } else {
            ("pages", None)
        };
        let fact = format!("no text layer on {noun} {} (a scan?)", ranges(&no_text));
        warnings.push(lost(page, fact));
    }
    warnings.dedup();
    warnings
}

fn lost(page: Option<u32>, fact: String) -> Warning {
    Warning {
        page,
        ..Warning::new(WarningKind::Lost, fact)
    }
}

/// `1-3, 7, 9-10`.
fn ranges(numbers: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let length = rest
            .iter()
            .zip(*first..)
            .take_while(|(number, expected)| *number == expected)
            .count();
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = match length {
            1 => write!(text, "{comma}{first}"),
            _ => write!(text, "{comma}{first}-{}", rest[length - 1]),
        };
        rest = &rest[length..];
    }
    text
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
    use super::super::draft::DraftBlock;
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
        let document = document(&pages, Vec::new(), None);
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
        let document = document(&pages, Vec::new(), None);
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
        let document = document(&pages, Vec::new(), None);
        assert_eq!(document.text, "The information is here.");
        assert_eq!(document.page_at(8), Some(1));
        assert_eq!(document.page_at(9), Some(3));
    }

    #[test]
    fn pages_without_text_are_named_in_one_line() {
        let problems = [0, 1, 2, 6, 8, 9]
            .map(|index| (index, Problem::NoText))
            .to_vec();
        let document = document(&[], problems, None);
        assert_eq!(document.warnings.len(), 1);
        assert_eq!(
            document.warnings[0].fact,
            "no text layer on pages 1-3, 7, 9-10 (a scan?)"
        );
        assert!(document.is_partial());
        assert_eq!(document.text, "");
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
}
