//! The second PDF reader: `pdf-extract`, heard where the first one fails on a file or a page.
//!
//! It gives plain lines without layout, and panics on much that is unusual; every call is guarded.

use pdf_extract::{Document, PlainTextOutput, output_doc_page};
use rag_core::BlockKind;

use super::{
    draft::{Draft, DraftBlock},
    voice::{Refusal, Voice},
};
use crate::{guard::guarded, lines::paragraphs};

/// A file opened by `pdf-extract`; its pages are read when asked for.
pub(crate) struct Second {
    document: Document,
    /// The parser's own number of every page, in order.
    numbers: Vec<u32>,
}

impl Second {
    pub(crate) fn open(bytes: &[u8], passwords: &[String]) -> Result<Self, Refusal> {
        let opened = guarded(|| {
            let mut document = Document::load_mem(bytes).map_err(unreadable)?;
            if document.is_encrypted() {
                let mut candidates =
                    std::iter::once("").chain(passwords.iter().map(String::as_str));
                if !candidates.any(|password| document.decrypt(password).is_ok()) {
                    return Err(Refusal::Encrypted);
                }
            }
            let numbers: Vec<u32> = document.get_pages().into_keys().collect();
            if numbers.is_empty() {
                return Err(Refusal::Unreadable("it has no pages".to_owned()));
            }
            Ok(Self { document, numbers })
        });
        opened.map_err(Refusal::Unreadable)?
    }
}

impl Voice for Second {
    fn page_count(&self) -> usize {
        self.numbers.len()
    }

    fn page(&mut self, index: usize) -> Result<Draft, String> {
        let Some(number) = self.numbers.get(index).copied() else {
            return Err("the second reader does not see the page".to_owned());
        };
        let mut text = String::new();
        guarded(|| output_doc_page(&self.document, &mut PlainTextOutput::new(&mut text), number))?
            .map_err(|error| error.to_string())?;
        let paragraph = |span: rag_core::Span| {
            let lines = span.slice(&text).lines().map(str::to_owned);
            DraftBlock::new(BlockKind::Paragraph, lines)
        };
        Ok(Draft {
            blocks: paragraphs(&text).filter_map(paragraph).collect(),
            ..Draft::default()
        })
    }
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Unreadable(error.to_string())
}
