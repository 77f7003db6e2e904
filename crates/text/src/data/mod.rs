//! Data and what is made of records: tables of values, trees of keys, notebooks, subtitles.

use crate::format::{Format, Parser};

pub(crate) mod json;
pub(crate) mod settings;
pub(crate) mod xml;
pub(crate) mod yaml;

mod notebook;
mod prose;
mod records;
mod subtitles;

static CSV: Format = Format {
    name: "CSV",
    media_type: "text/csv",
    magic: &[],
    marks: None,
    extensions: &["csv"],
    parser: Parser::Text(|_, text| Ok(records::read(&text, None))),
};

static TSV: Format = Format {
    name: "TSV",
    media_type: "text/tab-separated-values",
    magic: &[],
    marks: None,
    extensions: &["tsv", "tab"],
    parser: Parser::Text(|_, text| Ok(records::read(&text, Some(b'\t')))),
};

static JSON: Format = Format {
    name: "JSON",
    media_type: "application/json",
    magic: &[],
    marks: None,
    extensions: &[
        "json",
        "geojson",
        "jsonld",
        "json5",
        "jsonc",
        "webmanifest",
        "har",
    ],
    parser: Parser::Text(|_, text| Ok(json::read(text, "application/json"))),
};

static JSON_LINES: Format = Format {
    name: "JSON Lines",
    media_type: "application/jsonl",
    magic: &[],
    marks: None,
    extensions: &["jsonl", "ndjson", "jsonlines"],
    parser: Parser::Text(|_, text| Ok(json::read(text, "application/jsonl"))),
};

static XML: Format = Format {
    name: "XML",
    media_type: "application/xml",
    magic: &[],
    marks: Some(xml::starts_a_document),
    extensions: &[
        "xml", "rss", "atom", "xsd", "xsl", "xslt", "svg", "opml", "plist", "dbk", "tei",
    ],
    parser: Parser::Text(|_, text| Ok(xml::read(text))),
};

static YAML: Format = Format {
    name: "YAML",
    media_type: "application/yaml",
    magic: &[],
    marks: None,
    extensions: &["yaml", "yml"],
    parser: Parser::Text(|_, text| Ok(yaml::read(text))),
};

static TOML: Format = Format {
    name: "TOML",
    media_type: "application/toml",
    magic: &[],
    marks: None,
    extensions: &["toml"],
    parser: Parser::Text(|_, text| Ok(settings::read(text, "toml", "application/toml"))),
};

static INI: Format = Format {
    name: "settings",
    media_type: "text/x-ini",
    magic: &[],
    marks: None,
    extensions: &[
        "ini",
        "cfg",
        "conf",
        "properties",
        "env",
        "editorconfig",
        "desktop",
        "service",
    ],
    parser: Parser::Text(|_, text| Ok(settings::read(text, "ini", "text/x-ini"))),
};

static NOTEBOOK: Format = Format {
    name: "Jupyter notebook",
    media_type: "application/x-ipynb+json",
    magic: &[],
    marks: None,
    extensions: &["ipynb"],
    parser: Parser::Text(notebook::read),
};

static SUBRIP: Format = Format {
    name: "SubRip subtitles",
    media_type: "application/x-subrip",
    magic: &[],
    marks: None,
    extensions: &["srt"],
    parser: Parser::Text(|_, text| Ok(subtitles::read(text))),
};

static WEBVTT: Format = Format {
    name: "WebVTT subtitles",
    media_type: "text/vtt",
    magic: &[],
    marks: Some(subtitles::is_webvtt),
    extensions: &["vtt"],
    parser: Parser::Text(|_, text| Ok(subtitles::read(text))),
};

pub(crate) static FORMATS: [&Format; 11] = [
    &CSV,
    &TSV,
    &JSON,
    &JSON_LINES,
    &XML,
    &YAML,
    &TOML,
    &INI,
    &NOTEBOOK,
    &SUBRIP,
    &WEBVTT,
];
