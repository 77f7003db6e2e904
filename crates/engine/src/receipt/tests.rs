//! Receipts: written, read again, damaged, and held against files that change.

use rag_core::RefusalReason;
use tempfile::TempDir;

use super::*;
use crate::testing::{engine, files, ingest};

const FLEET: &str = "# Fleet\n\nThe Tern was built in Bergen in 1978. She carries 60 passengers.\n";
const SCRIPT: &str = "The Tern was built in Bergen. She carries 60 passengers.";

fn question() -> Question {
    Question {
        text: "Where was the Tern built?".into(),
        mode: AnswerMode::Generated,
        limit: 5,
        filter: Filter::default(),
        sampling: Sampling {
            seed: 7,
            ..Sampling::greedy(100)
        },
    }
}

fn model() -> UsedModel {
    UsedModel {
        name: "script".into(),
        identity: "sha256:1".into(),
    }
}

/// A knowledge base, an answer from it and its receipt, which has been in a file.
fn receipt() -> (Engine, Receipt, TempDir, TempDir) {
    let (home, docs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(
        docs.path(),
        &[("fleet.md", FLEET), ("shop.md", "The shop sells tea.\n")],
    );
    let (engine, _) = engine(home.path(), SCRIPT);
    ingest(&engine, docs.path());
    let answer = engine.ask(&question(), &mut |_| {}).unwrap();
    assert_eq!(answer.citations.len(), 2);
    let text = engine
        .receipt(&question(), None, &answer, Some(model()))
        .to_text()
        .unwrap();
    let receipt = Receipt::from_text("r.json", &text).unwrap();
    (engine, receipt, home, docs)
}

fn states(engine: &Engine, receipt: &Receipt) -> Vec<Stands> {
    let verified = engine.verify(receipt).unwrap();
    verified
        .citations
        .iter()
        .map(|checked| checked.stands)
        .collect()
}

#[test]
fn a_receipt_holds_what_is_needed_to_ask_again() {
    let (engine, receipt, _home, _docs) = receipt();
    assert_eq!(receipt.question(), question());
    assert_eq!(
        receipt.settings().passage_tokens,
        engine.settings.passage_tokens
    );
    assert_eq!(receipt.sources.len(), 1);
    assert_eq!(
        receipt.sources[0].hash.as_deref(),
        Some(receipt.sources[0].indexed.as_str())
    );
    let answer = engine.ask(&receipt.question(), &mut |_| {}).unwrap();
    let again = engine.compared(&receipt, &answer, Some(&model()));
    assert!(again.same && again.differs.is_empty(), "{again:?}");
}

#[test]
fn another_answer_from_other_models_and_files_is_told_as_such() {
    let (engine, receipt, _home, docs) = receipt();
    files(
        docs.path(),
        &[(
            "fleet.md",
            "# Fleet\n\nThe Tern was built in Oslo in 1978.\n",
        )],
    );
    ingest(&engine, docs.path());
    let answer = engine.ask(&receipt.question(), &mut |_| {}).unwrap();
    let again = engine.compared(&receipt, &answer, None);
    assert!(!again.same);
    assert_eq!(
        again.refusal.map(|refusal| refusal.reason),
        Some(RefusalReason::Unsupported)
    );
    assert_eq!(
        again.differs,
        ["the language model is not the same", "fleet.md has changed"]
    );
}

#[test]
fn quotes_are_true_moved_changed_or_gone() {
    let (engine, receipt, _home, docs) = receipt();
    assert_eq!(states(&engine, &receipt), [Stands::True, Stands::True]);

    // Something else in the file has changed, behind the quotes.
    files(docs.path(), &[("fleet.md", &format!("{FLEET}\nMore.\n"))]);
    assert_eq!(states(&engine, &receipt), [Stands::True, Stands::True]);

    files(
        docs.path(),
        &[(
            "fleet.md",
            "New.\n\nThe Tern was built in Bergen in 1978. She carries 65 passengers.\n",
        )],
    );
    let verified = engine.verify(&receipt).unwrap();
    assert_eq!((verified.moved, verified.changed), (1, 1));
    let now = verified.citations[0].now.as_ref().unwrap();
    assert_eq!(
        (now.source.as_str(), now.lines.map(|lines| lines.first)),
        ("fleet.md", Some(3))
    );
    assert!(!verified.holds());

    std::fs::remove_file(docs.path().join("fleet.md")).unwrap();
    assert_eq!(states(&engine, &receipt), [Stands::Gone, Stands::Gone]);
}

#[test]
fn a_file_that_lies_elsewhere_now_is_found_by_its_bytes() {
    let (engine, receipt, _home, docs) = receipt();
    let to = docs.path().join("old/ships.md");
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::rename(docs.path().join("fleet.md"), &to).unwrap();
    assert_eq!(states(&engine, &receipt), [Stands::Gone, Stands::Gone]);
    ingest(&engine, docs.path());
    let verified = engine.verify(&receipt).unwrap();
    assert_eq!(verified.moved, 2);
    assert!(verified.holds());
    assert!(
        verified.citations[0]
            .now
            .as_ref()
            .unwrap()
            .source
            .ends_with("old/ships.md")
    );
}

#[test]
fn damage_and_newer_formats_are_told_apart() {
    let (_engine, receipt, _home, _docs) = receipt();
    let text = sealed_anew(receipt.clone());
    let code =
        |text: &str| Receipt::from_text("r.json", text).map_err(|error| (error.code, error.fact));
    assert_eq!(code(&text).unwrap().answer, receipt.answer);

    let (kind, fact) = code(&text.replace("Bergen", "Boston")).unwrap_err();
    assert_eq!(kind, Code::Malformed);
    assert!(fact.contains("not as it was written"), "{fact}");
    for none in ["", "{}", "not json", &text[..text.len() / 2]] {
        let (kind, fact) = code(none).unwrap_err();
        assert_eq!(kind, Code::Malformed);
        assert!(fact.contains("is not a receipt"), "{fact}");
    }
    let (kind, fact) = code(&text.replace("\"rag_receipt\": 1", "\"rag_receipt\": 2")).unwrap_err();
    assert_eq!(kind, Code::Incompatible);
    assert!(fact.contains("format 2; this version reads 1"), "{fact}");
    // White space and the order of fields do not matter.
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(code(&value.to_string()).is_ok());
}

/// The text of a receipt that has its seal already.
fn sealed_anew(mut receipt: Receipt) -> String {
    receipt.seal.clear();
    receipt.to_text().unwrap()
}

#[test]
fn a_count_can_be_checked_and_asked_again() {
    let (engine, _, _home, docs) = receipt();
    let text = "Which documents mention passengers?";
    let asked = Asked::of(text).unwrap();
    let answer = engine
        .ask_everything(text, &asked, &Filter::default())
        .unwrap();
    let put = Question {
        text: text.into(),
        mode: AnswerMode::Everything,
        ..question()
    };
    let receipt = engine.receipt(&put, Some(&asked), &answer, None);
    assert_eq!(receipt.asked.everything, Some(asked.clone()));
    assert_eq!(states(&engine, &receipt), [Stands::True]);
    files(docs.path(), &[("more.md", "No passengers today.\n")]);
    ingest(&engine, docs.path());
    let answer = engine
        .ask_everything(text, &asked, &Filter::default())
        .unwrap();
    assert!(!engine.compared(&receipt, &answer, None).same);
}
