//! Citing: places in passages become numbered citations, once their quotes stand in the sources.

use rag_core::{Citation, Cited, Code, Error, Extractor, Hit, Result, Span};

use crate::verify::Verifier;

/// The citations of one answer, numbered from 1 in the order in which they are made.
pub(crate) struct Citing<'a> {
    hits: &'a [Hit],
    verifier: Verifier<'a>,
    citations: Vec<Citation>,
    cited: Vec<Cited>,
}

impl<'a> Citing<'a> {
    pub(crate) fn new(hits: &'a [Hit], extractor: &'a dyn Extractor) -> Self {
        Self {
            hits,
            verifier: Verifier::new(extractor),
            citations: Vec::new(),
            cited: Vec::new(),
        }
    }

    /// The number of the citation for `span` of the passage's text; `on_new` is told of one that was not
    /// there before. None where the quote no longer stands in its source: it is not shown then.
    pub(crate) fn cite(
        &mut self,
        passage: usize,
        span: Span,
        on_new: &mut dyn FnMut(&Citation),
    ) -> Option<u32> {
        let hit = &self.hits[passage];
        let quote = span.slice(&hit.chunk.text);
        let in_document = span.shifted(hit.chunk.span.start);
        let place = self.verifier.find(&hit.source, in_document, quote)?;
        let known = self
            .citations
            .iter()
            .find(|c| c.source == hit.source.path && c.span == place.span);
        if let Some(citation) = known {
            return Some(citation.n);
        }
        let n = self.citations.len() as u32 + 1;
        let citation = Citation {
            n,
            source: hit.source.path.clone(),
            part: place.part,
            page: place.page,
            lines: place.lines,
            heading: hit.chunk.heading.clone(),
            quote: quote.to_owned(),
            span: place.span,
            areas: place.areas,
            verified: true,
            note: place.note,
        };
        on_new(&citation);
        self.citations.push(citation);
        self.cited.push(Cited {
            source: hit.source.clone(),
            hash: hit.source_hash.clone(),
        });
        Some(n)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.citations.is_empty()
    }

    /// The citations that were made, and the source of each.
    ///
    /// # Errors
    /// `Io` where there is none because the sources can't be read.
    pub(crate) fn finish(self) -> Result<(Vec<Citation>, Vec<Cited>)> {
        let unreadable = self.verifier.unreadable();
        if self.citations.is_empty() && !unreadable.is_empty() {
            let fact = format!("no quote could be checked: {}", unreadable.join("; "));
            return Err(Error::new(Code::Io, fact)
                .hint("bring the files back, or: rag ingest their folder again"));
        }
        Ok((self.citations, self.cited))
    }
}
