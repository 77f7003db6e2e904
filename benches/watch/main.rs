//! A watch measured from outside, with the real binary and the starter embedder: how soon what is saved is
//! found, what it costs while nothing happens, a checkout of thousands of files, how the store grows, and
//! a long run with `kill -9`.
//!
//! `cargo bench --profile dev --workspace --bench watch -- latency idle checkout growth kill SECONDS`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and ends where something is amiss"
)]

mod followed;
mod mess;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::followed::{Followed, rag};
use crate::mess::{Mess, Random};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        match word {
            "latency" => latency(),
            "idle" => idle(),
            "checkout" => checkout(),
            "growth" => growth(),
            "kill" => {
                let seconds = words.next_if(|word| word.parse::<u64>().is_ok());
                kill(seconds.map_or(60, |seconds| seconds.parse().unwrap()));
            }
            _ => {} // `--bench`, which cargo adds
        }
    }
}

/// A folder of so many short notes.
fn notes(dir: &Path, count: usize, salt: usize) {
    for n in 0..count {
        let folder = dir.join(format!("{:02}", n % 50));
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "# Note {n}\n\nEntry {n} of log {salt}: saw {} grey seals.\n",
            n * 7 + salt
        );
        fs::write(folder.join(format!("{n:05}.md")), text).unwrap();
    }
}

/// From saving a file to its new text being in the index: 100 saves among 500 files, about 4 minutes.
fn latency() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("docs");
    notes(&dir, 500, 0);
    let followed = Followed::start(world.path(), &dir);
    followed.wait_for(|event| event["event"] == "looked");
    let mut random = Random(11);
    let mut times = Vec::new();
    for n in 0..100 {
        std::thread::sleep(Duration::from_millis(200 + random.below(1000) as u64));
        let name = format!("{:02}/{:05}.md", (n * 3) % 50, (n * 3) % 500);
        let text = format!("# Note {n}\n\nChanged for the {n}th time: word{n}x and {n} terns.\n");
        let saved = Instant::now();
        if n % 2 == 0 {
            fs::write(dir.join(&name), text).unwrap();
        } else {
            let draft = dir.join(format!("{name}.tmp"));
            fs::write(&draft, text).unwrap();
            fs::rename(draft, dir.join(&name)).unwrap();
        }
        let seen = followed.wait_for(|event| event["source"] == *name);
        times.push(seen.duration_since(saved).as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "save to found: median {:.2} s, 95th percentile {:.2} s, 99th {:.2} s, longest {:.2} s",
        at(50),
        at(95),
        at(99),
        at(100)
    );
}

/// What it costs while nothing happens: two minutes after its model was put down.
fn idle() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("docs");
    notes(&dir, 2000, 0);
    let followed = Followed::start(world.path(), &dir);
    followed.wait_for(|event| event["event"] == "looked");
    let awake = followed.memory();
    followed.wait_for(|event| event["event"] == "resting");
    std::thread::sleep(Duration::from_secs(2));
    let (before, began) = (followed.processor_ms(), Instant::now());
    std::thread::sleep(Duration::from_mins(2));
    let used = followed.processor_ms() - before;
    println!(
        "idle: {used} ms of processor in {:.0} s ({:.3} % of a core), {} MB (awake: {} MB)",
        began.elapsed().as_secs_f64(),
        used as f64 / began.elapsed().as_secs_f64() / 10.0,
        followed.memory() >> 20,
        awake >> 20
    );
}

/// 5,000 files changed at once.
fn checkout() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("docs");
    notes(&dir, 5000, 0);
    let followed = Followed::start(world.path(), &dir);
    followed.wait_for(|event| event["event"] == "looked");
    let began = Instant::now();
    notes(&dir, 5000, 1);
    let written = began.elapsed();
    let mut read = 0;
    let mut first = None;
    let last = followed.wait_for(|event| {
        if event["event"] == "file" {
            first.get_or_insert_with(Instant::now);
            read += 1;
        }
        read == 5000
    });
    println!(
        "checkout: 5,000 files written in {:.1} s, the first was found after {:.1} s, the last after {:.1} s",
        written.as_secs_f64(),
        first.map_or(0.0, |first| first.duration_since(began).as_secs_f64()),
        last.duration_since(began).as_secs_f64()
    );
}

/// How the store grows over 10,000 edits of 100 files.
fn growth() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("docs");
    notes(&dir, 100, 0);
    let followed = Followed::start(world.path(), &dir);
    followed.wait_for(|event| event["event"] == "looked");
    let begun = followed.store_bytes();
    let mut most = begun;
    let mut random = Random(5);
    for n in 0..10_000 {
        let at = random.below(100);
        let name = format!("{:02}/{at:05}.md", at % 50);
        let text = format!(
            "# Note {at}\n\nEdit {n}: saw {} terns and {n} seals.\n",
            n % 7
        );
        fs::write(dir.join(name), text).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        most = most.max(if n % 50 == 0 {
            followed.store_bytes()
        } else {
            0
        });
    }
    followed.wait_for(|event| event["event"] == "resting");
    println!(
        "growth: {} kB at first, {} kB after 10,000 edits, {} kB at most",
        begun >> 10,
        followed.store_bytes() >> 10,
        most >> 10
    );
}

/// Random changes for so long, the watch killed at random moments and started again; in the end the
/// index is that of a fresh ingest.
fn kill(seconds: u64) {
    let world = tempfile::tempdir().unwrap();
    let (dir, trash) = (world.path().join("docs"), world.path().join("trash"));
    fs::create_dir_all(&dir).unwrap();
    fs::create_dir_all(&trash).unwrap();
    let mut mess = Mess::new(&dir, &trash, 3);
    let mut random = Random(99);
    let (began, mut kills, mut operations) = (Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        let followed = Followed::start(world.path(), &dir);
        let life = Duration::from_millis(500 + random.below(12_000) as u64);
        let born = Instant::now();
        while born.elapsed() < life {
            mess.make();
            operations += 1;
            std::thread::sleep(Duration::from_millis(random.below(60) as u64));
        }
        followed.kill();
        kills += 1;
    }
    let followed = Followed::start(world.path(), &dir);
    followed.wait_for(|event| event["event"] == "resting");
    drop(followed);
    let plan = rag(
        world.path(),
        &["ingest", "--dry-run", "--json", dir.to_str().unwrap()],
    );
    let totals = &plan["totals"];
    for step in ["add", "replace", "move", "drop"] {
        assert_eq!(totals[step], 0, "{step}: {totals}");
    }
    let fresh = tempfile::tempdir().unwrap();
    rag(fresh.path(), &["ingest", "--json", dir.to_str().unwrap()]);
    let holds = |home: &Path| {
        let status = rag(home, &["status", "--json"]);
        (status["sources"].clone(), status["chunks"].clone())
    };
    assert_eq!(holds(world.path()), holds(fresh.path()));
    println!(
        "kill: {operations} changes and {kills} kills in {seconds} s; the index is that of a fresh ingest: {:?}",
        holds(fresh.path())
    );
}
