//! Editors and viewers, and how each is told where to go. A table; pure.

/// How an editor is told the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineStyle {
    /// `+12 FILE`
    Plus,
    /// `FILE:12`
    Colon,
    /// `--goto FILE:12`
    Goto,
    /// `--line 12 FILE`
    Line,
    /// `-l 12 FILE`
    Letter,
    /// `-n12 FILE`
    Joined,
}

/// Editors by the names of their programs.
const EDITORS: [(LineStyle, &[&str]); 6] = [
    (
        LineStyle::Plus,
        &[
            "vi",
            "vim",
            "nvim",
            "view",
            "gvim",
            "mvim",
            "ex",
            "elvis",
            "emacs",
            "emacsclient",
            "nano",
            "pico",
            "rnano",
            "micro",
            "kak",
            "joe",
            "jmacs",
            "jstar",
            "ne",
            "mg",
            "jove",
            "zile",
            "gedit",
            "gnome-text-editor",
            "xed",
            "pluma",
            "mousepad",
            "bbedit",
            "ee",
            "dte",
            "amp",
        ],
    ),
    (
        LineStyle::Colon,
        &[
            "hx",
            "helix",
            "zed",
            "zeditor",
            "subl",
            "sublime_text",
            "atom",
            "pulsar",
            "lite-xl",
            "lapce",
        ],
    ),
    (
        LineStyle::Goto,
        &[
            "code",
            "code-insiders",
            "code-oss",
            "codium",
            "vscodium",
            "cursor",
            "windsurf",
            "positron",
        ],
    ),
    (
        LineStyle::Line,
        &[
            "kate",
            "kwrite",
            "idea",
            "pycharm",
            "webstorm",
            "goland",
            "clion",
            "rustrover",
            "phpstorm",
            "rubymine",
            "rider",
            "fleet",
            "studio",
        ],
    ),
    (LineStyle::Letter, &["mate"]),
    (LineStyle::Joined, &["notepad++"]),
];

/// How an editor is told the line, by the name of its program; none for one that is not known.
pub(super) fn line_style(program: &str) -> Option<LineStyle> {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let name = name.to_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let has = |(_, names): &&(LineStyle, &[&str])| names.contains(&name);
    EDITORS.iter().find(has).map(|(style, _)| *style)
}

/// PDF viewers of the Linux desktops: a part of the entry's name, then the words of the command. Pages
/// count from 1 in all of them; Evince and its kin also know labels, which may be anything.
const PDF_VIEWERS: [(&str, &[&str]); 14] = [
    ("evince", &["evince", "--page-index={page}", "{file}"]),
    ("papers", &["papers", "--page-index={page}", "{file}"]),
    ("atril", &["atril", "--page-index={page}", "{file}"]),
    ("xreader", &["xreader", "--page-index={page}", "{file}"]),
    ("okular", &["okular", "--page", "{page}", "{file}"]),
    ("zathura", &["zathura", "--page={page}", "{file}"]),
    ("sioyek", &["sioyek", "--page", "{page}", "{file}"]),
    ("qpdfview", &["qpdfview", "{file}#{page}"]),
    ("mupdf", &["mupdf", "{file}", "{page}"]),
    ("xpdf", &["xpdf", "{file}", "{page}"]),
    ("firefox", &["firefox", "{url}#page={page}"]),
    ("chromium", &["chromium", "{url}#page={page}"]),
    ("chrome", &["google-chrome", "{url}#page={page}"]),
    ("brave", &["brave-browser", "{url}#page={page}"]),
];

/// The command of a PDF viewer by the name of its desktop entry.
pub(super) fn pdf_command(entry: &str) -> Option<&'static [&'static str]> {
    let entry = entry.to_lowercase();
    let found = PDF_VIEWERS.iter().find(|(name, _)| entry.contains(name));
    found.map(|(_, words)| *words)
}

/// What opens a file in the platform's viewer.
pub(super) fn platform_viewer(platform: &str) -> &'static str {
    match platform {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    }
}
