//! Searching by word and by vector.

use std::sync::atomic::Ordering;

use rag_core::Code;

use super::{best, key, put, source, store, vector};
use crate::{Batch, Place, Ranked, Scope, SourceRows, Store, Upkeep, Wanted};

/// A store with these sources, looked at before and after its words are indexed.
fn before_and_after_indexing(sources: &[(&str, &str)], look: impl Fn(&Store)) {
    let (_home, store) = store();
    let rows = sources.iter().enumerate();
    let rows = rows.map(|(seed, (name, text))| source(name, seed, &[text]));
    store.commit(put(rows)).unwrap();
    assert!(store.counts().unwrap().unindexed_rows > 0);
    look(&store);
    store.maintain(Upkeep::AfterIngest).unwrap();
    assert_eq!(store.counts().unwrap().unindexed_rows, 0);
    look(&store);
}

const CHINESE: [(&str, &str); 5] = [
    ("hybrid", "混合检索把关键词检索和向量检索的结果融合在一起。"),
    (
        "revenue",
        "2024年第三季度，公司营业收入同比增长12.5%，达到３亿元。",
    ),
    ("weather", "今天北京天气晴朗，最高气温二十六度，适合出行。"),
    (
        "database",
        "ＬａｎｃｅＤＢ 是一个开源的向量数据库，支持 full-text search。",
    ),
    (
        "leave",
        "员工每年享有十五天带薪年假，需提前两周向主管提出申请。",
    ),
];

#[test]
fn chinese_words_are_found() {
    before_and_after_indexing(&CHINESE, |store| {
        assert_eq!(best(store, "混合检索").unwrap(), "hybrid");
        assert_eq!(best(store, "向量数据库").unwrap(), "database");
        assert_eq!(best(store, "天气").unwrap(), "weather");
        assert_eq!(best(store, "火车票"), None);
    });
}

#[test]
fn a_chinese_sentence_finds_the_text_that_speaks_of_it() {
    before_and_after_indexing(&CHINESE, |store| {
        assert_eq!(
            best(store, "第三季度的营业收入增长了多少？").unwrap(),
            "revenue"
        );
        assert_eq!(best(store, "员工一年有几天年假？").unwrap(), "leave");
        assert_eq!(best(store, "怎样把检索结果融合起来？").unwrap(), "hybrid");
    });
}

#[test]
fn a_chinese_term_counts_more_where_its_parts_stand_together() {
    let sources = [
        ("apart", "仓库里的数据，数据在库里，库里有数据。"),
        (
            "together",
            "我们把所有的记录都存进一个新的数据库，每天夜里再做一次备份，以防万一。",
        ),
    ];
    before_and_after_indexing(&sources, |store| {
        assert_eq!(best(store, "数据库").unwrap(), "together");
        assert_eq!(store.search_words("数据库", 9).unwrap().len(), 2);
    });
}

#[test]
fn chinese_and_english_mix_and_full_width_is_half_width() {
    before_and_after_indexing(&CHINESE, |store| {
        for query in [
            "ＬａｎｃｅＤＢ",
            "LanceDB",
            "lancedb 数据库",
            "全文 full-text searches",
        ] {
            assert_eq!(best(store, query).unwrap(), "database", "{query}");
        }
        assert_eq!(best(store, "3亿元").unwrap(), "revenue");
    });
}

#[test]
fn traditional_and_simplified_find_each_other() {
    let sources = [
        ("simplified", "干部们在后台整理数据库里的发票和邮件。"),
        ("traditional", "颱風過後，軟體公司的員工領取了網路津貼。"),
        ("other", "今天北京天气晴朗。"),
    ];
    before_and_after_indexing(&sources, |store| {
        for query in ["資料庫裡的發票", "數據庫", "發票和郵件", "後臺"] {
            assert_eq!(best(store, query), Some(key("simplified").0), "{query}");
        }
        for query in ["台风过后", "软体公司员工", "网路津贴"] {
            assert_eq!(best(store, query), Some(key("traditional").0), "{query}");
        }
    });
}

#[test]
fn english_words_are_found_in_any_case_and_form() {
    let sources = [
        ("run", "The runner was running along the café."),
        ("walk", "She walked to the station; the train was late."),
    ];
    before_and_after_indexing(&sources, |store| {
        assert_eq!(best(store, "RUNS").unwrap(), "run");
        assert_eq!(best(store, "cafe").unwrap(), "run");
        assert_eq!(best(store, "walking trains").unwrap(), "walk");
        // Stop words of any language stay words.
        assert_eq!(best(store, "she").unwrap(), "walk");
    });
}

#[test]
fn headings_are_searched_and_are_no_part_of_the_text() {
    let (_home, store) = store();
    let mut rows = source("a", 1, &["It is fifteen days."]);
    rows.chunks[0].chunk.heading = vec!["Handbook".into(), "Annual leave".into()];
    store
        .commit(put([rows, source("b", 2, &["It is raining."])]))
        .unwrap();
    let found = store.search_words("annual leave", 5).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].chunk.text, "It is fifteen days.");
}

#[test]
fn nothing_in_a_query_is_syntax() {
    let sources = [("a", "plain words AND \"quoted\" (or not)"), ("b", "other")];
    before_and_after_indexing(&sources, |store| {
        let long = "x".repeat(5000);
        for query in [
            "\"quoted",
            "plain AND (",
            "words) OR",
            "NOT quoted",
            "-words +plain",
            "quoted~2 words^3",
            "words:plain",
            "plain'; DROP TABLE chunks; --",
            "pla* w?rds words",
            "\\ words \\\"",
            "{}[]words",
            "quoted\0\n\t",
            &format!("{long} words"),
        ] {
            assert_eq!(best(store, query).unwrap(), "a", "{query:?}");
        }
        for query in ["", " ", "?!…", "。，、", "\"\"", "()", "\u{200b}", &long] {
            assert_eq!(best(store, query), None, "{query:?}");
        }
    });
}

#[test]
fn no_search_finds_a_head_row() {
    let sources = [
        ("source", "text of the first"),
        ("chunk", "text of the second"),
    ];
    before_and_after_indexing(&sources, |store| {
        assert_eq!(
            store.search_words("source chunk hash rules", 10).unwrap(),
            []
        );
        assert_eq!(store.search_vector(&vector(5), 10).unwrap().len(), 2);
    });
}

#[test]
fn the_best_are_taken_from_the_sources_asked_for() {
    let sources = [
        ("near", "harbour harbour"),
        ("far", "harbour and much else besides"),
    ];
    before_and_after_indexing(&sources, |store| {
        let found = |scope: Scope| {
            let words = store.rank_words(&scope, "harbour", 1).unwrap();
            let vector = store.rank_vector(&scope, &vector(1), 1).unwrap();
            let names = |ranked: Vec<Ranked>| {
                let keys = ranked.into_iter().map(|ranked| ranked.place.0.0);
                keys.collect::<Vec<String>>()
            };
            (names(words), names(vector))
        };
        let only = |name: &str| (vec![name.to_owned()], vec![name.to_owned()]);
        assert_eq!(found(Scope::Only(vec![key("far")])), only("far"));
        assert_eq!(found(Scope::AllBut(vec![key("far")])), only("near"));
        assert_eq!(found(Scope::Only(vec![])), (vec![], vec![]));
        assert_eq!(found(Scope::AllBut(vec![])).0, ["near"]);
    });
}

/// Places of what stands up to 2 beside the best hit for `query`, and how many were not where they
/// were expected.
fn around(store: &Store, query: &str) -> (Vec<Place>, usize) {
    let ranked = store.rank_words(&Scope::All, query, 1).unwrap();
    let before = store.searched_for.load(Ordering::Relaxed);
    let read = store
        .chunks_at(&ranked.iter().collect::<Vec<_>>(), 2)
        .unwrap();
    let mut places: Vec<Place> = read.into_keys().collect();
    places.retain(|(of, _)| *of == ranked[0].place.0);
    places.sort();
    (places, store.searched_for.load(Ordering::Relaxed) - before)
}

/// Places of these chunks of one source.
fn places(of: &str, ordinals: impl IntoIterator<Item = u32>) -> Vec<Place> {
    ordinals
        .into_iter()
        .map(|ordinal| (key(of), ordinal))
        .collect()
}

#[test]
fn what_stands_beside_a_chunk_is_read_without_a_search() {
    let (_home, store) = store();
    let letters = ["zero", "one", "two", "three", "four", "five"];
    let rows = ["a", "b"].map(|name| source(name, 1, &letters[..if name == "a" { 6 } else { 2 }]));
    store.commit(put(rows)).unwrap();
    // What is replaced is written by a merge, what comes to an end does so beside another source.
    for seed in 2..4 {
        let upper: Vec<String> = letters.iter().map(|word| format!("{word} c")).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        for (query, ordinals) in [("zero", 0..=2), ("three", 1..=5), ("five", 3..=5)] {
            let (found, searched) = around(&store, query);
            let of = found[0].0.0.clone();
            let last = if of == "b" { 1 } else { 5 };
            assert_eq!(
                found,
                places(&of, ordinals.filter(|at| *at <= last)),
                "{query}"
            );
            assert_eq!(searched, 0, "{query} {seed}");
        }
        store.commit(put([source("a", seed, &upper)])).unwrap();
        store.maintain(Upkeep::Full).unwrap();
    }
}

#[test]
fn what_does_not_lie_where_it_was_is_searched_for() {
    let (_home, store) = store();
    let texts = ["zero", "one", "two", "three"];
    store.commit(put([source("a", 1, &texts)])).unwrap();
    let mut ranked = store.rank_words(&Scope::All, "one", 1).unwrap();
    for row in [0, 3, 77, 5 << 32, u64::MAX] {
        ranked[0].row = row;
        let read = store.chunks_at(&[&ranked[0]], 1).unwrap();
        let mut texts: Vec<&str> = read.values().map(|read| &*read.chunk.text).collect();
        texts.retain(|text| *text != "three");
        texts.sort_unstable();
        assert_eq!(texts, ["one", "two", "zero"], "{row}");
    }
    store
        .commit(Batch {
            drop: vec![key("a")],
            ..Batch::default()
        })
        .unwrap();
    assert!(store.chunks_at(&[&ranked[0]], 1).unwrap().is_empty());
}

#[test]
fn an_empty_store_finds_nothing() {
    let (_home, store) = store();
    for _ in 0..2 {
        assert_eq!(store.search_words("anything", 5).unwrap(), []);
        assert_eq!(store.search_vector(&vector(1), 5).unwrap(), []);
        store.maintain(Upkeep::Full).unwrap();
    }
}

#[test]
fn the_nearest_vectors_come_first_and_opposites_score_minus_one() {
    let (_home, store) = store();
    let mut rows = source("a", 1, &["same", "opposite", "between"]);
    let there = vector(1000);
    rows.chunks[1].vector = there.iter().map(|x| -x).collect();
    store.commit(put([rows])).unwrap();
    let found = store.search_vector(&there, 10).unwrap();
    let texts: Vec<_> = found
        .iter()
        .map(|found| found.chunk.text.as_str())
        .collect();
    assert_eq!(texts, ["same", "between", "opposite"]);
    assert!((found[0].score - 1.0).abs() < 1e-5);
    assert!((found[2].score + 1.0).abs() < 1e-5);
    assert_eq!(store.search_vector(&there, 1).unwrap().len(), 1);
    assert_eq!(store.search_vector(&there, 0).unwrap(), []);
}

#[test]
fn a_query_vector_of_another_length_is_refused() {
    let (_home, store) = store();
    let error = store.search_vector(&[1.0], 5).unwrap_err();
    assert_eq!(error.code, Code::Internal);
}

#[test]
fn neighbours_come_in_order_and_only_from_the_same_source() {
    let (_home, store) = store();
    let texts = ["0", "1", "2", "3", "4"];
    store
        .commit(put([source("a", 1, &texts), source("b", 2, &texts)]))
        .unwrap();
    let ordinals = |from, to| -> Vec<u32> {
        let chunks = store.chunks_of(&key("a"), from, to).unwrap();
        chunks.iter().map(|chunk| chunk.ordinal).collect()
    };
    assert_eq!(ordinals(1, 3), [1, 2, 3]);
    assert_eq!(ordinals(4, u32::MAX), [4]);
    assert_eq!(store.chunks_of(&key("o'neil; --"), 0, 9).unwrap(), []);
}

#[test]
fn what_was_committed_is_found_though_nobody_did_upkeep_before_the_process_ended() {
    let (home, store) = store();
    store.commit(put([source("a", 1, &["apple"])])).unwrap();
    store.maintain(Upkeep::AfterIngest).unwrap();
    store.commit(put([source("b", 2, &["混合检索"])])).unwrap();
    drop(store);
    let reader = Store::open_reader(&home.path().join("kb")).unwrap();
    assert_eq!(best(&reader, "apples").unwrap(), "a");
    assert_eq!(best(&reader, "检索").unwrap(), "b");
    let found = reader.search_vector(&vector(2000), 1).unwrap();
    assert_eq!(found[0].source.key, key("b"));
}

#[test]
fn what_is_asked_without_a_plan_is_what_lancedb_finds_with_one() {
    let (_home, mut store) = store();
    store.exact_up_to = 10;
    let words = ["red", "green", "blue", "数据库", "向量", "检索"];
    let sources = (0..60).map(|number| {
        let text = |place: usize| {
            let picked = (0..4).map(|at| words[(number * 7 + place * 3 + at * at) % words.len()]);
            picked.collect::<Vec<_>>().join(" ")
        };
        let texts = [text(0), text(1), text(2)];
        source(
            &format!("s{number}"),
            number,
            &texts.each_ref().map(String::as_str),
        )
    });
    let sources: Vec<SourceRows> = sources.collect();
    store.commit(put(sources[..30].to_vec())).unwrap();
    store.maintain(Upkeep::AfterIngest).unwrap();
    store.commit(put(sources[30..].to_vec())).unwrap();
    store.maintain(Upkeep::AfterIngest).unwrap();
    let gone = Batch {
        drop: vec![key("s3"), key("s40")],
        ..Batch::default()
    };
    store.commit(gone).unwrap();

    let few = Scope::Only(vec![key("s3"), key("s5"), key("s41")]);
    let most = Scope::AllBut(vec![key("s1"), key("s2")]);
    let scores = |ranked: &[Ranked]| {
        let of = |ranked: &Ranked| (ranked.score * 1e4).round() as i64;
        let mut scores: Vec<i64> = ranked.iter().map(of).collect();
        scores.sort_unstable();
        scores
    };
    for scope in [Scope::All, few, most] {
        for query in ["red 数据库", "blue green", "「向量检索」 red", "nowhere"] {
            let asked = crate::words::query(query).unwrap();
            let found = store.words_in_view(&scope, &asked, 20).unwrap();
            let planned = store.words_by_plan(&scope, asked, 20).unwrap();
            assert_eq!(
                scores(&found.unwrap()),
                scores(&planned),
                "{query} {scope:?}"
            );
        }
        for seed in [1, 5002, 40_001] {
            let asked = vector(seed);
            let found = store.nearest_in_view(&scope, &asked, 20).unwrap();
            let planned = store.nearest_by_plan(&scope, &asked, 20).unwrap();
            assert_eq!(
                scores(&found.unwrap()),
                scores(&planned),
                "{seed} {scope:?}"
            );
        }
    }

    // A row that no index covers yet: only a plan finds all.
    store.commit(put([source("new", 99, &["red"])])).unwrap();
    let asked = crate::words::query("red").unwrap();
    assert!(
        store
            .words_in_view(&Scope::All, &asked, 20)
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .nearest_in_view(&Scope::All, &vector(99_000), 20)
            .unwrap()
            .is_none()
    );
    let found = store.rank_words(&Scope::All, "red", 300).unwrap();
    assert!(found.iter().any(|found| found.place.0 == key("new")));
}

#[test]
fn every_chunk_that_holds_some_words_is_read_in_order_indexed_or_not() {
    let sources = [
        ("a", "The storm took the jetty."),
        ("b", "Storms come in autumn; a jetty stands."),
        ("c", "No wind at all."),
        ("d", "風暴摧毀了碼頭。"),
        ("e", "风\n暴来了，码头还在。"),
        ("f", "The jetty is old. 暴风"),
    ];
    before_and_after_indexing(&sources, |store| {
        let holding = |scope: &Scope, terms: &[&str]| {
            let wanted = Wanted::all(terms).unwrap().unwrap();
            let mut names = Vec::new();
            let mut standing = wanted.clone();
            store
                .each_holding(scope, &wanted, &mut |read| {
                    names.extend(read.into_iter().filter_map(|read| {
                        let places = standing.standing(&read.chunk.text);
                        let holds = places.iter().all(|places| !places.is_empty());
                        holds.then_some(read.source.key.0)
                    }));
                    Ok(())
                })
                .unwrap();
            names.sort();
            names
        };
        assert_eq!(holding(&Scope::All, &["storm"]), ["a", "b"]);
        assert_eq!(holding(&Scope::All, &["storm", "jetties"]), ["a", "b"]);
        assert_eq!(holding(&Scope::All, &["JETTY"]), ["a", "b", "f"]);
        assert_eq!(holding(&Scope::All, &["风暴"]), ["d", "e"]);
        assert_eq!(holding(&Scope::Only(vec![key("b")]), &["storm"]), ["b"]);
        assert_eq!(holding(&Scope::AllBut(vec![key("b")]), &["storm"]), ["a"]);
        assert_eq!(holding(&Scope::All, &["lighthouse"]), [""; 0]);
    });
}

#[test]
fn of_many_chunks_none_is_left_out() {
    let (_home, store) = store();
    let texts: Vec<String> = (0..1_300)
        .map(|n| {
            format!(
                "Storm number {n} of the keeper. {}",
                if n % 3 == 0 { "Gale." } else { "" }
            )
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rows = texts.chunks(100).enumerate();
    let rows = rows.map(|(n, texts)| source(&format!("s{n}"), n, texts));
    store.commit(put(rows)).unwrap();
    store.maintain(Upkeep::AfterIngest).unwrap();
    let wanted = Wanted::all(&["gale"]).unwrap().unwrap();
    let mut places = Vec::new();
    let count = store
        .each_holding(&Scope::All, &wanted, &mut |read| {
            places.extend(
                read.into_iter()
                    .map(|read| (read.source.key, read.chunk.ordinal)),
            );
            Ok(())
        })
        .unwrap();
    assert_eq!((count, places.len()), (434, 434));
    assert!(places.is_sorted());
}
