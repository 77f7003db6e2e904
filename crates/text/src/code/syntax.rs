//! Where the items of a source file begin and end, by its syntax tree; and cuts within an item.
//!
//! Parsing is bounded by its own work, not by time, so that it always gives the same. The tree is walked
//! without recursion.

use std::ops::ControlFlow;

use rag_core::Span;
use text_splitter::{ChunkConfig, ChunkSizer, CodeSplitter};
use tree_sitter::{Node, ParseOptions, Parser, Tree, TreeCursor};

use super::languages::{self, Grammar, Language};
use crate::items::{Item, MAX_DEPTH, MAX_ITEMS};

/// Larger files are data or were generated: they are cut at their lines. 4 MiB.
const MAX_PARSED: usize = 4 << 20;

/// A longer stretch within one item is cut at its lines: 16 KiB.
const MAX_STRETCH: usize = 16 << 10;

/// Nothing in a shorter node is an item that is worth a name.
const MIN_ITEM: usize = 24;

/// The parser asks whether to go on every 100 steps, and takes one to three steps for a token; it is
/// stopped after so many steps for each byte.
const STEPS_PER_BYTE: usize = 8;

/// Nodes around an item that begin and end with it.
const WRAPPERS: [&str; 8] = [
    "export_statement",
    "decorated_definition",
    "template_declaration",
    "lexical_declaration",
    "variable_declaration",
    "type_declaration",
    "type_definition",
    "ambient_declaration",
];

/// What a variable is declared to be where it is as good as a named function or class.
const FUNCTIONS: [&str; 5] = [
    "arrow_function",
    "function_expression",
    "generator_function",
    "class",
    "function",
];

/// The items of a source text.
pub(super) fn items(language: &Language, text: &str) -> Vec<Item> {
    let Some((grammar, tree)) = language
        .grammar
        .and_then(|grammar| Some((grammar, parse(&grammar, text)?)))
    else {
        return Vec::new();
    };
    let mut walk = Walk {
        text,
        kinds: kinds(&tree, grammar.items),
        wrappers: kinds(&tree, &WRAPPERS),
        open: Vec::new(),
        comment: None,
        wrapper: None,
        items: Vec::new(),
    };
    walk.run(tree.walk());
    walk.items
}

fn parse(grammar: &Grammar, text: &str) -> Option<Tree> {
    if text.len() > MAX_PARSED {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&(grammar.of_files)()).ok()?;
    let mut asked = 0;
    let most = (1000 + text.len() * STEPS_PER_BYTE) / 100;
    let mut go_on = |_: &tree_sitter::ParseState| {
        asked += 1;
        if asked > most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut go_on);
    let mut bytes = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    parser.parse_with_options(&mut bytes, None, Some(options))
}

fn kinds(tree: &Tree, names: &[&str]) -> Vec<u16> {
    let language = tree.language();
    let id = |name: &&str| language.id_for_node_kind(name, true);
    names.iter().map(id).filter(|id| *id > 0).collect()
}

struct Walk<'a> {
    text: &'a str,
    kinds: Vec<u16>,
    wrappers: Vec<u16>,
    /// Ends of the items around.
    open: Vec<usize>,
    /// Comments and attributes that stand right before the next node.
    comment: Option<Span>,
    /// The node around the next item, with its comments.
    wrapper: Option<Span>,
    items: Vec<Item>,
}

impl Walk<'_> {
    fn run(&mut self, mut cursor: TreeCursor<'_>) {
        loop {
            let node = cursor.node();
            if self.items.len() >= MAX_ITEMS {
                return;
            }
            if self.see(node, cursor.depth() == 0) && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    /// Whether there may be items inside the node.
    fn see(&mut self, node: Node<'_>, is_root: bool) -> bool {
        let span = Span::new(node.start_byte(), node.end_byte());
        while self.open.pop_if(|end| *end <= span.start).is_some() {}
        if is_comment(node) {
            self.see_comment(span);
            return false;
        }
        let id = node.kind_id();
        if is_root {
            return true;
        }
        let above = self.comment.take();
        let above = above.filter(|comment| self.is_adjacent(comment.end, span.start));
        let start = above.map_or(span.start, |comment| comment.start);
        if self.wrappers.contains(&id) {
            let around = self.wrapper.filter(|wrapper| wrapper.contains(span));
            let start = around.map_or(start, |wrapper| wrapper.start);
            self.wrapper = Some(Span::new(start, span.end));
        } else if self.kinds.contains(&id) && self.open.len() < MAX_DEPTH && is_item(node) {
            self.take(node, Span::new(start, span.end));
        } else if node.child_count() > 0 {
            // What it begins with may be an item.
            self.comment = above;
        }
        span.len() >= MIN_ITEM && self.open.len() < MAX_DEPTH
    }

    fn take(&mut self, node: Node<'_>, mut span: Span) {
        // What is wrapped ends where the wrapper does, but for a semicolon or a name.
        if let Some(wrapper) = self.wrapper.take()
            && wrapper.contains(span)
            && node.end_byte() + 2 >= wrapper.end
        {
            span = wrapper;
        }
        self.items
            .push(Item::new(span, name_of(node), self.open.len()));
        self.open.push(span.end);
    }

    /// Comments that begin a line and follow each other without a blank line are one.
    fn see_comment(&mut self, span: Span) {
        self.comment = match self.comment {
            Some(before) if self.is_adjacent(before.end, span.start) => {
                Some(Span::new(before.start, span.end))
            }
            _ => {
                let line = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
                let begins_line = self.text[line..span.start].trim().is_empty();
                begins_line.then_some(span)
            }
        };
    }

    fn is_adjacent(&self, end: usize, start: usize) -> bool {
        let between = self.text.get(end..start).unwrap_or("-");
        // Some grammars count the line feed in.
        let breaks = between.matches('\n').count() + usize::from(self.text[..end].ends_with('\n'));
        between.trim().is_empty() && breaks <= 1
    }
}

fn is_comment(node: Node<'_>) -> bool {
    let kind = node.kind();
    kind.contains("comment") || matches!(kind, "attribute_item" | "attribute_list" | "decorator")
}

/// Whether a node of an item's kind is one: `struct x y;` uses a structure and does not say what it is.
fn is_item(node: Node<'_>) -> bool {
    match node.kind() {
        "variable_declarator" => node
            .child_by_field_name("value")
            .is_some_and(|value| FUNCTIONS.contains(&value.kind())),
        kind if kind.ends_with("_specifier") => node.child_by_field_name("body").is_some(),
        _ => true,
    }
}

/// Where an item's name stands; an empty span where it has none.
fn name_of(node: Node<'_>) -> Span {
    let span = |node: Node<'_>| Span::new(node.start_byte(), node.end_byte());
    if let Some(name) = node.child_by_field_name("name") {
        return span(name);
    }
    // `impl Display for Port`
    if let Some(of_type) = node.child_by_field_name("type")
        && node.kind() == "impl_item"
    {
        let start = node.child_by_field_name("trait").unwrap_or(of_type);
        return Span::new(start.start_byte(), of_type.end_byte());
    }
    // `static char *name(int x)`: the innermost declarator.
    let mut inner = node;
    for _ in 0..MAX_DEPTH {
        match inner.child_by_field_name("declarator") {
            Some(next) => inner = next,
            None => break,
        }
    }
    if inner == node {
        Span::new(node.start_byte(), node.start_byte())
    } else {
        span(inner)
    }
}

/// Cuts stretches of code within an item, at statements where that is possible.
pub(crate) struct Splitter<S: ChunkSizer>(CodeSplitter<S>);

impl<S: ChunkSizer> Splitter<S> {
    /// For code of that label; none where it has no grammar.
    pub(crate) fn new(label: &str, config: ChunkConfig<S>) -> Option<Self> {
        let grammar = languages::by_name(label)?.grammar?;
        CodeSplitter::new((grammar.of_stretches)(), config)
            .ok()
            .map(Self)
    }

    /// Stretches that together are `text` but for white space; none where it is too long to be parsed.
    pub(crate) fn cut(&self, text: &str) -> Option<Vec<Span>> {
        let span = |(at, piece): (usize, &str)| Span::new(at, at + piece.len());
        (text.len() <= MAX_STRETCH).then(|| self.0.chunk_indices(text).map(span).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(label: &str, text: &str) -> Vec<String> {
        let language = languages::by_name(label).unwrap();
        items(language, text)
            .iter()
            .map(|item| format!("{}{}", "  ".repeat(item.depth()), item.name().slice(text)))
            .collect()
    }

    #[test]
    fn the_items_of_every_language_have_their_names() {
        let rust = "mod harbour {\n    impl Display for Port { fn fmt(&self) -> Out { todo() } }\n    struct Port { depth: u32, name: String }\n}\n";
        assert_eq!(
            names("rust", rust),
            ["harbour", "  Display for Port", "    fmt", "  Port"]
        );
        let python =
            "class Port:\n    @property\n    def depth(self):\n        return self.metres\n";
        assert_eq!(names("python", python), ["Port", "  depth"]);
        let script = "export default class Port { open() { return this.gates.raise(); } }\nexport const close = async () => { await gates.lower(); };\n";
        assert_eq!(names("javascript", script), ["Port", "  open", "close"]);
        assert_eq!(names("typescript", script), ["Port", "  open", "close"]);
        assert_eq!(names("tsx", script), ["Port", "  open", "close"]);
        let interface = "namespace Sea { export interface Port { depth: number; name: string } }\n";
        assert_eq!(names("typescript", interface), ["Sea", "  Port"]);
        let go = "package sea\n\ntype Port struct {\n\tDepth int\n\tName string\n}\n\nfunc (p *Port) Open() error {\n\treturn nil\n}\n";
        assert_eq!(names("go", go), ["Port", "Open"]);
        let java = "class Port {\n  Port(int depth) { this.depth = depth; }\n  int depth() { return depth; }\n}\n";
        assert_eq!(names("java", java), ["Port", "  Port", "  depth"]);
        let c = "struct port {\n  int depth;\n  char *name;\n};\n\nstatic char *name_of(struct port *p) {\n  return p->name;\n}\n";
        assert_eq!(names("c", c), ["port", "name_of"]);
        let cpp = "namespace sea {\ntemplate <typename T>\nclass Port {\n  int depth() const { return depth_; }\n};\n}\nint sea::Port::open() { return 1 + 2 + 3; }\n";
        assert_eq!(
            names("cpp", cpp),
            ["sea", "  Port", "    depth", "sea::Port::open"]
        );
        let sharp =
            "namespace Sea {\n  class Port {\n    public int Depth() { return depth; }\n  }\n}\n";
        assert_eq!(names("csharp", sharp), ["Sea", "  Port", "    Depth"]);
        let ruby =
            "module Sea\n  class Port\n    def depth\n      @metres * 2\n    end\n  end\nend\n";
        assert_eq!(names("ruby", ruby), ["Sea", "  Port", "    depth"]);
        let php = "<?php\nclass Port {\n  function depth() { return $this->depth; }\n}\nfunction open($port) { return 1; }\n";
        assert_eq!(names("php", php), ["Port", "  depth", "open"]);
        let bash = "open_gate() {\n  echo opening the gate\n}\n";
        assert_eq!(names("bash", bash), ["open_gate"]);
        let kotlin = "class Port(val depth: Int) {\n  fun open(): Boolean { return true }\n}\n";
        assert_eq!(names("kotlin", kotlin), ["Port", "  open"]);
        let swift = "struct Port {\n  let depth: Int\n  func open() -> Bool { return true }\n}\n";
        assert_eq!(names("swift", swift), ["Port", "  open"]);
    }

    #[test]
    fn comments_attributes_and_wrappers_belong_to_their_item() {
        let text = "use a;\n\n// Not of the function.\n\n/// Opens it.\n#[must_use]\npub fn open() -> bool { true }\nlet x = 1; // trailing\nfn close() -> bool { false }\n";
        let language = languages::by_name("rust").unwrap();
        let found = items(language, text);
        let starts: Vec<&str> = found.iter().map(|item| item.span().slice(text)).collect();
        assert!(
            starts[0].starts_with("/// Opens it.\n#[must_use]\npub fn"),
            "{starts:?}"
        );
        assert!(starts[1].starts_with("fn close"), "{starts:?}");
        let text = "// Why.\nexport const open = () => { return gates.raise(); };\n";
        let found = items(languages::by_name("javascript").unwrap(), text);
        assert_eq!(found[0].span(), Span::new(0, text.len() - 1));
    }

    #[test]
    fn hostile_nesting_is_bounded() {
        let rust = languages::by_name("rust").unwrap();
        let deep = "mod a {".repeat(50_000);
        assert!(
            items(rust, &deep)
                .iter()
                .all(|item| item.depth() < MAX_DEPTH)
        );
        let brackets = "(".repeat(200_000);
        for label in [
            "rust",
            "python",
            "javascript",
            "cpp",
            "bash",
            "ruby",
            "php",
            "swift",
        ] {
            let language = languages::by_name(label).unwrap();
            assert!(items(language, &brackets).is_empty(), "{label}");
        }
    }
}
