//! What splitting promises, as examples and as properties of any document.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rag_core::{Block, BlockKind, Page, Part};

use super::*;
use crate::Reader;

/// One token for each word and each Chinese character, as word pieces are in the main.
struct Words;

impl TokenCounter for Words {
    fn count_tokens(&self, text: &str) -> usize {
        let mut tokens = 0;
        let mut in_word = false;
        for c in text.chars() {
            let goes_on = in_word && c.is_ascii_alphanumeric();
            tokens += usize::from(!(c.is_whitespace() || goes_on));
            in_word = c.is_ascii_alphanumeric();
        }
        tokens
    }
}

/// One token for each byte, white space included: the sum of the parts is less than the whole.
struct Bytes;

impl TokenCounter for Bytes {
    fn count_tokens(&self, text: &str) -> usize {
        text.len()
    }
}

/// Counts the bytes it was asked to count.
#[derive(Default)]
struct Recorder(AtomicUsize);

impl TokenCounter for Recorder {
    fn count_tokens(&self, text: &str) -> usize {
        self.0.fetch_add(text.len(), Ordering::Relaxed);
        Words.count_tokens(text)
    }
}

fn markdown(text: &str) -> Document {
    Reader::new().read("a.md", text.as_bytes()).unwrap()
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

/// All that must hold of any document's chunks.
fn check(document: &Document, sizes: Sizes, counter: &dyn TokenCounter, chunks: &[Chunk]) {
    let max = sizes.max.max(MIN_TOKENS);
    let mut at = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        assert!(chunk.span.start >= at, "chunks overlap at {at}");
        at = chunk.span.end;
        assert_eq!(chunk.text, document.text[chunk.span.start..chunk.span.end]);
        // A tab before the first cell of a row says that the cell is empty.
        assert_eq!(
            chunk.text.trim_start_matches('\t').trim(),
            chunk.text.trim_start_matches('\t')
        );
        let tokens = Bounded(counter).count_tokens(&chunk.embedded_text());
        assert_eq!(chunk.tokens as usize, tokens);
        assert!(tokens <= max, "{tokens} tokens in {:?}", chunk.text);
        assert_eq!(chunk.page, document.page_at(chunk.span.start));
        let lines = document
            .lines_are_source_lines
            .then(|| Lines::of(&document.text, chunk.span));
        assert_eq!(chunk.lines, lines);
    }
    let mut holders = vec![0_u8; document.text.len()];
    for chunk in chunks {
        for held in &mut holders[chunk.span.start..chunk.span.end] {
            *held += 1;
        }
    }
    for block in &document.blocks {
        for (at, c) in block.span.slice(&document.text).char_indices() {
            let holds = holders[block.span.start + at];
            assert!(
                c.is_whitespace() || holds == 1,
                "{c:?} of a block is in {holds} chunks"
            );
        }
    }
}

#[test]
fn a_heading_belongs_to_the_chunk_that_follows_it() {
    let document = markdown("# A\n\n## B\n\none two\n\nthree\n\n## C\n\n## D\n\nfour\n");
    let chunks = split(
        &document,
        Sizes {
            target: 20,
            max: 40,
        },
        &Words,
    );
    assert_eq!(
        texts(&chunks),
        ["# A\n\n## B\n\none two\n\nthree", "## C", "## D\n\nfour"]
    );
    assert_eq!(chunks[0].heading, Vec::<String>::new());
    assert_eq!(chunks[2].heading, ["A"]);
    assert_eq!(
        chunks[2].lines,
        Some(Lines {
            first: 11,
            last: 13
        })
    );
}

#[test]
fn later_chunks_of_a_section_have_its_heading_in_their_path() {
    let text = format!(
        "# A\n\n## B\n\n{}\n\n{}\n",
        "one ".repeat(15),
        "two ".repeat(15)
    );
    let chunks = split(
        &markdown(&text),
        Sizes {
            target: 20,
            max: 40,
        },
        &Words,
    );
    assert_eq!(chunks.len(), 2);
    assert_eq!(chunks[1].heading, ["A", "B"]);
    assert!(chunks[1].embedded_text().starts_with("A › B\ntwo"));
}

#[test]
fn a_block_that_fits_the_maximum_is_not_cut_to_reach_the_target() {
    let text = format!(
        "{}. {}.\n",
        "one ".repeat(15).trim(),
        "two ".repeat(15).trim()
    );
    assert_eq!(
        split(
            &markdown(&text),
            Sizes {
                target: 20,
                max: 40
            },
            &Words
        )
        .len(),
        1
    );
    assert_eq!(
        split(
            &markdown(&text),
            Sizes {
                target: 20,
                max: 30
            },
            &Words
        )
        .len(),
        2
    );
}

#[test]
fn chinese_text_is_cut_where_sentences_end() {
    let text = "今天的天气非常好，我们出发吧！".repeat(10);
    let chunks = split(
        &markdown(&text),
        Sizes {
            target: 40,
            max: 50,
        },
        &Words,
    );
    assert!(chunks.len() > 2);
    assert!(chunks.iter().all(|chunk| chunk.text.ends_with('！')));
}

#[test]
fn a_small_last_piece_joins_the_one_before() {
    let text = format!("{}\n\nlast words\n", "one ".repeat(19));
    let chunks = split(
        &markdown(&text),
        Sizes {
            target: 20,
            max: 40,
        },
        &Words,
    );
    assert_eq!(chunks.len(), 1);
}

#[test]
fn a_long_table_is_cut_between_rows() {
    let rows = "| some row | 12 |\n".repeat(40);
    let document = markdown(&format!("| a | b |\n|---|---|\n{rows}"));
    let chunks = split(
        &document,
        Sizes {
            target: 40,
            max: 60,
        },
        &Words,
    );
    assert!(chunks.len() > 3);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.text.starts_with('|') && chunk.text.ends_with('|'))
    );
}

#[test]
fn a_heading_path_that_is_too_long_loses_its_outer_headings() {
    let long = "many words in this heading ".repeat(3);
    let document = markdown(&format!(
        "# {long}\n\n## Short\n\n### Deep\n\ntext\n\n### Deeper\n\nmore\n"
    ));
    let chunks = split(
        &document,
        Sizes {
            target: 24,
            max: 32,
        },
        &Words,
    );
    assert_eq!(chunks.last().unwrap().heading, ["Short"]);
}

/// Pages of blocks, as the PDF reader gives them.
fn paged(pages: &[&[(BlockKind, &str)]]) -> Document {
    let mut document = Document::default();
    for (index, blocks) in pages.iter().enumerate() {
        let start = document.text.len();
        for (kind, text) in *blocks {
            let from = document.text.len();
            document.text.push_str(text);
            let span = Span::new(from, document.text.len());
            document.blocks.push(Block::new(*kind, span));
            document.text.push_str("\n\n");
        }
        let span = Span::new(start, document.text.trim_end().len());
        document.pages.push(Page {
            number: index as u32 + 1,
            span,
        });
    }
    document
}

#[test]
fn a_chunk_stays_on_its_page_unless_a_block_goes_over() {
    use BlockKind::Paragraph;
    let mut document = paged(&[
        &[(Paragraph, "one two"), (Paragraph, "three")],
        &[(Paragraph, "four five")],
    ]);
    let sizes = Sizes {
        target: 30,
        max: 40,
    };
    let chunks = split(&document, sizes, &Words);
    assert_eq!(texts(&chunks), ["one two\n\nthree", "four five"]);
    assert_eq!((chunks[1].page, chunks[1].page_end), (Some(2), Some(2)));

    let over = document.blocks.remove(2).span;
    document.blocks[1].span.end = over.end;
    let chunks = split(&document, sizes, &Words);
    assert_eq!(chunks.len(), 1);
    assert_eq!((chunks[0].page, chunks[0].page_end), (Some(1), Some(2)));
}

#[test]
fn a_table_that_is_cut_carries_its_header_on() {
    let rows: Vec<String> = (1..=20).map(|n| format!("Ferry {n}\t{n} knots")).collect();
    let table = format!("\tSpeed\n{}", rows.join("\n"));
    let document = paged(&[&[
        (BlockKind::Table, &table),
        (BlockKind::Paragraph, "After it."),
    ]]);
    let sizes = Sizes {
        target: 24,
        max: 32,
    };
    let chunks = split(&document, sizes, &Words);
    check(&document, sizes, &Words, &chunks);
    assert!(chunks.len() > 2);
    assert!(chunks[0].text.starts_with("\tSpeed\nFerry 1\t1 knots"));
    assert_eq!(chunks[0].table_header, None);
    for chunk in &chunks[1..] {
        assert_eq!(chunk.table_header.as_deref(), Some("\tSpeed"));
        assert!(chunk.embedded_text().starts_with("\tSpeed\nFerry "));
    }
    // A header that would take more than a quarter of a chunk is not repeated.
    let wide = format!("{}\n{}", "word ".repeat(12).trim(), rows.join("\n"));
    let document = paged(&[&[(BlockKind::Table, &wide)]]);
    let chunks = split(&document, sizes, &Words);
    assert!(chunks.iter().all(|chunk| chunk.table_header.is_none()));
}

#[test]
fn a_chunk_stays_in_its_part_and_names_it() {
    use BlockKind::{Heading, Paragraph};
    let mut document = paged(&[&[
        (Heading(1), "Winter"),
        (Paragraph, "one"),
        (Paragraph, "two"),
    ]]);
    document.pages.clear();
    let of = |block: &Block| block.span;
    let [heading, one, two] = [0, 1, 2].map(|at| of(&document.blocks[at]));
    let part = |name: &str, span| Part {
        name: name.to_owned(),
        span,
    };
    document.parts = vec![
        part("Sheet1", Span::new(heading.start, one.end)),
        part("Sheet2", two),
    ];
    let sizes = Sizes {
        target: 30,
        max: 40,
    };
    let chunks = split(&document, sizes, &Words);
    let places: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk.part.as_deref().unwrap(), chunk.heading.join("/")))
        .collect();
    // The heading of one part is not above the text of the next.
    let expected = [
        ("Sheet1", "Sheet1".to_owned()),
        ("Sheet2", "Sheet2".to_owned()),
    ];
    assert_eq!(places, expected);
    assert_eq!(texts(&chunks), ["Winter\n\none", "two"]);
}

#[test]
fn very_short_sections_of_a_page_share_a_chunk() {
    use BlockKind::{Heading, Paragraph};
    let document = paged(&[&[
        (Heading(2), "Total"),
        (Paragraph, "12"),
        (Heading(2), "Sum"),
        (Paragraph, "13"),
    ]]);
    let chunks = split(
        &document,
        Sizes {
            target: 40,
            max: 60,
        },
        &Words,
    );
    assert_eq!(texts(&chunks), ["Total\n\n12\n\nSum\n\n13"]);
}

#[test]
fn a_word_of_any_length_is_cut_although_a_tokenizer_takes_it_for_one_token() {
    let document = markdown(&"lighthouse".repeat(10_000));
    let sizes = Sizes {
        target: 60,
        max: 100,
    };
    let chunks = split(&document, sizes, &Words);
    check(&document, sizes, &Words, &chunks);
    let longest = chunks.iter().map(|chunk| chunk.text.len()).max().unwrap();
    assert!(longest <= 100 * 24, "{longest}");
}

#[test]
fn the_work_of_counting_grows_with_the_text_and_not_faster() {
    let words = "The keeper of the lighthouse counted storms, and more storms. ".repeat(8);
    let ordinary = format!("# Storms\n\n## Winter\n\n{words}\n\n- one\n- two\n\n").repeat(1800);
    let unbroken = "灯塔的管理员记录了暴雨".repeat(30_000);
    for (name, text) in [("ordinary", ordinary), ("unbroken", unbroken)] {
        let document = markdown(&text);
        let recorder = Recorder::default();
        let chunks = split(
            &document,
            Sizes {
                target: 200,
                max: 256,
            },
            &recorder,
        );
        assert!(!chunks.is_empty());
        let work = recorder.0.load(Ordering::Relaxed) as f64 / text.len() as f64;
        assert!(
            work < 10.0,
            "{name}: every byte was counted {work:.1} times"
        );
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ,.]{0,80}",
        "[中文字符的了，。！？；]{0,60}",
        "(#|##|###) [a-z中 ]{0,30}",
        "- [a-z ]{0,30}",
        "```\n[a-z \n]{0,40}\n```",
        "\\| [a-z]{1,9} \\| [a-z 中]{1,20} \\|\n\\|---\\|---\\|\n(\\| [a-z]{1,9} \\| [0-9]{1,5} \\|\n){0,8}",
        "(word){1,60}",
        "[\u{1F600}-\u{1F64F}e\u{301}\u{200d}]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_rules_hold_for_any_markdown(
        pieces in prop::collection::vec(piece(), 0..20),
        target in 1_usize..120,
        extra in 0_usize..100,
        by_bytes: bool,
    ) {
        let document = markdown(&pieces.join("\n\n"));
        let sizes = Sizes { target, max: target + extra };
        let counter: &dyn TokenCounter = if by_bytes { &Bytes } else { &Words };
        let chunks = split(&document, sizes, counter);
        check(&document, sizes, counter, &chunks);
    }

    #[test]
    fn the_rules_hold_for_any_pages(
        pages in prop::collection::vec(prop::collection::vec((0_u8..4, piece()), 0..5), 0..6),
        target in 16_usize..80,
    ) {
        let kinds = [BlockKind::Heading(2), BlockKind::Paragraph, BlockKind::ListItem, BlockKind::Table];
        let pages: Vec<Vec<(BlockKind, String)>> = pages
            .into_iter()
            .map(|page| page.into_iter().map(|(kind, text)| (kinds[kind as usize], text.trim().to_owned())).collect())
            .collect();
        let borrowed: Vec<Vec<(BlockKind, &str)>> = pages
            .iter()
            .map(|page| page.iter().map(|(kind, text)| (*kind, text.as_str())).collect())
            .collect();
        let slices: Vec<&[(BlockKind, &str)]> = borrowed.iter().map(Vec::as_slice).collect();
        let document = paged(&slices);
        let sizes = Sizes { target, max: target * 2 };
        let chunks = split(&document, sizes, &Words);
        check(&document, sizes, &Words, &chunks);
    }
}
