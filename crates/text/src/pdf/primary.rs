//! The first PDF reader: `pdfboss`, which repairs damaged files, knows the predefined Chinese character
//! maps and gives the layout of a page.

use pdfboss_core::{Document, Immediate, block_on};
use pdfboss_output::{
    Block, Cell, FontCache, Line, PageLayout, ReadingOrder, Role, Ruling, SkippedTextKind, TextSpan,
};
use rag_core::{BlockKind, fold::is_unspaced};

use super::{
    draft::{Draft, DraftBlock, Draws},
    fields,
    voice::{Refusal, Voice},
};
use crate::guard::guarded;

/// More path-painting operators than this on a page without text may be letters drawn as outlines.
const MANY_PATHS: usize = 200;

type RawPage = (Vec<TextSpan>, Vec<Ruling>, ReadingOrder);

/// A file opened and read by `pdfboss`.
pub(crate) struct Primary {
    pages: Vec<Result<Draft, String>>,
    title: Option<String>,
}

impl Primary {
    /// Reads all pages: headings are ranked by size over the whole document. A page that makes the
    /// parser panic costs only itself.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, Refusal> {
        let document = guarded(|| Document::load(bytes.to_vec()))
            .map_err(Refusal::Unreadable)?
            .map_err(|error| match error {
                pdfboss_core::Error::Encrypted => Refusal::Encrypted,
                other => Refusal::Unreadable(other.to_string()),
            })?;
        if document.is_locked() {
            return Err(Refusal::Encrypted);
        }
        let (declared, count) =
            guarded(|| (document.page_count(), document.flattened_page_count()))
                .map_err(Refusal::Unreadable)?;
        if count == 0 && declared == 0 && document.xref().trailer.get("Root").is_some() {
            return Err(Refusal::NoPages);
        }
        if count == 0 {
            return Err(Refusal::Unreadable("it has no pages".to_owned()));
        }
        let (raw, mut pages) = raw_pages(&document, count);
        for (layout, page) in layouts(&raw).into_iter().zip(&mut pages) {
            if let Ok(draft) = page {
                match layout {
                    Ok(layout) => draft.blocks = layout.blocks.iter().flat_map(blocks_of).collect(),
                    Err(cause) => *page = Err(cause),
                }
            }
        }
        let values = guarded(|| fields::values(&document)).unwrap_or_default();
        for (index, page) in pages.iter_mut().enumerate() {
            let Ok(draft) = page else { continue };
            draft.written =
                guarded(|| fields::written_on(&document, index, &values)).unwrap_or_default();
            if draft.is_empty() {
                draft.draws = guarded(|| draws(&document, index)).unwrap_or_default();
            }
        }
        Ok(Self {
            pages,
            title: guarded(|| document.metadata().title).ok().flatten(),
        })
    }

    /// The title in the file's metadata, as it stands there.
    pub(crate) fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }
}

impl Voice for Primary {
    fn page_count(&self) -> usize {
        self.pages.len()
    }

    fn page(&mut self, index: usize) -> Result<Draft, String> {
        self.pages.get_mut(index).map_or_else(
            || Ok(Draft::default()),
            |page| std::mem::replace(page, Ok(Draft::default())),
        )
    }
}

/// The placed characters and drawn lines of every page, and a draft with what could not be read.
fn raw_pages(document: &Document, count: usize) -> (Vec<RawPage>, Vec<Result<Draft, String>>) {
    let fonts = FontCache::default();
    let layers = guarded(|| document.oc_state()).ok().flatten();
    let mut raw = Vec::with_capacity(count);
    let mut drafts = Vec::with_capacity(count);
    for index in 0..count {
        let outcome = guarded(|| {
            let page = document.page(index)?;
            let (mut spans, mut rulings, report) = block_on(
                pdfboss_text::extract_spans_and_rulings_reporting_cached_with(
                    Immediate(document),
                    &page,
                    &fonts,
                    layers.as_ref(),
                    None,
                    ReadingOrder::Content,
                ),
            )?;
            pdfboss_output::retain_spans_on_page(&mut spans, &page);
            pdfboss_output::retain_rulings_on_page(&mut rulings, &page);
            Ok::<_, pdfboss_core::Error>((spans, rulings, report))
        });
        match outcome {
            Ok(Ok((spans, rulings, report))) => {
                // A font whose encoding had to be guessed shows in the characters themselves.
                let skipped = report
                    .skipped
                    .iter()
                    .filter(|skipped| skipped.kind != SkippedTextKind::FontEncoding)
                    .map(|skipped| format!("{} left out: {}", skipped.kind, skipped.cause))
                    .collect();
                raw.push((spans, rulings, report.order));
                drafts.push(Ok(Draft {
                    skipped,
                    ..Draft::default()
                }));
            }
            Ok(Err(error)) => {
                raw.push((Vec::new(), Vec::new(), ReadingOrder::Content));
                drafts.push(Err(error.to_string()));
            }
            Err(panic) => {
                raw.push((Vec::new(), Vec::new(), ReadingOrder::Content));
                drafts.push(Err(panic));
            }
        }
    }
    (raw, drafts)
}

/// The layout of every page, by the sizes of the whole document; page by page where that panics.
fn layouts(raw: &[RawPage]) -> Vec<Result<PageLayout, String>> {
    match guarded(|| pdfboss_output::document_layout_with_rulings(raw)) {
        Ok(layouts) => layouts.into_iter().map(Ok).collect(),
        Err(_) => raw
            .iter()
            .map(|(spans, rulings, order)| {
                guarded(|| pdfboss_output::page_layout_with_rulings(spans, rulings, *order))
            })
            .collect(),
    }
}

fn blocks_of(block: &Block) -> Vec<DraftBlock> {
    let made = |kind, lines: &[Line]| DraftBlock::new(kind, lines.iter().map(line_text));
    match block {
        Block::Heading { level, lines, .. } => {
            made(BlockKind::Heading((*level).clamp(1, 6)), lines)
                .into_iter()
                .collect()
        }
        // Running heads and feet are told apart later, over all pages, together with those of the
        // second reader; only what repeats is dropped.
        Block::Paragraph {
            lines,
            role: Role::Body | Role::Quote | Role::PageHeader | Role::PageFooter,
            ..
        } => paragraphs_of(lines)
            .into_iter()
            .filter_map(|lines| made(BlockKind::Paragraph, lines))
            .collect(),
        Block::List { items, .. } => items
            .iter()
            .filter_map(|item| made(BlockKind::ListItem, &item.lines))
            .collect(),
        Block::Table { rows, .. } => {
            DraftBlock::new(BlockKind::Table, rows.iter().map(|row| row_text(row)))
                .into_iter()
                .collect()
        }
    }
}

/// Lines that stand together without a gap, cut where a paragraph ends all the same: the line closes a
/// sentence and the next one's first word would have fitted on it.
fn paragraphs_of(lines: &[Line]) -> Vec<&[Line]> {
    let right = lines.iter().map(|line| line.end_x).fold(f32::MIN, f32::max);
    let mut paragraphs = Vec::new();
    let mut start = 0;
    for at in 1..lines.len() {
        if ends_paragraph(&lines[at - 1], &lines[at], right) {
            paragraphs.push(&lines[start..at]);
            start = at;
        }
    }
    paragraphs.push(&lines[start..]);
    paragraphs
}

fn ends_paragraph(line: &Line, next: &Line, right: f32) -> bool {
    let text = line_text(line);
    let text = text.trim_end();
    let closes = |c| ".!?:;)]\"”’。！？：；）】」』".contains(c);
    if next.y > line.y || !text.ends_with(closes) {
        return false;
    }
    let width = (line.end_x - line.x) / text.chars().count().max(1) as f32;
    let next = line_text(next);
    let word = match next.trim_start().chars().next() {
        Some(first) if is_unspaced(first) => 2,
        _ => next
            .split_whitespace()
            .next()
            .map_or(0, |word| word.chars().count()),
    };
    right - line.end_x > (word as f32 + 1.5) * width
}

fn line_text(line: &Line) -> String {
    line.inlines
        .iter()
        .map(|inline| inline.text.as_str())
        .collect()
}

/// The cells of a row parted by tabs. A currency sign, a bracket or a per cent sign that the producer
/// set in a cell of its own belongs to the number beside it.
fn row_text(row: &[Cell]) -> String {
    let mut text = String::new();
    let mut glued = true;
    for cell in row
        .iter()
        .filter_map(|cell| cell.line.as_ref())
        .map(line_text)
    {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        if !glued && !matches!(cell, ")" | "%" | ")%" | "％" | "）") {
            text.push('\t');
        }
        text.push_str(cell);
        glued = matches!(
            cell,
            "$" | "€" | "£" | "¥" | "￥" | "(" | "$(" | "($" | "（"
        );
    }
    text
}

/// What a page without text draws, by the operators of its content stream (ISO 32000-1, Annex A).
fn draws(document: &Document, index: usize) -> Draws {
    let Ok(content) = document.page(index).and_then(|page| page.content(document)) else {
        return Draws::Nothing;
    };
    let mut paths = 0;
    let mut pictures = false;
    for word in content.split(|b| b.is_ascii_whitespace() || b"])>/".contains(b)) {
        match word {
            b"Tj" | b"TJ" | b"'" | b"\"" => return Draws::Text,
            b"Do" | b"BI" | b"sh" => pictures = true,
            b"f" | b"f*" | b"F" | b"B" | b"B*" => paths += 1,
            _ => {}
        }
    }
    if pictures || paths > MANY_PATHS {
        Draws::Pictures
    } else {
        Draws::Nothing
    }
}

#[cfg(test)]
mod tests {
    use pdfboss_output::Inline;

    use super::*;

    /// A line at height `y`, five points wide for each character.
    fn line(text: &str, y: f32) -> Line {
        Line {
            inlines: vec![Inline {
                text: text.to_owned(),
                bold: false,
                italic: false,
                code: false,
            }],
            y,
            x: 0.0,
            end_x: text.chars().count() as f32 * 5.0,
            size: 10.0,
        }
    }

    fn cell(text: &str) -> Cell {
        Cell {
            line: Some(line(text, 0.0)),
            colspan: 1,
            rowspan: 1,
        }
    }

    #[test]
    fn a_short_last_line_ends_a_paragraph() {
        let lines = [
            line("A paragraph of two lines, of which", 30.0),
            line("the last is short.", 20.0),
            line("Another one begins here and goes. A", 10.0),
            line("sentence ends.", 0.0),
        ];
        let lengths: Vec<usize> = paragraphs_of(&lines)
            .iter()
            .map(|part| part.len())
            .collect();
        assert_eq!(lengths, [2, 2]);
        let chinese = [
            line("公司的营业收入同比增长，", 20.0),
            line("很快。", 10.0),
            line("第二段从这里开始。", 0.0),
        ];
        assert_eq!(paragraphs_of(&chinese).len(), 2);
    }

    #[test]
    fn signs_set_in_cells_of_their_own_stay_with_their_number() {
        let row = ["Net income", "", "$", "1,234", "(5", ")", "12", "%"].map(cell);
        assert_eq!(row_text(&row), "Net income\t$1,234\t(5)\t12%");
    }
}
