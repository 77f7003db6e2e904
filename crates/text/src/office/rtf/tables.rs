//! The tables at the head of a file: its fonts, which tell what bytes stand for, and its styles, which
//! tell what a paragraph is.

use std::collections::HashMap;

use super::charset::Charset;
use crate::office::docx::styles::Look;

/// Styles that are based on each other; a chain that is longer goes in a circle.
const MAX_CHAIN: usize = 24;

#[derive(Debug, Default)]
pub(super) struct Fonts {
    fonts: HashMap<i32, Font>,
    /// The one that is being described.
    open: i32,
}

#[derive(Debug, Default)]
pub(super) struct Font {
    pub(super) charset: Option<Charset>,
    pub(super) name: String,
}

impl Fonts {
    pub(super) fn begin(&mut self, number: i32) {
        self.open = number;
        self.fonts.insert(number, Font::default());
    }

    pub(super) fn open(&mut self) -> &mut Font {
        self.fonts.entry(self.open).or_default()
    }

    pub(super) fn get(&self, number: i32) -> Option<&Font> {
        self.fonts.get(&number)
    }
}

#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: HashMap<i32, Style>,
    /// The one that is being described.
    pub(super) open: Style,
}

#[derive(Debug, Default)]
pub(super) struct Style {
    pub(super) number: i32,
    pub(super) name: String,
    pub(super) outline: Option<u8>,
    pub(super) based_on: Option<i32>,
}

impl Styles {
    pub(super) fn begin(&mut self) {
        self.open = Style::default();
    }

    pub(super) fn end(&mut self) {
        let mut style = std::mem::take(&mut self.open);
        let name = style.name.trim_end().trim_end_matches(';').len();
        style.name.truncate(name);
        if name > 0 {
            self.styles.insert(style.number, style);
        }
    }

    /// What a style makes of a paragraph.
    pub(super) fn look(&self, number: i32) -> Look {
        let mut look = Look::default();
        let mut at = Some(number);
        for _ in 0..MAX_CHAIN {
            let Some(style) = at.and_then(|number| self.styles.get(&number)) else {
                break;
            };
            look.take_over(style.outline, &style.name);
            at = style.based_on;
        }
        look
    }
}
