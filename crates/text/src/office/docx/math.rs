//! Formulas as a line: what stands above a line is parted from what stands below by a slash, and what is
//! raised or lowered has its mark.

use crate::office::xml::Tag;

#[derive(Debug, Default)]
pub(super) struct Math {
    depth: usize,
    /// A sign that is written before the next characters.
    pending: String,
    /// Delimiters that are open, with the one that closes each.
    closers: Vec<String>,
    opener: Option<String>,
}

impl Math {
    /// Enters an element; a sign that stands for itself is returned.
    pub(super) fn open(&mut self, tag: &Tag<'_>) -> Option<String> {
        match tag.name() {
            "oMath" => self.depth += 1,
            _ if self.depth == 0 => {}
            "den" => self.pending.push('/'),
            "sup" => self.pending.push('^'),
            "sub" => self.pending.push('_'),
            "rad" => self.pending.push('√'),
            // An accent has no place before its letter.
            "chr" => {
                let is_accent =
                    |c: char| matches!(c, '\u{300}'..='\u{36F}' | '\u{20D0}'..='\u{20FF}');
                return tag.attr("val").filter(|sign| !sign.contains(is_accent));
            }
            "d" => {
                self.opener = Some("(".to_owned());
                self.closers.push(")".to_owned());
            }
            "begChr" => self.opener = tag.attr("val"),
            "endChr" => {
                if let Some(closer) = self.closers.last_mut() {
                    *closer = tag.attr("val").unwrap_or_default();
                }
            }
            "e" => return self.opener.take(),
            _ => {}
        }
        None
    }

    pub(super) fn close(&mut self, name: &str) -> Option<String> {
        match name {
            "oMath" => {
                self.depth = self.depth.saturating_sub(1);
                self.pending.clear();
            }
            "den" | "sup" | "sub" | "rad" if self.depth > 0 => self.pending.clear(),
            "d" if self.depth > 0 => return self.closers.pop(),
            _ => {}
        }
        None
    }

    /// The signs that come before the characters that follow.
    pub(super) fn signs(&mut self) -> String {
        std::mem::take(&mut self.pending)
    }
}
