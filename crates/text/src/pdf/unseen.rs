//! Text of a page that nobody sees on it: drawn with nothing, white on white, or too small to be read.
//!
//! What stands behind white text is not known from the text: heads of tables are white on dark. So the
//! page is drawn, and white text counts as unseen where nearly all of its place is white. Text that is
//! drawn with nothing lies over most scans, by those who read them; there it stays.

use std::time::{Duration, Instant};

use pdfboss_core::{Document, Page, Rect};
use pdfboss_output::{FontCache, TextSpan};
use pdfboss_render::{Pixmap, RenderOptions, SkippedKind};

use super::shown;
use crate::{guard::guarded, hidden::Hidden};

/// Of 1 for each colour: nobody reads this on white.
const NEARLY_WHITE: f32 = 0.96;
/// Share of a place that is white where nothing is seen.
const NEARLY_ALL: f32 = 0.97;
/// Points; smaller text is read by nobody.
const TOO_SMALL: f32 = 1.0;
/// The same as a share of the page's height: some files count in other units than points.
const TOO_SMALL_SHARE: f32 = 0.0013;
/// Pixels to the point: enough to see a ground.
const SCALE: f32 = 0.75;
/// A page larger than this is not drawn for it.
const MOST_PIXELS: f32 = 4_000_000.0;
/// A picture that covers so much of a page is a scan.
const SCAN: f32 = 0.5;
/// Time for drawing pages of one file. White text on pages after that counts as seen.
const TIME: Duration = Duration::from_secs(4);

/// What is left of the time.
#[derive(Debug)]
pub(super) struct Clock(Duration);

impl Clock {
    pub(super) fn new() -> Self {
        Self(TIME)
    }
}

/// Takes out of `spans` what nobody sees on the page.
pub(super) fn take_out(
    document: &Document,
    page: &Page,
    fonts: &FontCache,
    spans: &mut Vec<TextSpan>,
    clock: &mut Clock,
) -> Hidden {
    let mut hidden = Hidden::default();
    let height = page.crop_box.y1 - page.crop_box.y0;
    let is_small = |span: &TextSpan| span.size < TOO_SMALL && span.size < height * TOO_SMALL_SHARE;
    let is_doubtful = |span: &TextSpan| {
        !span.text.trim().is_empty() && (span.invisible || span.color.is_some_and(is_white))
    };
    let has_doubtful = spans.iter().any(is_doubtful);
    if !has_doubtful && !spans.iter().any(is_small) {
        return hidden;
    }
    let is_scan = || shown::pictures(document, page, fonts).is_some_and(|share| share >= SCAN);
    let has_invisible = spans.iter().any(|span| span.invisible);
    let keeps_invisible = has_invisible && guarded(is_scan).unwrap_or(true);
    let drawn = has_doubtful.then(|| drawn(document, page, clock)).flatten();
    spans.retain(|span| {
        let is_unseen = is_small(span)
            || is_doubtful(span)
                && !(span.invisible && keeps_invisible)
                && drawn
                    .as_ref()
                    .is_some_and(|drawn| is_blank(drawn, page, &span.bbox));
        if is_unseen {
            hidden.add(&span.text);
        }
        !is_unseen
    });
    hidden
}

fn is_white((red, green, blue): (f32, f32, f32)) -> bool {
    [red, green, blue].iter().all(|part| *part >= NEARLY_WHITE)
}

/// The page drawn, while there is time, if it lies as it is shown.
fn drawn(document: &Document, page: &Page, clock: &mut Clock) -> Option<Pixmap> {
    let (width, height) = page.size();
    let is_drawable = width * SCALE >= 8.0 && height * SCALE >= 8.0;
    let is_small_enough = width * height * SCALE * SCALE <= MOST_PIXELS;
    if clock.0.is_zero() || page.rotate.rem_euclid(360) != 0 || !is_drawable || !is_small_enough {
        return None;
    }
    let begun = Instant::now();
    let options = RenderOptions::default();
    let draw = || pdfboss_render::render_page_reporting(document, page, SCALE, &options);
    let drawn = guarded(draw).ok().and_then(Result::ok);
    clock.0 = clock.0.saturating_sub(begun.elapsed());
    let (drawn, report) = drawn?;
    // A ground that could not be drawn may be dark. Letters that were not are no ground.
    let is_letter = |kind| matches!(kind, SkippedKind::Glyph | SkippedKind::TextClip);
    let is_whole = report.unlisted == 0 && report.skipped.iter().all(|item| is_letter(item.kind));
    is_whole.then_some(drawn)
}

/// Whether nearly all of a place on the page is white.
#[expect(clippy::cast_sign_loss, reason = "pixels are clamped to the picture")]
fn is_blank(drawn: &Pixmap, page: &Page, place: &Rect) -> bool {
    let sheet = page.crop_box;
    let pixel = |points: f32, most: u32| (points * SCALE).clamp(0.0, most as f32) as usize;
    let (left, right) = (
        pixel(place.x0 - sheet.x0, drawn.width),
        pixel(place.x1 - sheet.x0, drawn.width),
    );
    let (top, bottom) = (
        pixel(sheet.y1 - place.y1, drawn.height),
        pixel(sheet.y1 - place.y0, drawn.height),
    );
    let (right, bottom) = (right.max(left + 1), bottom.max(top + 1));
    let (mut all, mut white) = (0_usize, 0_usize);
    for y in top..bottom.min(drawn.height as usize) {
        for x in left..right.min(drawn.width as usize) {
            let at = (y * drawn.width as usize + x) * 4;
            let Some(colours) = drawn.data.get(at..at + 3) else {
                continue;
            };
            all += 1;
            white += usize::from(
                colours
                    .iter()
                    .all(|part| f32::from(*part) >= 255.0 * NEARLY_WHITE),
            );
        }
    }
    all > 0 && white as f32 >= all as f32 * NEARLY_ALL
}
