//! In which language a listing is written, as highlighters note it.

use scraper::{ElementRef, node::Element};

/// What highlighters say where they know no language, and classes that only look like one.
const NO_LANGUAGES: [&str; 12] = [
    "none",
    "text",
    "plain",
    "plaintext",
    "default",
    "notranslate",
    "nohighlight",
    "txt",
    "code",
    "auto",
    "line-numbers",
    "numberlines",
];

/// The language of a `pre` element, in lower case.
pub(super) fn language_of(pre: ElementRef<'_>) -> Option<String> {
    let own = said_by(pre.value(), true);
    let inner = || {
        pre.child_elements()
            .find_map(|child| said_by(child.value(), true))
    };
    let around = || {
        let above = pre.ancestors().filter_map(ElementRef::wrap).take(3);
        above
            .into_iter()
            .find_map(|above| said_by(above.value(), false))
    };
    own.or_else(inner).or_else(around)
}

fn said_by(element: &Element, is_listing: bool) -> Option<String> {
    let given = element
        .attr("data-lang")
        .or_else(|| element.attr("data-language"));
    if let Some(name) = given.and_then(known) {
        return Some(name);
    }
    let classes: Vec<&str> = element.classes().take(20).collect();
    let prefixed = classes.iter().find_map(|class| {
        let prefixes = [
            "language-",
            "lang-",
            "highlight-source-",
            "highlight-",
            "brush:",
        ];
        let rest = prefixes
            .iter()
            .find_map(|prefix| class.strip_prefix(prefix))?;
        known(rest)
    });
    // `<pre class="sourceCode python">`, `<pre class="brush: js">`, `<code class="hljs rust">`
    let marks = ["sourceCode", "brush:", "hljs", "prettyprint", "src"];
    let named = || {
        let at = classes.iter().position(|class| marks.contains(class))?;
        let others = classes.iter().enumerate().filter(|(index, _)| *index != at);
        others.into_iter().find_map(|(_, class)| known(class))
    };
    prefixed.or_else(|| is_listing.then(named).flatten())
}

fn known(name: &str) -> Option<String> {
    let name = name.trim_matches([';', ' ']).to_ascii_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '-' | '_');
    let fits = (1..=20).contains(&name.len()) && name.chars().all(is_name);
    (fits && !NO_LANGUAGES.contains(&name.as_str())).then_some(name)
}
