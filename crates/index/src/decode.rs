//! Rows of the table back into sources and chunks.
//!
//! A column that is missing or a value that must be there and is not is an error, never a default: a
//! damaged table should say so.

use std::sync::Arc;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, FixedSizeListArray, ListArray, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Float32Type, Int64Type, UInt32Type, UInt64Type};
use rag_core::{Chunk, Lines, Outcome, Source, SourceKey, SourceState, Span};

use crate::error::{IndexError, Result};
use crate::{Ranked, Read, StoredChunk, schema};

/// The source of every row.
pub(crate) fn states(batch: &RecordBatch) -> Result<Vec<SourceState>> {
    let rows = Rows(batch);
    let sources = Sources::of(rows)?;
    let rules = rows.text(schema::RULES)?;
    let size = rows.number::<UInt64Type>(schema::SIZE)?;
    let modified = rows.number::<Int64Type>(schema::MODIFIED_NS)?;
    let title = rows.text(schema::TITLE)?;
    let language = rows.text(schema::LANGUAGE)?;
    let media_type = rows.text(schema::MEDIA_TYPE)?;
    let date = rows.text(schema::DATE)?;
    let tags = rows.names(schema::TAGS)?;
    let outcome = rows.text(schema::OUTCOME)?;
    let reason = rows.text(schema::REASON)?;
    let chunks = rows.number::<UInt32Type>(schema::CHUNKS)?;
    let state = |row| {
        Ok(SourceState {
            source: sources.source(row)?,
            hash: sources.hash.must(row)?.to_owned(),
            rules: rules.must(row)?.to_owned(),
            size: size.must(row)?,
            modified_ns: modified.must(row)?,
            title: title.owned(row),
            language: language.owned(row),
            media_type: media_type.must(row)?.to_owned(),
            date: date.owned(row),
            tags: tags.must(row)?,
            outcome: Outcome::named(outcome.must(row)?).ok_or_else(|| outcome.hole(row))?,
            reason: reason.owned(row),
            chunks: chunks.must(row)?,
        })
    };
    (0..batch.num_rows()).map(state).collect()
}

/// What a search found: places, rows, and scores made by `score` from the column `by`.
pub(crate) fn ranked(
    batch: &RecordBatch,
    by: &'static str,
    score: fn(f32) -> f32,
) -> Result<Vec<Ranked>> {
    let rows = Rows(batch);
    let ids = rows.text(schema::ID)?;
    let row_ids = rows.number::<UInt64Type>(schema::ROW)?;
    let scores = rows.number::<Float32Type>(by)?;
    let one = |row| {
        let (key, ordinal) = ids
            .must(row)?
            .rsplit_once(':')
            .ok_or_else(|| ids.hole(row))?;
        Ok(Ranked {
            place: (
                SourceKey(key.to_owned()),
                ordinal.parse().map_err(|_| ids.hole(row))?,
            ),
            score: score(scores.must(row)?),
            row: row_ids.must(row)?,
        })
    };
    (0..batch.num_rows()).map(one).collect()
}

/// The chunk of every row with its source; heads are passed over.
pub(crate) fn read(batch: &RecordBatch) -> Result<Vec<Read>> {
    let rows = Rows(batch);
    let kinds = rows.text(schema::KIND)?;
    let sources = Sources::of(rows)?;
    let of = rows.number::<UInt32Type>(schema::CHUNKS)?;
    let chunks = Chunks::of(rows)?;
    let one = |row| {
        if kinds.must(row)? != schema::CHUNK {
            return Ok(None);
        }
        Ok(Some(Read {
            source: sources.source(row)?,
            source_hash: sources.hash.must(row)?.to_owned(),
            chunk: chunks.chunk(row)?,
            of: of.get(row),
        }))
    };
    (0..batch.num_rows())
        .filter_map(|row| one(row).transpose())
        .collect()
}

/// The chunk of every row.
pub(crate) fn chunks(batch: &RecordBatch) -> Result<Vec<Chunk>> {
    let chunks = Chunks::of(Rows(batch))?;
    (0..batch.num_rows()).map(|row| chunks.chunk(row)).collect()
}

/// The chunk of every row as it is kept, with its source's key.
pub(crate) fn stored(batch: &RecordBatch) -> Result<Vec<(SourceKey, StoredChunk)>> {
    let rows = Rows(batch);
    let keys = rows.text(schema::SOURCE_KEY)?;
    let chunks = Chunks::of(rows)?;
    let hashes = rows.text(schema::TEXT_HASH)?;
    let vectors = rows.vectors()?;
    let one = |row| {
        let stored = StoredChunk {
            chunk: chunks.chunk(row)?,
            text_hash: hashes.must(row)?.to_owned(),
            vector: vectors.must(row)?,
        };
        Ok((SourceKey(keys.must(row)?.to_owned()), stored))
    };
    (0..batch.num_rows()).map(one).collect()
}

/// The hash of every row's text.
pub(crate) fn text_hashes(batch: &RecordBatch) -> Result<Vec<&str>> {
    let hashes = Rows(batch).text(schema::TEXT_HASH)?;
    (0..batch.num_rows()).map(|row| hashes.must(row)).collect()
}

/// Hash and vector of every row.
pub(crate) fn vectors(batch: &RecordBatch) -> Result<Vec<(String, Arc<[f32]>)>> {
    let rows = Rows(batch);
    let hashes = rows.text(schema::TEXT_HASH)?;
    let vectors = rows.vectors()?;
    (0..batch.num_rows())
        .map(|row| Ok((hashes.must(row)?.to_owned(), vectors.must(row)?)))
        .collect()
}

/// The key of every row.
pub(crate) fn keys(batch: &RecordBatch) -> Result<Vec<String>> {
    let keys = Rows(batch).text(schema::SOURCE_KEY)?;
    (0..batch.num_rows())
        .map(|row| Ok(keys.must(row)?.to_owned()))
        .collect()
}

struct Sources<'a> {
    key: Column<'a, StringArray>,
    root: Column<'a, StringArray>,
    path: Column<'a, StringArray>,
    hash: Column<'a, StringArray>,
}

impl<'a> Sources<'a> {
    fn of(rows: Rows<'a>) -> Result<Self> {
        Ok(Self {
            key: rows.text(schema::SOURCE_KEY)?,
            root: rows.text(schema::ROOT)?,
            path: rows.text(schema::PATH)?,
            hash: rows.text(schema::HASH)?,
        })
    }

    fn source(&self, row: usize) -> Result<Source> {
        Ok(Source {
            key: SourceKey(self.key.must(row)?.to_owned()),
            root: self.root.must(row)?.to_owned(),
            path: self.path.must(row)?.to_owned(),
        })
    }
}

struct Chunks<'a> {
    ordinal: Column<'a, PrimitiveArray<UInt32Type>>,
    start: Column<'a, PrimitiveArray<UInt64Type>>,
    end: Column<'a, PrimitiveArray<UInt64Type>>,
    text: Column<'a, StringArray>,
    heading: Column<'a, ListArray>,
    part: Column<'a, StringArray>,
    table_header: Column<'a, StringArray>,
    page: Column<'a, PrimitiveArray<UInt32Type>>,
    page_end: Column<'a, PrimitiveArray<UInt32Type>>,
    first: Column<'a, PrimitiveArray<UInt32Type>>,
    last: Column<'a, PrimitiveArray<UInt32Type>>,
    tokens: Column<'a, PrimitiveArray<UInt32Type>>,
}

impl<'a> Chunks<'a> {
    fn of(rows: Rows<'a>) -> Result<Self> {
        Ok(Self {
            ordinal: rows.number(schema::ORDINAL)?,
            start: rows.number(schema::SPAN_START)?,
            end: rows.number(schema::SPAN_END)?,
            text: rows.text(schema::TEXT)?,
            heading: rows.names(schema::HEADING)?,
            part: rows.text(schema::PART)?,
            table_header: rows.text(schema::TABLE_HEADER)?,
            page: rows.number(schema::PAGE)?,
            page_end: rows.number(schema::PAGE_END)?,
            first: rows.number(schema::LINE_FIRST)?,
            last: rows.number(schema::LINE_LAST)?,
            tokens: rows.number(schema::TOKENS)?,
        })
    }

    fn chunk(&self, row: usize) -> Result<Chunk> {
        let lines = self.first.get(row).zip(self.last.get(row));
        Ok(Chunk {
            ordinal: self.ordinal.must(row)?,
            span: Span::new(self.start.must(row)? as usize, self.end.must(row)? as usize),
            text: self.text.must(row)?.to_owned(),
            heading: self.heading.must(row)?,
            part: self.part.owned(row),
            table_header: self.table_header.owned(row),
            page: self.page.get(row),
            page_end: self.page_end.get(row),
            lines: lines.map(|(first, last)| Lines { first, last }),
            tokens: self.tokens.must(row)?,
        })
    }
}

/// A batch whose columns are looked up by name and type.
#[derive(Clone, Copy)]
struct Rows<'a>(&'a RecordBatch);

impl<'a> Rows<'a> {
    fn column<T>(
        self,
        name: &'static str,
        cast: impl FnOnce(&'a dyn Array) -> Option<&'a T>,
    ) -> Result<Column<'a, T>> {
        let values = self.0.column_by_name(name).and_then(|array| cast(array));
        match values {
            Some(values) => Ok(Column {
                name,
                values,
                rows: self,
            }),
            None => Err(IndexError::Column { column: name }),
        }
    }

    fn text(self, name: &'static str) -> Result<Column<'a, StringArray>> {
        self.column(name, |array| array.as_string_opt::<i32>())
    }

    fn number<T: ArrowPrimitiveType>(
        self,
        name: &'static str,
    ) -> Result<Column<'a, PrimitiveArray<T>>> {
        self.column(name, |array| array.as_primitive_opt::<T>())
    }

    fn names(self, name: &'static str) -> Result<Column<'a, ListArray>> {
        self.column(name, |array| array.as_list_opt::<i32>())
    }

    fn vectors(self) -> Result<Column<'a, FixedSizeListArray>> {
        self.column(schema::VECTOR, |array| array.as_fixed_size_list_opt())
    }
}

/// One column of a batch.
struct Column<'a, T> {
    name: &'static str,
    values: &'a T,
    rows: Rows<'a>,
}

impl<T> Column<'_, T> {
    /// The error for a value that must be there.
    fn hole(&self, row: usize) -> IndexError {
        let key = self.rows.0.column_by_name(schema::SOURCE_KEY);
        let key = key.and_then(|array| array.as_string_opt::<i32>());
        IndexError::Hole {
            id: key.map_or_else(|| row.to_string(), |keys| keys.value(row).to_owned()),
            column: self.name,
        }
    }
}

impl<'a> Column<'a, StringArray> {
    fn owned(&self, row: usize) -> Option<String> {
        (!self.values.is_null(row)).then(|| self.values.value(row).to_owned())
    }

    fn must(&self, row: usize) -> Result<&'a str> {
        if self.values.is_null(row) {
            return Err(self.hole(row));
        }
        Ok(self.values.value(row))
    }
}

impl<T: ArrowPrimitiveType> Column<'_, PrimitiveArray<T>> {
    fn get(&self, row: usize) -> Option<T::Native> {
        (!self.values.is_null(row)).then(|| self.values.value(row))
    }

    fn must(&self, row: usize) -> Result<T::Native> {
        self.get(row).ok_or_else(|| self.hole(row))
    }
}

impl Column<'_, ListArray> {
    fn must(&self, row: usize) -> Result<Vec<String>> {
        if self.values.is_null(row) {
            return Err(self.hole(row));
        }
        let items = self.values.value(row);
        let items = items.as_string_opt::<i32>().ok_or_else(|| self.hole(row))?;
        Ok(items.iter().flatten().map(str::to_owned).collect())
    }
}

impl Column<'_, FixedSizeListArray> {
    fn must(&self, row: usize) -> Result<Arc<[f32]>> {
        if self.values.is_null(row) {
            return Err(self.hole(row));
        }
        let numbers = self.values.value(row);
        let numbers = numbers.as_primitive_opt::<Float32Type>();
        Ok(numbers.ok_or_else(|| self.hole(row))?.values()[..].into())
    }
}
