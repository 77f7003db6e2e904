//! What happens to a knowledge base over time: files come, change, move and go; runs are killed; two
//! run at once. After all of it the index is what a fresh ingest would have made.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Folder, Home, Started, list, rows, statuses, string, total, utf8};

#[test]
fn an_unchanged_folder_costs_nothing() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b/c.md", "The otter swims.")]);
    let home = Home::new();
    assert_eq!(total(&home.ingest(folder.path()), "embedded"), 2);
    let again = home.ingest(folder.path());
    assert_eq!(total(&again, "unchanged"), 2, "{again}");
    assert_eq!(total(&again, "embedded"), 0, "{again}");
    assert_eq!(total(&again, "tokens"), 0, "{again}");
}

#[test]
fn a_changed_file_no_longer_answers_from_its_old_text() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b.md", "The otter swims.")]);
    let home = Home::new();
    home.ingest(folder.path());
    folder.write("a.md", "The cormorant waits.");
    let report = home.ingest(folder.path());
    assert_eq!(statuses(&report)["a.md"], "read");
    assert_eq!(statuses(&report)["b.md"], "unchanged");
    assert_eq!(total(&report, "embedded"), 1, "{report}");
    assert_eq!(sources_with(&home, "heron"), NOWHERE);
    assert_eq!(sources_with(&home, "cormorant"), ["a.md"]);
    assert_eq!(sources_with(&home, "otter"), ["b.md"]);
}

#[test]
fn a_deleted_file_stops_answering() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b.md", "The otter swims.")]);
    let home = Home::new();
    home.ingest(folder.path());
    folder.remove("a.md");
    let report = home.ingest(folder.path());
    assert_eq!(statuses(&report)["a.md"], "removed");
    assert_eq!(sources_with(&home, "heron"), NOWHERE);
    let hits = home.search("The heron waits.", &["--mode", "vector"]);
    assert!(hits.iter().all(|hit| hit["source"] != "a.md"), "{hits:?}");
    assert_eq!(home.at_rest().sources, 1);
}

#[test]
fn a_renamed_file_moves_and_embeds_nothing() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b.md", "The otter swims.")]);
    let home = Home::new();
    home.ingest(folder.path());
    folder.rename("a.md", "z.md");
    let report = home.ingest(folder.path());
    assert_eq!(statuses(&report)["z.md"], "moved", "{report}");
    assert_eq!(total(&report, "moved"), 1, "{report}");
    assert_eq!(total(&report, "embedded"), 0, "{report}");
    assert_eq!(sources_with(&home, "heron"), ["z.md"]);
    assert_eq!(home.at_rest().sources, 2);
}

#[test]
fn one_bad_file_is_one_row_and_an_exit_code() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b.md", "The otter swims.")]);
    folder.write("bad.pdf", b"%PDF-1.7\nand nothing more");
    let home = Home::new();
    let run = home
        .rag(&["ingest", utf8(folder.path()), "--json"])
        .expect(2);
    let report = run.json();
    assert_eq!(total(&report, "failed"), 1, "{run}");
    assert_eq!(total(&report, "read"), 2, "{run}");
    let reason = rows(&report)["bad.pdf"].reason.clone();
    assert!(reason.is_some_and(|reason| !reason.is_empty()), "{run}");
    assert_eq!(sources_with(&home, "heron"), ["a.md"]);

    // For people, the name of the file and its reason stand in the talk.
    folder.write("bad.pdf", b"%PDF-1.7\nand still nothing more");
    let run = home.rag(&["ingest", utf8(folder.path())]).expect(2);
    let all = format!("{}{}", run.stdout, run.stderr);
    assert!(all.contains("bad.pdf"), "{run}");
}

// -- kills ------------------------------------------------------------------------------------------

/// Enough that an ingest takes seconds and is written in several steps (of 256 files today).
const ENTRIES: usize = 1500;

#[test]
fn a_killed_ingest_is_finished_by_the_next_one_which_pays_only_for_the_rest() {
    let folder = station_log(ENTRIES);
    let fresh = Home::new();
    let whole = fresh.ingest(folder.path());

    let home = Home::new();
    let started = || home.start(&["ingest", utf8(folder.path()), "--json"]);
    kill_when(started(), || has_entries(&home));
    kill_when(started(), || home.at_rest().sources > 0);
    let first = home.at_rest();
    kill_when(started(), || home.at_rest().sources > first.sources);
    let kept = home.at_rest();

    let rest = home.ingest(folder.path());
    let paid = total(&rest, "embedded");
    assert!(kept.chunks > first.chunks, "{first:?}, then {kept:?}");
    assert!(
        paid <= total(&whole, "embedded") - kept.chunks,
        "{paid} vectors were computed although {kept:?} was there"
    );
    same_knowledge(&home, &fresh, &folder);
}

#[test]
fn an_interrupted_ingest_says_so_and_the_next_one_finishes_it() {
    let folder = station_log(ENTRIES);
    let home = Home::new();
    let mut running = home.start(&["ingest", utf8(folder.path()), "--json"]);
    wait_until(&mut running, || home.at_rest().sources > 0);
    // SIGTERM and SIGINT share a handler; SIGINT is ignored in what a script starts in the background.
    let sent = Command::new("kill")
        .args(["-TERM", &running.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let run = running.finish().expect(130);
    assert!(!run.stderr.is_empty(), "{run}");

    let kept = home.at_rest();
    let rest = home.ingest(folder.path());
    assert!(
        total(&rest, "embedded") <= ENTRIES as u64 - kept.chunks,
        "{kept:?}"
    );
    assert_eq!(home.at_rest().sources, ENTRIES as u64);
}

#[test]
fn two_ingests_at_once_write_everything_once() {
    let folder = station_log(ENTRIES / 10);
    let home = Home::new();
    let args = ["ingest", utf8(folder.path()), "--json"];
    let pair = [home.start(&args), home.start(&args)];
    let runs = pair.map(Started::finish);
    assert!(runs.iter().any(|run| run.code == Some(0)), "{runs:?}");
    for run in &runs {
        if run.code != Some(0) {
            // The other one was told who is writing.
            assert_eq!(run.code, Some(2), "{run}");
            assert_eq!(run.json()["error"]["code"], "locked", "{run}");
            assert!(run.stderr.contains("hint: "), "{run}");
        }
    }
    let fresh = Home::new();
    fresh.ingest(folder.path());
    same_knowledge(&home, &fresh, &folder);
}

#[test]
fn questions_are_answered_while_an_ingest_runs() {
    let small = Folder::new(&[(
        "a.md",
        "# Galley\n\nThe cook of the Tern is called Ambrose.\n",
    )]);
    let large = station_log(ENTRIES);
    let home = Home::new();
    home.ingest(small.path());

    let mut running = home.start(&["ingest", utf8(large.path()), "--json"]);
    wait_until(&mut running, || home.at_rest().sources > 1);
    assert_eq!(sources_with(&home, "Ambrose"), ["a.md"]);
    assert!(running.is_running(), "the ingest was over too soon");
    let run = home.rag(&[
        "ask",
        "What is the cook of the Tern called?",
        "--json",
        "--max-tokens",
        "24",
    ]);
    assert!(matches!(run.code, Some(0 | 1)), "{run}");
    let hits = run.json()["hits"].clone();
    assert!(
        list(&hits).iter().any(|hit| hit["source"] == "a.md"),
        "{run}"
    );
    running.kill();
    assert_eq!(sources_with(&home, "Ambrose"), ["a.md"]);
}

/// A folder of short files, no two alike. Every thirtieth file names the same lantern.
fn station_log(entries: usize) -> Folder {
    const SEEN: [&str; 7] = [
        "two grey seals",
        "a coaster with a list",
        "nothing but fog",
        "the pilot boat",
        "a line of squalls",
        "four kayaks",
        "driftwood",
    ];
    let folder = Folder::new(&[]);
    for n in 0..entries {
        let (seen, lantern) = (SEEN[n % SEEN.len()], n % 30);
        let text = format!("Entry {n}: saw {seen}, lit lantern{lantern}.\n");
        folder.write(&format!("{:02}/{n:03}.txt", n / 20), text);
    }
    folder
}

/// Kills a run as soon as `moment` has come.
fn kill_when(mut running: Started, moment: impl Fn() -> bool) {
    wait_until(&mut running, moment);
    running.kill();
}

/// Looks again and again until `moment` has come, which must be before the run ends by itself.
fn wait_until(running: &mut Started, moment: impl Fn() -> bool) {
    while !moment() {
        assert!(running.is_running(), "the run ended before the moment came");
    }
    assert!(running.is_running(), "the run ended before the moment came");
}

fn has_entries(home: &Home) -> bool {
    let mut entries = std::fs::read_dir(home.path()).unwrap();
    entries.next().is_some()
}

/// Fails unless both homes hold the same sources with the same chunks, each once.
fn same_knowledge(home: &Home, fresh: &Home, folder: &Folder) {
    assert_eq!(home.at_rest(), fresh.at_rest());
    let (mine, theirs) = (home.ingest(folder.path()), fresh.ingest(folder.path()));
    assert_eq!(total(&mine, "embedded"), 0, "{mine}");
    assert_eq!(total(&mine, "unchanged"), fresh.at_rest().sources);
    assert_eq!(rows(&mine), rows(&theirs));
    for word in ["lantern7", "lantern23"] {
        let found = places_of(home, word);
        let entries = usize::try_from(fresh.at_rest().sources).unwrap();
        assert_eq!(found.len(), entries / 30, "{word}");
        assert_eq!(found, places_of(fresh, word), "{word}");
    }
}

/// Where the chunks with a word stand. Fails where a chunk is found twice.
fn places_of(home: &Home, word: &str) -> BTreeSet<(String, String)> {
    let hits = home.search(word, &["--mode", "words", "--limit", "50"]);
    let place = |hit: &Value| (string(&hit["source"]), hit["span"].to_string());
    let places: BTreeSet<_> = hits.iter().map(place).collect();
    assert_eq!(places.len(), hits.len(), "a chunk was found twice");
    places
}

const NOWHERE: [&str; 0] = [];

/// The files in which a search by words finds `word`, best first.
fn sources_with(home: &Home, word: &str) -> Vec<String> {
    let hits = home.search(word, &["--mode", "words"]);
    hits.iter().map(|hit| string(&hit["source"])).collect()
}
