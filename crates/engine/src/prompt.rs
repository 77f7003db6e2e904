//! The prompt: as many of the best passages as the budget holds, the best one last, beside the question.

use rag_core::fold::is_unspaced;
use rag_core::{Code, Error, Generator, Hit, Message, Result, Role};

const ENGLISH: &str = "You answer questions from the passages you are given. Answer in one or two \
short sentences, with the facts and the words of the passages. If the passages do not hold the \
answer, say only: I don't know.";
const CHINESE: &str = "请只根据给出的资料回答问题，用资料中的原话，简短地用一两句话作答。如果资料中没有答案，只说：不知道。";

/// A conversation ready for the model, and what went into it.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<Message>,
    /// The first so many hits are in it.
    pub(crate) shown: usize,
}

/// Room that passages and answer may take, in the model's tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) passages: usize,
    pub(crate) answer: usize,
}

/// Puts as many of `hits` as fit before the question. What does not fit is left out whole, never cut.
///
/// # Errors
/// `PromptTooLong` where not even the best passage fits beside the question and the answer.
pub(crate) fn compose(
    question: &str,
    hits: &[Hit],
    generator: &dyn Generator,
    room: Room,
) -> Result<Prompt> {
    let bare = generator.prompt_tokens(&messages(question, &[]))?;
    let most = (bare + room.passages).min(generator.context_tokens().saturating_sub(room.answer));
    let mut best = None;
    for shown in 1..=hits.len() {
        let messages = messages(question, &hits[..shown]);
        let tokens = generator.prompt_tokens(&messages)?;
        if tokens > most && (best.is_some() || tokens + room.answer > generator.context_tokens()) {
            break;
        }
        best = Some(Prompt { messages, shown });
    }
    best.ok_or_else(|| {
        Error::new(
            Code::PromptTooLong,
            format!(
                "the question and one passage do not fit the {} tokens of `{}` beside an answer of {}",
                generator.context_tokens(),
                generator.name(),
                room.answer
            ),
        )
        .hint("ask a shorter question, lower --max-tokens, or choose a model with a longer context")
    })
}

/// A hit as the model is shown it: its place, then its text, the rows of tables with bars between the
/// cells, below their header where the text begins inside a table.
fn passage(hit: &Hit) -> String {
    let chunk = &hit.chunk;
    let mut place = vec![hit.source.path.as_str()];
    place.extend(chunk.heading.iter().map(String::as_str));
    let place = place.join(", ");
    let header = chunk.table_header.as_deref();
    let lines = header.into_iter().chain(chunk.text.trim().lines());
    let lines = lines.map(|line| match line.trim_end() {
        row if row.trim_start().contains('\t') => format!("| {} |", row.replace('\t', " | ")),
        line => line.to_owned(),
    });
    [place]
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn messages(question: &str, hits: &[Hit]) -> Vec<Message> {
    let chinese = question.chars().any(is_unspaced);
    let mut user = String::new();
    for hit in hits.iter().rev() {
        user.push_str(&passage(hit));
        user.push_str("\n\n");
    }
    user.push_str(if chinese { "问题：" } else { "Question: " });
    user.push_str(question.trim());
    let system = if chinese { CHINESE } else { ENGLISH };
    vec![
        Message {
            role: Role::System,
            content: system.to_owned(),
        },
        Message {
            role: Role::User,
            content: user,
        },
    ]
}

#[cfg(test)]
mod tests {
    use rag_core::Chunk;

    use super::*;
    use crate::testing::hit;

    #[test]
    fn a_table_is_shown_with_bars_and_its_header() {
        let hit = Hit {
            chunk: Chunk {
                text: "Day\t12 kr\nWeek\t60 kr\n\nNot on holidays.".into(),
                heading: vec!["Sheet1".into()],
                table_header: Some("Ticket\tPrice".into()),
                ..Chunk::default()
            },
            ..hit("fares.xlsx", "")
        };
        let shown = "fares.xlsx, Sheet1\n| Ticket | Price |\n| Day | 12 kr |\n| Week | 60 kr |\n\n\
                     Not on holidays.";
        assert_eq!(passage(&hit), shown);
    }
}
