//! Tells what a model thinks from what it says: thoughts stand between `<think>` and `</think>`, before
//! the answer.

/// What begins a thought, at the start of what is written.
pub(crate) const OPEN: &str = "<think>";
/// What ends it.
pub(crate) const CLOSE: &str = "</think>";

/// Lets the answer through, as it comes.
#[derive(Debug)]
pub(crate) struct Thoughts {
    state: State,
    /// Text of which it is not yet known what it is.
    pending: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Thinking,
    /// Between a thought and the first letter of the answer.
    Thought,
    Answering,
}

impl Thoughts {
    /// `is_open` where the prompt ends inside a thought.
    pub(crate) fn new(is_open: bool) -> Self {
        let state = if is_open {
            State::Thinking
        } else {
            State::Start
        };
        Self {
            state,
            pending: String::new(),
        }
    }

    pub(crate) fn is_thinking(&self) -> bool {
        self.state == State::Thinking
    }

    /// Adds what was written and gives what belongs to the answer.
    pub(crate) fn push(&mut self, text: &str) -> String {
        self.pending += text;
        if self.state == State::Start {
            let begun = self.pending.trim_start();
            if let Some(thought) = begun.strip_prefix(OPEN) {
                self.pending = thought.to_owned();
                self.state = State::Thinking;
            } else if OPEN.starts_with(begun) {
                return String::new();
            } else {
                self.state = State::Answering;
            }
        }
        if self.state == State::Thinking {
            let Some(at) = self.pending.find(CLOSE) else {
                // Nothing is needed of a thought but a possible beginning of its end.
                let mut from = self.pending.len().saturating_sub(CLOSE.len());
                while !self.pending.is_char_boundary(from) {
                    from -= 1;
                }
                self.pending.drain(..from);
                return String::new();
            };
            self.pending.drain(..at + CLOSE.len());
            self.state = State::Thought;
        }
        if self.state == State::Thought {
            let answer = self.pending.trim_start();
            if answer.is_empty() {
                return String::new();
            }
            self.pending = answer.to_owned();
            self.state = State::Answering;
        }
        std::mem::take(&mut self.pending)
    }

    /// What is left at the end: the beginning of a mark that did not come.
    pub(crate) fn finish(self) -> String {
        match self.state {
            State::Start | State::Answering => self.pending,
            State::Thinking | State::Thought => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(is_open: bool, text: &str) -> String {
        let mut all = Vec::new();
        // However it is cut, the answer is the same.
        for size in 1..=text.len() {
            let mut thoughts = Thoughts::new(is_open);
            let letters: Vec<char> = text.chars().collect();
            let pieces = letters.chunks(size).map(|piece| {
                let piece: String = piece.iter().collect();
                thoughts.push(&piece)
            });
            let mut said: String = pieces.collect();
            said += &thoughts.finish();
            all.push(said);
        }
        all.dedup();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        assert_eq!(
            answer(false, "<think>\n好，a < b\n</think>\n\n答。 ok"),
            "答。 ok"
        );
        assert_eq!(answer(false, "\n<think></think>x"), "x");
        assert_eq!(answer(true, "hm</thin</think>x"), "x");
        assert_eq!(answer(true, "never ends"), "");
    }

    #[test]
    fn an_answer_without_thoughts_is_whole() {
        assert_eq!(answer(false, "plain <think> text"), "plain <think> text");
        assert_eq!(answer(false, " a</think>"), " a</think>");
        assert_eq!(answer(false, "<thin"), "<thin");
        assert_eq!(answer(false, "<the end"), "<the end");
    }
}
