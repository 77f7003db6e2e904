//! What happens to a knowledge base over time: files come, change, move and go; runs are killed; two
//! run at once. After all of it the index is what a fresh ingest would have made.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::harness::{
    Folder, Home, Started, finish, fixtures, keys, list, note, rows, statuses, string, total, utf8,
};

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

// -- what is taken in -------------------------------------------------------------------------------

#[test]
fn a_dry_run_says_what_would_be_done_and_makes_no_knowledge_base() {
    let folder = Folder::new(&[("a.md", "The heron waits."), ("b.tmp", "Scrap.")]);
    let home = Home::new();
    let args = |more: &[&'static str]| {
        let path = utf8(folder.path()).to_owned();
        let words = [&["ingest", "--dry-run", "--exclude", "*.tmp"], more].concat();
        (words, path)
    };
    let (words, path) = args(&["--json"]);
    let run = home.rag(&[&words[..], &[&path]].concat()).expect(0);
    let plan = run.json();
    assert_eq!(keys(&plan), ["sources", "took_ms", "totals"], "{run}");
    let rows = list(&plan["sources"]);
    assert_eq!(rows.len(), 1, "{run}");
    assert_eq!(
        keys(&rows[0]),
        ["bytes", "reason", "source", "step"],
        "{run}"
    );
    assert_eq!(string(&rows[0]["step"]), "add");
    assert_eq!(total(&plan, "add"), 1);
    home.rag(&["status"]).expect(2);

    home.ingest(folder.path());
    folder.write("a.md", "The cormorant waits.");
    folder.remove("b.tmp");
    let (words, path) = args(&[]);
    let run = home.rag(&[&words[..], &[&path]].concat()).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    // What the pattern leaves out stays as it is known, gone or not.
    let expected = [
        "replace: a.md (20 B): it has changed",
        "1 to replace; 20 B to read",
    ];
    assert_eq!(lines, expected, "{run}");
    assert_eq!(sources_with(&home, "heron"), ["a.md"]);
}

#[test]
fn patterns_and_sizes_narrow_a_run_and_wrong_ones_are_refused() {
    let folder = Folder::new(&[
        ("a.md", "The heron waits."),
        ("b.txt", "The otter swims."),
        ("old/c.md", "The seal sleeps."),
        ("large.md", &"The whale sings. ".repeat(100)),
    ]);
    let home = Home::new();
    let ingest = |options: &[&str]| {
        let args = [&["ingest", utf8(folder.path()), "--json"], options].concat();
        home.rag(&args)
    };
    let run = ingest(&[
        "--include",
        "*.md",
        "--exclude",
        "/old/",
        "--max-file-size",
        "1kB",
    ]);
    let report = run.expect(0).json();
    let expected = [("a.md", "read"), ("large.md", "skipped")];
    let seen = statuses(&report);
    let seen: Vec<(&str, &str)> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(seen, expected);
    let run = ingest(&["--jobs", "1"]).expect(0);
    assert_eq!(total(&run.json(), "read"), 3, "{run}");
    assert_eq!(total(&run.json(), "unchanged"), 1, "{run}");

    for wrong in [
        &["--include", "[z-a]"][..],
        &["--max-file-size", "much"],
        &["--jobs", "0"],
    ] {
        let run = ingest(wrong).expect(2);
        assert!(run.stderr.contains(wrong[1]), "{run}");
    }
    assert_eq!(home.at_rest().sources, 4);
}

#[test]
fn every_failure_is_kept_with_its_reason_until_it_is_mended() {
    let folder = Folder::new(&[("a.md", "The heron waits.")]);
    folder.write("bad.pdf", b"%PDF-1.7\nand nothing more");
    folder.write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
    let home = Home::new();
    home.rag(&["ingest", utf8(folder.path())]).expect(2);
    let run = home.rag(&["status", "--failed", "--json"]).expect(0);
    let failed = list(&run.json()["sources"]).clone();
    assert_eq!(failed.len(), 1, "{run}");
    let row = &failed[0];
    assert_eq!(
        keys(row),
        ["chunks", "reason", "root", "source", "status"],
        "{run}"
    );
    assert_eq!(
        (string(&row["source"]), string(&row["status"])),
        ("bad.pdf".into(), "failed".into())
    );
    assert!(!string(&row["reason"]).is_empty(), "{run}");
    let people = home.rag(&["status", "--failed"]).expect(0);
    assert!(people.stdout.starts_with("failed: bad.pdf: "), "{people}");
    assert_eq!(people.stdout.lines().count(), 1, "{people}");
    let status = home.rag(&["status"]).expect(0);
    assert!(status.stdout.contains("1 failed, 1 skipped"), "{status}");

    let whole = fixtures().join("kb/reports/annual-report-2025.pdf");
    folder.write("bad.pdf", std::fs::read(whole).unwrap());
    home.rag(&["ingest", utf8(folder.path())]).expect(0);
    let run = home.rag(&["status", "--failed", "--json"]).expect(0);
    assert!(list(&run.json()["sources"]).is_empty(), "{run}");
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named_kept_and_taken_up_as_soon_as_it_may() {
    use std::os::unix::fs::PermissionsExt;
    let Some(starter) = without_privileges() else {
        return note("this user may read everything, and setpriv is not there to take that away");
    };
    let folder = Folder::new(&[
        ("a.md", "The heron waits."),
        ("secret.md", "The otter swims."),
        ("locked/c.md", "The seal sleeps."),
    ]);
    let mode = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let home = Home::new();
    let ingest = |code: i32| {
        let args = ["ingest", utf8(folder.path()), "--json"];
        finish(&mut home.command_through(&starter, &args)).expect(code)
    };
    mode("secret.md", 0);
    let run = ingest(2);
    let expected = [
        ("a.md", "read"),
        ("locked/c.md", "read"),
        ("secret.md", "failed"),
    ];
    let seen = statuses(&run.json());
    let seen: Vec<(&str, &str)> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(seen, expected, "{run}");

    mode("secret.md", 0o600);
    mode("locked", 0);
    let run = ingest(2);
    let seen = statuses(&run.json());
    assert_eq!(
        (&*seen["secret.md"], &*seen["locked"]),
        ("read", "failed"),
        "{run}"
    );
    let failed = home.rag(&["status", "--failed"]).expect(0);
    assert!(failed.stdout.starts_with("failed: locked: "), "{failed}");
    // Nobody could look: it is not taken for gone.
    assert_eq!(sources_with(&home, "seal"), ["locked/c.md"]);

    mode("locked", 0o700);
    let run = ingest(0);
    assert_eq!(total(&run.json(), "unchanged"), 3, "{run}");
    assert_eq!(home.at_rest().sources, 3);
}

/// A way to start a program that does not let the superuser read what nobody may read. None where there
/// is no such way, nothing to do for everybody else.
#[cfg(unix)]
fn without_privileges() -> Option<Vec<&'static str>> {
    let locked = Folder::new(&[("probe", "x")]);
    let path = locked.path().join("probe");
    let nobody = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(&path, nobody).unwrap();
    if std::fs::read(&path).is_err() {
        return Some(Vec::new());
    }
    let starter = vec![
        "setpriv",
        "--bounding-set",
        "-dac_override,-dac_read_search",
    ];
    let reads = Command::new(starter[0])
        .args(&starter[1..])
        .arg("cat")
        .arg(&path)
        .output();
    reads
        .is_ok_and(|run| !run.status.success())
        .then_some(starter)
}

#[cfg(target_os = "linux")]
#[test]
fn odd_files_have_a_row_each_and_stop_nothing() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new(&[("a.md", "The heron waits.")]);
    for name in [&b"gr\xFCn.md"[..], b"gr\xF6n.md", &[b'n'; 255]] {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, "The otter swims.").unwrap();
    }
    let sparse = std::fs::File::create(folder.path().join("sparse.txt")).unwrap();
    sparse.set_len(5 << 30).unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe.md"))
        .status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("round")).unwrap();
    let home = Home::new();
    let report = home.ingest(folder.path());
    let (longest, read, skipped) = ("n".repeat(255), "read", "skipped");
    let expected = [
        ("a.md", read),
        ("etc", skipped),
        ("gr\\xF6n.md", read),
        ("gr\\xFCn.md", read),
        (&*longest, read),
        ("pipe.md", skipped),
        ("round", skipped),
        ("sparse.txt", skipped),
    ];
    let seen = statuses(&report);
    let seen: Vec<(&str, &str)> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(seen, expected);
    let mut found = sources_with(&home, "otter");
    found.sort();
    assert_eq!(found, ["gr\\xF6n.md", "gr\\xFCn.md", &longest]);
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
