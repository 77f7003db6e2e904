//! A reranker that needs no model of its own: the generator's likelihood of the question given the
//! passage (Sachan et al., "Improving passage retrieval with zero-shot question generation", EMNLP
//! 2022, <https://arxiv.org/abs/2204.07496>).

use std::sync::Arc;

use rag_core::fold::is_unspaced;
use rag_core::{Code, Error, Generator, Message, Reranker, Result, Role};

/// Every passage costs a prompt of its own, and what stands lower is rarely right.
const MOST_PASSAGES: usize = 10;

/// How much the mean logarithm of a token's probability counts: with the number of the question's
/// tokens in its place this would be Bayes' rule, which is far too sure of itself, since tokens depend
/// on each other. On the 23 questions it was chosen by, nothing changes between 6 and 20.
const SHARPNESS: f32 = 10.0;

/// Scores a passage by how likely it makes the question, against the other passages.
pub struct Likelihood {
    generator: Arc<dyn Generator>,
}

impl std::fmt::Debug for Likelihood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Likelihood")
            .field("generator", &self.generator.name())
            .finish()
    }
}

impl Likelihood {
    #[must_use]
    pub fn new(generator: Arc<dyn Generator>) -> Self {
        Self { generator }
    }

    /// The mean logarithm of the probability of the question's tokens after `passage`, whose end is left
    /// out where the generator has no room for it.
    fn mean(&self, question: &str, passage: &str) -> Result<f32> {
        let mut passage = passage;
        loop {
            let messages = prompt(question, passage);
            match self.generator.likelihood(&messages, question) {
                Err(error) if error.code == Code::PromptTooLong && passage.is_empty() => {
                    let fact = format!(
                        "the question does not fit the {} tokens of `{}`",
                        self.generator.context_tokens(),
                        self.generator.name()
                    );
                    return Err(Error::new(Code::LimitExceeded, fact).because(error));
                }
                Err(error) if error.code == Code::PromptTooLong => {
                    let half = passage.floor_char_boundary(passage.len() / 2);
                    passage = &passage[..half];
                }
                outcome => return outcome,
            }
        }
    }
}

impl Reranker for Likelihood {
    fn score(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        let means = passages.iter().map(|passage| self.mean(question, passage));
        Ok(odds(&means.collect::<Result<Vec<f32>>>()?))
    }

    fn most_passages(&self) -> usize {
        MOST_PASSAGES
    }
}

/// The logarithms of the odds that each passage, and none of the others, is what the question was asked
/// of.
fn odds(means: &[f32]) -> Vec<f32> {
    let most = means.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares: Vec<f32> = means
        .iter()
        .map(|mean| (SHARPNESS * (mean - most)).exp())
        .collect();
    let all: f32 = shares.iter().sum();
    let log_odds = |share: &f32| {
        (share / (all - share).max(f32::EPSILON))
            .max(f32::EPSILON)
            .ln()
    };
    shares.iter().map(log_odds).collect()
}

fn prompt(question: &str, passage: &str) -> Vec<Message> {
    let content = if question.chars().any(is_unspaced) {
        format!("资料：{passage}\n\n请写出一个这段资料能回答的问题。")
    } else {
        format!("Passage: {passage}\n\nWrite a question that this passage answers.")
    };
    let role = Role::User;
    vec![Message { role, content }]
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use rag_core::{Generation, Sampling};

    use super::*;

    /// Finds a question as likely as the share of its words that the prompt holds; reads so many bytes.
    struct Words {
        room: usize,
    }

    impl Generator for Words {
        fn name(&self) -> &'static str {
            "words"
        }

        fn context_tokens(&self) -> usize {
            self.room
        }

        fn prompt_tokens(&self, messages: &[Message]) -> Result<usize> {
            Ok(messages.iter().map(|message| message.content.len()).sum())
        }

        fn generate(
            &self,
            _: &[Message],
            _: &Sampling,
            _: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Generation> {
            Err(Error::new(Code::Internal, "not asked to write"))
        }

        fn likelihood(&self, messages: &[Message], text: &str) -> Result<f32> {
            if self.prompt_tokens(messages)? + text.len() > self.room {
                return Err(Error::new(Code::PromptTooLong, "too long"));
            }
            let prompt = &messages[0].content;
            let words: Vec<&str> = text.split_whitespace().collect();
            let held = words.iter().filter(|word| prompt.contains(**word)).count();
            Ok((0.1 + 0.9 * held as f32 / words.len() as f32).ln())
        }
    }

    fn scores(room: usize, question: &str, passages: &[&str]) -> Result<Vec<f32>> {
        Likelihood::new(Arc::new(Words { room })).score(question, passages)
    }

    #[test]
    fn the_passage_that_makes_the_question_likelier_scores_higher() {
        let passages = ["The fog came.", "The heron waits on the pier.", "A heron."];
        let scores = scores(500, "where waits the heron", &passages).unwrap();
        assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
        // The odds are those of one passage among all.
        let shares: f32 = scores.iter().map(|odds| 1.0 / (1.0 + (-odds).exp())).sum();
        assert!((shares - 1.0).abs() < 1e-3, "{shares}");
    }

    #[test]
    fn passages_that_say_the_same_score_the_same_and_one_alone_is_no_number_beyond_numbers() {
        let two = scores(500, "where", &["the pier", "the pier"]).unwrap();
        assert!(two.iter().all(|odds| odds.abs() < 1e-5), "{two:?}");
        let one = scores(500, "where", &["the pier"]).unwrap();
        assert!(one[0].is_finite() && one[0] > 0.0);
        assert_eq!(scores(500, "where", &[]).unwrap(), [0.0; 0]);
    }

    #[test]
    fn a_passage_is_cut_to_the_room_and_a_question_never() {
        let long = format!("heron {}", "fog ".repeat(300));
        let scores = scores(400, "where is the heron", &[&long, "fog"]).unwrap();
        assert!(scores[0] > scores[1], "{scores:?}");
        let question = "heron ".repeat(100);
        let error = super::tests::scores(400, &question, &["fog"]).unwrap_err();
        assert_eq!(error.code, Code::LimitExceeded);
        assert!(error.fact.contains("400 tokens of `words`"), "{error}");
    }
}
