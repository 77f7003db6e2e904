//! The first PDF reader: `pdfboss`, which repairs damaged files, knows the predefined Chinese character
//! maps and gives the layout of a page.

use pdfboss_core::{Document, Error, Immediate, Metadata, Page, block_on};
use pdfboss_output::{FontCache, PageLayout, ReadingOrder, Ruling, SkippedTextKind, TextSpan};

use super::{
    bookmarks::{self, Bookmark},
    draft::Draft,
    fields,
    layout::blocks_of,
    links, shown, unseen,
    voice::{Refusal, Voice},
};
use crate::guard::guarded;

type RawPage = (Vec<TextSpan>, Vec<Ruling>, ReadingOrder);

/// A file opened and read by `pdfboss`.
pub(crate) struct Primary {
    document: Document,
    pages: Vec<Result<Draft, String>>,
}

impl Primary {
    /// Reads all pages: headings are ranked by size over the whole document. A page that makes the
    /// parser panic costs only itself.
    pub(crate) fn open(bytes: &[u8], passwords: &[String]) -> Result<Self, Refusal> {
        let document = unlocked(bytes, passwords)?;
        let (declared, count) =
            guarded(|| (document.page_count(), document.flattened_page_count()))
                .map_err(Refusal::Unreadable)?;
        if count == 1 && guarded(|| is_no_page(&document)).unwrap_or_default() {
            return Err(Refusal::NoPages);
        }
        if count == 0 && declared == 0 && document.xref().trailer.get("Root").is_some() {
            return Err(Refusal::NoPages);
        }
        if count == 0 {
            return Err(Refusal::Unreadable("it has no pages".to_owned()));
        }
        let fonts = FontCache::default();
        let (raw, mut pages) = raw_pages(&document, count, &fonts);
        for (layout, page) in layouts(&raw).into_iter().zip(&mut pages) {
            if let Ok(draft) = page {
                match layout {
                    Ok(layout) => draft.blocks = layout.blocks.iter().flat_map(blocks_of).collect(),
                    Err(cause) => *page = Err(cause),
                }
            }
        }
        let values = guarded(|| fields::values(&document)).unwrap_or_default();
        for ((index, page), (spans, ..)) in pages.iter_mut().enumerate().zip(&raw) {
            let Ok(draft) = page else { continue };
            let Ok(Ok(page)) = guarded(|| document.page(index)) else {
                continue;
            };
            draft.written =
                guarded(|| fields::written_on(&document, &page, &values)).unwrap_or_default();
            draft.links = guarded(|| links::on(&document, &page, spans)).unwrap_or_default();
            draft.draws =
                guarded(|| shown::draws(&document, &page, draft, &fonts)).unwrap_or_default();
        }
        Ok(Self { document, pages })
    }

    /// What the file says of itself.
    pub(crate) fn metadata(&self) -> Metadata {
        guarded(|| self.document.metadata()).unwrap_or_default()
    }

    /// The file's own table of contents.
    pub(crate) fn bookmarks(&self) -> Vec<Bookmark> {
        guarded(|| bookmarks::of(&self.document)).unwrap_or_default()
    }

    /// A page with the file it is in, to be drawn.
    pub(crate) fn drawable(&self, index: usize) -> Result<(&Document, Page), String> {
        let page = guarded(|| self.document.page(index))?.map_err(|error| error.to_string())?;
        Ok((&self.document, page))
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

/// Whether the only page is none: where the tree of pages should begin stands something else.
fn is_no_page(document: &Document) -> bool {
    let has_any = |page: &Page| {
        ["Type", "Contents", "MediaBox", "Resources", "Annots"]
            .iter()
            .any(|key| page.dict().get(key).is_some())
    };
    document.page(0).is_ok_and(|page| !has_any(&page))
}

/// The file opened with the first of these passwords that opens it, the empty one before them.
fn unlocked(bytes: &[u8], passwords: &[String]) -> Result<Document, Refusal> {
    let candidates = std::iter::once("").chain(passwords.iter().map(String::as_str));
    for password in candidates {
        let opened = guarded(|| Document::load_with_password(bytes.to_vec(), password))
            .map_err(Refusal::Unreadable)?;
        match opened {
            Ok(document) if !document.is_locked() => return Ok(document),
            Ok(_) | Err(Error::Encrypted) => {}
            Err(other) => return Err(Refusal::Unreadable(other.to_string())),
        }
    }
    Err(Refusal::Encrypted)
}

/// The placed characters and drawn lines of every page, and a draft with what could not be read.
fn raw_pages(
    document: &Document,
    count: usize,
    fonts: &FontCache,
) -> (Vec<RawPage>, Vec<Result<Draft, String>>) {
    let layers = guarded(|| document.oc_state()).ok().flatten();
    let mut raw = Vec::with_capacity(count);
    let mut drafts = Vec::with_capacity(count);
    let mut clock = unseen::Clock::new();
    for index in 0..count {
        let outcome = guarded(|| {
            let page = document.page(index)?;
            let (mut spans, mut rulings, report) = block_on(
                pdfboss_text::extract_spans_and_rulings_reporting_cached_with(
                    Immediate(document),
                    &page,
                    fonts,
                    layers.as_ref(),
                    None,
                    ReadingOrder::Content,
                ),
            )?;
            pdfboss_output::retain_spans_on_page(&mut spans, &page);
            let hidden = unseen::take_out(document, &page, fonts, &mut spans, &mut clock);
            drop_padding(&mut spans);
            pdfboss_output::retain_rulings_on_page(&mut rulings, &page);
            Ok::<_, pdfboss_core::Error>((spans, rulings, report, hidden))
        });
        let outcome = outcome.and_then(|read| read.map_err(|error| error.to_string()));
        match outcome {
            Ok((spans, rulings, report, hidden)) => {
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
                    hidden,
                    ..Draft::default()
                }));
            }
            Err(cause) => {
                raw.push((Vec::new(), Vec::new(), ReadingOrder::Content));
                drafts.push(Err(cause));
            }
        }
    }
    (raw, drafts)
}

/// Takes out spaces that lie on letters: sheets pad the cells of numbers with spaces that reach into
/// the number, and sorted by place they would part its digits.
fn drop_padding(spans: &mut Vec<TextSpan>) {
    let line = |span: &TextSpan| (span.y * 2.0).round() as i32;
    let is_blank = |span: &TextSpan| span.text.trim().is_empty();
    let is_level = |span: &TextSpan| span.rotate == 0 && !span.vertical;
    let mut letters: Vec<(i32, f32, f32)> = spans
        .iter()
        .filter(|span| is_level(span) && !is_blank(span))
        .map(|span| (line(span), span.x, span.end_x))
        .collect();
    if letters.len() == spans.len() {
        return;
    }
    letters.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    spans.retain(|span| {
        if !is_level(span) || !is_blank(span) {
            return true;
        }
        let (at, middle) = (line(span), f32::midpoint(span.x, span.end_x));
        let after = letters.partition_point(|(line, x, _)| (*line, *x) <= (at, middle));
        let before = after.checked_sub(1).map(|last| letters[last]);
        before.is_none_or(|(line, _, end)| line != at || end <= middle)
    });
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
