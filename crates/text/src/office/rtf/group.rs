//! What braces save: where the text goes, and how it is to be taken.

/// Where the text of a group goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// The paragraphs of the document, or of the note that is open.
    Text,
    /// Nowhere, whatever stands in it.
    Ignored,
    /// Nowhere, but groups in it may have text.
    Muted,
    Fonts,
    Styles,
    Title,
    Created,
    Revised,
    /// The number or sign before an item of a list.
    Label,
    Field,
    Instruction,
    Result,
    Author,
    /// A comment, which its author is named with.
    Comment,
    /// A footnote, or a box that stands beside the text.
    Note,
    /// A header or a footer.
    Margin,
}

impl Destination {
    /// Whether a group of that word goes where the text around it goes, though it is starred.
    pub(super) fn goes_on_in(word: &str) -> bool {
        matches!(word, "nesttableprops" | "moMath" | "moMathPara" | "shppict")
    }

    /// Of a control word that begins one.
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "fonttbl" => Self::Fonts,
            "stylesheet" => Self::Styles,
            "title" => Self::Title,
            "creatim" => Self::Created,
            "revtim" => Self::Revised,
            "listtext" | "pntext" => Self::Label,
            "field" => Self::Field,
            "fldinst" => Self::Instruction,
            "fldrslt" => Self::Result,
            "atnauthor" => Self::Author,
            "annotation" => Self::Comment,
            "footnote" | "shptxt" | "dptxbxtext" => Self::Note,
            "header" | "headerl" | "headerr" | "headerf" | "footer" | "footerl" | "footerr"
            | "footerf" => Self::Margin,
            // Of a text in two forms the second one counts, of a shape the text in it.
            "info" | "upr" | "shpinst" | "do" => Self::Muted,
            "pict" | "objdata" | "colortbl" | "filetbl" | "revtbl" | "listtable"
            | "listoverridetable" | "nonshppict" | "shprslt" | "nonesttables" | "ftnsep"
            | "ftnsepc" | "ftncn" | "aftnsep" | "aftnsepc" | "aftncn" | "xe" | "tc" | "tcn"
            | "rxe" | "txe" | "atnid" | "bkmkstart" | "bkmkend" | "mmathPict" | "comment" => {
                Self::Ignored
            }
            _ => return None,
        })
    }

    /// Whether its text is made of paragraphs.
    pub(super) fn has_paragraphs(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Field | Self::Result | Self::Comment | Self::Note | Self::Margin
        )
    }

    /// Whether its paragraphs stand apart from those around it.
    pub(super) fn is_apart(self) -> bool {
        matches!(self, Self::Comment | Self::Note | Self::Margin)
    }
}

/// What holds from here to the end of the group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) destination: Destination,
    /// Whether the destination began with this group, and ends with it.
    pub(super) begins: bool,
    pub(super) font: i32,
    /// How many characters stand for one that is given by its number.
    pub(super) substitutes: usize,
    pub(super) is_hidden: bool,
    pub(super) is_deleted: bool,
    pub(super) paragraph: Paragraph,
}

/// What is said of a paragraph.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paragraph {
    /// From 0, where 9 and more is body text.
    pub(super) outline: Option<u8>,
    pub(super) style: i32,
    pub(super) is_listed: bool,
    /// Its first line begins further out than the others.
    pub(super) is_hanging: bool,
    pub(super) in_table: bool,
    /// Tables around it, where it says that there are more than one.
    pub(super) nesting: usize,
}

impl Group {
    pub(super) fn new(font: i32) -> Self {
        Self {
            destination: Destination::Text,
            begins: false,
            font,
            substitutes: 1,
            is_hidden: false,
            is_deleted: false,
            paragraph: Paragraph::default(),
        }
    }

    /// Whether text in it is shown.
    pub(super) fn is_shown(&self) -> bool {
        !self.is_hidden && !self.is_deleted
    }
}
