//! Evaluating: question sets on folders and knowledge bases, bounds for scripts, drafting, and queries of
//! any characters with the real embedder.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Folder, Home, list, string, utf8};

const HERON: &str = "# Birds\n\nThe heron waits on the pier at low tide. She has waited there since 1998, \
    and the keeper of the light feeds her the small fish that the boats throw away in the evening.\n";
const OTTER: &str = "# Lock\n\nThe otter swims in the lock in winter, when the gates stand open and the \
    water is warmer than in the river. The lock was built by Anders Holm for the coal barges in 1861.\n";

/// A knowledge base of two files, and a question set that names one answer rightly.
fn shore() -> (Home, Folder) {
    let folder = Folder::new(&[("a.md", HERON), ("b.md", OTTER)]);
    let home = Home::new();
    home.ingest(folder.path());
    let set = [
        json!({"id": "a", "question": "Where does the heron wait?", "answers": ["pier"], "doc": "a.md"}),
        json!({"id": "b", "question": "Where does the otter swim?", "answers": ["moon"], "doc": "b.md"}),
    ];
    let lines: Vec<String> = set.iter().map(ToString::to_string).collect();
    folder.write("set.jsonl", lines.join("\n") + "\n");
    (home, folder)
}

fn set_of(folder: &Folder) -> String {
    utf8(&folder.path().join("set.jsonl")).to_owned()
}

#[test]
fn a_knowledge_base_is_scored_as_it_is() {
    let (home, folder) = shore();
    let set = set_of(&folder);
    folder.write("c.md", "Not ingested.\n");
    let args = [
        "eval",
        "--queries",
        &set,
        "--mode",
        "words,hybrid",
        "--json",
    ];
    let run = home.rag(&args).expect(0);
    let summary = run.json();
    assert_eq!(string(&summary["kb"]), "default", "{run}");
    assert_eq!(summary["ingest"], Value::Null, "{run}");
    for scores in list(&summary["scores"]) {
        assert_eq!(
            scores["metrics"]["recall_at_5"].as_f64(),
            Some(0.5),
            "{run}"
        );
    }
    assert_eq!(home.at_rest().sources, 2, "nothing was ingested");

    let run = home.rag(&["eval", "--mode", "words"]).expect(2);
    assert!(run.stderr.contains("--generate 20"), "{run}");
    let run = home
        .rag(&["--kb", "nowhere", "eval", "--queries", &set])
        .expect(2);
    assert!(run.stderr.contains("`nowhere`"), "{run}");
}

#[test]
fn a_missed_bound_is_exit_code_1_and_is_named() {
    let (home, folder) = shore();
    let set = set_of(&folder);
    let run = |bounds: &[&str]| {
        let args = ["eval", "--queries", &set, "--mode", "words"];
        home.rag(&[&args[..], bounds].concat())
    };
    let kept = run(&["--min", "recall@5=0.5", "--max", "zero=0"]).expect(0);
    assert!(!kept.stderr.contains("missed"), "{kept}");
    let missed = run(&["--min", "recall@1=0.4", "--min", "words:recall@5=0.9"]).expect(1);
    assert!(
        missed
            .stderr
            .contains("missed: words recall@5 is 0.500, not at least 0.9"),
        "{missed}"
    );
    assert_eq!(missed.stderr.matches("missed").count(), 1, "{missed}");
    assert!(
        missed.stdout.contains("R@5"),
        "the table is there all the same\n{missed}"
    );
    let json = run(&["--min", "mrr=1", "--json"]).expect(1).json();
    let expected =
        json!([{"mode": "words", "figure": "mrr", "is": 0.5, "side": "min", "bound": 1.0}]);
    assert_eq!(json["missed"], expected);
    let wrong = run(&["--min", "hybrid:mrr=0.5"]).expect(2);
    assert!(wrong.stderr.contains("--mode hybrid"), "{wrong}");
    let wrong = run(&["--min", "recall=0.5"]).expect(2);
    assert!(wrong.stderr.contains("recall@10"), "{wrong}");
}

#[test]
fn drafted_questions_are_added_to_the_set_and_every_draw_is_accounted_for() {
    let (home, folder) = shore();
    let set = set_of(&folder);
    let before = fs::read_to_string(&set).unwrap();
    let args = [
        "eval",
        "--queries",
        &set,
        "--generate",
        "1",
        "--yes",
        "--json",
    ];
    let run = home.rag(&args);
    let report = run.json();
    let count = |name: &str| report["tally"][name].as_u64().unwrap();
    let discarded = report["tally"]["discarded"].as_object().unwrap();
    let discarded: u64 = discarded.values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(count("tried"), count("drafted") + discarded, "{run}");
    assert_eq!(
        count("drawn"),
        count("tried") + count("without_text"),
        "{run}"
    );
    let written = report["written"].as_u64().unwrap();
    assert_eq!(written, count("drafted"), "{run}");
    let run = run.expect(i32::from(written == 0));
    let said = format!("{written} of 1 questions written");
    assert!(run.stderr.contains(&said), "{run}");

    let after = fs::read_to_string(&set).unwrap();
    let added = after.strip_prefix(&before).expect("what was there stays");
    let added: Vec<Value> = added
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(added.len() as u64, written, "{run}");
    for question in &added {
        let file = fs::read_to_string(folder.path().join(string(&question["doc"]))).unwrap();
        assert!(
            file.contains(&string(&question["answers"][0])),
            "{question}"
        );
        assert!(string(&question["question"]).ends_with('?'), "{question}");
        assert_eq!(
            question["approved"],
            Value::Bool(false),
            "nobody looked at it"
        );
    }
    home.rag(&["eval", "--queries", &set, "--mode", "words"])
        .expect(0);
}

#[test]
fn a_file_that_is_no_question_set_is_never_added_to() {
    let (home, folder) = shore();
    folder.write("notes.txt", "Buy milk.\n");
    let notes = folder.path().join("notes.txt");
    let args = [
        "eval",
        "--queries",
        utf8(&notes),
        "--generate",
        "1",
        "--yes",
    ];
    let run = home.rag(&args).expect(2);
    assert!(run.stderr.contains("notes.txt"), "{run}");
    assert_eq!(fs::read_to_string(notes).unwrap(), "Buy milk.\n");
}

// -- any characters, with the real embedder ----------------------------------------------------------

/// Texts of any characters, the same each time.
fn any_texts(count: usize) -> Vec<String> {
    let pieces = [
        "\"",
        "'",
        " AND ",
        " OR ",
        " NOT ",
        "*",
        "(",
        ")",
        "~",
        "^",
        ":",
        "\\",
        "\0",
        "\n",
        "\u{1b}[0m",
        "\u{301}",
        "\u{202e}",
        "\u{200d}",
        "\u{fdfa}",
        "\u{378}",
        "heron ",
        "蒼鷺",
        "שלום",
        "สวัสดี",
        "👩‍👩‍👧‍👦",
    ];
    let mut state = 1_u64;
    let mut next = move |below: u32| {
        // Knuth's generator of MMIX; its high bits are good enough to choose by.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(below)) as u32
    };
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = next(60);
        let text: String = (0..length)
            .map(|_| match next(3) {
                0 => pieces[next(pieces.len() as u32) as usize].to_owned(),
                1 => char::from_u32(next(0x11_0000)).map_or_else(String::new, String::from),
                _ => char::from_u32(0x20 + next(0x5f)).map_or_else(String::new, String::from),
            })
            .collect();
        texts.push(text);
    }
    texts
}

#[test]
fn the_real_embedder_takes_hundreds_of_queries_of_any_characters_and_of_any_length() {
    let (home, folder) = shore();
    let long = ["風", "\"", "The heron waits on the pier. "];
    let long = long
        .iter()
        .map(|piece| piece.repeat(10_000 / piece.chars().count()));
    let texts: Vec<String> = any_texts(300).into_iter().chain(long).collect();
    let line = |(id, text): (usize, &String)| {
        let id = id.to_string();
        json!({"id": id, "question": text, "doc": "a.md", "answers": ["pier"]}).to_string()
    };
    let set: Vec<String> = texts.iter().enumerate().map(line).collect();
    folder.write("any.jsonl", set.join("\n"));
    let any = folder.path().join("any.jsonl");
    let run = home
        .rag(&["eval", "--queries", utf8(&any), "--json"])
        .expect(0);
    for scores in list(&run.json()["scores"]) {
        let asked = scores["metrics"]["questions"].as_u64();
        assert_eq!(asked, Some(texts.len() as u64), "{run}");
    }
}

#[test]
fn a_question_longer_than_the_models_read_is_searched_whole_and_that_is_said() {
    let (home, _folder) = shore();
    let question = format!(
        "{}where does the heron wait",
        "the keeper of the light ".repeat(80)
    );
    let hits = home.search(&question, &["--mode", "vector", "--limit", "1"]);
    assert_eq!(string(&hits[0]["source"]), "a.md");
    let rerank = [
        "--mode",
        "rerank",
        "--reranker",
        "likelihood",
        "--limit",
        "1",
    ];
    let args = [&["search", &question[..], "--json"], &rerank[..]].concat();
    let run = home.rag(&args).expect(0);
    assert!(
        run.stderr
            .contains("note: the question is longer than the 254 tokens"),
        "{run}"
    );
    let json = run.json();
    assert!(string(&json["notes"][0]).contains("parts"), "{json}");
}

#[test]
fn the_language_model_reranks_by_how_likely_it_finds_the_question() {
    let (home, _folder) = shore();
    let options = ["--mode", "rerank", "--reranker", "likelihood"];
    let hits = home.search("Who built the lock for the coal barges?", &options);
    assert_eq!(string(&hits[0]["source"]), "b.md");
    let reason = &hits[0]["why"]["rerank"];
    assert_eq!(reason["rank"].as_u64(), Some(1), "{reason}");
}
