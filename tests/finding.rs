//! Finding: questions, filters, reasons and scores.

use serde_json::Value;

use crate::fixtures::{Question, questions, squeezed};
use crate::harness::{Folder, Home, keys, library, list, string, utf8};

#[test]
fn english_questions_find_their_documents() {
    at_least_four_of_five_find_their_document(&asked_in("en"), &[]);
}

#[test]
fn chinese_questions_find_their_documents_by_words() {
    at_least_four_of_five_find_their_document(&asked_in("zh"), &["--mode", "words"]);
}

fn asked_in(language: &str) -> Vec<Question> {
    let all = questions().into_iter();
    all.filter(|q| q.answerable && q.lang.starts_with(language))
        .collect()
}

fn at_least_four_of_five_find_their_document(questions: &[Question], options: &[&str]) {
    let options = [options, &["--limit", "5"]].concat();
    let missed: Vec<&str> = questions
        .iter()
        .filter(|question| {
            let hits = library().home.search(&question.text, &options);
            assert!(hits.len() <= 5);
            !hits.iter().any(|hit| is_gold(question, hit))
        })
        .map(|question| question.id.as_str())
        .collect();
    assert!(
        missed.len() * 5 <= questions.len(),
        "missed {missed:?} of {}",
        questions.len()
    );
}

/// The right file and page, and the answer in the text.
fn is_gold(question: &Question, hit: &Value) -> bool {
    let page = |name: &str| hit[name].as_u64();
    let on_page = question.page.is_none_or(|gold| {
        page("page").is_some_and(|first| first <= gold)
            && page("page_end").is_some_and(|last| gold <= last)
    });
    let text = squeezed(&string(&hit["text"]));
    let answered = question.answers.iter().any(|a| text.contains(&squeezed(a)));
    string(&hit["source"]) == question.doc && on_page && answered
}

#[test]
fn a_fact_in_a_gb18030_file_and_in_pdfs_without_embedded_fonts_is_found() {
    for id in ["zh-04", "zh-05", "zh-09"] {
        let question = questions().into_iter().find(|q| q.id == id).unwrap();
        let hits = library()
            .home
            .search(&question.evidence, &["--mode", "words", "--limit", "1"]);
        assert!(is_gold(&question, &hits[0]), "{id}: {}", hits[0]);
    }
}

#[test]
fn the_menu_the_script_and_the_style_of_a_page_are_not_its_text() {
    let hits = library().home.search("zanzibar", &["--mode", "words"]);
    assert_eq!(hits, Vec::<Value>::new());
}

#[test]
fn a_hit_says_where_it_stands_and_why_it_was_found() {
    let hits = library().home.search("fire pump pressure", &[]);
    for (at, hit) in hits.iter().enumerate() {
        assert_eq!(hit["rank"].as_u64(), Some(at as u64 + 1));
        for key in [
            "rank",
            "source",
            "part",
            "page",
            "page_end",
            "lines",
            "heading",
            "span",
            "text",
            "table_header",
            "score",
            "why",
        ] {
            assert!(keys(hit).contains(&key), "no `{key}` in {hit}");
        }
        assert_eq!(
            keys(&hit["why"]),
            ["repeats", "rerank", "vector", "words"],
            "{hit}"
        );
        assert_eq!(list(&hit["span"]).len(), 2, "{hit}");
        let why = &hit["why"];
        assert!(!why["vector"].is_null() || !why["words"].is_null(), "{hit}");
    }
    // What nearly repeats a better hit stands behind, whatever its score.
    let own = hits.iter().filter(|hit| hit["why"]["repeats"].is_null());
    let by_score: Vec<f64> = own.map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(by_score.is_sorted_by(|a, b| a >= b), "{by_score:?}");

    let by_words = library().home.search("pump", &["--mode", "words"]);
    assert!(by_words.iter().all(|hit| hit["why"]["vector"].is_null()));
    let by_vector = library()
        .home
        .search("a broken lift", &["--mode", "vector", "--limit", "3"]);
    assert!(by_vector.iter().all(|hit| hit["why"]["words"].is_null()));
    assert_eq!(by_vector.len(), 3);
}

#[test]
fn a_question_set_is_scored_and_every_question_can_be_seen() {
    let folder = Folder::new(&[(
        "queries.jsonl",
        concat!(
            r#"{"id": "a", "question": "Where does the heron wait?", "answers": ["pier"], "doc": "a.md"}"#,
            "\n",
            r#"{"id": "b", "question": "Where does the otter swim?", "answers": ["moon"], "doc": "b.md"}"#,
            "\n",
        ),
    )]);
    folder.write("a.md", "The heron waits on the pier.\n");
    folder.write("b.md", "The otter swims in the lock.\n");
    let run = Home::new()
        .rag(&[
            "eval",
            utf8(folder.path()),
            "--mode",
            "words,hybrid",
            "--json",
            "--details",
        ])
        .expect(0);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, asked) = lines.split_last().unwrap();
    let expected = [
        ("words", "a", "a.md"),
        ("words", "b", "b.md"),
        ("hybrid", "a", "a.md"),
        ("hybrid", "b", "b.md"),
    ];
    assert_eq!(asked.len(), expected.len(), "{run}");
    for (line, (mode, id, source)) in asked.iter().zip(expected) {
        assert_eq!(keys(line), ["hits", "id", "mode", "took_ms"], "{run}");
        assert_eq!(string(&line["mode"]), mode);
        assert_eq!(string(&line["id"]), id);
        assert_eq!(string(&line["hits"][0]["source"]), source, "{run}");
    }
    // The second answer stands nowhere: half of the questions is right, in both modes.
    for scores in summary["scores"].as_array().unwrap() {
        let metrics = &scores["metrics"];
        assert_eq!(metrics["questions"].as_u64(), Some(2), "{run}");
        assert_eq!(metrics["recall_at_5"].as_f64(), Some(0.5), "{run}");
    }
    let against = &summary["scores"][1]["against_first"];
    assert_eq!(against["only_first"].as_u64(), Some(0), "{run}");
}

// -- filters ----------------------------------------------------------------------------------------

/// A knowledge base of storms in several places, formats and languages.
fn storms() -> (Home, Folder) {
    let folder = Folder::new(&[
        (
            "log/1998.md",
            "---\ndate: 1998-01-17\ntags: [sea/storms, log]\n---\n\nThe storm took the jetty.\n",
        ),
        (
            "log/2026.md",
            "---\ndate: 2026-02-03\n---\n\nThe storm took the lamp of the pier.\n",
        ),
        (
            "press/report.html",
            "<html><p>The storm was the worst in years, said the mayor of the town.",
        ),
        (
            "press/风暴.txt",
            "这场风暴摧毁了港口的旧码头，市长说这是多年来最严重的一次。storm\n",
        ),
    ]);
    let home = Home::new();
    home.ingest(folder.path());
    (home, folder)
}

#[test]
fn a_filter_chooses_the_files_before_the_best_are_taken() {
    let (home, _folder) = storms();
    let found = |options: &[&str]| {
        let options = [options, &["--mode", "words", "--limit", "1"]].concat();
        let hits = home.search("storm", &options);
        let sources = hits.iter().map(|hit| string(&hit["source"]));
        sources.collect::<Vec<String>>()
    };
    assert_eq!(
        found(&["--in", "press/", "--type", "html"]),
        ["press/report.html"]
    );
    assert_eq!(found(&["--tag", "sea"]), ["log/1998.md"]);
    assert_eq!(
        found(&["--since", "2026-02", "--until", "2026-02-03"]),
        ["log/2026.md"]
    );
    assert_eq!(found(&["--lang", "zh"]), ["press/风暴.txt"]);
    assert_eq!(found(&["--in", "*.md", "--until", "1998"]), ["log/1998.md"]);
    assert_eq!(found(&["--in", "nowhere/"]), [""; 0]);
    let vector = home.search(
        "storm",
        &["--mode", "vector", "--in", "press/", "--limit", "9"],
    );
    assert_eq!(vector.len(), 2, "{vector:?}");
}

#[test]
fn a_filter_that_can_fit_nothing_is_an_error_that_says_what_there_is() {
    let (home, _folder) = storms();
    let run = home.rag(&["search", "storm", "--mode", "words", "--type", "pages"]);
    let run = run.expect(2);
    assert!(run.stderr.contains("`pages`"), "{run}");
    assert!(run.stderr.contains("html, md, txt"), "{run}");
    let run = home
        .rag(&["search", "storm", "--since", "yesterday"])
        .expect(2);
    assert!(run.stderr.contains("2026-11"), "{run}");
}

#[test]
fn a_copy_does_not_take_the_place_of_another_text() {
    let notice = "The storm warning is hoisted at the pier head when the glass falls below the mark, \
        and every boat in the basin doubles her lines before dark.";
    let folder = Folder::new(&[
        ("a.md", notice),
        ("b.md", &format!("{notice}\n")),
        (
            "c.md",
            "After the storm the keeper walks the pier and notes what the sea has taken.",
        ),
    ]);
    let home = Home::new();
    home.ingest(folder.path());
    let hits = home.search("storm warning at the pier", &["--mode", "words"]);
    let repeats: Vec<Option<u64>> = hits
        .iter()
        .map(|hit| hit["why"]["repeats"].as_u64())
        .collect();
    assert_eq!(repeats, [None, None, Some(1)], "{hits:?}");
    let run = home
        .rag(&["search", "storm warning", "--mode", "words", "--explain"])
        .expect(0);
    assert!(run.stdout.contains("words #1 (BM25 "), "{run}");
    assert!(run.stdout.contains("nearly the same as 1."), "{run}");
}
