//! Checking a receipt: what of it still stands in the files as they are now.

use std::io::ErrorKind;
use std::path::Path;

use rag_core::{Answer, Lines, Result, SourceState};
use serde::Serialize;

use super::{Receipt, Stamped};
use crate::engine::Engine;
use crate::name;
use crate::stamp;
use crate::verify::Verifier;

/// What became of a citation. The names are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// The quote stands where it stood.
    True,
    /// It stands elsewhere: in the same file, or the file lies elsewhere.
    Moved,
    /// The file is there, and the quote is not in it any more.
    Changed,
    /// The file is not there.
    Gone,
    /// The file is there and can't be read: it could not be told.
    Unreadable,
}

/// One citation, held against its source as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    pub n: u32,
    pub stands: Stands,
    /// As the receipt has it.
    pub source: String,
    pub quote: String,
    pub page: Option<u32>,
    pub lines: Option<Lines>,
    /// Where it stands now, of one that has moved.
    pub now: Option<Now>,
    /// One line, where there is more to say.
    pub reason: Option<String>,
}

/// Where a quote stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Now {
    /// Absolute where the file lies elsewhere, else as in the receipt.
    pub source: String,
    pub page: Option<u32>,
    pub lines: Option<Lines>,
}

/// All of a receipt, held against the sources as they are now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    pub question: String,
    pub written: String,
    pub citations: Vec<Checked>,
    /// How many there are of each.
    #[serde(rename = "true")]
    pub still_true: usize,
    pub moved: usize,
    pub changed: usize,
    pub gone: usize,
    pub unreadable: usize,
    /// The same question put again, where that was asked for.
    pub again: Option<Rerun>,
}

impl Verified {
    /// Whether every quote still stands in its source, if elsewhere.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.changed + self.gone + self.unreadable == 0
    }
}

/// The same question put again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rerun {
    /// Whether answer, refusal and quotes are the same.
    pub same: bool,
    pub answer: String,
    pub refusal: Option<rag_core::Refusal>,
    /// What is not the same as when the receipt was written, a line each: models, sources, citations.
    pub differs: Vec<String>,
}

impl Engine {
    /// Holds each citation of `receipt` against its source as it is now. Where a file has gone, one of
    /// the same bytes is looked for among those that the knowledge base knows, if there is one.
    ///
    /// # Errors
    /// None for a file that is gone or can't be read: that is told of its citations.
    pub fn verify(&self, receipt: &Receipt) -> Result<Verified> {
        let known = self.reader().and_then(|store| store.known_sources()).ok();
        let known = known.as_deref().unwrap_or_default();
        let found: Vec<Found> = receipt.sources.iter().map(|s| look(s, known)).collect();
        let mut reread = Verifier::new(self.extractor());
        let mut verified = Verified {
            question: receipt.question.clone(),
            written: receipt.written.clone(),
            citations: Vec::with_capacity(receipt.citations.len()),
            still_true: 0,
            moved: 0,
            changed: 0,
            gone: 0,
            unreadable: 0,
            again: None,
        };
        for claim in &receipt.citations {
            let citation = &claim.citation;
            let (stands, now, reason) = match &found[claim.stamped] {
                Found::Gone => (Stands::Gone, None, None),
                Found::Unreadable(cause) => (Stands::Unreadable, None, Some(cause.clone())),
                Found::At {
                    source,
                    is_elsewhere,
                } => {
                    let before = reread.unreadable().len();
                    match reread.find(source, citation.span, &citation.quote) {
                        Some(place) => {
                            let has_moved = *is_elsewhere || place.span != citation.span;
                            let path = if *is_elsewhere {
                                name::written(&name::place(source))
                            } else {
                                source.path.clone()
                            };
                            let now = has_moved.then_some(Now {
                                source: path,
                                page: place.page,
                                lines: place.lines,
                            });
                            let stands = if has_moved {
                                Stands::Moved
                            } else {
                                Stands::True
                            };
                            (stands, now, None)
                        }
                        None => match unreadable(&reread, before, &source.path) {
                            Some(cause) => (Stands::Unreadable, None, Some(cause)),
                            None => (Stands::Changed, None, None),
                        },
                    }
                }
            };
            *match stands {
                Stands::True => &mut verified.still_true,
                Stands::Moved => &mut verified.moved,
                Stands::Changed => &mut verified.changed,
                Stands::Gone => &mut verified.gone,
                Stands::Unreadable => &mut verified.unreadable,
            } += 1;
            verified.citations.push(Checked {
                n: citation.n,
                stands,
                source: citation.source.clone(),
                quote: citation.quote.clone(),
                page: citation.page,
                lines: citation.lines,
                now,
                reason,
            });
        }
        Ok(verified)
    }

    /// How `answer`, which this engine gave to the question of `receipt`, differs from the one there.
    #[must_use]
    pub fn compared(
        &self,
        receipt: &Receipt,
        answer: &Answer,
        model: Option<&super::UsedModel>,
    ) -> Rerun {
        let mut differs = Vec::new();
        if model.map(|model| &model.identity) != receipt.model.as_ref().map(|was| &was.identity) {
            differs.push("the language model is not the same".to_owned());
        }
        let embedder = self.models().embedder.map(rag_core::Embedder::fingerprint);
        if embedder != receipt.embedder.as_ref().map(|was| was.identity.as_str()) {
            differs.push("the embedder is not the same".to_owned());
        }
        if env!("CARGO_PKG_VERSION") != receipt.rag {
            differs.push(format!("it was written by version {}", receipt.rag));
        }
        for stamped in &receipt.sources {
            let now = stamp::hash_of(&name::place(&stamped.source)).ok();
            if now != stamped.hash {
                differs.push(format!("{} has changed", stamped.source.path));
            }
        }
        let reason = |refusal: &Option<rag_core::Refusal>| refusal.as_ref().map(|r| r.reason);
        let had = receipt.citations.iter().map(|claim| &claim.citation);
        let cites_same = had
            .map(|citation| (&citation.source, &citation.quote))
            .eq(answer
                .citations
                .iter()
                .map(|citation| (&citation.source, &citation.quote)));
        let same_text = answer.text == receipt.answer;
        if same_text && !cites_same {
            differs.push("its citations are not the same".to_owned());
        }
        Rerun {
            same: same_text && cites_same && reason(&answer.refused) == reason(&receipt.refusal),
            answer: answer.text.clone(),
            refusal: answer.refused.clone(),
            differs,
        }
    }
}

/// Where the file of a source is now.
enum Found {
    At {
        source: rag_core::Source,
        is_elsewhere: bool,
    },
    Gone,
    Unreadable(String),
}

fn look(stamped: &Stamped, known: &[SourceState]) -> Found {
    let path = name::place(&stamped.source);
    match std::fs::File::open(&path) {
        Ok(_) => Found::At {
            source: stamped.source.clone(),
            is_elsewhere: false,
        },
        Err(cause) if is_gone(&cause) => {
            let same = |state: &&SourceState| {
                let hashes = [Some(&stamped.indexed), stamped.hash.as_ref()];
                hashes.contains(&Some(&state.hash)) && has(&name::place(&state.source), &state.hash)
            };
            known
                .iter()
                .find(same)
                .map_or(Found::Gone, |state| Found::At {
                    source: state.source.clone(),
                    is_elsewhere: true,
                })
        }
        Err(cause) => Found::Unreadable(cause.to_string()),
    }
}

fn is_gone(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn has(path: &Path, hash: &str) -> bool {
    stamp::hash_of(path).is_ok_and(|now| now == hash)
}

/// Why the file called `path` could not be read again: the verifier says it when it first fails.
fn unreadable(verifier: &Verifier<'_>, before: usize, path: &str) -> Option<String> {
    let said = verifier.unreadable();
    let of_it = |line: &&String| {
        line.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with(": "))
    };
    said.get(before..)
        .and_then(|new| new.first())
        .or_else(|| said.iter().find(of_it))
        .cloned()
}
