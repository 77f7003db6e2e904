//! The one table: a head row for every source and a row for every chunk.
//!
//! Both kinds live in one table because LanceDB commits one table at a time, and a source must change
//! together with its chunks. Head rows have no vector and no words, so that no search finds them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Name of the table.
pub(crate) const TABLE: &str = "chunks";
/// Primary key: `{source_key}:{ordinal}` for a chunk, `{source_key}:source` for a head.
pub(crate) const ID: &str = "id";
/// [`SOURCE`] or [`CHUNK`].
pub(crate) const KIND: &str = "kind";
pub(crate) const SOURCE_KEY: &str = "source_key";
pub(crate) const ROOT: &str = "root";
pub(crate) const PATH: &str = "path";
pub(crate) const HASH: &str = "hash";

pub(crate) const RULES: &str = "rules";
pub(crate) const SIZE: &str = "size";
pub(crate) const MODIFIED_NS: &str = "modified_ns";
pub(crate) const TITLE: &str = "title";
pub(crate) const LANGUAGE: &str = "language";
pub(crate) const MEDIA_TYPE: &str = "media_type";
pub(crate) const DATE: &str = "date";
pub(crate) const TAGS: &str = "tags";
pub(crate) const OUTCOME: &str = "outcome";
pub(crate) const REASON: &str = "reason";
/// How many chunks the source has; in its head row and, since these were read by place, in each chunk's.
pub(crate) const CHUNKS: &str = "chunks";

pub(crate) const ORDINAL: &str = "ordinal";
pub(crate) const SPAN_START: &str = "span_start";
pub(crate) const SPAN_END: &str = "span_end";
pub(crate) const TEXT: &str = "text";
pub(crate) const PART: &str = "part";
pub(crate) const TABLE_HEADER: &str = "table_header";
pub(crate) const HEADING: &str = "heading";
pub(crate) const PAGE: &str = "page";
pub(crate) const PAGE_END: &str = "page_end";
pub(crate) const LINE_FIRST: &str = "line_first";
pub(crate) const LINE_LAST: &str = "line_last";
pub(crate) const TOKENS: &str = "tokens";
pub(crate) const TEXT_HASH: &str = "text_hash";
/// What word search reads; see [`crate::words`].
pub(crate) const WORDS: &str = "words";
pub(crate) const VECTOR: &str = "vector";

/// Values of [`KIND`].
pub(crate) const SOURCE: &str = "source";
pub(crate) const CHUNK: &str = "chunk";

/// Added by LanceDB to what a search returns.
pub(crate) const DISTANCE: &str = "_distance";
pub(crate) const SCORE: &str = "_score";
/// Where a row lies: fragment and place in it, 32 bits each. Compaction moves rows.
pub(crate) const ROW: &str = "_rowid";

/// Columns that make a [`rag_core::SourceState`].
pub(crate) const STATE_COLUMNS: [&str; 15] = [
    SOURCE_KEY,
    ROOT,
    PATH,
    HASH,
    RULES,
    SIZE,
    MODIFIED_NS,
    TITLE,
    LANGUAGE,
    MEDIA_TYPE,
    DATE,
    TAGS,
    OUTCOME,
    REASON,
    CHUNKS,
];

/// Columns that make a chunk and its source: neither vectors nor words are read back.
pub(crate) const FOUND_COLUMNS: [&str; 16] = [
    SOURCE_KEY,
    ROOT,
    PATH,
    HASH,
    ORDINAL,
    SPAN_START,
    SPAN_END,
    TEXT,
    HEADING,
    PART,
    TABLE_HEADER,
    PAGE,
    PAGE_END,
    LINE_FIRST,
    LINE_LAST,
    TOKENS,
];

/// The same for rows of which it is not known what they are, with how many chunks the source has.
pub(crate) const READ_COLUMNS: [&str; 18] = {
    let mut columns = [KIND; 18];
    let (_, rest) = columns.split_at_mut(2);
    rest.copy_from_slice(&FOUND_COLUMNS);
    columns[1] = CHUNKS;
    columns
};

/// The table's schema for vectors of `dimensions` numbers.
pub(crate) fn schema(dimensions: usize) -> SchemaRef {
    // Declares the primary key as the table is made (Lance: `set_unenforced_primary_key` writes the
    // same): without it, concurrent merges of the same new rows double them (lance #4585).
    let key = HashMap::from([(
        "lance-schema:unenforced-primary-key:position".to_owned(),
        "1".to_owned(),
    )]);
    let must = |name: &str| Field::new(name, DataType::Utf8, false);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let names = |name: &str| Field::new(name, DataType::List(list_item()), true);
    let number = |name: &str, kind: DataType| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        must(ID).with_metadata(key),
        must(KIND),
        must(SOURCE_KEY),
        must(ROOT),
        must(PATH),
        must(HASH),
        text(RULES),
        number(SIZE, DataType::UInt64),
        number(MODIFIED_NS, DataType::Int64),
        text(TITLE),
        text(LANGUAGE),
        text(MEDIA_TYPE),
        text(DATE),
        names(TAGS),
        text(OUTCOME),
        text(REASON),
        number(CHUNKS, DataType::UInt32),
        number(ORDINAL, DataType::UInt32),
        number(SPAN_START, DataType::UInt64),
        number(SPAN_END, DataType::UInt64),
        text(TEXT),
        names(HEADING),
        text(PART),
        text(TABLE_HEADER),
        number(PAGE, DataType::UInt32),
        number(PAGE_END, DataType::UInt32),
        number(LINE_FIRST, DataType::UInt32),
        number(LINE_LAST, DataType::UInt32),
        number(TOKENS, DataType::UInt32),
        text(TEXT_HASH),
        text(WORDS),
        Field::new(VECTOR, vector_type(dimensions), true),
    ]))
}

/// An item of the heading path, a tag.
pub(crate) fn list_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Utf8, true))
}

/// A number of a vector.
pub(crate) fn vector_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, true))
}

fn vector_type(dimensions: usize) -> DataType {
    // A vector of more than two thousand million numbers does not exist.
    let length = i32::try_from(dimensions).unwrap_or(i32::MAX);
    DataType::FixedSizeList(vector_item(), length)
}
