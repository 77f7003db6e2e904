//! Any text is a query: whatever its characters and up to 10,000 of them, no search fails because of it,
//! in any mode and under any filter.

use std::sync::Arc;

use proptest::arbitrary::any;
use proptest::sample::select;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use proptest::{prop_assert, prop_assert_eq, prop_oneof};
use rag_core::calendar::Period;
use rag_core::{Code, Error, Filter, Mode, Query, Reranker, Result};
use tempfile::TempDir;

use crate::Engine;
use crate::testing::{engine, files, ingest};

/// As long as a query may be, in characters.
const LONGEST: usize = 10_000;

const MODES: [Mode; 4] = [Mode::Words, Mode::Vector, Mode::Hybrid, Mode::Rerank];

/// What query languages, shells, patterns and encodings trip over.
const PIECES: [&str; 64] = [
    "\"",
    "'",
    "“",
    "”",
    "「",
    "」",
    "«",
    "`",
    "*",
    "?",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "[!",
    "~",
    "^",
    ":",
    "\\",
    "/",
    "//",
    "%",
    "&",
    "|",
    "||",
    "&&",
    "!",
    "+",
    "-",
    "--",
    "=",
    "<",
    ">",
    "@",
    "#",
    "$",
    ";",
    ",",
    ".",
    "_",
    " AND ",
    " OR ",
    " NOT ",
    " NEAR/2 ",
    " TO ",
    "\0",
    "\n",
    "\t",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{301}",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{fffd}",
    "\u{e000}",
    "\u{378}",
    "\u{fdfa}",
    "storm",
    "风暴",
    "שלום",
    "สวัสดี",
];

/// Scores a passage by its length; takes questions of so many characters.
struct ByLength;

const READS: usize = 400;

impl Reranker for ByLength {
    fn score(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        if question.chars().count() > READS {
            return Err(Error::new(Code::LimitExceeded, "the question is too long"));
        }
        Ok(passages.iter().map(|text| text.len() as f32).collect())
    }
}

/// A knowledge base in several scripts.
fn knowledge() -> (Engine, TempDir, TempDir) {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[
            (
                "log/storm.md",
                "# Storms\n\nThe storm \"Edda\" took the jetty (NOT the pier) in 1998.\n",
            ),
            (
                "press/风暴.txt",
                "这场风暴摧毁了港口的旧码头，市长说这是多年来最严重的一次。\n",
            ),
            (
                "mixed.md",
                "שלום. Café naïve ﬁle Ａ１ é, สวัสดี, ERR-404_b at C:\\temp\\*.log\n",
            ),
        ],
    );
    let (engine, _) = engine(home.path(), "");
    let engine = engine.with_reranker(Arc::new(ByLength));
    ingest(&engine, docs.path());
    (engine, home, docs)
}

/// Queries of every kind: any characters, pieces that mean something elsewhere, and long runs.
fn queries() -> impl Strategy<Value = String> {
    let any_text = |most: usize| {
        let characters = proptest::collection::vec(any::<char>(), 0..most);
        characters.prop_map(|all| all.into_iter().collect::<String>())
    };
    let piece = || prop_oneof![select(PIECES.to_vec()).prop_map(str::to_owned), any_text(4)];
    let runs = (piece(), 1..=LONGEST).prop_map(|(piece, times)| {
        let run = piece.repeat(times.min(LONGEST / piece.chars().count().max(1)));
        run.chars().take(LONGEST).collect()
    });
    prop_oneof![
        4 => any_text(80),
        4 => proptest::collection::vec(piece(), 0..40).prop_map(|all| all.concat()),
        1 => any_text(LONGEST),
        1 => runs,
    ]
}

fn query(text: &str, mode: Mode, filter: Filter) -> Query {
    Query {
        text: text.to_owned(),
        mode,
        limit: 5,
        filter,
    }
}

/// Searches in every mode.
#[track_caller]
fn search(engine: &Engine, text: &str) {
    for mode in MODES {
        let hits = engine.search(&query(text, mode, Filter::default()));
        let hits = hits.unwrap_or_else(|error| panic!("{mode:?} {text:?}: {}", error.one_line()));
        assert!(hits.len() <= 5);
        assert!(
            hits.iter().all(|hit| hit.score.is_finite()),
            "{mode:?} {text:?}"
        );
    }
}

#[test]
fn no_query_fails_because_of_its_characters() {
    let (engine, _home, _docs) = knowledge();
    let usual = Config::default();
    let mut runner = TestRunner::new(Config {
        cases: usual.cases / 4, // each is four searches
        max_shrink_iters: 200,
        ..usual
    });
    let outcome = runner.run(&queries(), |text| {
        search(&engine, &text);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_longest_queries_of_one_kind_do_not_fail() {
    let (engine, _home, _docs) = knowledge();
    let long = |piece: &str| piece.repeat(LONGEST / piece.chars().count());
    search(&engine, "");
    for piece in [
        "風",
        "风暴来了",
        "a",
        "storm ",
        "\"",
        "\"storm\" ",
        "( ",
        "\u{301}",
        "\u{fdfa}",
        "\0",
        "👩‍👩‍👧‍👦",
        "ERR-1_b ",
    ] {
        search(&engine, &long(piece));
    }
    // All different, so that none falls together with another.
    let run = ('\u{4e00}'..='\u{9fff}').take(LONGEST);
    search(&engine, &run.clone().collect::<String>());
    search(
        &engine,
        &format!("\"{}\"", run.take(LONGEST - 2).collect::<String>()),
    );
}

#[test]
fn a_question_that_is_read_in_parts_or_not_read_again_is_told() {
    let (engine, _home, _docs) = knowledge();
    let told = |text: &str| {
        let mut notes = Vec::new();
        let query = query(text, Mode::Rerank, Filter::default());
        let hits = engine.search_noting(&query, &mut |note| notes.push(note.to_owned()));
        assert_eq!(hits.unwrap()[0].source.path, "log/storm.md", "{text}");
        notes
    };
    assert_eq!(told("the storm at the jetty"), [""; 0]);
    let notes = told(&"the storm at the jetty ".repeat(60));
    let [parts, order] = notes.as_slice() else {
        panic!("{notes:?}");
    };
    assert!(parts.contains("64 tokens that `hash`"), "{parts}");
    assert!(order.contains("not read again"), "{order}");
}

#[test]
fn no_filter_panics_and_one_that_is_refused_says_why() {
    let (engine, _home, _docs) = knowledge();
    let usual = Config::default();
    let mut runner = TestRunner::new(Config {
        cases: usual.cases / 4,
        max_shrink_iters: 200,
        ..usual
    });
    let outcome = runner.run(&queries(), |text| {
        let only = || vec![text.clone()];
        let filters = [
            Filter {
                within: only(),
                ..Filter::default()
            },
            Filter {
                types: only(),
                ..Filter::default()
            },
            Filter {
                languages: only(),
                ..Filter::default()
            },
            Filter {
                tags: only(),
                ..Filter::default()
            },
        ];
        for (filter, may_be_refused) in filters.into_iter().zip([true, true, false, false]) {
            if let Err(error) = engine.search(&query("storm", Mode::Words, filter)) {
                prop_assert!(may_be_refused, "{}", error.one_line());
                prop_assert_eq!(error.code, Code::Usage, "{}", error.one_line());
                prop_assert!(error.fact.contains('`'), "{}", error.fact);
            }
        }
        let _: std::result::Result<Period, _> = text.parse();
        Ok(())
    });
    outcome.unwrap();
}
