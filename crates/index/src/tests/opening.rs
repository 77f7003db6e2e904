//! Opening, layouts, locks.

use std::fs;

use arrow::record_batch::RecordBatch;
use rag_core::Code;

use super::{best, layout, put, source, store};
use crate::store::is;
use crate::{Layout, Store, meta, schema};

#[test]
fn what_is_not_there_is_not_opened_for_reading_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("none");
    for opened in [Store::open_reader(&dir), Store::open_writer(&dir)] {
        let error = opened.unwrap_err();
        assert_eq!(error.code, Code::NoKnowledgeBase);
        assert!(error.hint.unwrap().contains("rag ingest"));
    }
    assert!(!dir.exists());
}

#[test]
fn who_writes_reads_the_table_in_small_batches_for_the_sake_of_memory() {
    let texts: Vec<String> = (0..2000).map(|n| format!("{n} ").repeat(200)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (home, store) = store();
    store.commit(put([source("long", 1, &texts)])).unwrap();
    let largest = |store: &Store| {
        let chunks = is(schema::KIND, schema::CHUNK);
        let read = store.read(&store.table, &[schema::TEXT], chunks).unwrap();
        read.iter().map(RecordBatch::num_rows).max().unwrap()
    };
    let as_made = largest(&store);
    drop(store);
    let dir = home.path().join("kb");
    let as_opened = largest(&Store::open_writer(&dir).unwrap());
    let in_a_search = largest(&Store::open_reader(&dir).unwrap());
    assert!(as_made < 500 && as_opened < 500, "{as_made}, {as_opened}");
    assert!(in_a_search > 500, "{in_a_search}"); // a query's own bound, 1,024
}

#[test]
fn a_store_remembers_its_layout() {
    let (home, store) = store();
    assert_eq!(store.layout(), &layout());
    drop(store);
    let reader = Store::open_reader(&home.path().join("kb")).unwrap();
    assert_eq!(reader.layout(), &layout());
}

#[test]
fn vectors_of_another_embedder_are_refused_with_advice() {
    let (home, store) = store();
    drop(store);
    let other = Layout {
        fingerprint: "toy-2".into(),
        embedder: "newer-toy".into(),
        ..layout()
    };
    let error = Store::open(&home.path().join("kb"), &other).unwrap_err();
    assert_eq!(error.code, Code::Incompatible);
    assert!(error.fact.contains("`toy`") && error.fact.contains("`newer-toy`"));
    assert!(error.hint.unwrap().contains("--kb NAME"));
}

#[test]
fn a_format_of_the_past_or_the_future_is_refused_with_advice() {
    let (home, store) = store();
    drop(store);
    let dir = home.path().join("kb");
    let past = [1, 2].map(|format| {
        format!(
            r#"{{"format": {format}, "embedder": "toy", "fingerprint": "toy-1", "dimensions": 4}}"#
        )
    });
    let future = r#"{"format": 99, "shape": "new"}"#.to_owned();
    for meta in past.into_iter().chain([future]) {
        fs::write(dir.join("meta.json"), meta).unwrap();
        let errors = [Store::open(&dir, &layout()), Store::open_reader(&dir)];
        for error in errors.map(|opened| opened.unwrap_err()) {
            assert_eq!(error.code, Code::Incompatible);
            assert!(error.hint.is_some());
        }
    }
}

#[test]
fn the_table_has_a_primary_key_from_its_first_version() {
    let (_home, store) = store();
    let again = store.table.set_unenforced_primary_key(["id"]);
    let error = rag_core::Error::from(store.wait("key", again).unwrap_err());
    assert!(error.one_line().contains("already set"), "{error:?}");
}

#[test]
fn a_second_writer_is_told_who_is_writing_since_when() {
    let (home, first) = store();
    let dir = home.path().join("kb");
    for second in [Store::open(&dir, &layout()), Store::open_writer(&dir)] {
        let error = second.unwrap_err();
        assert_eq!(error.code, Code::Locked);
        let pid = format!("process {}, since 2", std::process::id());
        assert!(error.fact.contains(&pid), "{}", error.fact);
    }
    Store::open_reader(&dir).unwrap();
    drop(first);
    Store::open_writer(&dir).unwrap();
}

#[test]
fn a_reader_does_not_write() {
    let (home, _writer) = store();
    let reader = Store::open_reader(&home.path().join("kb")).unwrap();
    let error = reader.commit(put([source("a", 1, &["text"])])).unwrap_err();
    assert_eq!(error.code, Code::Internal);
    assert!(reader.maintain(crate::Upkeep::Full).is_err());
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_by_the_next_writer() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("kb");
    // What is there when the process dies between the two.
    fs::create_dir_all(dir.join("lance")).unwrap();
    let other = Layout {
        fingerprint: "never-used".into(),
        ..layout()
    };
    let meta = meta::Meta {
        layout: other,
        folder: "lance".into(),
    };
    meta::write(&dir, meta::Role::Present, &meta).unwrap();
    assert_eq!(
        Store::open_reader(&dir).unwrap_err().code,
        Code::NoKnowledgeBase
    );
    let store = Store::open(&dir, &layout()).unwrap();
    store.commit(put([source("a", 1, &["text"])])).unwrap();
    assert_eq!(Store::open_reader(&dir).unwrap().layout(), &layout());
}

#[test]
fn any_path_will_do() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("知识 库's #1? 100% [x]").join("db");
    let store = Store::open(&dir, &layout()).unwrap();
    store.commit(put([source("a", 1, &["some text"])])).unwrap();
    drop(store);
    assert_eq!(
        best(&Store::open_reader(&dir).unwrap(), "text").unwrap(),
        "a"
    );
}

#[cfg(unix)]
#[test]
fn the_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (home, _store) = store();
    let mode = fs::metadata(home.path().join("kb"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
