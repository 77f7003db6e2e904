//! Answers that are counted, explained, kept and checked again, with the starter models.

use std::fs;

use crate::harness::{Folder, Home, library, list, string, utf8};

const LOG: &str = "# Log\n\nThe storm took the jetty.\n\nA second storm followed.\n";

fn home_and_folder() -> (Home, Folder) {
    let folder = Folder::new(&[
        ("log.md", LOG),
        ("press/风暴.txt", "这场风暴摧毁了港口的旧码头。\n"),
        (
            "fleet.md",
            "# Fleet\n\nThe Tern was built in Bergen in 1978.\n",
        ),
    ]);
    let home = Home::new();
    home.ingest(folder.path());
    (home, folder)
}

#[test]
fn a_question_over_everything_is_counted_marked_and_told() {
    let home = &library().home;
    let run = home
        .rag(&["ask", "Which documents mention the Petrel?", "--json"])
        .expect(0);
    assert!(run.stderr.contains("--no-everything"), "{run}");
    let answer = run.json();
    assert_eq!(answer["mode"], "everything", "{run}");
    let counts = &answer["everything"];
    assert_eq!(counts["counted"], "sources");
    let citations = list(&answer["citations"]);
    assert_eq!(counts["places"].as_u64(), Some(citations.len() as u64));
    assert!(citations.len() > 5, "more than a search would show\n{run}");
    assert!(
        citations
            .iter()
            .all(|citation| citation["verified"] == true)
    );

    let places = |question: &str| {
        let run = home.rag(&["ask", question, "--json"]).expect(0);
        run.json()["everything"]["places"].as_u64()
    };
    assert_eq!(places("哪些文档提到轮渡？"), places("哪些檔案提到輪渡？"));
}

#[test]
fn either_reading_can_be_had_and_nothing_found_is_exit_code_1() {
    let (home, _folder) = home_and_folder();
    let ordinary = home.rag(&[
        "ask",
        "-x",
        "--no-everything",
        "Which documents mention storms?",
        "--json",
    ]);
    assert_eq!(ordinary.json()["mode"], "extractive", "{ordinary}");
    let near = home.rag(&["ask", "-x", "How many storms took the jetty?"]);
    assert!(near.stderr.contains("--everything"), "{near}");
    let told = home
        .rag(&["ask", "--everything", "storm", "--in", "log.md", "--json"])
        .expect(0);
    assert_eq!(told.json()["everything"]["places"], 2, "{told}");
    let none = home
        .rag(&["ask", "Which documents mention whales?"])
        .expect(1);
    assert_eq!(none.stdout, "“whales” stands in none of 3 documents.\n");
    let both = home
        .rag(&["ask", "--everything", "--no-everything", "storm"])
        .expect(2);
    assert!(both.stderr.contains("cannot be used with"), "{both}");
}

#[test]
fn a_receipt_is_checked_and_asked_again() {
    let (home, folder) = home_and_folder();
    let path = home.path().join("receipt.json");
    let file = utf8(&path);
    let question = "Where was the Tern built?";
    home.rag(&["ask", "-x", question, "--receipt", file])
        .expect(0);
    let verify = |options: &[&str]| home.rag(&[&["verify", file][..], options].concat());

    let run = verify(&["--again", "--json"]).expect(0);
    assert_eq!(run.json()["again"]["same"], true, "{run}");
    assert_eq!(
        run.json()["true"].as_u64(),
        Some(list(&run.json()["citations"]).len() as u64)
    );

    folder.write(
        "fleet.md",
        "New first line.\n\n# Fleet\n\nThe Tern was built in Bergen in 1978.\n",
    );
    let run = verify(&[]).expect(0);
    assert!(
        run.stdout.contains("moved") && run.stdout.contains("→ fleet.md:5"),
        "{run}"
    );
    folder.write("fleet.md", "# Fleet\n\nThe Tern was built in Oslo.\n");
    verify(&[]).expect(1);
    folder.remove("fleet.md");
    assert_eq!(
        string(&verify(&["--json"]).expect(1).json()["citations"][0]["stands"]),
        "gone"
    );

    let text = fs::read_to_string(file).unwrap();
    fs::write(file, text.replace("1978", "1979")).unwrap();
    let run = verify(&[]).expect(2);
    assert!(run.stderr.contains("not as it was written"), "{run}");
    fs::write(
        file,
        text.replace("\"rag_receipt\": 1", "\"rag_receipt\": 9"),
    )
    .unwrap();
    assert!(
        verify(&[])
            .expect(2)
            .stderr
            .contains("this version reads 1")
    );
}

#[test]
fn a_generated_answer_comes_out_the_same_from_its_receipt() {
    let home = &library().home;
    let path = home.path().join("generated.json");
    let file = utf8(&path);
    let run = home.rag(&[
        "ask",
        "When was the Tern built?",
        "--receipt",
        file,
        "--json",
    ]);
    let receipt = fs::read_to_string(file).unwrap();
    assert!(
        receipt.contains("\"identity\": \"sha256:"),
        "{run}\n{receipt}"
    );
    let again = home.rag(&["verify", file, "--again", "--json"]).json();
    assert_eq!(again["again"]["same"], true, "{again}");
    assert_eq!(list(&again["again"]["differs"]).len(), 0, "{again}");
}

#[test]
fn explain_tells_what_became_of_every_hit_and_where_the_time_went() {
    let home = &library().home;
    let question = "How many passengers does the Tern carry?";
    let run = home.rag(&["ask", question, "--explain", "-n", "8"]);
    for said in [
        "retrieved: ",
        "used, ",
        "tokens: ",
        "time: ",
        "search ",
        "words #",
    ] {
        assert!(run.stdout.contains(said), "{said}\n{run}");
    }
    let answer = home.rag(&["ask", question, "-n", "8", "--json"]).json();
    let entries = list(&answer["ledger"]["entries"]);
    assert_eq!(entries.len(), list(&answer["hits"]).len());
    let dropped = entries.iter().filter(|entry| entry["fate"] == "dropped");
    let dropped: Vec<_> = dropped.collect();
    assert!(
        dropped.iter().all(|entry| entry["reason"].is_string()),
        "{answer}"
    );
    assert_eq!(
        answer["usage"]["dropped_passages"].as_u64(),
        Some(dropped.len() as u64)
    );
}
