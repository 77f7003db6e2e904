//! Fields of Word: an instruction, which is not read, and its result, which is (ECMA-376 part 1, 17.16).

/// The fields that are open, from the outside inwards.
#[derive(Debug, Default)]
pub(super) struct Fields {
    open: Vec<Field>,
    /// How many of them keep the text that follows from being read.
    hiding: usize,
}

#[derive(Debug, Default)]
struct Field {
    instruction: String,
    in_result: bool,
    /// The result is a page number, which no reader of the text can follow.
    is_page: bool,
    is_link: bool,
}

impl Fields {
    pub(super) fn begin(&mut self) {
        self.open.push(Field::default());
        self.hiding += 1;
    }

    /// Begins a field whose result follows at once; the address that its result points to.
    pub(super) fn simple(&mut self, instruction: &str) -> Option<String> {
        self.begin();
        self.instruct(instruction);
        self.separate()
    }

    pub(super) fn instruct(&mut self, words: &str) {
        if let Some(field) = self.open.last_mut()
            && !field.in_result
        {
            field.instruction.push_str(words);
        }
    }

    /// From here on stands the result; the address that it points to.
    pub(super) fn separate(&mut self) -> Option<String> {
        let field = self.open.last_mut().filter(|field| !field.in_result)?;
        field.in_result = true;
        let mut words = field.instruction.split_whitespace();
        let command = words.next().unwrap_or_default().to_uppercase();
        field.is_page = is_page(&field.instruction);
        if !field.is_page {
            self.hiding -= 1;
        }
        let target = address(&field.instruction).filter(|_| command == "HYPERLINK");
        field.is_link = target.is_some();
        target
    }

    /// Whether the field that ends here was a link.
    pub(super) fn end(&mut self) -> bool {
        let Some(field) = self.open.pop() else {
            return false;
        };
        if !field.in_result || field.is_page {
            self.hiding -= 1;
        }
        field.is_link
    }

    /// A paragraph ends: an instruction that was never ended does not swallow the rest of the text.
    pub(super) fn end_paragraph(&mut self) {
        while self.open.last().is_some_and(|field| !field.in_result) {
            self.end();
        }
    }

    /// Whether what stands here is shown.
    pub(super) fn is_shown(&self) -> bool {
        self.hiding == 0
    }
}

/// Whether an instruction asks for the number of a page.
pub(in crate::office) fn is_page(instruction: &str) -> bool {
    let command = instruction.split_whitespace().next().unwrap_or_default();
    let names = ["PAGE", "NUMPAGES", "SECTIONPAGES"];
    names.iter().any(|name| command.eq_ignore_ascii_case(name))
}

/// The address in `HYPERLINK "https://…" \l "place"`; a place in the same document is none.
pub(in crate::office) fn address(instruction: &str) -> Option<String> {
    let rest = instruction.trim_start();
    let rest = rest.get(9..)?.trim_start();
    let target = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split_whitespace().next(),
    };
    target
        .filter(|target| !target.is_empty() && !target.starts_with('\\'))
        .map(str::to_owned)
}

/// The address that the result of any field points to, if it is a link.
pub(in crate::office) fn link_of(instruction: &str) -> Option<String> {
    let instruction = instruction.trim_start();
    let command = instruction.get(..9)?;
    if command.eq_ignore_ascii_case("HYPERLINK") {
        address(instruction)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_instructions_are_not() {
        let mut fields = Fields::default();
        fields.begin();
        fields.instruct(" HYPERLINK \"https://a.example/\" ");
        assert!(!fields.is_shown());
        assert_eq!(fields.separate().as_deref(), Some("https://a.example/"));
        assert!(fields.is_shown());
        fields.simple(" PAGE ");
        assert!(!fields.is_shown());
        assert!(!fields.end());
        assert!(fields.end());
        assert!(fields.is_shown());
        fields.begin();
        fields.end_paragraph();
        assert!(fields.is_shown());
        assert!(!fields.end());
        assert_eq!(address("HYPERLINK \\l \"place\""), None);
    }
}
