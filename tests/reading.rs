//! Reading files that nobody should trust: how workers are held, what hostile files cost, and what
//! `rag doctor` says of a file and of the installation.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use zip::write::SimpleFileOptions;

use crate::harness::{self, Folder, Home, fixtures, library, list, rows, string, utf8};

// -- workers ----------------------------------------------------------------------------------------

#[test]
fn a_worker_can_neither_open_a_socket_nor_write_a_file() {
    let run = Home::new().rag(&["doctor", "--json"]).expect(0);
    let probe = run.json()["workers"]["found"].clone();
    let guards = list(&probe["confinement"]["guards"]);
    for (what, attempt) in [
        ("network", &probe["network"]),
        ("writing", &probe["writing"]),
    ] {
        let guard = guards.iter().find(|guard| guard["what"] == what).unwrap();
        if let Some(why) = guard["open"].as_str() {
            harness::note(&format!("workers are not kept from {what} here: {why}"));
            assert_eq!(*attempt, "succeeded", "then it must be said\n{run}");
        } else {
            assert!(attempt["refused"].is_string(), "{what}\n{run}");
        }
    }
    // Without this the test above would pass on a system where nothing is held at all.
    if cfg!(any(target_os = "linux", target_os = "macos")) {
        let limits = ["memory", "file size", "core dumps", "open files"];
        for limit in limits {
            let held = |guard: &&Value| guard["what"] == limit && guard["by"].is_string();
            assert!(guards.iter().any(|guard| held(&guard)), "{limit}\n{run}");
        }
    }
}

#[test]
fn a_worker_is_not_for_people() {
    let run = Home::new().rag(&["__extract"]).expect(2);
    assert!(run.stderr.contains("hint: "), "{run}");
}

// -- hostile files ----------------------------------------------------------------------------------

#[test]
fn hostile_files_cost_themselves_only() {
    let folder = Folder::new(&[
        ("good.md", "# Heron 苍鹭\n\nThe heron waits. 苍鹭在等待。\n"),
        ("deep.html", &"<div>".repeat(20_000)),
        ("deep.json", &"[".repeat(200_000)),
        ("deep.md", &"> ".repeat(50_000)),
        ("laughs.xml", &billion_laughs()),
        ("endless.txt", &"x".repeat(1_000_000)),
        ("无尽.txt", &"苍鹭".repeat(50_000)),
    ]);
    folder.write("loop.pdf", page_tree_loop());
    folder.write("bomb.docx", zip_of("word/document.xml", 256 << 20));
    folder.write("bomb.zip", zip_of("a.txt", 256 << 20));
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| utf8(&entry.unwrap().path()).to_owned())
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = Home::new().rag(&[&["doctor", "--json"], &names[..]].concat());
    let files = run.json()["files"].clone();
    let files = list(&files);
    assert_eq!(files.len(), names.len(), "{:?}", run.stderr);
    for file in files {
        match file["status"].as_str().unwrap() {
            "read" | "partly" => {}
            "skipped" | "failed" => {
                let message = string(&file["error"]["message"]);
                assert!(!message.contains("crashed"), "{message}");
                assert!(file["error"]["hint"].is_string(), "{file}");
            }
            other => panic!("{other}"),
        }
    }
    let good = files
        .iter()
        .find(|file| string(&file["file"]).ends_with("good.md"));
    assert_eq!(good.unwrap()["status"], "read");
    let failed = files.iter().any(|file| file.get("error").is_some());
    assert_eq!(run.code, Some(if failed { 2 } else { 0 }));
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_has_a_row_and_holds_nobody_up() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = Folder::new(&[
        ("good.md", "The heron waits."),
        ("locked.md", "Nobody reads me."),
    ]);
    let path = |name: &str| folder.path().join(name);
    symlink(folder.path(), path("circle")).unwrap();
    symlink("/etc", path("outside")).unwrap();
    symlink(path("nowhere"), path("dangling.md")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9.md");
    std::fs::write(folder.path().join(odd), "Coffee.").unwrap();
    let made = Command::new("mkfifo").arg(path("pipe.txt")).status();
    assert!(made.unwrap().success());
    // 5 GB that take no room on the disk.
    let sparse = std::fs::File::create(path("huge.txt")).unwrap();
    sparse.set_len(5_000_000_000).unwrap();
    std::fs::set_permissions(path("locked.md"), PermissionsExt::from_mode(0o000)).unwrap();
    let is_root = std::fs::read(path("locked.md")).is_ok();

    let run = Home::new().rag(&["ingest", utf8(folder.path()), "--json"]);
    let rows = rows(&run.json());
    let status = |name: &str| rows[name].status.as_str();
    assert_eq!(status("good.md"), "read", "{run}");
    for passed in ["circle", "outside", "dangling.md", "pipe.txt", "huge.txt"] {
        assert_eq!(status(passed), "skipped", "{run}");
        assert!(rows[passed].reason.is_some(), "{run}");
    }
    assert_eq!(status("caf\\xE9.md"), "read", "{run}");
    let locked = if is_root { "read" } else { "failed" };
    assert_eq!(status("locked.md"), locked, "{run}");
}

/// A document type that would grow to 3 GB (the name is that of the attack).
fn billion_laughs() -> String {
    let mut text =
        String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY lol0 \"lol\">\n");
    for depth in 1..=9 {
        let inner = format!("&lol{};", depth - 1).repeat(10);
        writeln!(text, "<!ENTITY lol{depth} \"{inner}\">").unwrap();
    }
    text + "]>\n<lolz>&lol9;</lolz>\n"
}

/// A PDF whose tree of pages is its own child.
fn page_tree_loop() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>",
        "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>",
    ];
    let mut pdf: Vec<u8> = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (object, number) in objects.iter().zip(1..) {
        offsets.push(pdf.len());
        writeln!(pdf, "{number} 0 obj\n{object}\nendobj").unwrap();
    }
    let (xref, size) = (pdf.len(), objects.len() + 1);
    writeln!(pdf, "xref\n0 {size}\n0000000000 65535 f ").unwrap();
    for offset in offsets {
        writeln!(pdf, "{offset:010} 00000 n ").unwrap();
    }
    writeln!(pdf, "trailer\n<< /Size {size} /Root 1 0 R >>").unwrap();
    writeln!(pdf, "startxref\n{xref}\n%%EOF").unwrap();
    pdf
}

/// A zip with one entry of so many zeros.
fn zip_of(entry: &str, zeros: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(entry, SimpleFileOptions::default()).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..zeros >> 20 {
        zip.write_all(&block).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

// -- doctor -----------------------------------------------------------------------------------------

#[test]
fn the_text_is_printed_to_the_byte() {
    let text = "# 标题 Title\r\n\r\nA line\twith \u{1b}[31mcolour\u{202e}.\n\nNo end of line";
    let folder = Folder::new(&[("a.md", text)]);
    let path = folder.path().join("a.md");
    let run = Home::new()
        .rag(&["doctor", "--text", utf8(&path)])
        .expect(0);
    assert_eq!(run.stdout, text.replace("\r\n", "\n"));
    let twice = Home::new()
        .rag(&["doctor", "--text", utf8(&path), utf8(&path)])
        .expect(0);
    assert_eq!(twice.stdout, run.stdout.repeat(2));
}

#[test]
fn the_chunks_are_those_of_the_index() {
    let library = library();
    for (file, words) in [
        ("reports/annual-report-2025.pdf", "412,800 passengers"),
        ("prices/fares-2026.md", "fares"),
    ] {
        let path = fixtures().join("kb").join(file);
        let run = library
            .home
            .rag(&["doctor", "--json", utf8(&path)])
            .expect(0);
        let seen = run.json()["files"][0].clone();
        let chunks = list(&seen["chunks"]).clone();
        let hits = library
            .home
            .search(words, &["--mode", "words", "--limit", "20"]);
        let of_file: Vec<&Value> = hits.iter().filter(|hit| hit["source"] == file).collect();
        assert!(!of_file.is_empty(), "{file}");
        for hit in of_file {
            let found = chunks.iter().find(|chunk| chunk["span"] == hit["focus"]);
            let chunk = found.unwrap_or_else(|| panic!("{hit}\n{run}"));
            assert_eq!(chunk["part"], hit["part"], "{hit}\n{run}");
            assert!(
                string(&hit["text"]).contains(&string(&chunk["text"])),
                "{hit}"
            );
        }
        let count = library.run.json();
        assert_eq!(rows(&count)[file].chunks, chunks.len() as u64);
    }
}

#[test]
fn a_file_is_described() {
    let path = fixtures().join("kb/中文/维修日志.txt");
    let run = library()
        .home
        .rag(&["doctor", "--json", utf8(&path)])
        .expect(0);
    let seen = run.json()["files"][0].clone();
    assert_eq!(seen["status"], "read", "{run}");
    assert_eq!(seen["recognised"]["by"], "name", "{run}");
    assert_eq!(seen["findings"]["encoding"], "gb18030", "{run}");
    assert_eq!(seen["findings"]["language"], "zh-Hans", "{run}");
    let ideographs = seen["findings"]["counts"]["ideographs"].as_u64().unwrap();
    assert!(ideographs > 50, "{run}");

    let path = fixtures().join("kb/reports/annual-report-2025.pdf");
    let people = library().home.rag(&["doctor", utf8(&path)]).expect(0);
    for said in [
        "told by its content",
        "pages       5",
        "heading ",
        "sandbox ",
        "tokens of",
    ] {
        assert!(people.stdout.contains(said), "{said}\n{people}");
    }
}

#[test]
fn a_file_that_can_not_be_read_is_named_with_advice_and_the_others_are_described() {
    let folder = Folder::new(&[("good.md", "The heron waits.")]);
    let good = folder.path().join("good.md");
    let bad = fixtures().join("broken/noise.pdf");
    let missing = folder.path().join("missing.md");
    let args = [
        "doctor",
        utf8(&bad),
        utf8(&missing),
        utf8(folder.path()),
        utf8(&good),
    ];
    let run = Home::new().rag(&args).expect(2);
    assert!(run.stdout.contains("good.md"), "{run}");
    for named in ["noise.pdf", "missing.md", "is a folder", "hint: "] {
        assert!(run.stderr.contains(named), "{named}\n{run}");
    }
}

#[test]
fn chunks_need_the_embedder_and_the_rest_does_not() {
    let folder = Folder::new(&[("a.md", "The heron waits.")]);
    let file = folder.path().join("a.md");
    let home = Home::new();
    let without_models = |args: &[&str]| {
        let mut command = home.command(args);
        harness::finish(command.env("RAG_MODELS", home.path().join("none")))
    };
    let run = without_models(&["doctor", utf8(&file)]).expect(0);
    assert!(run.stdout.contains("chunks      not known"), "{run}");
    without_models(&["doctor", "--text", utf8(&file)]).expect(0);
    let run = without_models(&["doctor", "--chunks", utf8(&file)]).expect(2);
    assert!(run.stderr.contains("hint: "), "{run}");
}

#[test]
fn the_installation_is_looked_over() {
    let library = library();
    let run = library.home.rag(&["doctor"]).expect(0);
    for said in [
        "home ",
        harness::EMBEDDER,
        "whole",
        "default: format ",
        "threads",
        "network: ",
    ] {
        assert!(run.stdout.contains(said), "{said}\n{run}");
    }
    let home = Home::new();
    let kb = home.path().join("kb/broken");
    std::fs::create_dir_all(&kb).unwrap();
    std::fs::write(kb.join("meta.json"), "{\"format\": 999}").unwrap();
    let run = home.rag(&["doctor", "--json"]).expect(2);
    let failure = &run.json()["knowledge_bases"][0]["state"]["failed"];
    assert!(string(&failure["message"]).contains("999"), "{run}");
    assert!(Path::new(&string(&run.json()["home"])).is_dir(), "{run}");
}
