//! Answers without a language model: sentences of the documents, quoted as they stand.

use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::{Run, fixtures, library, list, string};

/// Every question of the fixtures, answered and judged by one run.
fn judged() -> &'static (Vec<Value>, Value) {
    static JUDGED: OnceLock<(Vec<Value>, Value)> = OnceLock::new();
    JUDGED.get_or_init(|| {
        let set = fixtures().join("questions.jsonl").display().to_string();
        let args = [
            "eval",
            "--queries",
            &set,
            "--answers",
            "extractive",
            "--details",
        ];
        let run = library().home.rag(&args).expect(0);
        let mut lines = run.lines();
        let summary = lines.pop().unwrap_or_default();
        (lines, summary["answers"].clone())
    })
}

fn extract(question: &str) -> Run {
    let home = &library().home;
    home.rag(&["ask", "--extractive", question, "--json"])
}

#[test]
fn most_questions_find_their_sentence_in_both_languages() {
    let (lines, scores) = judged();
    let figure = |name: &str| scores["metrics"][name].as_f64().unwrap();
    let wrong: Vec<String> = lines
        .iter()
        .map(|line| &line["judged"])
        .filter(|judged| judged["answerable"] == true && judged["right"] == false)
        .map(ToString::to_string)
        .collect();
    assert!(figure("right") >= 0.8, "{}", wrong.join("\n"));
    for lang in list(&scores["groups"]) {
        if string(&lang["name"]).starts_with("lang ") {
            assert!(lang["metrics"]["right"].as_f64().unwrap() >= 0.7, "{lang}");
        }
    }
    assert!(figure("citation_precision") >= 0.7, "{scores}");
}

#[test]
fn every_sentence_is_a_quote_and_has_its_number() {
    let mut seen = 0;
    for line in &judged().0 {
        let answer = &line["answer"];
        let citations = list(&answer["citations"]);
        for sentence in list(&answer["sentences"]) {
            let numbers = list(&sentence["citations"]);
            assert_eq!(numbers.len(), 1, "{sentence}");
            let quote = numbers[0]
                .as_u64()
                .and_then(|n| citations.get(usize::try_from(n).unwrap() - 1))
                .map(|citation| string(&citation["quote"]))
                .unwrap_or_default();
            let squeezed = |text: &str| {
                text.replace(" | ", "")
                    .split_whitespace()
                    .collect::<String>()
            };
            assert_eq!(squeezed(&string(&sentence["text"])), squeezed(&quote));
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn an_extract_is_said_to_be_one_and_costs_no_tokens() {
    let run = extract("What was the net profit of Skerry Line in 2025?").expect(0);
    let answer = run.json();
    assert_eq!(string(&answer["mode"]), "extractive", "{run}");
    assert!(
        string(&answer["answer"]).contains("214,000 crowns"),
        "{run}"
    );
    assert_eq!(answer["usage"]["prompt_tokens"], 0, "{run}");
    assert_eq!(answer["usage"]["generated_tokens"], 0, "{run}");
    assert!(list(&answer["sentences"]).len() <= 3, "{run}");
}

#[test]
fn what_the_documents_do_not_speak_of_is_refused_here_too() {
    let run = extract("What is the boiling point of tungsten?").expect(1);
    assert_eq!(run.json()["refused"], true, "{run}");
}

#[test]
fn who_has_no_language_model_is_told_what_goes_without_one() {
    let home = &library().home;
    let run = home
        .rag(&["ask", "What is it?", "--model", "never-heard-of"])
        .expect(2);
    assert!(run.stderr.contains("rag ask --extractive"), "{run}");
    let run = home
        .rag(&["ask", "What is it?", "--extractive", "--model", "x"])
        .expect(2);
    assert!(run.stderr.contains("--extractive"), "{run}");
}

#[test]
fn a_higher_threshold_answers_less_and_refuses_more() {
    let curve = list(&judged().1["curve"]);
    let points: Vec<(f64, f64)> = curve
        .iter()
        .map(|point| {
            let of = |name: &str| point[1][name].as_f64().unwrap();
            (of("answered"), of("refused_rightly"))
        })
        .collect();
    assert_eq!(points.len(), 20);
    assert!(
        points
            .windows(2)
            .all(|w| w[0].0 >= w[1].0 && w[0].1 <= w[1].1)
    );
    assert!(points[0].0 > points[19].0, "{points:?}");
}
