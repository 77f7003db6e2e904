//! Code and data to units: whole items as far as they fit, then what stands within them, each below the
//! names of the items around it.

use rag_core::Span;
use text_splitter::ChunkConfig;

use crate::{
    code::Splitter,
    cut::{ByTokens, Cutter, MOST_BYTES_PER_TOKEN, Unit, Units, lines},
    items::{Piece, items, pieces},
};

/// Names longer than this are cut in heading paths.
const MAX_NAME_CHARS: usize = 80;

impl Cutter<'_> {
    /// `block`, which is in the language `label`, as units of at most `cap` tokens. A quarter of that is
    /// kept free for the names that stand above a unit.
    pub(crate) fn carve(&self, block: Unit, label: &str, cap: usize, into: &mut Units) {
        let text = block.span.slice(&self.document.text);
        let cap = cap - cap / 4;
        let weigh = |span: Span| {
            let may_fit = span.len() <= cap * MOST_BYTES_PER_TOKEN;
            let tokens = may_fit.then(|| self.counter.count_tokens(span.slice(text)) + 1);
            tokens.filter(|tokens| *tokens <= cap)
        };
        let items = items(label, text);
        if items.is_empty() {
            self.fitting(block, lines(text), cap, &mut into.list);
            return;
        }
        let splitter = Splitter::new(
            label,
            ChunkConfig::new((cap - 1).max(1)).with_sizer(ByTokens {
                counter: self.counter,
                most_bytes: cap * MOST_BYTES_PER_TOKEN,
            }),
        );
        for piece in pieces(text, &items, cap, weigh) {
            let first = into.list.len();
            let span = piece.span.shifted(block.span.start);
            let above = into.path(names(&piece.above, text));
            match piece.size {
                Some(tokens) => into.list.push(self.sized(span, tokens)),
                None => self.within_item(&piece, text, splitter.as_ref(), span, cap, into),
            }
            let own = match piece.own {
                Some(own) if into.list.len() > first + 1 => {
                    let mut path = piece.above.clone();
                    path.push(own);
                    into.path(names(&path, text))
                }
                _ => above,
            };
            for (at, unit) in into.list[first..].iter_mut().enumerate() {
                unit.within = if at == 0 { above } else { own };
                unit.parted = piece.parted && at == 0;
            }
        }
    }

    /// A piece that is too large, at its statements if it has any.
    fn within_item(
        &self,
        piece: &Piece,
        text: &str,
        splitter: Option<&Splitter<ByTokens<'_>>>,
        span: Span,
        cap: usize,
        into: &mut Units,
    ) {
        let stretch = piece.span.slice(text);
        let parts = splitter
            .and_then(|splitter| splitter.cut(stretch))
            .unwrap_or_else(|| lines(stretch));
        self.fitting(self.sized(span, usize::MAX), parts, cap, &mut into.list);
    }
}

/// The names at `spans`, each on one line; items without a name have none.
fn names(spans: &[Span], text: &str) -> Vec<String> {
    let name = |span: &Span| {
        let name: String = span.slice(text).chars().take(MAX_NAME_CHARS).collect();
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let names = spans.iter().map(name);
    names.filter(|name| !name.is_empty()).collect()
}
