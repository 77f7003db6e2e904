//! A document to its chunks: structure first, size second.
//!
//! Blocks of one section and one page are packed together up to a target; a chunk goes over a page
//! break only inside a block that does. A chunk's text is the document's at its span, to the byte. For
//! documents with pages, whose headings are guesses by size, very short sections of a page share a
//! chunk.

use rag_core::{Chunk, Document, Lines, Span, TokenCounter, chunk::in_context};

use crate::{
    cut::{Bounded, Cutter, Place, Unit, Units},
    outline::{Section, sections},
};

/// Version of the splitting rules. It changes with any change of where chunks begin and end.
pub const SPLIT_RULES: &str = "split-3";

/// Sizes below this are taken as this: no rule can hold for chunks of a few tokens.
const MIN_TOKENS: usize = 16;

/// Sizes of chunks in the embedder's tokens, heading path included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Chunks are filled up to this, unless a block that fits `max` is larger.
    pub target: usize,
    /// No chunk is larger. Values under 16 are taken as 16.
    pub max: usize,
}

impl Sizes {
    fn sane(self) -> Self {
        let max = self.max.max(MIN_TOKENS);
        Self {
            target: self.target.clamp(MIN_TOKENS, max),
            max,
        }
    }

    /// A chunk smaller than this joins a neighbour where it can.
    fn crumb(self) -> usize {
        self.target / 4
    }
}

/// The chunks of `document`, in order and without overlap. Every character of every block that is not
/// white space is in exactly one.
///
/// A heading belongs to the chunk that follows it and stands alone only where its section is empty.
/// [`Chunk::heading`] holds the headings above the chunk, not those inside. Of a heading path that
/// would take more than a quarter of a chunk the outer headings are left out, then all.
#[must_use]
pub fn split(document: &Document, sizes: Sizes, counter: &dyn TokenCounter) -> Vec<Chunk> {
    let sizes = sizes.sane();
    let counter = &Bounded(counter);
    let cutter = Cutter { document, counter };
    let mut packer = Packer {
        sizes,
        cutter,
        last_path: None,
    };
    let mut groups = Vec::new();
    for section in sections(document) {
        let mut of_section = packer.pack(&section);
        join_crumbs(&mut of_section, sizes.crumb(), sizes.max);
        groups.extend(of_section);
    }
    if !document.pages.is_empty() {
        join_crumbs(&mut groups, sizes.crumb(), sizes.target);
    }
    let mut writer = Writer {
        packer,
        line_starts: line_starts(document),
        chunks: Vec::new(),
    };
    for Group {
        units, path, items, ..
    } in groups
    {
        let path = if items.is_empty() {
            path
        } else {
            writer.packer.fitting(&[path, items].concat()).0
        };
        writer.write(&units, &path);
    }
    writer.chunks
}

/// Units that become one chunk.
#[derive(Debug, Clone)]
struct Group {
    units: Vec<Unit>,
    path: Vec<String>,
    /// Names of the items of code or data that are around all units, below the path.
    items: Vec<String>,
    /// Size of path and units, in tokens; the sum is never less than the whole by much.
    tokens: usize,
}

impl Group {
    fn new(path: Vec<String>, items: Vec<String>, path_tokens: usize) -> Self {
        Self {
            units: Vec::new(),
            path,
            items,
            tokens: path_tokens,
        }
    }

    fn push(&mut self, unit: Unit) {
        let header = unit.table_header.filter(|_| self.units.is_empty());
        self.tokens += unit.tokens + header.map_or(0, |(_, tokens)| tokens);
        self.units.push(unit);
    }

    fn place(&self) -> Option<Place> {
        self.units.first().map(|unit| unit.place)
    }

    fn is_heading_only(&self) -> bool {
        self.units.iter().all(|unit| unit.is_heading)
    }

    /// Takes the units of `next` in; the path is what both have in common.
    fn absorb(&mut self, next: Self) {
        self.tokens += next.units.iter().map(|unit| unit.tokens).sum::<usize>();
        self.units.extend(next.units);
        // A group that starts with its section's heading has that heading's path, which is shorter.
        let common = in_common(&self.path, &next.path);
        if common < self.path.len() {
            self.items.clear();
        }
        self.path.truncate(common);
        self.items.truncate(in_common(&self.items, &next.items));
    }
}

/// How many names two paths share from the start.
fn in_common(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

struct Packer<'a> {
    sizes: Sizes,
    cutter: Cutter<'a>,
    /// The heading path weighed last: sections in a row often share theirs.
    last_path: Option<(Vec<String>, Weighed)>,
}

/// A heading path that fits, and its size in tokens.
type Weighed = (Vec<String>, usize);

impl Packer<'_> {
    /// The units of a section in groups of about the target size.
    fn pack(&mut self, section: &Section) -> Vec<Group> {
        let (above, above_tokens) = self.fitting(&section.above);
        let (within, within_tokens) = self.fitting(&section.within);
        let Units { list, paths } = self.units(section, above_tokens, within_tokens);
        let mut groups: Vec<Group> = Vec::new();
        for unit in list {
            let joins = groups.last().is_some_and(|group| {
                let size = group.tokens + unit.tokens;
                let limit = if group.is_heading_only() {
                    self.sizes.max
                } else {
                    self.sizes.target
                };
                let goes_on = !unit.parted || group.tokens < self.sizes.crumb();
                group.place() == Some(unit.place) && size <= limit && goes_on
            });
            let items = &paths[unit.within];
            if !joins {
                let (path, tokens) = if groups.is_empty() {
                    (above.clone(), above_tokens)
                } else {
                    (within.clone(), within_tokens)
                };
                let tokens = if items.is_empty() {
                    tokens
                } else {
                    self.fitting(&[&path[..], items].concat()).1
                };
                groups.push(Group::new(path, items.clone(), tokens));
            }
            if let Some(group) = groups.last_mut() {
                group.items.truncate(in_common(&group.items, items));
                group.push(unit);
            }
        }
        groups
    }

    /// The section's blocks as units, each small enough for a chunk with its headings.
    fn units(&self, section: &Section, above: usize, within: usize) -> Units {
        let blocks = &self.cutter.document.blocks[section.blocks.clone()];
        let (own, rest) = blocks.split_at(section.own_headings);
        let max = self.sizes.max;
        let mut units = Units::default();
        let whole = own.iter().filter_map(|block| self.cutter.whole(block));
        units.list.extend(whole);
        let own_tokens: usize = units.list.iter().map(|unit| unit.tokens).sum();
        let cap = if own_tokens + above <= max / 2 {
            for unit in &mut units.list {
                unit.is_heading = true;
            }
            max - within.max(above + own_tokens)
        } else {
            // Headings this large are text.
            units.list.clear();
            let cap = max - within.max(above);
            for block in own {
                self.cutter.units(block, cap, &mut units);
            }
            cap
        };
        for block in rest {
            self.cutter.units(block, cap, &mut units);
        }
        units
    }

    /// `path` without so many outer headings that it takes at most a quarter of a chunk.
    fn fitting(&mut self, path: &[String]) -> Weighed {
        if let Some((known, weighed)) = &self.last_path
            && known == path
        {
            return weighed.clone();
        }
        let budget = self.sizes.max / 4;
        let weighed = (0..path.len())
            .map(|outer| &path[outer..])
            .map(|kept| {
                (
                    kept.to_vec(),
                    self.cutter.counter.count_tokens(&kept.join(" › ")) + 1,
                )
            })
            .find(|(_, tokens)| *tokens <= budget)
            .unwrap_or_default();
        self.last_path = Some((path.to_vec(), weighed.clone()));
        weighed
    }
}

/// Joins groups smaller than `crumb` with a neighbour on the same page, up to `limit` tokens.
fn join_crumbs(groups: &mut Vec<Group>, crumb: usize, limit: usize) {
    let mut joined: Vec<Group> = Vec::with_capacity(groups.len());
    for group in groups.drain(..) {
        match joined.last_mut() {
            Some(last)
                if (last.tokens < crumb || group.tokens < crumb)
                    && last.place() == group.place()
                    // A heading alone belongs to what follows, not to what was before.
                    && (!group.is_heading_only() || last.is_heading_only())
                    && last.tokens + group.tokens <= limit =>
            {
                last.absorb(group);
            }
            _ => joined.push(group),
        }
    }
    *groups = joined;
}

/// Groups to chunks, each weighed whole.
struct Writer<'a> {
    packer: Packer<'a>,
    line_starts: Vec<usize>,
    chunks: Vec<Chunk>,
}

impl Writer<'_> {
    /// Writes units as one chunk, or as several where the sum of their sizes was less than the size of
    /// the whole.
    fn write(&mut self, units: &[Unit], path: &[String]) {
        let (Some(first), Some(last)) = (units.first(), units.last()) else {
            return;
        };
        let max = self.packer.sizes.max;
        let span = Span::new(first.span.start, last.span.end);
        let header = first.table_header.map(|(header, _)| header);
        let tokens = self.weighed(span, path, header);
        if tokens <= max {
            self.push(span, path, header, tokens);
        } else if units.len() > 1 {
            let (before, after) = units.split_at(units.len() / 2);
            self.write(before, path);
            self.write(after, path);
        } else if !path.is_empty() {
            self.write(units, &[]);
        } else if header.is_some() {
            let bare = Unit {
                table_header: None,
                ..*first
            };
            self.write(&[bare], &[]);
        } else {
            self.write_oversized(*first, tokens);
        }
    }

    /// Tokens of the text at `span` with its context.
    fn weighed(&self, span: Span, path: &[String], header: Option<Span>) -> usize {
        let Cutter { document, counter } = &self.packer.cutter;
        let header = header.map(|header| header.slice(&document.text));
        counter.count_tokens(&in_context(path, header, span.slice(&document.text)))
    }

    /// A single unit that turned out too large is cut again, to half its size.
    fn write_oversized(&mut self, unit: Unit, tokens: usize) {
        let mut pieces = Vec::new();
        let cap = (tokens / 2).min(self.packer.sizes.max);
        self.packer.cutter.pieces(unit.span, cap, &mut pieces);
        if pieces.len() > 1 {
            for piece in pieces {
                self.write(&[piece], &[]);
            }
        } else {
            // One character of more tokens than a chunk may have: it can't be made smaller.
            self.push(unit.span, &[], None, tokens);
        }
    }

    fn push(&mut self, span: Span, path: &[String], header: Option<Span>, tokens: usize) {
        let document = self.packer.cutter.document;
        let last = span.end.saturating_sub(1);
        self.chunks.push(Chunk {
            ordinal: self.chunks.len() as u32,
            span,
            text: span.slice(&document.text).to_owned(),
            heading: path.to_vec(),
            part: document.part_at(span.start).map(|part| part.name.clone()),
            table_header: header.map(|header| header.slice(&document.text).to_owned()),
            page: document.page_at(span.start),
            page_end: document.page_at(last),
            lines: document.lines_are_source_lines.then(|| Lines {
                first: self.line_at(span.start),
                last: self.line_at(last),
            }),
            tokens: tokens as u32,
        });
    }

    fn line_at(&self, at: usize) -> u32 {
        self.line_starts.partition_point(|start| *start <= at) as u32
    }
}

/// Where the lines of the text start, for documents whose lines are the file's.
fn line_starts(document: &Document) -> Vec<usize> {
    if !document.lines_are_source_lines {
        return Vec::new();
    }
    let breaks = document
        .text
        .bytes()
        .enumerate()
        .filter(|(_, b)| *b == b'\n');
    std::iter::once(0)
        .chain(breaks.map(|(at, _)| at + 1))
        .collect()
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
