//! The way through a page's tree, without recursion: nesting has no depth that would break it.

use scraper::{ElementRef, Html, Node, node::Element};

/// What is done on the way.
pub(super) trait Visit<'a> {
    fn text(&mut self, text: &'a str);

    /// Whether the way goes into the element.
    fn open(&mut self, here: ElementRef<'a>) -> bool;

    /// Comes for every element that the way went into, after all that is in it.
    fn close(&mut self, element: &'a Element);
}

/// Goes through all of a page in its order.
pub(super) fn visit<'a>(html: &'a Html, visitor: &mut impl Visit<'a>) {
    let mut node = html.tree.root().first_child();
    while let Some(here) = node {
        let enters = match here.value() {
            Node::Text(text) => {
                visitor.text(text);
                false
            }
            Node::Element(_) => ElementRef::wrap(here).is_some_and(|here| visitor.open(here)),
            _ => false,
        };
        if enters && let Some(child) = here.first_child() {
            node = Some(child);
            continue;
        }
        if enters && let Node::Element(element) = here.value() {
            visitor.close(element);
        }
        // The next node in order, closing every element that ends on the way there.
        let mut at = here;
        node = loop {
            if let Some(next) = at.next_sibling() {
                break Some(next);
            }
            let Some(above) = at.parent() else {
                break None;
            };
            if let Node::Element(element) = above.value() {
                visitor.close(element);
            }
            at = above;
        };
    }
}
