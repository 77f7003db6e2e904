//! Sources and chunks into rows of the table.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListBuilder, Float32Builder, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, UInt32Array, UInt64Array,
};
use rag_core::{Chunk, Lines, SourceKey, SourceState};

use crate::error::{IndexError, Result};
use crate::{Batch, Layout, SourceRows, StoredChunk, schema, words};

/// Bytes of text in one piece of a batch. Words are text in compatibility form, which takes up to 18
/// times as much (U+FDFA), and a column of text holds 2 GiB at most.
const PIECE_BYTES: usize = 16 << 20;
/// A chunk's text has a few hundred tokens; a longer one than this is a mistake.
const LONGEST_TEXT: usize = PIECE_BYTES;

/// One row of the table.
enum Row<'a> {
    Head(&'a SourceState),
    Chunk(&'a SourceState, &'a StoredChunk),
}

impl<'a> Row<'a> {
    fn state(&self) -> &'a SourceState {
        match self {
            Self::Head(state) | Self::Chunk(state, _) => state,
        }
    }

    fn head(&self) -> Option<&'a SourceState> {
        match self {
            Self::Head(state) => Some(state),
            Self::Chunk(..) => None,
        }
    }

    fn stored(&self) -> Option<&'a StoredChunk> {
        match self {
            Self::Head(_) => None,
            Self::Chunk(_, stored) => Some(stored),
        }
    }

    fn chunk(&self) -> Option<&'a Chunk> {
        self.stored().map(|stored| &stored.chunk)
    }

    fn lines(&self) -> Option<Lines> {
        self.chunk().and_then(|chunk| chunk.lines)
    }

    fn id(&self) -> String {
        let SourceKey(key) = &self.state().source.key;
        match self {
            Self::Head(_) => format!("{key}:{}", schema::SOURCE),
            Self::Chunk(_, stored) => format!("{key}:{}", stored.chunk.ordinal),
        }
    }

    /// Bytes of the columns that grow with the document.
    fn text_bytes(&self) -> usize {
        self.chunk().map_or(0, |chunk| {
            let heading: usize = chunk.heading.iter().map(String::len).sum();
            let header = chunk.table_header.as_ref().map_or(0, String::len);
            chunk.text.len() + heading + header
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Head(_) => schema::SOURCE,
            Self::Chunk(..) => schema::CHUNK,
        }
    }
}

/// Rows for all of `batch`, heads included, in the order of [`schema::schema`], in pieces that Arrow's
/// 32-bit offsets have room for.
///
/// Refuses vectors of another length, the same row twice, a text that is too long for a chunk, and a
/// source whose number of chunks is not what it says.
pub(crate) fn rows(batch: &Batch, layout: &Layout) -> Result<Vec<RecordBatch>> {
    let rows = lay_out(batch, layout)?;
    let pieces = rows.chunk_by(in_one_piece(PIECE_BYTES));
    pieces.map(|piece| piece_of(piece, layout)).collect()
}

/// Whether the next row has room in the piece of those before, which is to hold so many bytes of text.
fn in_one_piece(most: usize) -> impl FnMut(&Row, &Row) -> bool {
    let mut bytes = 0;
    move |before, next| {
        bytes += before.text_bytes();
        let fits = bytes + next.text_bytes() <= most;
        if !fits {
            bytes = 0;
        }
        fits
    }
}

fn piece_of(rows: &[Row], layout: &Layout) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let small = |of: &dyn Fn(&Row) -> Option<u32>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<UInt32Array>())
    };
    let big = |of: &dyn Fn(&Row) -> Option<u64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<UInt64Array>())
    };
    let modified: Int64Array = rows
        .iter()
        .map(|row| row.head().map(|state| state.modified_ns))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        text(&|row| Some(row.id())),
        text(&|row| Some(row.kind().to_owned())),
        text(&|row| Some(row.state().source.key.0.clone())),
        text(&|row| Some(row.state().source.root.clone())),
        text(&|row| Some(row.state().source.path.clone())),
        text(&|row| Some(row.state().hash.clone())),
        text(&|row| row.head().map(|state| state.rules.clone())),
        big(&|row| row.head().map(|state| state.size)),
        Arc::new(modified),
        text(&|row| row.head().and_then(|state| state.title.clone())),
        text(&|row| row.head().and_then(|state| state.language.clone())),
        text(&|row| row.head().map(|state| state.media_type.clone())),
        text(&|row| row.head().and_then(|state| state.date.clone())),
        names(rows, &|row| row.head().map(|state| &state.tags[..])),
        text(&|row| row.head().map(|state| state.outcome.as_str().to_owned())),
        text(&|row| row.head().and_then(|state| state.reason.clone())),
        small(&|row| Some(row.state().chunks)),
        small(&|row| row.chunk().map(|chunk| chunk.ordinal)),
        big(&|row| row.chunk().map(|chunk| chunk.span.start as u64)),
        big(&|row| row.chunk().map(|chunk| chunk.span.end as u64)),
        text(&|row| row.chunk().map(|chunk| chunk.text.clone())),
        names(rows, &|row| row.chunk().map(|chunk| &chunk.heading[..])),
        text(&|row| row.chunk().and_then(|chunk| chunk.part.clone())),
        text(&|row| row.chunk().and_then(|chunk| chunk.table_header.clone())),
        small(&|row| row.chunk().and_then(|chunk| chunk.page)),
        small(&|row| row.chunk().and_then(|chunk| chunk.page_end)),
        small(&|row| row.lines().map(|lines| lines.first)),
        small(&|row| row.lines().map(|lines| lines.last)),
        small(&|row| row.chunk().map(|chunk| chunk.tokens)),
        text(&|row| row.stored().map(|stored| stored.text_hash.clone())),
        text(&|row| row.chunk().map(words::of_chunk)),
        vectors(rows, layout.dimensions),
    ];
    Ok(RecordBatch::try_new(
        schema::schema(layout.dimensions),
        columns,
    )?)
}

fn lay_out<'a>(batch: &'a Batch, layout: &Layout) -> Result<Vec<Row<'a>>> {
    let mut rows: Vec<Row> = batch.heads.iter().map(Row::Head).collect();
    for SourceRows { state, chunks } in &batch.put {
        if usize::try_from(state.chunks) != Ok(chunks.len()) {
            return Err(IndexError::Miscounted {
                path: state.source.path.clone(),
                said: state.chunks,
                found: chunks.len(),
            });
        }
        rows.push(Row::Head(state));
        for stored in chunks {
            if stored.vector.len() != layout.dimensions {
                return Err(IndexError::WrongLength {
                    path: state.source.path.clone(),
                    ordinal: stored.chunk.ordinal,
                    found: stored.vector.len(),
                    expected: layout.dimensions,
                });
            }
            if stored.chunk.text.len() > LONGEST_TEXT {
                return Err(IndexError::TooLong {
                    path: state.source.path.clone(),
                    ordinal: stored.chunk.ordinal,
                    bytes: stored.chunk.text.len(),
                });
            }
            rows.push(Row::Chunk(state, stored));
        }
    }
    // A merge of two rows with one key would keep both.
    let mut seen = HashSet::with_capacity(rows.len());
    match rows.iter().map(Row::id).find(|id| !seen.insert(id.clone())) {
        Some(id) => Err(IndexError::Repeated { id }),
        None => Ok(rows),
    }
}

/// A list of names for each row, or none.
fn names<'a>(rows: &'a [Row], of: &dyn Fn(&'a Row) -> Option<&'a [String]>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(schema::list_item());
    for row in rows {
        let names = of(row);
        for name in names.unwrap_or_default() {
            lists.values().append_value(name);
        }
        lists.append(names.is_some());
    }
    Arc::new(lists.finish())
}

fn vectors(rows: &[Row], dimensions: usize) -> ArrayRef {
    let length = i32::try_from(dimensions).unwrap_or(i32::MAX);
    let numbers = Float32Builder::with_capacity(rows.len() * dimensions);
    let mut lists = FixedSizeListBuilder::new(numbers, length).with_field(schema::vector_item());
    for row in rows {
        match row.stored() {
            Some(stored) => lists.values().append_slice(&stored.vector),
            None => lists.values().append_nulls(dimensions),
        }
        lists.append(row.stored().is_some());
    }
    Arc::new(lists.finish())
}
