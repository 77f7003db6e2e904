//! The state of a reading: groups within each other, what control words change in them, and the
//! stories that paragraphs are written into.

use std::collections::HashSet;

use rag_core::{Document, Warning, WarningKind};

use super::{
    Date,
    characters::Characters,
    charset::Charset,
    group::{Destination, Group, Paragraph},
    lost, signs,
    story::Story,
    tables::{Font, Fonts, Styles},
    tokens::Token,
};
use crate::office::{
    docx::{
        fields::{is_page, link_of},
        is_page_number,
        styles::Look,
    },
    node::{Node, words_of},
    properties::title_of,
};

/// Groups within each other; those that lie deeper have the state of the deepest.
const MAX_GROUPS: usize = 1_000;
/// Notes, boxes and headers within each other; those that lie deeper are not read.
const MAX_STORIES: usize = 8;
/// Longest instruction, title or name that is kept, in bytes.
const MAX_WORDS: usize = 32 * 1024;

#[derive(Debug)]
pub(super) struct Reading {
    group: Group,
    outer: Vec<Group>,
    /// Groups opened beyond the limit and not closed yet.
    deeper: usize,
    /// `\*` came: what follows may be passed over by who does not know it.
    is_starred: bool,
    characters: Characters,
    default_font: i32,
    fonts: Fonts,
    styles: Styles,
    /// The document, and the notes that are open in it.
    stories: Vec<Story>,
    margins: Vec<Vec<Node>>,
    /// The instructions of the fields that are open.
    fields: Vec<String>,
    author: String,
    title: String,
    created: Date,
    revised: Date,
    /// Bytes that stand for no character.
    has_unknown: bool,
    /// Whether the last token was the end of a paragraph.
    has_ended_line: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            group: Group::new(0),
            outer: Vec::new(),
            deeper: 0,
            is_starred: false,
            characters: Characters::default(),
            default_font: 0,
            fonts: Fonts::default(),
            styles: Styles::default(),
            stories: vec![Story::default()],
            margins: Vec::new(),
            fields: Vec::new(),
            author: String::new(),
            title: String::new(),
            created: Date::default(),
            revised: Date::default(),
            has_unknown: false,
            has_ended_line: false,
        }
    }
}

impl Reading {
    pub(super) fn take(&mut self, token: Token<'_>) {
        self.has_ended_line = matches!(token, Token::Word("par" | "row", _));
        match token {
            Token::Open => self.open(),
            Token::Close => self.close(),
            _ if self.group.destination == Destination::Ignored => {}
            Token::Word(word, number) => {
                let is_starred = std::mem::take(&mut self.is_starred);
                self.word(word, number, is_starred);
            }
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Hex(byte) => {
                if !self.characters.skips() {
                    self.characters.push(byte);
                }
            }
            Token::Bytes(bytes) => self.characters.take(bytes),
        }
    }

    /// Whether the outermost group has ended.
    pub(super) fn is_over(&self) -> bool {
        self.outer.is_empty()
    }

    pub(super) fn finish(mut self) -> Document {
        let open = self.outer.len() + self.deeper;
        let is_complete = open == 0 || (open == 1 && self.has_ended_line);
        while !self.outer.is_empty() {
            self.deeper = 0;
            self.close();
        }
        self.end_paragraph();
        let margins = std::mem::take(&mut self.margins);
        let mut story = self.stories.pop().unwrap_or_default();
        let styled = story.title.take();
        let mut body = story.finish();
        let mut seen = HashSet::new();
        for nodes in margins {
            let words = words_of(&nodes);
            if !is_page_number(&words) && seen.insert(words) {
                body.add(nodes);
            }
        }
        let heading = body.first_heading().map(str::to_owned);
        let mut document = Document {
            title: title_of(&self.title).or(styled).or(heading),
            date: self.revised.shown().or(self.created.shown()),
            ..body.finish()
        };
        if !is_complete {
            document.warnings.push(lost(format!(
                "it breaks off: {open} groups are open at its end"
            )));
        }
        if self.has_unknown {
            let fact = "some bytes stand for no character of their code page";
            document
                .warnings
                .push(Warning::new(WarningKind::Guessed, fact));
        }
        document
    }

    fn open(&mut self) {
        self.flush(false);
        self.characters.stop_skipping();
        self.is_starred = false;
        if self.outer.len() >= MAX_GROUPS {
            self.deeper += 1;
            return;
        }
        self.outer.push(self.group);
        self.group.begins = false;
        if self.group.destination == Destination::Styles {
            self.styles.begin();
        }
    }

    fn close(&mut self) {
        self.characters.stop_skipping();
        self.is_starred = false;
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let Some(outer) = self.outer.pop() else {
            return;
        };
        if self.group.destination == Destination::Ignored {
            self.group = outer;
            return;
        }
        self.flush(outer.destination != self.group.destination);
        if self.group.begins {
            self.leave();
        } else if self.group.destination == Destination::Styles {
            self.styles.end();
        }
        self.group = outer;
    }

    /// Begins a destination in the group that is open.
    fn enter(&mut self, destination: Destination) {
        self.flush(true);
        let is_apart = destination.is_apart();
        let destination = match destination {
            // A picture has no text; neither has what stands in a group that is left out.
            _ if self.group.destination == Destination::Ignored => return,
            _ if is_apart && self.stories.len() >= MAX_STORIES => Destination::Ignored,
            // Footnotes of styles, fonts in a footnote: nothing begins where nothing is shown.
            _ if is_apart && !self.group.is_shown() => Destination::Ignored,
            Destination::Result if self.fields.last().is_some_and(|f| is_page(f)) => {
                Destination::Ignored
            }
            destination => destination,
        };
        self.group.destination = destination;
        self.group.begins = true;
        match destination {
            Destination::Field => self.fields.push(String::new()),
            Destination::Result => {
                let target = self.fields.last().and_then(|field| link_of(field));
                if let (Some(target), Some(story)) = (target, self.stories.last_mut()) {
                    story.open_link(target);
                }
            }
            // Of two forms the second one counts.
            Destination::Author => self.author.clear(),
            Destination::Title => self.title.clear(),
            _ if destination.is_apart() => {
                self.stories.push(Story::aside());
                self.group.paragraph = Paragraph::default();
            }
            _ => {}
        }
    }

    /// Ends the destination that began with the group that ends.
    fn leave(&mut self) {
        match self.group.destination {
            Destination::Field => {
                self.fields.pop();
            }
            Destination::Result => {
                if let Some(story) = self.stories.last_mut() {
                    story.close_link();
                }
            }
            destination if destination.is_apart() => {
                self.end_paragraph();
                // The document's own story is none that ends here.
                let note = (self.stories.len() > 1).then(|| self.stories.pop());
                let Some(mut nodes) = note.flatten().map(Story::take) else {
                    return;
                };
                if destination == Destination::Comment && !self.author.trim().is_empty() {
                    Node::say(&mut nodes, self.author.trim());
                }
                if destination == Destination::Margin {
                    self.margins.push(nodes);
                } else if let Some(story) = self.stories.last_mut() {
                    story.note(nodes);
                }
            }
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>, is_starred: bool) {
        if let Some(destination) = Destination::of(word) {
            self.enter(destination);
            return;
        }
        if Destination::goes_on_in(word) {
            return;
        }
        if word == "ud" && self.group.destination == Destination::Muted {
            // The second form of a text, which goes where the first would have gone.
            let mut outer = self.outer.iter().rev().map(|group| group.destination);
            let destination = outer.find(|outer| *outer != Destination::Muted);
            self.group.destination = destination.unwrap_or(Destination::Text);
            return;
        }
        if is_starred {
            self.flush(true);
            self.group.destination = Destination::Ignored;
            self.group.begins = false;
            return;
        }
        if let Some(sign) = signs::of_word(word) {
            if !self.characters.skips() {
                self.flush(true);
                self.write(sign);
            }
            return;
        }
        self.flush(false);
        let is_on = number != Some(0);
        let n = number.unwrap_or(0);
        match word {
            "u" => self.unicode(n),
            "uc" => self.group.substitutes = usize::try_from(n).unwrap_or(0).min(16),
            "f" => self.font(n),
            "plain" => {
                self.group.font = self.default_font;
                self.group.is_hidden = false;
                self.group.is_deleted = false;
            }
            "v" => self.group.is_hidden = is_on,
            "deleted" => self.group.is_deleted = is_on,
            "ansicpg" => self.characters.set_code_page(Charset::of_code_page(n)),
            "mac" => self.characters.set_code_page(Some(Charset::MAC)),
            "pc" => self.characters.set_code_page(Some(Charset::DOS)),
            "pca" => self.characters.set_code_page(Some(Charset::DOS_WESTERN)),
            "deff" => {
                self.default_font = n;
                self.group.font = n;
            }
            "fcharset" => self.describe_font(Charset::of_font(n)),
            "cpg" => self.describe_font(Charset::of_code_page(n)),
            "yr" | "mo" | "dy" => match self.group.destination {
                Destination::Created => self.created.set(word, n),
                Destination::Revised => self.revised.set(word, n),
                _ => {}
            },
            "sbasedon" if self.group.destination == Destination::Styles => {
                self.styles.open.based_on = number;
            }
            _ => self.paragraph_word(word, number),
        }
    }

    fn describe_font(&mut self, charset: Option<Charset>) {
        if self.group.destination == Destination::Fonts {
            self.fonts.open().charset = charset;
        }
    }

    fn font(&mut self, number: i32) {
        if self.group.destination == Destination::Fonts {
            self.fonts.begin(number);
        }
        self.group.font = number;
    }

    /// Words that say where a paragraph, a cell or a row ends and what it is.
    fn paragraph_word(&mut self, word: &str, number: Option<i32>) {
        let level = number.and_then(|n| u8::try_from(n).ok());
        if self.group.destination == Destination::Styles {
            match word {
                "s" => self.styles.open.number = number.unwrap_or(0),
                "outlinelevel" => self.styles.open.outline = level,
                _ => {}
            }
            return;
        }
        let paragraph = &mut self.group.paragraph;
        match word {
            "pard" => *paragraph = Paragraph::default(),
            "s" => paragraph.style = number.unwrap_or(0),
            "outlinelevel" => paragraph.outline = level,
            "ls" => paragraph.is_listed = number.is_some_and(|n| n > 0),
            "fi" => paragraph.is_hanging = number.is_some_and(|n| n < 0),
            "intbl" => paragraph.in_table = number != Some(0),
            "itap" => {
                paragraph.nesting = number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            }
            _ => self.break_word(word),
        }
    }

    fn break_word(&mut self, word: &str) {
        let nested = self.group.paragraph.nesting.max(2);
        if !self.group.destination.has_paragraphs() {
            match word {
                "tab" | "line" | "cell" | "par" => self.write(" "),
                _ => {}
            }
            return;
        }
        match word {
            "par" | "sect" => self.end_paragraph(),
            "cell" | "nestcell" => {
                self.end_paragraph();
                self.with_story(|story| story.end_cell(if word == "cell" { 1 } else { nested }));
            }
            "row" | "nestrow" => {
                self.end_paragraph();
                self.with_story(|story| story.end_row(if word == "row" { 1 } else { nested }));
            }
            "trowd" => self.with_story(Story::begin_row),
            "line" | "lbr" | "softline" | "page" | "column" => {
                self.flush(true);
                self.with_story(Story::line_break);
            }
            "tab" => {
                self.flush(true);
                self.write("\t");
            }
            _ => {}
        }
    }

    fn with_story(&mut self, work: impl FnOnce(&mut Story)) {
        self.characters.stop_skipping();
        if let Some(story) = self.stories.last_mut() {
            work(story);
        }
    }

    fn symbol(&mut self, symbol: u8) {
        if symbol == b'*' {
            self.is_starred = true;
        } else if !self.characters.skips() {
            match (symbol, signs::of_symbol(symbol)) {
                (b'{' | b'}' | b'\\', _) => self.characters.push(symbol),
                (_, Some(sign)) => {
                    self.flush(true);
                    self.write(sign);
                }
                _ => {}
            }
        }
    }

    fn unicode(&mut self, number: i32) {
        self.flush(true);
        let font = self.fonts.get(self.group.font);
        let c = self
            .characters
            .unicode(number, self.group.substitutes, font);
        if let Some(c) = c {
            self.write(c.encode_utf8(&mut [0; 4]));
        }
    }

    /// Makes characters of the bytes that wait. Half of one is kept unless `to_the_end`.
    fn flush(&mut self, to_the_end: bool) {
        if self.characters.is_empty() {
            return;
        }
        let destination = self.group.destination;
        // Names of fonts of symbols are written in letters.
        let is_legible = |font: &&Font| {
            destination != Destination::Fonts || font.charset != Some(Charset::Symbols)
        };
        let font = self.fonts.get(self.group.font).filter(is_legible);
        let decoded = self.characters.decode(font, to_the_end);
        self.has_unknown |= !decoded.is_whole && destination.has_paragraphs();
        self.write(&decoded.text);
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let destination = self.group.destination;
        let buffer = match destination {
            Destination::Fonts => {
                let name = text.trim_end_matches(';');
                keep(&mut self.fonts.open().name, name);
                return;
            }
            Destination::Styles => &mut self.styles.open.name,
            Destination::Title => &mut self.title,
            Destination::Author => &mut self.author,
            Destination::Instruction => match self.fields.last_mut() {
                Some(field) => field,
                None => return,
            },
            Destination::Label => {
                if let Some(story) = self.stories.last_mut() {
                    story.label(text);
                }
                return;
            }
            _ => {
                if destination.has_paragraphs()
                    && self.group.is_shown()
                    && let Some(story) = self.stories.last_mut()
                {
                    story.text(text, self.group.paragraph);
                }
                return;
            }
        };
        keep(buffer, text);
    }

    fn end_paragraph(&mut self) {
        self.flush(true);
        self.characters.stop_skipping();
        let paragraph = self.group.paragraph;
        let look: Look = self.styles.look(paragraph.style);
        if let Some(story) = self.stories.last_mut() {
            story.end_paragraph(paragraph, &look);
        }
    }
}

/// Adds words to those that are kept, up to a limit.
fn keep(buffer: &mut String, words: &str) {
    if buffer.len() + words.len() <= MAX_WORDS {
        buffer.push_str(words);
    }
}
