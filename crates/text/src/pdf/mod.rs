//! PDF: two readers behind one trait, chosen page by page, and one document with exact pages.

mod bookmarks;
mod draft;
mod fields;
mod layout;
mod links;
mod primary;
mod problems;
mod quality;
mod running;
mod scans;
mod second;
mod shown;
mod unseen;
mod voice;
mod writer;

use rag_core::Document;

use crate::{error::Failure, hidden::Hidden, nest::Input};
use draft::{Draft, Draws};
use primary::Primary;
use problems::Problem;
use quality::{Quality, Spacing};
use second::Second;
use voice::{Refusal, Voice};
use writer::About;

/// Text beyond so many bytes is left out, with a warning.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// The document of a PDF file.
pub(crate) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let passwords = input.reader.passwords();
    match Primary::open(input.bytes, passwords) {
        Ok(primary) => Ok(by_both(input, primary)),
        Err(Refusal::NoPages) => {
            let problems = vec![(0, Problem::NoPages)];
            Ok(writer::document(&[], problems, About::default()))
        }
        Err(Refusal::Encrypted) => Err(refused(input, &Refusal::Encrypted, String::new())),
        Err(Refusal::Unreadable(cause)) => match Second::open(input.bytes, passwords) {
            Ok(second) => Ok(by_second(second)),
            Err(refusal) => Err(refused(input, &refusal, cause)),
        },
    }
}

fn refused(input: &Input<'_>, refusal: &Refusal, cause: String) -> Failure {
    let name = input.name.to_owned();
    match refusal {
        Refusal::Encrypted if input.reader.passwords().is_empty() => Failure::Encrypted { name },
        Refusal::Encrypted => Failure::WrongPassword { name },
        Refusal::NoPages | Refusal::Unreadable(_) => Failure::Malformed {
            name,
            kind: "PDF",
            cause,
        },
    }
}

fn by_both(input: &Input<'_>, mut primary: Primary) -> Document {
    let mut second = Heard::NotYet;
    let count = primary.page_count();
    let (mut drafts, mut problems) = gathered(count, |index| {
        let first = primary.page(index);
        chosen(first, || second.page(input, index))
    });
    scans::read(input, &primary, &mut drafts, &mut problems);
    running::drop_running_lines(&mut drafts);
    bookmarks::mark(&mut drafts, &primary.bookmarks());
    for draft in &mut drafts {
        draft.blocks.append(&mut draft.written);
    }
    let about = About::from(&primary.metadata());
    let mut hidden = Hidden::default();
    for draft in &drafts {
        hidden.join(draft.hidden);
    }
    let mut document = writer::document(&drafts, problems, about);
    document.warnings.extend(hidden.warning());
    document
}

fn by_second(mut second: Second) -> Document {
    let (mut drafts, problems) = gathered(second.page_count(), |index| {
        chosen(second.page(index), || None)
    });
    running::drop_running_lines(&mut drafts);
    writer::document(&drafts, problems, About::default())
}

/// All pages up to the limit on text, and what is wrong with them.
fn gathered(
    count: usize,
    mut page: impl FnMut(usize) -> (Draft, Option<Problem>),
) -> (Vec<Draft>, Vec<(usize, Problem)>) {
    let mut drafts = Vec::new();
    let mut problems = Vec::new();
    let mut length = 0;
    for index in 0..count {
        if length > MAX_TEXT_BYTES {
            problems.push((index, Problem::TooLong));
            break;
        }
        let (draft, problem) = page(index);
        length += draft.len();
        let skipped = draft.skipped.iter();
        problems.extend(skipped.map(|fact| (index, Problem::Skipped(fact.clone()))));
        problems.extend(problem.map(|problem| (index, problem)));
        drafts.push(draft);
    }
    (drafts, problems)
}

/// The second reader, opened when it is first needed.
enum Heard {
    NotYet,
    Open(Box<Second>),
    Never,
}

impl Heard {
    fn page(&mut self, input: &Input<'_>, index: usize) -> Option<Draft> {
        if let Self::NotYet = self {
            let second = Second::open(input.bytes, input.reader.passwords());
            *self = second.map_or(Self::Never, |second| Self::Open(Box::new(second)));
        }
        match self {
            Self::Open(second) => second.page(index).ok(),
            _ => None,
        }
    }
}

/// The better of two readings of a page, and what is wrong with it. The second reader is heard only
/// where the first fails on the page, gives what does not look like text, or gives nothing although
/// text is shown.
fn chosen(
    first: Result<Draft, String>,
    second: impl FnOnce() -> Option<Draft>,
) -> (Draft, Option<Problem>) {
    let (first, failed) = match first {
        Ok(draft) => (draft, None),
        Err(cause) => (Draft::default(), Some(cause)),
    };
    let quality = Quality::of(&first);
    // What is shown and not seen is not asked for again.
    let is_unseen = first.hidden != Hidden::default();
    let misses_text = first.is_empty() && first.draws == Draws::Text && !is_unseen;
    if failed.is_none() && !quality.is_doubtful() && !misses_text {
        let problem = wrong_with(&first, quality);
        return (first, problem);
    }
    if let Some(mut other) = second() {
        let of_other = Quality::of(&other);
        if of_other.beats(quality) {
            other.skipped.clone_from(&first.skipped);
            other.hidden = first.hidden;
            other.written.clone_from(&first.written);
            other.draws = first.draws;
            let problem = wrong_with(&other, of_other);
            return (other, problem);
        }
    }
    let problem = match failed {
        Some(cause) => Some(Problem::Failed(cause)),
        None => wrong_with(&first, quality),
    };
    (first, problem)
}

fn wrong_with(draft: &Draft, quality: Quality) -> Option<Problem> {
    if draft.is_empty() && draft.hidden != Hidden::default() {
        return None; // all that stands there is not to be seen
    }
    if draft.is_empty() {
        return match draft.draws {
            Draws::Text | Draws::Picture | Draws::Outlines => Some(Problem::NoText(draft.draws)),
            Draws::Shapes => Some(Problem::Shapes),
            Draws::Nothing => None,
        };
    }
    if quality.is_damaged() {
        return Some(Problem::Undecoded(quality.garbage));
    }
    match quality.spacing {
        Spacing::Glued => Some(Problem::Glued),
        Spacing::Torn => Some(Problem::Torn),
        Spacing::Sound if draft.draws == Draws::Picture => Some(Problem::Stamped),
        Spacing::Sound => None,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
