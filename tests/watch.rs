//! A knowledge base that stays in step with its folder: `rag watch` from outside, with the starter
//! embedder, and killed at any moment.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Folder, Home, Started, list, string, utf8};

/// Longer than anything here takes on a slow and busy machine.
const DEADLINE: Duration = Duration::from_mins(3);

/// The sources that a search by words finds; none before there is a knowledge base.
fn found(home: &Home, words: &str) -> Vec<String> {
    let run = home
        .start(&["search", words, "--mode", "words", "--json"])
        .finish();
    if run.code == Some(2) {
        return Vec::new();
    }
    let hits = run.json()["hits"].clone();
    list(&hits)
        .iter()
        .map(|hit| string(&hit["source"]))
        .collect()
}

/// Looks until `so`, which must come.
#[track_caller]
fn wait(running: &mut Started, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(running.is_running(), "the watch has ended");
        assert!(began.elapsed() < DEADLINE, "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn watch(home: &Home, folder: &Folder) -> Started {
    home.start(&["watch", utf8(folder.path()), "--json"])
}

fn status(home: &Home) -> Value {
    home.start(&["watch", "--status", "--json"]).finish().json()
}

/// Asks a process to end, as Ctrl-C and a session's end do.
fn ask_to_end(running: &Started, signal: &str) {
    let id = running.id().to_string();
    let told = Command::new("kill").args([signal, &id]).status();
    assert!(told.unwrap().success());
}

#[cfg(unix)]
#[test]
fn what_is_saved_is_found_and_what_is_deleted_is_not_and_ctrl_c_ends_it() {
    let folder = Folder::new(&[("a.md", "# Heron\n\nThe heron stands in the reeds.\n")]);
    let home = Home::new();
    let mut running = watch(&home, &folder);
    wait(&mut running, || found(&home, "reeds") == ["a.md"]);
    folder.write("sub/b.md", "# Otter\n\nThe otter sleeps on the ferry.\n");
    wait(&mut running, || found(&home, "ferry") == ["sub/b.md"]);
    folder.rename("sub/b.md", "c.md");
    wait(&mut running, || found(&home, "ferry") == ["c.md"]);
    folder.remove("a.md");
    wait(&mut running, || found(&home, "reeds").is_empty());

    let status = status(&home);
    assert_eq!(status["running"], true);
    assert_eq!(status["pid"], running.id());
    assert_eq!(status["roots"][0]["follows"], "events");
    assert!(status["last_change"].is_string(), "{status}");

    ask_to_end(&running, "-INT");
    let run = running.finish().expect(130);
    let events: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let moved = events
        .iter()
        .find(|event| event["status"] == "moved")
        .unwrap_or_else(|| panic!("{run}"));
    assert_eq!(moved["source"], "c.md");
    assert!(events.iter().all(|event| event["time"].is_string()));
}

#[cfg(unix)]
#[test]
fn people_read_a_log_and_see_that_it_has_ended() {
    let folder = Folder::new(&[("a.md", "Heron.\n"), ("bad.pdf", "%PDF-1.7 and then noise")]);
    let home = Home::new();
    let mut running = home.start(&["watch", utf8(folder.path())]);
    wait(&mut running, || found(&home, "Heron") == ["a.md"]);
    wait(&mut running, || status(&home)["last_look"].is_string());
    let shown = home.start(&["watch", "--status"]).finish().expect(0);
    assert!(shown.stdout.contains("following"), "{shown}");
    assert!(shown.stdout.contains("failed: bad.pdf: "), "{shown}");
    // Nobody else may follow for the same knowledge base, and who asks is told why.
    let second = home
        .start(&["watch", utf8(folder.path())])
        .finish()
        .expect(2);
    assert!(second.stderr.contains("another `rag watch`"), "{second}");
    ask_to_end(&running, "-TERM");
    let run = running.finish().expect(130);
    for line in [
        "following ",
        "read a.md (1 chunk)",
        "failed bad.pdf: ",
        "caught up: ",
    ] {
        assert!(run.stdout.contains(line), "{line}: {run}");
    }
    let shown = home.start(&["watch", "--status"]).finish().expect(1);
    assert!(shown.stdout.contains("does not run"), "{shown}");
}

#[test]
fn a_watch_that_is_killed_at_any_moment_blocks_nobody_and_the_next_one_goes_on() {
    let folder = Folder::new(&[("a.md", "The heron stands in the reeds.\n")]);
    let home = Home::new();
    for round in 0..4_u64 {
        let mut running = watch(&home, &folder);
        for n in 0..20 {
            let text = format!("Entry {n} of round{round}x: two grey seals.\n");
            folder.write(&format!("{n:02}.md"), text);
        }
        let word = format!("round{round}x");
        wait(&mut running, || !found(&home, &word).is_empty());
        std::thread::sleep(Duration::from_millis(37 * round));
        running.kill();
        // Whoever writes next is not held up, and nothing is seen twice.
        let held = status(&home);
        assert_eq!(held["running"], false, "{held}");
    }
    folder.remove("00.md");
    let report = home.ingest(folder.path());
    assert_eq!(report["totals"]["removed"], 1);
    let fresh = Home::new();
    fresh.ingest(folder.path());
    assert_eq!(knowledge(&home), knowledge(&fresh));
}

/// All that a search for what stands in every file finds.
fn knowledge(home: &Home) -> BTreeMap<String, String> {
    let hits = home.search("seals", &["-n", "100", "--mode", "words"]);
    let hit = |hit: &Value| (string(&hit["source"]), string(&hit["text"]));
    let all: BTreeMap<String, String> = hits.iter().map(hit).collect();
    assert_eq!(all.len(), hits.len(), "a source is found twice");
    all
}

#[test]
fn a_path_that_is_not_there_is_refused_before_it_is_installed() {
    let home = Home::new();
    let run = home
        .rag(&["watch", "install", "--print", "/nowhere/at/all"])
        .expect(2);
    assert!(run.stderr.contains("/nowhere/at/all"), "{run}");
    if cfg!(target_os = "linux") {
        let folder = Folder::new(&[]);
        let words = ["watch", "install", "--print", "--exclude", "*.log"];
        let run = home
            .rag(&[&words[..], &[utf8(folder.path())]].concat())
            .expect(0);
        assert!(run.stdout.contains("ExecStart="), "{run}");
        assert!(run.stdout.contains("\"--exclude=*.log\""), "{run}");
        assert!(run.stdout.contains(utf8(folder.path())), "{run}");
    }
}

#[test]
fn a_reader_who_leaves_ends_it() {
    let folder = Folder::new(&[("a.md", "Heron.\n")]);
    let home = Home::new();
    let mut command = home.command(&["watch", utf8(folder.path())]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < DEADLINE, "it goes on for nobody");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
