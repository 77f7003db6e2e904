//! A question set on disk: read whole, added to line by line, never written over.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rag_core::{Error, Result};
use serde::Serialize;

use crate::evaluate::{Evaluation, Gold};

/// A file of questions, one JSON object a line.
#[derive(Debug)]
pub struct QuestionFile {
    path: PathBuf,
    questions: Vec<Gold>,
    /// Whether the next line begins behind one that is not ended.
    is_open_line: bool,
}

/// Where a question comes from; written beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Origin<'a> {
    /// Name of the language model that wrote it.
    pub model: &'a str,
    /// Whether a person has looked at it and kept it.
    pub approved: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    gold: &'a Gold,
    kind: &'static str,
    #[serde(flatten)]
    origin: Origin<'a>,
}

impl QuestionFile {
    /// Opens the file at `path`, which need not be there yet.
    ///
    /// # Errors
    /// `Io` for a file that can't be read, `Malformed` for one that is no question set.
    pub fn open(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read", path, error)),
        };
        let set = Evaluation::parse(&text, Vec::new(), 0).map_err(|mut error| {
            error.fact = format!("`{}`: {}", path.display(), error.fact);
            error.hint("give another file with --queries FILE")
        })?;
        Ok(Self {
            path: path.to_owned(),
            questions: set.questions,
            is_open_line: !text.is_empty() && !text.ends_with('\n'),
        })
    }

    /// The questions that were in it when it was opened, and those added since.
    #[must_use]
    pub fn questions(&self) -> &[Gold] {
        &self.questions
    }

    /// Adds a question at the end.
    ///
    /// # Errors
    /// `Io` where the file or its folder can't be written.
    pub fn add(&mut self, gold: &Gold, origin: Origin<'_>) -> Result<()> {
        let failed = |cause| Error::io("write", &self.path, cause);
        if let Some(folder) = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            make_private(folder).map_err(failed)?;
        }
        let line = Line {
            gold,
            kind: "generated",
            origin,
        };
        let line = serde_json::to_string(&line).map_err(|cause| failed(cause.into()))?;
        let before = if self.is_open_line { "\n" } else { "" };
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(failed)?;
        file.write_all(format!("{before}{line}\n").as_bytes())
            .map_err(failed)?;
        self.is_open_line = false;
        self.questions.push(gold.clone());
        Ok(())
    }
}

/// Makes a folder that is not there yet, for its owner alone: questions quote documents.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use rag_core::Code;

    use super::*;

    fn gold(question: &str) -> Gold {
        Gold {
            id: "gen-1".into(),
            question: question.into(),
            answers: vec!["Bergen".into()],
            doc: Some("a.md".into()),
            ..Gold::default()
        }
    }

    const ORIGIN: Origin<'_> = Origin {
        model: "tiny",
        approved: true,
    };

    #[test]
    fn questions_are_added_and_what_was_there_stays_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/set.jsonl");
        let mut file = QuestionFile::open(&path).unwrap();
        assert!(!path.exists(), "nothing is made before there is a question");
        file.add(&gold("one?"), ORIGIN).unwrap();
        file.add(&gold("two?"), ORIGIN).unwrap();
        let mine = r#"{"id":"x","question":"mine?","note":"kept"}"#;
        let before = std::fs::read_to_string(&path).unwrap() + mine;
        std::fs::write(&path, &before).unwrap();

        let mut file = QuestionFile::open(&path).unwrap();
        let known: Vec<&str> = file
            .questions()
            .iter()
            .map(|q| q.question.as_str())
            .collect();
        assert_eq!(known, ["one?", "two?", "mine?"]);
        file.add(&gold("three?"), ORIGIN).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        assert!(after.starts_with(&format!("{before}\n")), "{after}");
        let last: serde_json::Value = serde_json::from_str(after.lines().last().unwrap()).unwrap();
        let expected = serde_json::json!({
            "id": "gen-1", "question": "three?", "answers": ["Bergen"], "doc": "a.md",
            "answerable": true, "kind": "generated", "model": "tiny", "approved": true,
        });
        assert_eq!(last, expected);
        assert_eq!(QuestionFile::open(&path).unwrap().questions().len(), 4);
    }

    #[test]
    fn a_file_that_is_no_question_set_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "Buy milk.\n").unwrap();
        let error = QuestionFile::open(&path).unwrap_err();
        assert_eq!(error.code, Code::Malformed);
        assert!(
            error.fact.contains("notes.txt") && error.fact.contains("line 1"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "Buy milk.\n");
    }
}
