//! What of a page is not to be seen, as far as the page itself says so: elements that are not shown, text
//! without size or colour, white on white. What style sheets elsewhere say is not known; where they may
//! speak of an element, it counts as seen.

use std::collections::HashSet;

use scraper::{Html, Selector, node::Element};

use crate::hidden::{declarations, hides, is_nothing, is_transparent, is_white};

/// What the style sheets in a page say.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    /// Whether there are any, in the page or beside it.
    are_there: bool,
    /// `.name` and `#name` of what is never shown.
    unshown: HashSet<String>,
}

impl Sheets {
    pub(super) fn of(html: &Html) -> Self {
        let all = |selector: &str| Selector::parse(selector).ok();
        let is_linked = all("link[rel~=stylesheet]")
            .is_some_and(|linked| html.select(&linked).next().is_some());
        let styles = all("style");
        let styles = styles.iter().flat_map(|style| html.select(style));
        let css: String = styles.flat_map(|style| style.text()).collect();
        let rules = rules(&css);
        let mut unshown = HashSet::new();
        for (selectors, body, is_at_all_times) in &rules {
            if *is_at_all_times && hides(body) {
                let named = selectors.split(',').map(str::trim);
                unshown.extend(named.filter(|name| is_name(name)).map(str::to_owned));
            }
        }
        // What another rule shows at times, is shown at times.
        for (selectors, body, _) in &rules {
            let speaks = |property: &str| matches!(property, "display" | "visibility" | "opacity");
            if !hides(body) && declarations(body).any(|(property, _)| speaks(&property)) {
                unshown.retain(|name| !selectors.contains(name.as_str()));
            }
        }
        Self {
            are_there: is_linked || !css.trim().is_empty(),
            unshown,
        }
    }

    /// Whether the element and all that is in it is not shown.
    pub(super) fn hide(&self, element: &Element) -> bool {
        if self.unshown.is_empty() {
            return false;
        }
        let is_named = |mark: char, name: &str| self.unshown.contains(&format!("{mark}{name}"));
        element.classes().any(|class| is_named('.', class))
            || element.id().is_some_and(|id| is_named('#', id))
    }
}

/// Whether a selector is one class or one id.
fn is_name(selector: &str) -> bool {
    let name = selector.strip_prefix(['.', '#']).unwrap_or_default();
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// The rules of a style sheet: selectors, declarations, and whether they stand outside all `@` blocks.
fn rules(css: &str) -> Vec<(String, String, bool)> {
    let mut rules = Vec::new();
    let mut rest = css;
    let mut bare = String::with_capacity(css.len());
    while let Some((before, comment)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    let mut blocks = 0_usize;
    let mut rest = bare.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        let prelude = before.rsplit(';').next().unwrap_or_default().trim();
        rest = &after[1..];
        if after.starts_with('}') {
            blocks = blocks.saturating_sub(1);
        } else if prelude.starts_with('@') {
            blocks += 1;
        } else {
            let (body, next) = rest.split_once('}').unwrap_or((rest, ""));
            rules.push((prelude.to_owned(), body.to_owned(), blocks == 0));
            rest = next;
        }
    }
    rules
}

/// How the words of an element look, as far as it tells whether they are seen. Inherited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    has_no_size: bool,
    ink: Ink,
    is_on_white: bool,
}

/// What words are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Any,
    White,
    None,
}

impl Sight {
    /// Of the page.
    pub(super) fn of_page(sheets: &Sheets) -> Self {
        Self {
            has_no_size: false,
            ink: Ink::Any,
            is_on_white: !sheets.are_there,
        }
    }

    /// Of an element in one that looks like this.
    pub(super) fn within(self, element: &Element, sheets: &Sheets) -> Self {
        let mut sight = self;
        let may_be_styled = element.attr("class").is_some() || element.attr("id").is_some();
        if sheets.are_there && may_be_styled {
            // Anything may be said of it.
            sight.has_no_size = false;
            sight.ink = Ink::Any;
            sight.is_on_white = false;
        }
        let tidy = |value: &str| value.trim().to_ascii_lowercase();
        if let Some(ground) = element.attr("bgcolor") {
            sight.is_on_white = is_white(&tidy(ground));
        }
        if element.attr("background").is_some() {
            sight.is_on_white = false;
        }
        if let Some(color) = element.attr("color").filter(|_| element.name() == "font") {
            sight.ink = Ink::of(&tidy(color));
        }
        for (property, value) in declarations(element.attr("style").unwrap_or_default()) {
            match property.as_str() {
                "font-size" => sight.has_no_size = is_nothing(&value),
                "color" => sight.ink = Ink::of(&value),
                "background" | "background-color" if value == "none" || value == "transparent" => {}
                "background" | "background-color" | "background-image" => {
                    sight.is_on_white = is_white(&value);
                }
                _ => {}
            }
        }
        sight
    }

    pub(super) fn is_unseen(self) -> bool {
        self.has_no_size || self.ink == Ink::None || (self.ink == Ink::White && self.is_on_white)
    }
}

impl Ink {
    fn of(color: &str) -> Self {
        if is_transparent(color) {
            Self::None
        } else if is_white(color) {
            Self::White
        } else {
            Self::Any
        }
    }
}
