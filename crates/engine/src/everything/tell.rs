//! What is said of a count: a sentence with the figures, then a line for each source, in the language of
//! the question. Pure.

use std::fmt::Write;

use rag_core::everything::{Counted, Standing};
use rag_core::fold::is_unspaced;
use rag_core::{Answer, Everything, Sentence};

/// Writes text, sentences and notes of an answer that was counted.
pub(super) fn tell(counts: &Everything, answer: &mut Answer) {
    let chinese = answer.question.chars().any(is_unspaced);
    let first = if chinese {
        in_chinese(counts)
    } else {
        in_english(counts)
    };
    answer.text.clone_from(&first);
    let all = counts
        .by_source
        .iter()
        .flat_map(|here| here.citations.iter().copied());
    answer.sentences.push(Sentence {
        text: first,
        citations: all.collect(),
    });
    for here in &counts.by_source {
        let mut line = format!("- {}", here.source);
        for n in &here.citations {
            let _ = write!(line, " [{n}]");
        }
        answer.text.push('\n');
        answer.text.push_str(&line);
        answer.sentences.push(Sentence {
            text: here.source.clone(),
            citations: here.citations.clone(),
        });
    }
    answer.notes = notes(counts);
}

fn in_english(counts: &Everything) -> String {
    let searched = of(counts.searched, "document");
    let subject = &counts.subject;
    let Everything {
        sources,
        places,
        mentions,
        ..
    } = *counts;
    if places == 0 {
        return format!("“{subject}” stands in none of {searched}.");
    }
    let how = match counts.standing {
        Standing::AsAsked if mentions == places => String::new(),
        Standing::AsAsked => format!(", {} in all", of(mentions, "mention")),
        Standing::InOneSentence => ", as words of one sentence".to_owned(),
    };
    match counts.counted {
        Counted::Sources => {
            let mention = if sources == 1 { "mentions" } else { "mention" };
            let places = of(places, "place");
            format!("{sources} of {searched} {mention} “{subject}”, in {places}{how}.")
        }
        Counted::Places => {
            let places = of(places, "place");
            format!("“{subject}” stands in {places}, in {sources} of {searched}{how}.")
        }
    }
}

fn in_chinese(counts: &Everything) -> String {
    let Everything {
        sources,
        places,
        mentions,
        searched,
        ..
    } = *counts;
    let subject = &counts.subject;
    if places == 0 {
        return format!("{searched} 份文档中都没有出现“{subject}”。");
    }
    let how = match counts.standing {
        Standing::AsAsked if mentions == places => String::new(),
        Standing::AsAsked => format!("，{mentions} 次"),
        Standing::InOneSentence => "（各词出现在同一句中）".to_owned(),
    };
    match counts.counted {
        Counted::Sources => {
            format!("{searched} 份文档中有 {sources} 份提到“{subject}”，共 {places} 处{how}。")
        }
        Counted::Places => {
            format!(
                "“{subject}”共出现 {places} 处{how}，分布在 {searched} 份文档中的 {sources} 份。"
            )
        }
    }
}

fn notes(counts: &Everything) -> Vec<String> {
    let mut notes = Vec::new();
    if counts.standing == Standing::InOneSentence {
        notes.push(format!(
            "`{}` stands nowhere as it is; counted are the sentences that hold all of: {}",
            counts.subject,
            counts.terms.join(", ")
        ));
    }
    for lost in &counts.lost {
        notes.push(format!(
            "{} of {} in the index not counted: {}",
            of(lost.places, "place"),
            lost.source,
            lost.reason
        ));
    }
    if counts.unread > 0 {
        notes.push(format!(
            "{} could not be read, or only in part, and may hold more: rag status --failed",
            of(counts.unread, "document")
        ));
    }
    notes
}

fn of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
