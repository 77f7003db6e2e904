//! PDF: two readers behind one trait, chosen page by page, and one document with exact pages.

mod draft;
mod fields;
mod primary;
mod running;
mod second;
mod voice;
mod writer;

use rag_core::Document;

use crate::error::Failure;
use draft::{Draft, Draws};
use primary::Primary;
use second::Second;
use voice::{Refusal, Voice};
use writer::Problem;

/// Above this share of undecoded characters the other reader is heard.
const MAX_GARBAGE_SHARE: f64 = 0.3;

/// Above this share a page counts as read in part only.
const NOTABLE_GARBAGE_SHARE: f64 = 0.05;

/// Text beyond so many bytes is left out, with a warning.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// The document of a PDF file.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let mut title = None;
    let (mut voice, mut second): (Box<dyn Voice>, Heard) = match Primary::open(bytes) {
        Ok(primary) => {
            title = primary.title().map(str::to_owned);
            (Box::new(primary), Heard::NotYet)
        }
        Err(Refusal::Encrypted) => {
            return Err(Failure::Encrypted {
                name: name.to_owned(),
            });
        }
        Err(Refusal::NoPages) => {
            return Ok(writer::document(&[], vec![(0, Problem::NoPages)], None));
        }
        Err(Refusal::Unreadable(cause)) => match Second::open(bytes) {
            Ok(second) => (Box::new(second), Heard::Never),
            Err(refusal) => return Err(refused(name, &refusal, cause)),
        },
    };
    let mut drafts = Vec::with_capacity(voice.page_count());
    let mut problems = Vec::new();
    let mut length = 0;
    for index in 0..voice.page_count() {
        if length > MAX_TEXT_BYTES {
            problems.push((index, Problem::TooLong));
            break;
        }
        let first = voice.page(index);
        let (draft, problem) = chosen(first, || second.page(bytes, index));
        length += draft.len();
        problems.extend(
            draft
                .skipped
                .iter()
                .map(|fact| (index, Problem::Skipped(fact.clone()))),
        );
        problems.extend(problem.map(|problem| (index, problem)));
        drafts.push(draft);
    }
    running::drop_running_lines(&mut drafts);
    for draft in &mut drafts {
        draft.blocks.append(&mut draft.written);
    }
    Ok(writer::document(&drafts, problems, title.as_deref()))
}

fn refused(name: &str, second: &Refusal, cause: String) -> Failure {
    match second {
        Refusal::Encrypted => Failure::Encrypted {
            name: name.to_owned(),
        },
        Refusal::NoPages | Refusal::Unreadable(_) => Failure::Malformed {
            name: name.to_owned(),
            kind: "PDF",
            cause,
        },
    }
}

/// The second reader, opened when it is first needed.
enum Heard {
    NotYet,
    Open(Box<Second>),
    Never,
}

impl Heard {
    fn page(&mut self, bytes: &[u8], index: usize) -> Option<Draft> {
        if let Self::NotYet = self {
            *self = Second::open(bytes).map_or(Self::Never, |second| Self::Open(Box::new(second)));
        }
        match self {
            Self::Open(second) => second.page(index).ok(),
            _ => None,
        }
    }
}

/// The better of two readings of a page, and what is wrong with it. The second reader is heard only
/// where the first fails on the page, gives garbage, or gives nothing although text is shown.
fn chosen(
    first: Result<Draft, String>,
    second: impl FnOnce() -> Option<Draft>,
) -> (Draft, Option<Problem>) {
    let (first, failed) = match first {
        Ok(draft) => (draft, None),
        Err(cause) => (Draft::default(), Some(cause)),
    };
    let garbage = first.garbage_share();
    let misses_text = first.is_empty() && first.draws == Draws::Text;
    if failed.is_none() && garbage <= MAX_GARBAGE_SHARE && !misses_text {
        let problem = if first.is_empty() {
            (first.draws == Draws::Pictures).then_some(Problem::NoText)
        } else {
            (garbage > NOTABLE_GARBAGE_SHARE).then_some(Problem::Undecoded(garbage))
        };
        return (first, problem);
    }
    let other = second().filter(|draft| !draft.is_empty());
    if let Some(mut other) = other {
        let share = other.garbage_share();
        if first.is_empty() || share < garbage {
            other.skipped.clone_from(&first.skipped);
            let problem = (share > NOTABLE_GARBAGE_SHARE).then_some(Problem::Undecoded(share));
            return (other, problem);
        }
    }
    let problem = match failed {
        Some(cause) => Problem::Failed(cause),
        None if misses_text => Problem::NoText,
        None => Problem::Undecoded(garbage),
    };
    (first, Some(problem))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
