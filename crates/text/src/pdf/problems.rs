//! What is wrong with pages, and the warnings that say so.

use std::fmt::Write as _;

use rag_core::{Warning, WarningKind};

use super::draft::Draws;

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    /// It has no text and shows this.
    NoText(Draws),
    /// It is a picture with a word or two of text on it.
    Stamped,
    /// It has no text and shows so little that there is none in it.
    Shapes,
    /// It is a picture that was read as one, by this.
    Recognised(String),
    /// It is a picture in which no words were found.
    NoWords,
    /// It is a picture that was not read, for this reason.
    NotRecognised(String),
    /// This share of its characters could not be decoded.
    Undecoded(f64),
    /// Its words stand without spaces.
    Glued,
    /// Its letters stand apart.
    Torn,
    Skipped(String),
    Failed(String),
    /// The file has no page.
    NoPages,
    /// This page and those after it are beyond the limit on text.
    TooLong,
}

impl Problem {
    /// Whether reading the page as a picture may mend it.
    pub(crate) fn is_for_ocr(&self) -> bool {
        match self {
            Self::NoText(_) | Self::Stamped => true,
            Self::Undecoded(share) => *share > super::quality::MAX_GARBAGE,
            _ => false,
        }
    }

    fn kind(&self) -> WarningKind {
        match self {
            Self::Shapes | Self::Recognised(_) | Self::NoWords | Self::Glued | Self::Torn => {
                WarningKind::Guessed
            }
            _ => WarningKind::Lost,
        }
    }

    /// The fact, where it is told of many pages at once.
    fn of_pages(&self, pages: &[u32]) -> Option<String> {
        let which = ranges(pages);
        let is_one = pages.len() == 1;
        let (page, them) = if is_one {
            ("page", "it")
        } else {
            ("pages", "them")
        };
        let a_picture = if is_one {
            "is a picture"
        } else {
            "are pictures"
        };
        let are = if is_one { "is" } else { "are" };
        let hold = if is_one { "holds" } else { "hold" };
        let advice = format!("install `tesseract` to have {them} read");
        Some(match self {
            Self::NoText(Draws::Text) => {
                format!("the text on {page} {which} could not be decoded; {advice}")
            }
            Self::NoText(Draws::Outlines) => {
                format!("{page} {which} {are} drawn without characters; {advice}")
            }
            Self::NoText(_) => format!("{page} {which} {a_picture} without text; {advice}"),
            Self::Stamped => format!("{page} {which} {a_picture} with hardly any text; {advice}"),
            Self::Shapes => format!("{page} {which} {hold} lines or areas and no text"),
            Self::Recognised(by) => format!("{page} {which} {a_picture}, read by OCR ({by})"),
            Self::NoWords => format!("{page} {which} {a_picture} in which OCR found no words"),
            Self::NotRecognised(cause) => {
                format!("{page} {which} {a_picture} that OCR did not read: {cause}")
            }
            Self::Glued => format!("words on {page} {which} stand without spaces"),
            Self::Torn => format!("letters on {page} {which} stand apart"),
            _ => return None,
        })
    }

    fn of_page(self) -> String {
        match self {
            Self::Undecoded(share) => {
                format!(
                    "{:.0} % of the characters could not be decoded",
                    share * 100.0
                )
            }
            Self::Skipped(fact) => fact,
            Self::Failed(cause) => format!("the page could not be read: {cause}"),
            Self::NoPages => "the file has no pages".to_owned(),
            Self::TooLong => "this page and those after it are beyond the limit on text".to_owned(),
            other => other.of_pages(&[]).unwrap_or_default(),
        }
    }
}

/// One warning for each kind of problem and run of pages; a document without a word always has one.
pub(crate) fn warnings(problems: Vec<(usize, Problem)>, is_empty: bool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut grouped: Vec<(Problem, Vec<u32>)> = Vec::new();
    for (index, problem) in problems {
        let page = index as u32 + 1;
        if problem.of_pages(&[page]).is_none() {
            let page = (problem != Problem::NoPages).then_some(page);
            warnings.push(Warning {
                page,
                ..Warning::new(problem.kind(), problem.of_page())
            });
            continue;
        }
        match grouped.iter_mut().find(|(other, _)| *other == problem) {
            Some((_, pages)) => pages.push(page),
            None => grouped.push((problem, vec![page])),
        }
    }
    for (problem, mut pages) in grouped {
        pages.sort_unstable();
        let fact = problem.of_pages(&pages).unwrap_or_default();
        let page = pages.first().filter(|_| pages.len() == 1).copied();
        warnings.push(Warning {
            page,
            ..Warning::new(problem.kind(), fact)
        });
    }
    if is_empty && warnings.is_empty() {
        warnings.push(Warning::new(WarningKind::Guessed, "no page holds anything"));
    }
    warnings.dedup();
    warnings
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_without_text_are_named_in_one_line() {
        let problems = [0, 1, 2, 6, 8, 9]
            .map(|index| (index, Problem::NoText(Draws::Picture)))
            .to_vec();
        let warnings = warnings(problems, true);
        assert_eq!(warnings.len(), 1);
        assert_eq!(
            warnings[0].fact,
            "pages 1-3, 7, 9-10 are pictures without text; install `tesseract` to have them read"
        );
        assert_eq!(
            (warnings[0].kind, warnings[0].page),
            (WarningKind::Lost, None)
        );
    }

    #[test]
    fn what_was_read_of_a_picture_is_a_guess_and_what_was_not_is_a_loss() {
        let problems = vec![
            (0, Problem::Recognised("tesseract 5, eng".to_owned())),
            (1, Problem::NotRecognised("it took too long".to_owned())),
            (2, Problem::Recognised("tesseract 5, eng".to_owned())),
        ];
        let facts: Vec<_> = warnings(problems, false)
            .into_iter()
            .map(|warning| (warning.kind, warning.page, warning.fact))
            .collect();
        let read = "pages 1, 3 are pictures, read by OCR (tesseract 5, eng)".to_owned();
        let lost = "page 2 is a picture that OCR did not read: it took too long".to_owned();
        assert_eq!(
            facts,
            [
                (WarningKind::Guessed, None, read),
                (WarningKind::Lost, Some(2), lost)
            ]
        );
    }

    #[test]
    fn a_document_without_a_word_says_so() {
        assert_eq!(warnings(Vec::new(), true)[0].fact, "no page holds anything");
        assert_eq!(warnings(Vec::new(), false), []);
    }
}
