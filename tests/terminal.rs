//! What people see: help, errors, exit codes, and what goes to stdout.

use std::process::Stdio;

use crate::harness::{self, EMBEDDER, Folder, Home, Run, keys, library, string, utf8};

#[test]
fn help_says_what_every_command_does() {
    let overview = help(&[]);
    insta::assert_snapshot!("help", overview.to_string());
    let verbs = commands(&overview.stdout);
    for expected in ["ingest", "search", "ask", "status", "forget", "models"] {
        assert!(verbs.iter().any(|verb| verb == expected), "{overview}");
    }
    for verb in &verbs {
        let page = help(&[verb]);
        insta::assert_snapshot!(format!("help_{verb}"), page.to_string());
        for below in commands(&page.stdout) {
            let page = help(&[verb, &below]);
            insta::assert_snapshot!(format!("help_{verb}_{below}"), page.to_string());
        }
    }
}

/// The help of a command. None of our variables is set: help shows their values.
fn help(words: &[&str]) -> Run {
    let folder = Folder::new(&[]);
    let args = [words, &["--help"]].concat();
    let run = harness::finish(&mut harness::bare_command(&args, folder.path())).expect(0);
    assert_eq!(run.stderr, "", "help is data\n{run}");
    run
}

/// The commands that a help page lists, without `help` itself.
fn commands(page: &str) -> Vec<String> {
    page.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_wrong_command_line_is_refused_with_the_right_one() {
    let run = Home::new().rag(&["serach", "x"]).expect(2);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("search"), "{run}");
}

#[test]
fn an_unknown_knowledge_base_is_named_with_advice() {
    for verb in [&["search", "x"][..], &["ask", "x"], &["status"]] {
        let args = [&["--kb", "nowhere"], verb].concat();
        let run = Home::new().rag(&args).expect(2);
        assert_eq!(run.stdout, "", "{run}");
        assert!(run.stderr.contains("`nowhere`"), "{run}");
        assert!(run.stderr.contains("\n\nhint: "), "{run}");
    }
}

#[test]
fn an_error_is_an_object_for_programs_and_a_sentence_for_people() {
    let run = Home::new().rag(&["ask", "x", "--json"]).expect(2);
    let error = &run.json()["error"];
    assert_eq!(keys(error), ["code", "hint", "message"], "{run}");
    assert_eq!(string(&error["code"]), "no_knowledge_base");
    assert!(string(&error["hint"]).contains("rag ingest"), "{run}");
    assert!(run.stderr.contains(&string(&error["message"])), "{run}");
    assert!(!string(&error["message"]).ends_with('.'), "{run}");
}

#[test]
fn a_path_that_is_not_there_is_an_error_of_its_own() {
    let run = Home::new().rag(&["ingest", "/no/such/folder"]).expect(2);
    assert!(run.stderr.contains("`/no/such/folder`"), "{run}");
    assert!(run.stderr.contains("hint: "), "{run}");
}

#[test]
fn stdout_is_data_and_stderr_is_talk() {
    let library = library();
    let ingest = &library.run;
    assert_eq!(keys(&ingest.json()), ["sources", "took_ms", "totals"]);
    assert_eq!(
        ingest.stdout.trim_end().lines().count(),
        1,
        "one object is one line\n{ingest}"
    );
    let search = library.home.rag(&["search", "gearbox", "--json"]).expect(0);
    assert_eq!(keys(&search.json()), ["hits", "query", "took_ms"]);
    for run in [ingest, &search] {
        for stream in [&run.stdout, &run.stderr] {
            let controls = |c: char| c.is_control() && c != '\n' && c != '\t';
            assert!(!stream.contains(controls), "no terminal, no control\n{run}");
        }
    }
}

#[test]
fn people_get_the_source_and_its_place() {
    let run = library()
        .home
        .rag(&["search", "412,800 passengers", "--mode", "words"])
        .expect(0);
    assert!(
        run.stdout.contains("reports/annual-report-2025.pdf"),
        "{run}"
    );
    assert!(run.stdout.contains("412,800 passengers"), "{run}");
    let run = library()
        .home
        .rag(&["search", "xylophone", "--mode", "words"])
        .expect(1);
    assert!(!run.stderr.is_empty(), "finding nothing is said\n{run}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [
        &["--help"][..],
        &["search", "ferry", "--mode", "words", "--limit", "20"],
        &[
            "search", "ferry", "--mode", "words", "--limit", "20", "--json",
        ],
    ] {
        let mut command = library().home.command(args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(!stderr.to_lowercase().contains("broken pipe"), "{stderr}");
    }
}

#[test]
fn the_place_of_a_model_can_be_asked() {
    let run = Home::new()
        .rag(&["models", "path", EMBEDDER, "--json"])
        .expect(0);
    let path = string(&run.json()["path"]);
    assert!(path.starts_with(utf8(&harness::models())), "{run}");
    assert!(std::path::Path::new(&path).is_dir(), "{run}");

    let run = Home::new()
        .rag(&["models", "path", "no-such-model"])
        .expect(2);
    assert!(run.stderr.contains("`no-such-model`"), "{run}");
    assert!(run.stderr.contains("hint: "), "{run}");
}
