//! Pages that are pictures, drawn and given to the program that reads pictures.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use pdfboss_core::Page;
use pdfboss_render::RenderOptions;
use rag_core::{Area, BlockKind};

use super::{
    draft::{Draft, DraftBlock, Draws},
    primary::Primary,
    problems::Problem,
    quality::Quality,
};
use crate::{
    guard::guarded,
    nest::Input,
    ocr::{Paragraph, Picture, Reading, Tesseract},
};

/// Pixels to an inch: what `tesseract` was trained for.
const RESOLUTION: f32 = 300.0;

/// A larger page is drawn coarser: 5,000 by 5,000.
const MAX_PIXELS: f32 = 25_000_000.0;

/// Added for each MiB of a file to the time that its source has for scans, and for drawing them.
const TIME_PER_MIB: Duration = Duration::from_secs(100);
const DRAWING_PER_MIB: Duration = Duration::from_secs(10);

/// Below this (of 100) what was read is a guess: a photograph, or a page upside down.
const MIN_CONFIDENCE: f32 = 65.0;

/// Reads the pages that are pictures, or have text that can't be decoded, and puts what is read in
/// place of what is there. `problems` are what is wrong with the pages; those that this mends are taken
/// out, and what came of the others is added.
pub(crate) fn read(
    input: &Input<'_>,
    primary: &Primary,
    drafts: &mut [Draft],
    problems: &mut Vec<(usize, Problem)>,
) {
    let needy: Vec<usize> = problems
        .iter()
        .filter(|(_, problem)| problem.is_for_ocr())
        .map(|(index, _)| *index)
        .collect();
    if needy.is_empty() {
        return;
    }
    let reader = &input.reader;
    let mut tesseract = match Tesseract::open(reader.ocr_program(), reader.ocr_languages()) {
        Ok(Some(tesseract)) => tesseract,
        Ok(None) => return,
        Err(cause) => return give_up(&needy, &cause, problems),
    };
    let mut clock = Clock::of(input);
    for (done, index) in needy.iter().copied().enumerate() {
        if clock.has_struck() {
            return give_up(&needy[done..], "there are too many for the time", problems);
        }
        let Some(draft) = drafts.get_mut(index) else {
            continue;
        };
        let drawn = clock.drawing(|| picture(primary, index));
        let read = drawn.and_then(|(page, picture)| {
            let reading = tesseract.read(&picture, clock.deadline)?;
            Ok((page, picture.resolution, reading))
        });
        let outcome = match read {
            Err(cause) => Problem::NotRecognised(cause),
            Ok((page, resolution, reading)) => taken(draft, &page, resolution, &reading, || {
                format!("{}, {}", tesseract.version(), reading.languages)
            }),
        };
        problems.retain(|(of, problem)| *of != index || !problem.is_for_ocr());
        problems.push((index, outcome));
    }
}

/// The time for the scans of one file. What it uses up is the source's.
struct Clock<'a> {
    begun: Instant,
    deadline: Instant,
    drawn: Duration,
    most_drawn: Duration,
    /// What the source has left.
    left: (&'a Cell<Duration>, &'a Cell<Duration>),
}

impl<'a> Clock<'a> {
    fn of(input: &'a Input<'_>) -> Self {
        let mib = u32::try_from(input.bytes.len() >> 20).unwrap_or(u32::MAX);
        let left = input.scan_time();
        let time = left
            .0
            .get()
            .saturating_add(TIME_PER_MIB.saturating_mul(mib));
        let begun = Instant::now();
        Self {
            begun,
            // A file of a million MiB does not get here.
            deadline: begun.checked_add(time).unwrap_or(begun),
            drawn: Duration::ZERO,
            most_drawn: left
                .1
                .get()
                .saturating_add(DRAWING_PER_MIB.saturating_mul(mib)),
            left,
        }
    }

    fn has_struck(&self) -> bool {
        Instant::now() >= self.deadline || self.drawn >= self.most_drawn
    }

    fn drawing<T>(&mut self, draw: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let drawn = draw();
        self.drawn += begun.elapsed();
        drawn
    }
}

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        let (scans, drawing) = self.left;
        scans.set(scans.get().saturating_sub(self.begun.elapsed()));
        drawing.set(drawing.get().saturating_sub(self.drawn));
    }
}

fn give_up(pages: &[usize], cause: &str, problems: &mut Vec<(usize, Problem)>) {
    problems.retain(|(of, problem)| !pages.contains(of) || !problem.is_for_ocr());
    let lost = |index: &usize| (*index, Problem::NotRecognised(cause.to_owned()));
    problems.extend(pages.iter().map(lost));
}

/// Puts what was read into the draft, unless it is less than what is there.
fn taken(
    draft: &mut Draft,
    page: &Page,
    resolution: f32,
    reading: &Reading,
    by: impl FnOnce() -> String,
) -> Problem {
    let area = |paragraph: &Paragraph| area(page, resolution / 72.0, paragraph);
    let blocks = reading.paragraphs.iter().filter_map(|paragraph| {
        let block = DraftBlock::new(BlockKind::Paragraph, paragraph.lines.iter().cloned())?;
        Some(block.at(area(paragraph)))
    });
    let read = Draft {
        blocks: blocks.collect(),
        ..Draft::default()
    };
    let (before, after) = (Quality::of(draft), Quality::of(&read));
    if !read.is_empty() && reading.confidence < MIN_CONFIDENCE {
        let sure = reading.confidence;
        return Problem::NotRecognised(format!("it is only {sure:.0} % sure of the words"));
    }
    let is_worth = !read.is_empty();
    if !is_worth || !before.is_garbage() && after.chars < 2 * before.chars {
        return if draft.draws == Draws::Text || before.is_garbage() {
            Problem::NotRecognised("no words were found in its picture".to_owned())
        } else {
            Problem::NoWords
        };
    }
    draft.blocks = read.blocks;
    Problem::Recognised(by())
}

/// A page drawn in grey.
fn picture(primary: &Primary, index: usize) -> Result<(Page, Picture), String> {
    let (document, page) = primary.drawable(index)?;
    let (width, height) = page.size();
    let points = (width * height).max(1.0);
    let scale = (RESOLUTION / 72.0).min((MAX_PIXELS / points).sqrt());
    // One side of the page may be so long that the other vanishes.
    if !(width * scale >= 8.0 && height * scale >= 8.0) {
        return Err("the page is too narrow to be drawn".to_owned());
    }
    let options = RenderOptions::default();
    let drawn =
        guarded(|| pdfboss_render::render_page_with_options(document, &page, scale, &options));
    let drawn = drawn?.map_err(|error| error.to_string())?;
    let grey = drawn.data.chunks_exact(4).map(grey).collect();
    let picture = Picture {
        width: drawn.width,
        height: drawn.height,
        grey,
        resolution: scale * 72.0,
    };
    Ok((page, picture))
}

/// Luma of a pixel (ITU-R BT.601), in parts of 256.
fn grey(pixel: &[u8]) -> u8 {
    let [red, green, blue, _] = pixel else {
        return u8::MAX;
    };
    let luma = u32::from(*red) * 77 + u32::from(*green) * 150 + u32::from(*blue) * 29;
    (luma >> 8) as u8
}

/// A rectangle of the picture, on the page as the file counts it: not turned, from its lower left.
fn area(page: &Page, scale: f32, paragraph: &Paragraph) -> Area {
    let sheet = page.crop_box;
    let from_left = |pixel: u32| pixel as f32 / scale;
    let (left, right) = (from_left(paragraph.left), from_left(paragraph.right));
    let (top, bottom) = (from_left(paragraph.top), from_left(paragraph.bottom));
    let (x0, y0, x1, y1) = match page.rotate.rem_euclid(360) {
        90 => (
            sheet.x0 + top,
            sheet.y0 + left,
            sheet.x0 + bottom,
            sheet.y0 + right,
        ),
        180 => (
            sheet.x1 - right,
            sheet.y0 + top,
            sheet.x1 - left,
            sheet.y0 + bottom,
        ),
        270 => (
            sheet.x1 - bottom,
            sheet.y1 - right,
            sheet.x1 - top,
            sheet.y1 - left,
        ),
        _ => (
            sheet.x0 + left,
            sheet.y1 - bottom,
            sheet.x0 + right,
            sheet.y1 - top,
        ),
    };
    Area {
        left: x0.floor() as i32,
        bottom: y0.floor() as i32,
        right: x1.ceil() as i32,
        top: y1.ceil() as i32,
    }
}
