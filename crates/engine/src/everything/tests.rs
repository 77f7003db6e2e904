//! Counts over everything, held against documents whose counts are known.

use rag_core::AnswerMode;
use tempfile::TempDir;

use super::*;
use crate::testing::{engine, files, ingest};

const LOG: &str = "# Log\n\nThe storm took the jetty. A second storm followed the first storm.\n\n\
                   The harbour master counted 101 storms.\n";

/// Documents in both scripts, many of them.
fn knowledge() -> (Engine, TempDir, TempDir) {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[
            ("log/storm.md", LOG),
            ("log/calm.md", "No wind. The jetty stands.\n"),
            (
                "press/风暴.txt",
                "风暴摧毁了码头。市长说，这场風暴最严重。\n",
            ),
            ("press/wide.txt", "ＳＴＯＲＭ warning for all.\n"),
        ],
    );
    let day = |n| {
        format!(
            "## Day {n}

Wind force {n}, seen by keeper Vale at noon.

"
        )
    };
    let many: Vec<String> = (0..40).map(day).collect();
    files(docs.path(), &[("days.md", &many.concat())]);
    let (engine, _) = engine(home.path(), "");
    ingest(&engine, docs.path());
    (engine, home, docs)
}

fn ask(engine: &Engine, question: &str, filter: &Filter) -> Answer {
    let asked = Asked::told(question).unwrap();
    engine.ask_everything(question, &asked, filter).unwrap()
}

#[test]
fn every_place_is_counted_and_its_quote_verified() {
    let (engine, _home, docs) = knowledge();
    let answer = ask(
        &engine,
        "Which documents mention storms?",
        &Filter::default(),
    );
    assert_eq!(answer.mode, AnswerMode::Everything);
    let counts = answer.everything.clone().unwrap();
    assert_eq!((counts.sources, counts.places, counts.mentions), (2, 4, 5));
    assert_eq!(counts.searched, 5);
    let first = "2 of 5 documents mention “storms”, in 4 places, 5 mentions in all.";
    assert_eq!(answer.text.lines().next(), Some(first));
    let by_source: Vec<_> = counts
        .by_source
        .iter()
        .map(|s| (s.source.as_str(), s.mentions))
        .collect();
    assert_eq!(by_source, [("log/storm.md", 4), ("press/wide.txt", 1)]);
    for citation in &answer.citations {
        let file = std::fs::read_to_string(docs.path().join(&citation.source)).unwrap();
        assert_eq!(citation.span.slice(&file), citation.quote);
        assert!(citation.verified);
    }
    assert_eq!(answer.citations[2].lines.map(|lines| lines.first), Some(5));
    assert_eq!(answer.cited.len(), answer.citations.len());
}

#[test]
fn more_places_are_counted_than_any_search_returns() {
    let (engine, _home, _docs) = knowledge();
    let answer = ask(&engine, "How often is Vale mentioned?", &Filter::default());
    let counts = answer.everything.unwrap();
    assert_eq!(
        (counts.sources, counts.places, counts.mentions),
        (1, 40, 40)
    );
    assert_eq!(answer.citations.len(), 40);
}

#[test]
fn either_script_finds_the_other() {
    let (engine, _home, _docs) = knowledge();
    for question in ["哪些文档提到风暴？", "哪些檔案提到風暴？"] {
        let answer = ask(&engine, question, &Filter::default());
        let counts = answer.everything.unwrap();
        assert_eq!((counts.sources, counts.places), (1, 2), "{question}");
        assert!(
            answer.text.starts_with("5 份文档中有 1 份提到"),
            "{}",
            answer.text
        );
    }
}

#[test]
fn a_filter_says_which_documents_are_counted() {
    let (engine, _home, _docs) = knowledge();
    let filter = Filter {
        within: vec!["press/".into()],
        ..Filter::default()
    };
    let counts = ask(&engine, "Which documents mention storms?", &filter)
        .everything
        .unwrap();
    assert_eq!((counts.sources, counts.searched), (1, 2));
}

#[test]
fn words_that_stand_nowhere_together_are_looked_for_in_one_sentence_and_it_is_said() {
    let (engine, _home, _docs) = knowledge();
    let answer = ask(
        &engine,
        "Which files mention the jetty storm?",
        &Filter::default(),
    );
    let counts = answer.everything.unwrap();
    assert_eq!(counts.standing, Standing::InOneSentence);
    assert_eq!((counts.sources, counts.places), (1, 1));
    assert!(
        answer.notes[0].contains("jetty, storm"),
        "{:?}",
        answer.notes
    );
    let quoted = ask(
        &engine,
        "Which files mention \"jetty storm\"?",
        &Filter::default(),
    );
    assert_eq!(quoted.everything.unwrap().places, 0);
}

#[test]
fn nothing_is_an_answer() {
    let (engine, _home, _docs) = knowledge();
    let answer = ask(
        &engine,
        "Which documents mention whales?",
        &Filter::default(),
    );
    assert_eq!(answer.text, "“whales” stands in none of 5 documents.");
    assert!(answer.refused.is_none() && answer.citations.is_empty());
}

#[test]
fn what_is_in_the_index_and_no_more_in_the_files_is_told_and_not_counted() {
    let (engine, _home, docs) = knowledge();
    std::fs::remove_file(docs.path().join("press/wide.txt")).unwrap();
    files(
        docs.path(),
        &[("log/storm.md", "New.\n\nThe storm took the jetty.\n")],
    );
    let answer = ask(
        &engine,
        "Which documents mention storms?",
        &Filter::default(),
    );
    let counts = answer.everything.unwrap();
    assert_eq!((counts.sources, counts.places), (1, 1));
    assert!(answer.citations[0].note.is_some());
    let lost: Vec<_> = counts
        .lost
        .iter()
        .map(|lost| (lost.source.as_str(), lost.places))
        .collect();
    assert_eq!(lost, [("log/storm.md", 2), ("press/wide.txt", 1)]);
    assert_eq!(answer.notes.len(), 2);
}
