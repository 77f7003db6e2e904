//! Ends an answer before a text that the caller named.

/// Lets text through as it comes, but for what may be the beginning of a text to stop at.
#[derive(Debug)]
pub(crate) struct Stops<'a> {
    texts: &'a [String],
    pending: String,
}

impl<'a> Stops<'a> {
    pub(crate) fn new(texts: &'a [String]) -> Self {
        let pending = String::new();
        Self { texts, pending }
    }

    /// Adds what was written; gives what may be shown of it, and whether that is all.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.pending += text;
        let texts = self.texts.iter().filter(|text| !text.is_empty());
        if let Some(end) = texts.filter_map(|text| self.pending.find(text)).min() {
            self.pending.truncate(end);
            return (std::mem::take(&mut self.pending), true);
        }
        let kept = self.pending.len() - self.begun();
        let rest = self.pending.split_off(kept);
        (std::mem::replace(&mut self.pending, rest), false)
    }

    /// What was held back, at the end of the answer.
    pub(crate) fn finish(self) -> String {
        self.pending
    }

    /// Bytes at the end of what is pending that begin a text to stop at.
    fn begun(&self) -> usize {
        let starts = self.pending.char_indices().map(|(start, _)| start);
        let ends = starts.map(|start| &self.pending[start..]);
        let mut begun = ends.filter(|end| self.texts.iter().any(|text| text.starts_with(*end)));
        begun.next().map_or(0, str::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(texts: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let mut stops = Stops::new(&texts);
        let mut shown = Vec::new();
        for piece in pieces {
            let (text, is_end) = stops.push(piece);
            shown.push(text);
            if is_end {
                return (shown, true);
            }
        }
        shown.push(stops.finish());
        (shown, false)
    }

    #[test]
    fn nothing_is_held_back_without_texts() {
        assert_eq!(
            run(&[], &["a", "b"]),
            (vec!["a".into(), "b".into(), String::new()], false)
        );
    }

    #[test]
    fn an_answer_ends_before_the_first_text_however_it_is_cut() {
        for pieces in [
            vec!["one END two"],
            vec!["one E", "ND two"],
            vec!["one ", "E", "N", "D"],
        ] {
            let (shown, is_end) = run(&["END", "two"], &pieces);
            assert_eq!(shown.concat(), "one ");
            assert!(is_end);
        }
    }

    #[test]
    fn what_only_began_like_one_is_shown() {
        let (shown, is_end) = run(&["终止", "\n\n"], &["最终", "的", "\n", "a\n"]);
        assert_eq!(shown, ["最", "终的", "", "\na", "\n"]);
        assert!(!is_end);
    }
}
