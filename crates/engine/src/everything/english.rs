//! Questions over everything in English: the ways in which people ask for a count or a list. Pure.

use rag_core::Span;

use super::asked::{Asked, Counted};
use super::words::Words;

/// What a source is called.
const SOURCES: &[&str] = &[
    "document",
    "documents",
    "doc",
    "docs",
    "file",
    "files",
    "source",
    "sources",
    "text",
    "texts",
    "note",
    "notes",
    "paper",
    "papers",
    "article",
    "articles",
    "report",
    "reports",
    "book",
    "books",
    "letter",
    "letters",
    "email",
    "emails",
    "message",
    "messages",
    "minutes",
    "record",
    "records",
];

/// What all sources together are called.
const COLLECTION: &[&str] = &[
    "documents",
    "docs",
    "files",
    "sources",
    "texts",
    "notes",
    "papers",
    "articles",
    "reports",
    "books",
    "letters",
    "emails",
    "messages",
    "records",
    "collection",
    "library",
    "archive",
    "corpus",
    "folder",
    "knowledge",
];

/// What a place in a source is called.
const PLACES: &[&str] = &[
    "place",
    "places",
    "passage",
    "passages",
    "sentence",
    "sentences",
    "spot",
    "spots",
    "mention",
    "mentions",
    "occurrence",
    "occurrences",
    "instance",
    "instances",
    "reference",
    "references",
];

/// Verbs by which a source has a word in it, before the word.
const HOLDS: &[&str] = &[
    "mention",
    "mentions",
    "mentioned",
    "mentioning",
    "contain",
    "contains",
    "contained",
    "containing",
    "include",
    "includes",
    "including",
    "name",
    "names",
    "naming",
    "discuss",
    "discusses",
    "discussing",
    "describe",
    "describes",
    "describing",
    "cite",
    "cites",
    "citing",
    "use",
    "uses",
    "using",
    "quote",
    "quotes",
    "quoting",
    "reference",
    "references",
    "referencing",
];

/// Verbs that take a preposition.
const HOLDS_WITH: &[(&str, &str)] = &[
    ("refer", "to"),
    ("refers", "to"),
    ("referring", "to"),
    ("talk", "about"),
    ("talks", "about"),
    ("talking", "about"),
    ("speak", "of"),
    ("speaks", "of"),
    ("speaking", "of"),
    ("speak", "about"),
    ("speaks", "about"),
    ("deal", "with"),
    ("deals", "with"),
    ("dealing", "with"),
    ("say", "about"),
];

/// What is done to a word in a source, behind the word.
const HELD: &[&str] = &[
    "mentioned",
    "named",
    "discussed",
    "described",
    "cited",
    "used",
    "quoted",
    "referenced",
    "contained",
    "included",
    "found",
    "appear",
    "appears",
    "occur",
    "occurs",
    "appearing",
    "occurring",
    "mention",
    "written",
    "spoken",
    "talked",
    "referred",
    "seen",
    "listed",
];

const BE: &[&str] = &[
    "is", "are", "was", "were", "does", "do", "did", "has", "have", "can", "gets",
];

/// Words that begin a clause: what is asked for is then no name that stands somewhere.
const CLAUSE: &[&str] = &[
    "how", "what", "why", "when", "where", "who", "whom", "whose", "whether", "that", "which",
    "if", "to",
];

/// Words within a name of something that stands in a text as it is asked for.
const NO_NAME: &[&str] = &[
    "of", "for", "to", "in", "on", "at", "by", "from", "with", "who", "that", "which", "whose",
    "when", "where", "between", "during", "after", "before", "under", "over", "about", "i", "we",
];

/// Most words of what is listed without a word on documents.
const LONGEST_NAME: usize = 4;

const ASKING: &[&[&str]] = &[
    &["please"],
    &["can", "you"],
    &["could", "you"],
    &["would", "you"],
    &["tell", "me"],
    &["i", "want", "to", "know"],
    &["i", "would", "like", "to", "know"],
    &["let", "me", "know"],
    &["do", "you", "know"],
    &["and"],
    &["so"],
    &["ok"],
    &["hey"],
    &["hi"],
];

/// What is asked for over everything, if anything is.
pub(super) fn asked(question: &str) -> Option<Asked> {
    let mut words = Words::of(question);
    words.skip_asking();
    let forms = [by_times, by_listing, by_count, by_source, by_place, by_name];
    forms.iter().find_map(|form| form(words.clone()))
}

/// Whether the question asks for a number or a list that may as well stand in one place.
pub(super) fn is_near(question: &str) -> bool {
    let mut words = Words::of(question);
    words.skip_asking();
    words.clone().eat_all(&["how", "many"])
        || words.clone().eat_all(&["how", "often"])
        || (words.eat(LISTING).is_some() && words.clone().rest().any(|word| is_all(&word.text)))
}

fn is_all(word: &str) -> bool {
    matches!(word, "all" | "every" | "each")
}

/// "How often is X mentioned", "how many times does X appear".
fn by_times(mut words: Words<'_>) -> Option<Asked> {
    if !(words.eat_all(&["how", "often"]) || words.eat_all(&["how", "many", "times"])) {
        return None;
    }
    words.eat(BE)?;
    if words.eat_all(&["the", "documents"]) || words.eat_all(&["my", "documents"]) {
        words.holds()?;
        return words.subject(Counted::Places);
    }
    words.cut_collection();
    words.until(HELD)?.subject(Counted::Places)
}

const LISTING: &[&str] = &[
    "list",
    "show",
    "find",
    "give",
    "name",
    "enumerate",
    "get",
    "display",
    "count",
    "collect",
];

/// "List all …", "find every mention of X", "count the documents that mention X".
fn by_listing(mut words: Words<'_>) -> Option<Asked> {
    let verb = words.eat(LISTING)?;
    words.eat(&["me", "us", "out"]);
    words.eat_all(&["the", "number", "of"]);
    words.eat_all(&["a", "list", "of"]);
    let is_all = words.eat(&["all", "every", "each", "any"]).is_some();
    words.eat(&["of"]);
    words.eat(&["the", "my", "our", "these", "those"]);
    if let Some(asked) = words.clone().unit_that_holds() {
        return Some(asked);
    }
    if words.clone().eat(SOURCES).is_some() && words.left() == 1 {
        return None; // what there is, `rag status` lists
    }
    if !is_all || verb == "count" {
        return None;
    }
    words.cut_collection();
    words.name(Counted::Places)
}

/// "How many documents mention X", "how many mentions of X are there", "in how many files is X named",
/// "how many X are there in my documents".
fn by_count(mut words: Words<'_>) -> Option<Asked> {
    if words.clone().eat_all(&["in", "how", "many"]) {
        words.at += 3;
        words.eat(&["of"]);
        words.eat(&["the", "my", "our", "these"]);
        return words.unit_in_which();
    }
    let is_count = words.eat_all(&["how", "many"])
        || words.eat_all(&["what", "number", "of"])
        || words.eat_all(&["what", "is", "the", "number", "of"]);
    if !is_count {
        return None;
    }
    words.eat(&["different", "distinct"]);
    words.eat(&["of"]);
    words.eat(&["the", "my", "our", "these"]);
    if let Some(asked) = words.clone().unit_that_holds() {
        return Some(asked);
    }
    if !words.cut_collection() {
        return None; // a figure that stands in a document
    }
    let mut words = words
        .until(&[
            "are", "is", "exist", "do", "can", "were", "appear", "occur", "have",
        ])
        .unwrap_or(words);
    words.eat(&["the"]);
    words.name(Counted::Places)
}

/// "Which documents mention X", "in which files is X named", "what documents are there that mention X".
fn by_source(mut words: Words<'_>) -> Option<Asked> {
    let is_inside = words.eat(&["in", "across"]).is_some();
    words.eat(&["which", "what"])?;
    words.eat_all(&["are", "the"]);
    words.eat(&["of"]);
    words.eat(&["the", "my", "our", "these", "all"]);
    if is_inside {
        return words.unit_in_which();
    }
    words.unit_that_holds()
}

/// "Where is X mentioned".
fn by_place(mut words: Words<'_>) -> Option<Asked> {
    words.eat(&["where"])?;
    words.eat(BE)?;
    words.cut_collection();
    let last = words.all.last()?.text.as_str();
    // "Where is X found" asks for a place in the world.
    let says = [
        "mentioned",
        "named",
        "discussed",
        "cited",
        "quoted",
        "referenced",
        "referred",
    ];
    if !says.contains(&last) {
        return None;
    }
    words.until(HELD)?.subject(Counted::Places)
}

/// "All documents that mention X", "every mention of X", "documents mentioning X".
fn by_name(mut words: Words<'_>) -> Option<Asked> {
    words.eat(&["all", "every", "each", "any"]);
    words.eat(&["of"]);
    words.eat(&["the", "my", "our", "these"]);
    words.unit_that_holds()
}

impl Words<'_> {
    fn skip_asking(&mut self) {
        while ASKING.iter().any(|words| self.eat_all(words)) {}
    }

    /// Takes a verb by which a source has a word in it.
    fn holds(&mut self) -> Option<()> {
        if self.eat(HOLDS).is_some() {
            return Some(());
        }
        let two = HOLDS_WITH
            .iter()
            .any(|(verb, with)| self.eat_all(&[verb, with]));
        two.then_some(())
    }

    /// "documents (that) mention X", "places where X is mentioned", "mentions of X".
    fn unit_that_holds(mut self) -> Option<Asked> {
        let (counted, unit) = self.unit()?;
        let is_mention = matches!(
            unit.trim_end_matches('s'),
            "mention" | "occurrence" | "instance" | "reference"
        );
        if is_mention {
            self.eat_all(&["are", "there"]);
            self.eat(&["of", "to"])?;
            self.cut_there();
            self.cut_collection();
            return self.subject(Counted::Places);
        }
        self.eat_all(&["are", "there"]);
        self.eat_all(&["in", "total"]);
        if self.eat(&["where"]).is_some() || self.eat_all(&["in", "which"]) {
            self.cut_collection();
            let subject = self.until(HELD)?;
            let subject = subject.until(BE).unwrap_or(subject);
            return subject.subject(counted);
        }
        let _ = self.eat(&["that", "which", "do", "also", "have", "to"]);
        self.holds()?;
        self.subject(counted)
    }

    /// "documents is X mentioned".
    fn unit_in_which(mut self) -> Option<Asked> {
        let (counted, _) = self.unit()?;
        self.eat(BE)?;
        self.until(HELD)?.subject(counted)
    }

    fn unit(&mut self) -> Option<(Counted, String)> {
        if let Some(unit) = self.eat(SOURCES) {
            return Some((Counted::Sources, unit));
        }
        let unit = self.eat(PLACES)?;
        Some((Counted::Places, unit))
    }

    /// Cuts "are there" off the end.
    fn cut_there(&mut self) {
        let there = self
            .all
            .iter()
            .skip(self.at)
            .position(|word| word.text == "there");
        if let Some(there) = there
            && let Some(before) = (self.at + there).checked_sub(1)
            && before > self.at
            && matches!(self.all[before].text.as_str(), "are" | "is")
        {
            self.all.truncate(before);
        }
    }

    /// Cuts "in my documents", "across all the notes", "in the knowledge base" off the end; whether it
    /// was there.
    fn cut_collection(&mut self) -> bool {
        let is_in = |word: &&str| {
            matches!(
                *word,
                "in" | "across" | "throughout" | "within" | "among" | "over"
            )
        };
        let from = self
            .all
            .iter()
            .skip(self.at)
            .rposition(|word| is_in(&word.text.as_str()));
        let Some(from) = from
            .map(|from| self.at + from)
            .filter(|from| *from > self.at)
        else {
            return false;
        };
        let mut tail = Self {
            at: from + 1,
            ..self.clone()
        };
        while tail
            .eat(&[
                "all", "of", "the", "my", "our", "these", "any", "whole", "entire",
            ])
            .is_some()
        {}
        let is_collection = tail.eat(COLLECTION).is_some();
        tail.eat(&["base"]);
        if is_collection && tail.left() == 0 {
            self.all.truncate(from);
            return true;
        }
        false
    }

    /// What is left, as the words that must stand in a text.
    fn subject(mut self, counted: Counted) -> Option<Asked> {
        if self
            .all
            .get(self.at)
            .is_some_and(|word| CLAUSE.contains(&word.text.as_str()))
        {
            return None;
        }
        if self.left() > 1 {
            self.eat(&["the", "a", "an", "any", "word", "term", "phrase", "name"]);
        }
        if self.left() > 1 {
            self.eat(&["word", "term", "phrase", "name"]);
        }
        let (first, last) = (self.all.get(self.at)?, self.all.last()?);
        let subject = Span::new(first.span.start, last.span.end).slice(self.question);
        Asked::new(counted, subject)
    }

    /// The same where it is short and a name: "safety rules", not "members of the crew".
    fn name(self, counted: Counted) -> Option<Asked> {
        let is_name = self.left() <= LONGEST_NAME
            && !self
                .rest()
                .any(|word| NO_NAME.contains(&word.text.as_str()));
        let is_quoted = self
            .all
            .get(self.at)
            .is_some_and(|word| word.span.slice(self.question).starts_with(['"', '“', '«']));
        (is_name || is_quoted).then(|| self.subject(counted))?
    }
}
