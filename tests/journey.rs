//! Ingest, search, ask, status and forget on the fixtures, with the starter models.
//!
//! What a model writes is not compared word for word: facts, files, pages and quotes are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::fixtures::{Question, questions, squeezed};
use crate::harness::{
    Folder, Home, Run, fixtures, keys, library, list, rows, statuses, string, total, utf8,
};

// -- ingest -----------------------------------------------------------------------------------------

#[test]
fn every_file_has_a_row_and_is_read() {
    let report = library().run.json();
    assert_eq!(library().run.code, Some(0), "{}", library().run);
    let on_disk = files_below("");
    let rows = rows(&report);
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), on_disk);
    for (source, row) in &rows {
        // The reader has no Unicode for this PDF's half-width digits (Adobe-GB1 CIDs 814 and up). What
        // is lost must be said.
        let expected = if source == "中文/安全须知.pdf" {
            assert!(
                row.reason
                    .as_deref()
                    .unwrap()
                    .contains("could not be decoded")
            );
            "partly"
        } else {
            "read"
        };
        assert_eq!(row.status, expected, "{source}: {:?}", row.reason);
        assert!(row.chunks > 0, "{source}");
    }
    assert_eq!(
        total(&report, "read") + total(&report, "partly"),
        on_disk.len() as u64
    );
    let chunks: u64 = rows.values().map(|row| row.chunks).sum();
    assert_eq!(total(&report, "chunks"), chunks);
    assert_eq!(total(&report, "embedded"), chunks);
    assert!(total(&report, "tokens") > chunks);
    assert!(total(&report, "bytes") > 0);
}

/// The files below a folder of `fixtures/kb`, relative to it.
fn files_below(folder: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(fixtures().join("kb").join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        if entry.path().is_dir() {
            files.extend(files_below(&path));
        } else {
            files.insert(path);
        }
    }
    files
}

#[test]
fn broken_files_are_rows_with_reasons_and_the_rest_is_there() {
    let nested = format!(
        "<p>before</p>{}<p>the quokka is at the bottom</p>",
        "<div>".repeat(20_000)
    );
    let folder = Folder::new(&[
        (
            "good.md",
            "# Good\n\nThe wombat sleeps in the engine room.\n",
        ),
        ("nested.html", &nested),
    ]);
    for entry in fs::read_dir(fixtures().join("broken")).unwrap() {
        let path = entry.unwrap().path();
        let name = utf8(path.file_name().unwrap());
        folder.write(name, fs::read(&path).unwrap());
    }
    let home = Home::new();
    let run = home
        .rag(&["ingest", utf8(folder.path()), "--json"])
        .expect(2);
    let rows = rows(&run.json());
    for (source, allowed) in [
        ("good.md", &["read"][..]),
        ("nested.html", &["read", "partly", "failed"]),
        ("cut-off.pdf", &["partly", "failed"]),
        ("needs-password.pdf", &["failed"]),
        ("image-only.pdf", &["partly", "skipped", "failed"]),
        ("noise.pdf", &["skipped", "failed"]),
        ("header-then-noise.pdf", &["failed"]),
        ("binary-named.txt", &["skipped", "failed"]),
        ("empty.md", &["skipped", "failed", "read"]),
    ] {
        let row = rows
            .get(source)
            .unwrap_or_else(|| panic!("{source}\n{run}"));
        assert!(allowed.contains(&row.status.as_str()), "{source}: {row:?}");
        assert_eq!(
            row.reason.is_none(),
            row.status == "read",
            "{source}: {row:?}"
        );
        if row.status != "read" && row.status != "partly" {
            assert_eq!(row.chunks, 0, "{source}");
        }
    }
    assert_eq!(rows.len(), 9, "{run}");
    let password = rows["needs-password.pdf"]
        .reason
        .as_deref()
        .unwrap_or_default();
    assert!(password.contains("password"), "{password}");

    let hits = home.search("wombat", &["--mode", "words"]);
    assert_eq!(string(&hits[0]["source"]), "good.md");
    let secret = home.rag(&["search", "3391", "--mode", "words", "--json"]);
    secret.expect(1);
}

// -- ask --------------------------------------------------------------------------------------------

/// Questions that the starter generator, with 135 million parameters, can answer: two on Markdown, two
/// on pages of a PDF, one on a log. They prove the way from a question to a checked
/// citation, not the quality of answers.
const ASKED: &[&str] = &["en-04", "en-06", "en-08", "en-09", "en-12"];

/// Every question of [`ASKED`] with what `rag ask` said, asked once for all tests.
fn answers() -> &'static [(Question, Run)] {
    static ANSWERS: OnceLock<Vec<(Question, Run)>> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        let all = questions().into_iter();
        all.filter(|question| ASKED.contains(&question.id.as_str()))
            .map(|question| {
                let run = ask(&library().home, &question.text);
                (question, run)
            })
            .collect()
    })
}

fn ask(home: &Home, question: &str) -> Run {
    home.rag(&["ask", question, "--json", "--max-tokens", "96"])
}

#[test]
fn answers_cite_the_right_file_and_page() {
    let wrong: Vec<String> = answers()
        .iter()
        .filter(|(question, run)| {
            let answer = run.json();
            let right = |citation: &&Value| {
                let quote = squeezed(&string(&citation["quote"]));
                string(&citation["source"]) == question.doc
                    && question
                        .page
                        .is_none_or(|gold| citation["page"].as_u64() == Some(gold))
                    && question
                        .answers
                        .iter()
                        .any(|a| quote.contains(&squeezed(a)))
            };
            run.code != Some(0) || !list(&answer["citations"]).iter().any(|c| right(&c))
        })
        .map(|(question, run)| format!("{}\n{run}", question.id))
        .collect();
    // One miss is forgiven: arithmetic differs a little between machines, and so may a draft.
    assert!(wrong.len() <= 1, "{}", wrong.join("\n\n"));
}

#[test]
fn every_quote_stands_in_its_file_at_its_lines() {
    let mut checked = 0;
    for (_, run) in answers() {
        let answer = run.json();
        for (at, citation) in list(&answer["citations"]).iter().enumerate() {
            assert_eq!(citation["n"].as_u64(), Some(at as u64 + 1), "{run}");
            assert_eq!(citation["verified"], Value::Bool(true), "{run}");
            let source = string(&citation["source"]);
            let quote = squeezed(&string(&citation["quote"]));
            assert!(!quote.is_empty(), "{run}");
            checked += 1;
            // A PDF's text is compared by fact and page above; HTML has no lines of its own.
            let extension = Path::new(&source).extension().and_then(OsStr::to_str);
            if !matches!(extension, Some("md" | "txt")) {
                continue;
            }
            let Ok(text) = fs::read_to_string(fixtures().join("kb").join(&source)) else {
                continue; // the GB18030 file
            };
            let lines: Vec<usize> = list(&citation["lines"])
                .iter()
                .map(|line| usize::try_from(line.as_u64().unwrap()).unwrap())
                .collect();
            let cited: Vec<&str> = text
                .lines()
                .skip(lines[0] - 1)
                .take(lines[1] + 1 - lines[0])
                .collect();
            assert!(
                squeezed(&cited.join("\n")).contains(&quote),
                "{source}\n{run}"
            );
        }
    }
    assert!(checked > 0, "no answer cites anything");
}

#[test]
fn an_answer_has_every_field_of_the_contract() {
    let (_, run) = &answers()[0];
    let answer = run.json();
    for key in [
        "question",
        "mode",
        "answer",
        "refused",
        "refusal",
        "confidence",
        "sentences",
        "citations",
        "hits",
        "usage",
        "timings",
    ] {
        assert!(keys(&answer).contains(&key), "no `{key}`\n{run}");
    }
    assert!(!list(&answer["hits"]).is_empty(), "{run}");
    let citations = list(&answer["citations"]).len() as u64;
    for sentence in list(&answer["sentences"]) {
        assert_eq!(keys(sentence), ["citations", "text"], "{run}");
        for n in list(&sentence["citations"]) {
            assert!((1..=citations).contains(&n.as_u64().unwrap()), "{run}");
        }
    }
    for citation in list(&answer["citations"]) {
        for key in [
            "n", "source", "part", "page", "lines", "quote", "span", "areas", "verified",
        ] {
            assert!(keys(citation).contains(&key), "no `{key}`\n{run}");
        }
    }
    let usage = &answer["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0, "{run}");
    assert!(usage["generated_tokens"].as_u64().unwrap() > 0, "{run}");
    assert!(usage["dropped_passages"].is_u64(), "{run}");
}

#[test]
fn the_same_question_gets_the_same_answer() {
    let (question, first) = &answers()[0];
    let (first, second) = (first.json(), ask(&library().home, &question.text).json());
    for key in [
        "answer",
        "refused",
        "refusal",
        "sentences",
        "citations",
        "hits",
    ] {
        assert_eq!(first[key], second[key], "`{key}` differs");
    }
}

#[test]
fn what_the_documents_do_not_speak_of_is_refused() {
    let all = questions().into_iter();
    for question in all.filter(|question| question.kind == "off_corpus") {
        let run = ask(&library().home, &question.text).expect(1);
        let answer = run.json();
        assert_eq!(answer["refused"], Value::Bool(true), "{run}");
        let reason = string(&answer["refusal"]["reason"]);
        let known = ["no_hits", "weak_hits", "model_declined", "unsupported"];
        assert!(known.contains(&reason.as_str()), "{run}");
        assert!(!string(&answer["refusal"]["message"]).is_empty(), "{run}");
        assert_eq!(answer["citations"], Value::Array(Vec::new()), "{run}");
    }
}

// -- status and forget --------------------------------------------------------------------------------

#[test]
fn status_counts_what_is_there() {
    let report = library().run.json();
    let run = library().home.rag(&["status", "--json"]).expect(0);
    let status = run.json();
    for key in ["kb", "embedder", "sources", "chunks", "bytes_on_disk"] {
        assert!(keys(&status).contains(&key), "no `{key}`\n{run}");
    }
    assert_eq!(string(&status["kb"]), "default");
    assert_eq!(
        status["sources"].as_u64(),
        Some(files_below("").len() as u64)
    );
    assert_eq!(status["chunks"].as_u64(), Some(total(&report, "chunks")));
}

#[test]
fn knowledge_bases_do_not_know_one_another() {
    let folder = Folder::new(&[("a.md", "The pangolin is on the bridge.\n")]);
    let other = Folder::new(&[("b.md", "The okapi is in the galley.\n")]);
    let home = Home::new();
    home.rag(&["--kb", "one", "ingest", utf8(folder.path())])
        .expect(0);
    home.rag(&["--kb", "two", "ingest", utf8(other.path())])
        .expect(0);
    let found = |kb: &str, word: &str| {
        home.rag(&["--kb", kb, "search", word, "--mode", "words"])
            .code
            == Some(0)
    };
    assert!(found("one", "pangolin") && found("two", "okapi"));
    assert!(!found("one", "okapi") && !found("two", "pangolin"));
}

#[test]
fn a_forgotten_file_stops_answering_until_it_is_ingested_again() {
    let folder = fixtures().join("kb/prices");
    let home = Home::new();
    home.ingest(&folder);
    let found = || -> BTreeSet<String> {
        let hits = home.search("season ticket for all routes", &["--limit", "20"]);
        hits.iter().map(|hit| string(&hit["source"])).collect()
    };
    let both = BTreeSet::from(["fares-2025.md".to_owned(), "fares-2026.md".to_owned()]);
    assert_eq!(found(), both);

    let path = folder.join("fares-2026.md");
    let run = home.rag(&["forget", utf8(&path), "--json"]).expect(0);
    assert_eq!(statuses(&run.json())["fares-2026.md"], "removed", "{run}");
    assert_eq!(found(), BTreeSet::from(["fares-2025.md".to_owned()]));
    assert_eq!(home.at_rest().sources, 1);

    let again = statuses(&home.ingest(&folder));
    assert_eq!(again["fares-2026.md"], "read");
    assert_eq!(again["fares-2025.md"], "unchanged");
    assert_eq!(found(), both);
}
