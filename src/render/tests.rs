//! Answers with everything in them that could be taken for markup.

use std::path::PathBuf;

use rag_core::{AnswerMode, Lines, Refusal, RefusalReason, Sentence, SourceKey, Span};
use rag_engine::CitedFile;

use super::*;

fn citation(n: u32, quote: &str) -> Citation {
    Citation {
        n,
        source: "notes/a_b.md".into(),
        part: None,
        page: None,
        lines: Some(Lines { first: 3, last: 3 }),
        heading: vec!["<b>Fleet</b>".into()],
        quote: quote.into(),
        span: Span::new(0, 1),
        areas: Vec::new(),
        verified: true,
        note: None,
    }
}

fn answer() -> Answer {
    let sentence = |text: &str, citations: &[u32]| Sentence {
        text: text.into(),
        citations: citations.to_vec(),
    };
    Answer {
        text: "See [1] in it. [1]\n- <script>x</script> [?] 是的。[2][1]".into(),
        confidence: 1.0,
        sentences: vec![
            sentence("See [1] in it.", &[1]),
            sentence("- <script>x</script>", &[]),
            sentence("是的。", &[2, 1]),
        ],
        citations: vec![
            citation(1, "See [1] in it."),
            citation(2, "\"是\u{202e}的\"\n</li>"),
        ],
        ..Answer::begun("Is 1 < 2 & *so* on?", AnswerMode::Generated)
    }
}

fn refused() -> Answer {
    Answer {
        refused: Some(Refusal {
            reason: RefusalReason::NoHits,
            message: "Nothing <here>.".into(),
        }),
        ..answer()
    }
}

#[test]
fn marks_are_told_from_text_that_looks_like_them() {
    let answer = answer();
    let texts: Vec<(&str, &[u32])> = pieces(&answer)
        .iter()
        .map(|piece| (piece.text, piece.citations))
        .collect();
    let expected: [(&str, &[u32]); 3] = [
        ("See [1] in it.", &[1]),
        ("- <script>x</script>", &[]),
        ("是的。", &[2, 1]),
    ];
    assert_eq!(texts, expected);
}

#[test]
fn markdown_has_footnotes_and_no_markup_of_the_documents() {
    insta::assert_snapshot!("markdown", markdown(&answer()));
    assert!(markdown(&refused()).contains("*Nothing \\<here\\>.*"));
}

#[test]
fn a_page_has_links_and_no_markup_of_the_documents() {
    let sources = [CitedFile {
        citation: citation(1, ""),
        key: SourceKey("k".into()),
        file: PathBuf::from("/x y/notes/a_b.md"),
    }];
    let page = html(&answer(), &sources);
    let body = page.split_once("</head>").unwrap().1;
    insta::assert_snapshot!("html", body);
    assert!(page.contains("<title>Is 1 &lt; 2 &amp; *so* on?</title>"));
    assert!(page.contains("lang=\"en\""));
    assert!(html(&refused(), &[]).contains("<em>Nothing &lt;here&gt;.</em>"));
}
