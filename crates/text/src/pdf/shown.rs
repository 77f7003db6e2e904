//! What a page shows that is not in its text: pictures, outlines, characters that have no meaning.

use pdfboss_core::{Document, Page, Rect};
use pdfboss_output::FontCache;

use super::draft::{Draft, Draws};

/// A page with so few characters on a picture that covers most of it is a scan with a stamp on it.
pub(crate) const FEW_CHARS: usize = 50;

/// Share of the page that a picture with so few characters on it must cover.
const MOST_OF_PAGE: f32 = 0.6;

/// So many filled or stroked paths on a page without text may be letters drawn as outlines.
const MANY_PATHS: usize = 200;

/// What the page draws besides the text in `draft`; asked only where that is little.
pub(crate) fn draws(document: &Document, page: &Page, draft: &Draft, fonts: &FontCache) -> Draws {
    let is_empty = draft.is_empty();
    if !is_empty && draft.has_chars(FEW_CHARS) {
        return Draws::Nothing;
    }
    let covered = pictures(document, page, fonts);
    if !is_empty {
        let is_stamped = covered.is_some_and(|share| share >= MOST_OF_PAGE);
        return if is_stamped {
            Draws::Picture
        } else {
            Draws::Nothing
        };
    }
    match operators(document, page) {
        Draws::Text => Draws::Text,
        _ if covered.is_some() => Draws::Picture,
        drawn => drawn,
    }
}

/// The share of the page that its largest picture covers; none where there is no picture.
pub(crate) fn pictures(document: &Document, page: &Page, fonts: &FontCache) -> Option<f32> {
    let (images, _) = pdfboss_text::placed_images_reporting_cached(document, page, fonts).ok()?;
    let extent = |a: f32, b: f32| (b - a).max(0.0);
    let sheet = page.crop_box;
    let whole = extent(sheet.x0, sheet.x1) * extent(sheet.y0, sheet.y1);
    let on_page = |rect: &Rect| {
        let width = extent(rect.x0.max(sheet.x0), rect.x1.min(sheet.x1));
        let height = extent(rect.y0.max(sheet.y0), rect.y1.min(sheet.y1));
        width * height
    };
    let shares = images
        .iter()
        .map(|image| on_page(&image.bbox) / whole.max(1.0));
    // A picture of one pixel is a rule or a background.
    shares.filter(|share| *share > 0.0).reduce(f32::max)
}

/// What the operators of the page's content stream say (ISO 32000-1, Annex A).
fn operators(document: &Document, page: &Page) -> Draws {
    let Ok(content) = page.content(document) else {
        return Draws::Nothing;
    };
    let mut paths = 0;
    let mut has_forms = false;
    for word in content.split(|b| b.is_ascii_whitespace() || b"])>/".contains(b)) {
        match word {
            b"Tj" | b"TJ" | b"'" | b"\"" => return Draws::Text,
            b"Do" => has_forms = true,
            b"BI" | b"sh" | b"f" | b"f*" | b"F" | b"B" | b"B*" | b"b" | b"b*" | b"S" | b"s" => {
                paths += 1;
            }
            _ => {}
        }
    }
    if paths > MANY_PATHS || has_forms {
        Draws::Outlines
    } else if paths > 0 {
        Draws::Shapes
    } else {
        Draws::Nothing
    }
}
