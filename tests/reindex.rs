//! Changing the embedder of a knowledge base, with the real binary: killed, gone on with, searched
//! meanwhile. The starter embedder cut to 256 numbers does for another one.

use serde_json::Value;

use crate::harness::{EMBEDDER, Folder, Home, list, string, total, utf8};

/// Enough for several commits (of 256 files today).
const ENTRIES: usize = 900;

/// The starter embedder's vectors, shorter.
const SHORTER: &str = "all-minilm-l6-v2@256";

#[test]
fn an_embedder_is_changed_beside_the_old_vectors_and_a_killed_change_is_gone_on_with() {
    let folder = Folder::new(&[("cook.md", "The cook of the Tern is called Ambrose.\n")]);
    for n in 1..ENTRIES {
        let text = format!("Entry {n}: lit lantern{n} and saw {} seals.\n", n % 13);
        folder.write(&format!("{:02}/{n:03}.txt", n / 30), text);
    }
    let home = Home::with_embedder_that_may_be_cut();
    home.ingest(folder.path());
    let change = ["reindex", "--embedder", SHORTER, "--json"];

    let run = home.rag(&["ingest", utf8(folder.path()), "--embedder", SHORTER]);
    let run = run.expect(2);
    let advice = format!("rag reindex --embedder {SHORTER} ");
    assert!(run.stderr.contains(&advice), "{run}");
    let plan = home.rag(&[&change[..], &["--dry-run"]].concat()).expect(0);
    assert_eq!(plan.json()["sources"], ENTRIES, "{plan}");
    assert_eq!(plan.json()["chunks"], ENTRIES, "{plan}");
    assert_eq!(status(&home)["reindex"], Value::Null);

    let mut running = home.start(&change);
    while made(&home) == 0 {
        assert!(running.is_running(), "it ended before it could be killed");
    }
    knows_the_cook(&home);
    let run = home.start(&["ingest", utf8(folder.path()), "--json"]);
    let run = run.finish().expect(2);
    assert_eq!(run.json()["error"]["code"], "locked", "{run}");
    assert!(running.is_running(), "it ended before it could be killed");
    running.kill();
    let kept = made(&home);
    assert!(kept > 0 && kept < ENTRIES as u64, "{kept}");
    assert_eq!(status(&home)["embedder"], EMBEDDER);
    let people = home.rag(&["status"]).expect(0);
    assert!(people.stdout.contains(&advice), "{people}");
    knows_the_cook(&home);

    let report = home.rag(&change).expect(0).json();
    assert_eq!(total(&report, "unchanged"), kept, "{report}");
    assert_eq!(total(&report, "embedded"), ENTRIES as u64 - kept);
    let now = status(&home);
    let told = [&now["embedder"], &now["dimensions"], &now["reindex"]];
    assert_eq!(told, [&Value::from(SHORTER), &256.into(), &Value::Null]);
    assert_eq!(now["sources"], ENTRIES);
    knows_the_cook(&home);
    let again = home.ingest(folder.path());
    assert_eq!(total(&again, "unchanged"), ENTRIES as u64, "{again}");

    let run = home.rag(&change).expect(0);
    assert!(list(&run.json()["sources"]).is_empty(), "{run}");
    assert!(run.stderr.contains("already"), "{run}");
}

#[test]
fn a_change_of_embedder_needs_a_knowledge_base_and_an_embedder() {
    let home = Home::new();
    let run = home.rag(&["reindex", "--embedder", SHORTER]).expect(2);
    assert!(run.stderr.contains("there is no knowledge base"), "{run}");
    let run = home.rag(&["reindex"]).expect(2);
    assert!(run.stderr.contains("--embedder <NAME>"), "{run}");

    let folder = Folder::new(&[("a.md", "The heron waits.")]);
    home.ingest(folder.path());
    let run = home.rag(&["reindex", "--embedder", "no-such-model"]);
    assert!(run.expect(2).stderr.contains("`no-such-model`"));
    home.rag(&["reindex", "--cancel"]).expect(1);
    assert_eq!(status(&home)["embedder"], EMBEDDER);
}

/// `rag status` of now; it waits for no turn.
fn status(home: &Home) -> Value {
    home.start(&["status", "--json"]).finish().expect(0).json()
}

/// Sources that an unfinished change has made.
fn made(home: &Home) -> u64 {
    status(home)["reindex"]["sources"].as_u64().unwrap_or(0)
}

/// A search by vectors and words finds what it should.
#[track_caller]
fn knows_the_cook(home: &Home) {
    let question = "What is the cook of the Tern called?";
    let run = home.start(&["search", question, "--json"]).finish();
    let hits = list(&run.expect(0).json()["hits"]).clone();
    assert_eq!(string(&hits[0]["source"]), "cook.md");
}
