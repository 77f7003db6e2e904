//! The fixtures are what their script writes and what their questions say.

use std::fs;
use std::process::Command;

use serde::Deserialize;

use crate::harness;

/// A line of `fixtures/questions.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Question {
    pub(crate) id: String,
    #[serde(rename = "question")]
    pub(crate) text: String,
    pub(crate) answers: Vec<String>,
    /// Path in `fixtures/kb`; empty where there is no answer.
    #[serde(default)]
    pub(crate) doc: String,
    pub(crate) page: Option<u64>,
    #[serde(default)]
    pub(crate) evidence: String,
    pub(crate) lang: String,
    pub(crate) answerable: bool,
    #[serde(default)]
    pub(crate) kind: String,
}

pub(crate) fn questions() -> Vec<Question> {
    let text = fs::read_to_string(harness::fixtures().join("questions.jsonl")).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// `text` without any white space: line ends mean nothing to a fact.
pub(crate) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn every_question_points_at_a_file_that_holds_its_answer() {
    let questions = questions();
    let mut ids: Vec<&str> = questions.iter().map(|q| q.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), questions.len(), "two questions share an id");

    for question in questions.iter().filter(|q| q.answerable) {
        let path = harness::fixtures().join("kb").join(&question.doc);
        let bytes = fs::read(&path).unwrap();
        let is_pdf = path.extension().is_some_and(|e| e == "pdf");
        assert_eq!(is_pdf, question.page.is_some(), "{}", question.id);
        // PDFs are held against their script below, the GB18030 file by the search tests.
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        if is_pdf {
            continue;
        }
        for fact in question.answers.iter().chain([&question.evidence]) {
            let holds = squeezed(&text).contains(&squeezed(fact));
            assert!(
                holds,
                "{}: `{fact}` is not in {}",
                question.id,
                path.display()
            );
        }
    }
}

#[test]
fn the_pdfs_are_what_their_script_writes() {
    let script = harness::fixtures().join("make_pdfs.py");
    match Command::new("python3").arg(script).arg("--check").output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => harness::note(&format!("no python3 ({error}): the PDFs were not checked")),
    }
}
