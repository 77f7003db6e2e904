//! What of a page stands around its matter: menus, breadcrumbs, rows of buttons, notices of cookies.
//!
//! Told by elements and roles first, then by what authors call their elements together with how much of
//! an element's text is links. Losing the matter is worse than keeping a menu: whatever holds much of
//! the page's text is kept, whatever it is called.

use std::collections::HashSet;

use scraper::{ElementRef, Html, node::Element};

use super::{
    tree::{Visit, visit},
    walk::{is_hidden, is_silent},
};

/// Elements around the page's matter rather than in it.
const ELEMENTS: [&str; 4] = ["nav", "footer", "aside", "menu"];

/// The same, said by a role.
const ROLES: [&str; 5] = [
    "navigation",
    "banner",
    "contentinfo",
    "complementary",
    "search",
];

/// Names of elements that hold nothing anybody would look for.
const NEVER: [&str; 36] = [
    "headerlink",
    "anchorjs-link",
    "hash-link",
    "mw-editsection",
    "mw-jump-link",
    "mw-indicators",
    "linenos",
    "lineno",
    "linenodiv",
    "gutter",
    "line-numbers-rows",
    "skip-link",
    "skiplink",
    "skip-nav",
    "skip-to-content",
    "noprint",
    "navbox",
    "printfooter",
    "catlinks",
    "sphinxsidebar",
    "breadcrumb",
    "breadcrumbs",
    "pagination",
    "cookie-banner",
    "cookie-consent",
    "cookie-notice",
    "share-buttons",
    "social-share",
    "sharedaddy",
    "copy-button",
    "copybutton",
    "visually-hidden-focusable",
    "footnote-back",
    "footnote-backref",
    "mw-cite-backlink",
    "data-footnote-backref",
];

/// Words in names of elements that may be chrome, if they are mostly links.
const HINTS: [&str; 27] = [
    "nav",
    "navbar",
    "navigation",
    "menu",
    "submenu",
    "menubar",
    "sidebar",
    "sidenav",
    "header",
    "masthead",
    "topbar",
    "toolbar",
    "footer",
    "banner",
    "pager",
    "share",
    "sharing",
    "social",
    "related",
    "recommended",
    "widget",
    "promo",
    "crumbs",
    "subscribe",
    "dropdown",
    "portlet",
    "interlanguage",
];

/// Elements that an author gives a name to, or that hold a list of links.
const CONTAINERS: [&str; 13] = [
    "div", "ul", "ol", "section", "td", "header", "form", "center", "dl", "p", "span", "table",
    "tr",
];

/// Elements of a page that are chrome. They are known by where they lie in memory: the tree does not
/// change.
#[derive(Debug, Default)]
pub(super) struct Chrome(HashSet<*const Element>);

impl Chrome {
    pub(super) fn holds(&self, element: &Element) -> bool {
        self.0.contains(&std::ptr::from_ref(element))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether an element says itself that it is chrome; notes and footers inside an article belong to it.
pub(super) fn is_by_element(element: &Element, in_article: bool) -> bool {
    let is_aside = matches!(element.name(), "aside" | "footer") && in_article;
    let role = element.attr("role").unwrap_or_default();
    ELEMENTS.contains(&element.name()) && !is_aside || ROLES.contains(&role)
}

/// The text of an element so far.
#[derive(Debug, Default, Clone, Copy)]
struct Amount {
    text: usize,
    linked: usize,
    links: usize,
    has_heading: bool,
}

struct Candidate {
    element: *const Element,
    amount: Amount,
}

/// An element that is being looked at.
struct Open<'a> {
    element: &'a Element,
    amount: Amount,
    in_link: bool,
    in_article: bool,
    /// Whether matter came before it.
    after_matter: bool,
}

/// The chrome of a page beyond what its elements say themselves.
pub(super) fn of(html: &Html) -> Chrome {
    let mut scan = Scan::default();
    visit(html, &mut scan);
    // A page may have more menus than text, but half of its text is not one menu, and what is a quarter
    // of it without any link is none at all.
    let total = scan.total;
    let chosen = scan.found.into_iter().filter(|found| {
        let Amount { text, linked, .. } = found.amount;
        text * 2 <= total && (text - linked) * 4 <= total
    });
    Chrome(chosen.map(|found| found.element).collect())
}

#[derive(Default)]
struct Scan<'a> {
    open: Vec<Open<'a>>,
    found: Vec<Candidate>,
    /// Characters of the page, without what its elements say is chrome.
    total: usize,
    seen_matter: bool,
}

impl<'a> Visit<'a> for Scan<'a> {
    fn text(&mut self, text: &str) {
        /// So many characters outside of links in one run are a sentence of the page.
        const SENTENCE: usize = 80;
        let count = text.chars().filter(|c| !c.is_whitespace()).count();
        let Some(open) = self.open.last_mut() else {
            return;
        };
        open.amount.text += count;
        if open.in_link {
            open.amount.linked += count;
        } else {
            self.seen_matter |= count >= SENTENCE;
        }
        self.total += count;
    }

    fn open(&mut self, here: ElementRef<'a>) -> bool {
        let element = here.value();
        let around = self.open.last();
        let in_article = around.is_some_and(|open| open.in_article)
            || matches!(element.name(), "main" | "article")
            || element.attr("role") == Some("main");
        if is_silent(element) || is_hidden(element) || is_by_element(element, in_article) {
            return false;
        }
        let name = element.name();
        let is_link = name == "a" && element.attr("href").is_some();
        let mut amount = Amount::default();
        amount.links += usize::from(is_link);
        amount.has_heading = matches!(name, "h1" | "h2");
        self.seen_matter |= name == "h1";
        self.open.push(Open {
            element,
            amount,
            in_link: is_link || around.is_some_and(|open| open.in_link),
            in_article,
            after_matter: self.seen_matter,
        });
        true
    }

    fn close(&mut self, _: &'a Element) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        if closed.is_chrome() {
            self.found.push(Candidate {
                element: std::ptr::from_ref(closed.element),
                amount: closed.amount,
            });
            return;
        }
        if let Some(above) = self.open.last_mut() {
            above.amount.text += closed.amount.text;
            above.amount.linked += closed.amount.linked;
            above.amount.links += closed.amount.links;
            above.amount.has_heading |= closed.amount.has_heading;
        }
    }
}

impl Open<'_> {
    fn is_chrome(&self) -> bool {
        let name = self.element.name();
        if matches!(name, "html" | "body" | "main" | "article" | "pre" | "code") {
            return false;
        }
        let names = || {
            let id = self.element.attr("id").into_iter();
            id.chain(self.element.classes().take(20))
                .map(str::to_ascii_lowercase)
        };
        let is_named = names().any(|name| NEVER.contains(&name.as_str()));
        if is_named {
            return true;
        }
        let Amount {
            text,
            linked,
            links,
            has_heading,
        } = self.amount;
        if !CONTAINERS.contains(&name) || text == 0 {
            return false;
        }
        let has_word = |wanted: &[&str]| {
            names().any(|name| {
                let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
                words.any(|word| wanted.contains(&word))
            })
        };
        let is_hinted = has_word(&HINTS) || name == "header";
        if is_hinted && links > 0 && linked * 2 >= text {
            // Of what stands in an article, rows of buttons and long lists of short links.
            let is_row = text < 400;
            let is_menu = links >= 10 && linked * 10 >= text * 9 && linked <= links * 20;
            return match (has_heading, self.in_article) {
                (true, in_article) => !in_article && is_row && linked * 10 >= text * 8,
                (false, in_article) => !in_article || is_row || is_menu,
            };
        }
        let is_foot = has_word(&[
            "footer",
            "copyright",
            "cookie",
            "cookies",
            "consent",
            "gdpr",
        ]);
        if is_foot && !self.in_article && !has_heading && text < 600 {
            return true;
        }
        // A menu without a name: short links and hardly anything else, before the matter begins.
        let is_list = links >= 4 && linked * 20 >= text * 17 && linked <= links * 25;
        is_list && !self.after_matter && !self.in_article && !has_heading
    }
}
