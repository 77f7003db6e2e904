//! The table of programming languages: how each is recognised, its grammar, and what counts as an item.
//!
//! A language without a grammar is cut at its lines. A grammar costs about a second of build time for
//! each 3 MB of its parser, and 0.2 to 5 MB in the binary.

use crate::{
    format::{Format, Parser},
    recognise::extension_of,
};

use super::{is_script, read};

/// A language.
#[derive(Debug)]
pub(crate) struct Language {
    /// What its code is labelled with; a name of it, in lower case.
    pub(crate) label: &'static str,
    /// Other names, beside its extensions; and interpreters that run it.
    aliases: &'static [&'static str],
    pub(crate) grammar: Option<Grammar>,
    pub(crate) format: Format,
}

/// What is known of the syntax.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar {
    /// For whole files.
    pub(crate) of_files: fn() -> tree_sitter::Language,
    /// For stretches of them, where that is another one.
    pub(crate) of_stretches: fn() -> tree_sitter::Language,
    /// Kinds of nodes that are items.
    pub(crate) items: &'static [&'static str],
}

const fn grammar(
    of_files: fn() -> tree_sitter::Language,
    items: &'static [&'static str],
) -> Grammar {
    Grammar {
        of_files,
        of_stretches: of_files,
        items,
    }
}

const fn known(
    label: &'static str,
    format: Format,
    aliases: &'static [&'static str],
    grammar: Grammar,
) -> Language {
    Language {
        label,
        aliases,
        grammar: Some(grammar),
        format,
    }
}

const fn plain(
    label: &'static str,
    media_type: &'static str,
    extensions: &'static [&'static str],
) -> Language {
    Language {
        label,
        aliases: &[],
        grammar: None,
        format: Format::of_code(label, media_type, extensions),
    }
}

const JAVASCRIPT_ITEMS: &[&str] = &[
    "function_declaration",
    "generator_function_declaration",
    "class_declaration",
    "method_definition",
    "variable_declarator",
];

const TYPESCRIPT_ITEMS: &[&str] = &[
    "function_declaration",
    "generator_function_declaration",
    "class_declaration",
    "abstract_class_declaration",
    "interface_declaration",
    "enum_declaration",
    "type_alias_declaration",
    "internal_module",
    "module",
    "method_definition",
    "variable_declarator",
];

const C_ITEMS: &[&str] = &[
    "function_definition",
    "struct_specifier",
    "union_specifier",
    "enum_specifier",
    "class_specifier",
    "namespace_definition",
];

/// All of them. An extension is claimed once.
static LANGUAGES: [Language; 54] = [
    known(
        "rust",
        Format::of_code("Rust", "text/x-rust", &["rs"]),
        &[],
        grammar(
            || tree_sitter_rust::LANGUAGE.into(),
            &[
                "function_item",
                "struct_item",
                "enum_item",
                "union_item",
                "trait_item",
                "impl_item",
                "mod_item",
                "macro_definition",
            ],
        ),
    ),
    known(
        "python",
        Format::of_code("Python", "text/x-python", &["py", "pyi", "pyw"]),
        &["python3", "ipython", "sage"],
        grammar(
            || tree_sitter_python::LANGUAGE.into(),
            &["function_definition", "class_definition"],
        ),
    ),
    known(
        "javascript",
        Format::of_code(
            "JavaScript",
            "text/javascript",
            &["js", "mjs", "cjs", "jsx"],
        ),
        &["node", "deno"],
        grammar(|| tree_sitter_javascript::LANGUAGE.into(), JAVASCRIPT_ITEMS),
    ),
    known(
        "typescript",
        Format::of_code("TypeScript", "text/x-typescript", &["ts", "mts", "cts"]),
        &[],
        grammar(
            || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            TYPESCRIPT_ITEMS,
        ),
    ),
    known(
        "tsx",
        Format::of_code("TSX", "text/x-typescript", &["tsx"]),
        &[],
        grammar(
            || tree_sitter_typescript::LANGUAGE_TSX.into(),
            TYPESCRIPT_ITEMS,
        ),
    ),
    known(
        "go",
        Format::of_code("Go", "text/x-go", &["go"]),
        &["golang"],
        grammar(
            || tree_sitter_go::LANGUAGE.into(),
            &["function_declaration", "method_declaration", "type_spec"],
        ),
    ),
    known(
        "java",
        Format::of_code("Java", "text/x-java", &["java"]),
        &[],
        grammar(
            || tree_sitter_java::LANGUAGE.into(),
            &[
                "class_declaration",
                "interface_declaration",
                "enum_declaration",
                "record_declaration",
                "annotation_type_declaration",
                "method_declaration",
                "constructor_declaration",
            ],
        ),
    ),
    known(
        "c",
        Format::of_code("C", "text/x-c", &["c", "h"]),
        &[],
        grammar(|| tree_sitter_c::LANGUAGE.into(), C_ITEMS.split_at(4).0),
    ),
    known(
        "cpp",
        Format::of_code(
            "C++",
            "text/x-c++",
            &[
                "cpp", "cc", "cxx", "hpp", "hh", "hxx", "ipp", "cu", "cuh", "ino",
            ],
        ),
        &["c++"],
        grammar(|| tree_sitter_cpp::LANGUAGE.into(), C_ITEMS),
    ),
    known(
        "csharp",
        Format::of_code("C#", "text/x-csharp", &["cs", "csx"]),
        &["c#"],
        grammar(
            || tree_sitter_c_sharp::LANGUAGE.into(),
            &[
                "namespace_declaration",
                "class_declaration",
                "struct_declaration",
                "interface_declaration",
                "record_declaration",
                "enum_declaration",
                "method_declaration",
                "constructor_declaration",
                "property_declaration",
            ],
        ),
    ),
    known(
        "ruby",
        Format::of_code(
            "Ruby",
            "text/x-ruby",
            &["rb", "rake", "gemspec", "rakefile", "gemfile"],
        ),
        &["jruby"],
        grammar(
            || tree_sitter_ruby::LANGUAGE.into(),
            &["class", "module", "method", "singleton_method"],
        ),
    ),
    known(
        "php",
        Format::of_code("PHP", "text/x-php", &["php", "phtml", "php5"]),
        &[],
        Grammar {
            of_files: || tree_sitter_php::LANGUAGE_PHP.into(),
            // A stretch does not begin with `<?php`.
            of_stretches: || tree_sitter_php::LANGUAGE_PHP_ONLY.into(),
            items: &[
                "namespace_definition",
                "class_declaration",
                "interface_declaration",
                "trait_declaration",
                "enum_declaration",
                "method_declaration",
                "function_definition",
            ],
        },
    ),
    known(
        "bash",
        Format::of_code(
            "shell script",
            "text/x-shellscript",
            &[
                "sh",
                "bash",
                "zsh",
                "ksh",
                ".bashrc",
                ".zshrc",
                ".profile",
                ".bash_profile",
            ],
        ),
        &["shell", "dash", "shellscript", "shell-script"],
        grammar(
            || tree_sitter_bash::LANGUAGE.into(),
            &["function_definition"],
        ),
    ),
    known(
        "kotlin",
        Format::of_code("Kotlin", "text/x-kotlin", &["kt", "kts"]),
        &[],
        grammar(
            || tree_sitter_kotlin_ng::LANGUAGE.into(),
            &[
                "class_declaration",
                "object_declaration",
                "companion_object",
                "function_declaration",
                "secondary_constructor",
            ],
        ),
    ),
    known(
        "swift",
        Format::of_code("Swift", "text/x-swift", &["swift"]),
        &[],
        grammar(
            || tree_sitter_swift::LANGUAGE.into(),
            &[
                "class_declaration",
                "protocol_declaration",
                "function_declaration",
                "init_declaration",
            ],
        ),
    ),
    plain("scala", "text/x-scala", &["scala", "sc"]),
    plain("sql", "application/sql", &["sql", "ddl"]),
    plain("lua", "text/x-lua", &["lua"]),
    plain("perl", "text/x-perl", &["pl", "pm", "t"]),
    plain("r", "text/x-r", &["r"]),
    plain("julia", "text/x-julia", &["jl"]),
    plain("haskell", "text/x-haskell", &["hs", "lhs"]),
    plain("ocaml", "text/x-ocaml", &["ml", "mli"]),
    plain("erlang", "text/x-erlang", &["erl", "hrl"]),
    plain("elixir", "text/x-elixir", &["ex", "exs"]),
    plain("clojure", "text/x-clojure", &["clj", "cljs", "cljc", "edn"]),
    plain(
        "lisp",
        "text/x-common-lisp",
        &["lisp", "lsp", "el", "scm", "rkt"],
    ),
    plain("dart", "text/x-dart", &["dart"]),
    plain("zig", "text/x-zig", &["zig"]),
    plain("objc", "text/x-objective-c", &["m", "mm"]),
    plain(
        "fortran",
        "text/x-fortran",
        &["f", "for", "f77", "f90", "f95", "f03"],
    ),
    plain("pascal", "text/x-pascal", &["pas", "pp", "dpr"]),
    plain("asm", "text/x-asm", &["s", "asm", "nasm"]),
    plain(
        "verilog",
        "text/x-verilog",
        &["v", "sv", "svh", "vhd", "vhdl"],
    ),
    plain(
        "groovy",
        "text/x-groovy",
        &["groovy", "gradle", "jenkinsfile"],
    ),
    plain("vb", "text/x-vb", &["vb", "vbs", "bas"]),
    plain("fsharp", "text/x-fsharp", &["fs", "fsx", "fsi"]),
    plain("powershell", "text/x-powershell", &["ps1", "psm1", "psd1"]),
    plain("bat", "text/x-bat", &["bat", "cmd"]),
    plain("fish", "text/x-fish", &["fish"]),
    plain("awk", "text/x-awk", &["awk"]),
    plain("vim", "text/x-vim", &["vim", ".vimrc"]),
    plain("nix", "text/x-nix", &["nix"]),
    plain("hcl", "text/x-hcl", &["tf", "tfvars", "hcl"]),
    plain("proto", "text/x-protobuf", &["proto", "thrift"]),
    plain("graphql", "application/graphql", &["graphql", "gql"]),
    plain("css", "text/css", &["css", "scss", "sass", "less", "styl"]),
    plain("vue", "text/x-vue", &["vue", "svelte", "astro"]),
    plain(
        "make",
        "text/x-makefile",
        &["mk", "mak", "makefile", "gnumakefile", "justfile"],
    ),
    plain("cmake", "text/x-cmake", &["cmake"]),
    plain(
        "dockerfile",
        "text/x-dockerfile",
        &["dockerfile", "containerfile"],
    ),
    plain("solidity", "text/x-solidity", &["sol"]),
    plain("bibtex", "application/x-bibtex", &["bib"]),
    plain("diff", "text/x-diff", &["diff", "patch"]),
];

/// Scripts that say so in their first line, whatever they are called.
static SCRIPT: Format = Format {
    name: "script",
    media_type: "text/plain",
    magic: &[],
    marks: Some(is_script),
    extensions: &[],
    parser: Parser::Text(read),
};

/// The rows of the table of formats.
pub(crate) fn formats() -> impl Iterator<Item = &'static Format> {
    let languages = LANGUAGES.iter().map(|language| &language.format);
    languages.chain([&SCRIPT])
}

/// The language of the file `name`: by its extension, then by its first line.
pub(crate) fn of_file(name: &str, text: &str) -> Option<&'static Language> {
    let extension = extension_of(name);
    let named = || by_extension(&extension).or_else(|| by_extension(&name.to_lowercase()));
    let found = by_first_line(text.as_bytes()).or_else(named)?;
    // A header may be of either language.
    if found.label == "c" && extension == "h" && is_cpp(text) {
        return by_name("cpp");
    }
    Some(found)
}

/// The language that is called so in lower case.
pub(crate) fn by_name(name: &str) -> Option<&'static Language> {
    let is_called = |language: &&Language| {
        language.label == name
            || language.aliases.contains(&name)
            || language.format.extensions.contains(&name)
    };
    LANGUAGES.iter().find(is_called)
}

/// The language of the interpreter that `#!/usr/bin/env python3` names.
pub(crate) fn by_first_line(text: &[u8]) -> Option<&'static Language> {
    let line = text.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(&line[..line.len().min(200)]).ok()?;
    let mut words = line.split_ascii_whitespace();
    let program = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let mut first = program(words.next()?);
    if first == "env" {
        first = program(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    let unnumbered = first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    by_name(&first).or_else(|| by_name(unnumbered))
}

fn by_extension(extension: &str) -> Option<&'static Language> {
    LANGUAGES
        .iter()
        .find(|language| language.format.extensions.contains(&extension))
}

/// Whether a header holds what C has not.
fn is_cpp(text: &str) -> bool {
    const MARKS: [&str; 6] = [
        "class ",
        "namespace ",
        "template <",
        "template<",
        "using ",
        "public:",
    ];
    text.lines()
        .take(5000)
        .any(|line| MARKS.iter().any(|mark| line.trim_start().starts_with(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, text: &str) -> Option<&'static str> {
        of_file(name, text).map(|language| language.label)
    }

    #[test]
    fn a_language_is_known_by_its_name_and_by_its_first_line() {
        assert_eq!(label("a.RS", ""), Some("rust"));
        assert_eq!(label("Makefile", ""), Some("make"));
        assert_eq!(
            label("run", "#!/usr/bin/env -S python3.12 -u\n"),
            Some("python")
        );
        assert_eq!(label("run", "#!/bin/sh\n"), Some("bash"));
        assert_eq!(label("a.h", "int x;\n"), Some("c"));
        assert_eq!(label("a.h", "namespace a {\n}\n"), Some("cpp"));
        assert_eq!(label("README", "#! not a program"), None);
    }

    #[test]
    fn every_grammar_can_be_loaded_and_knows_its_items() {
        for language in &LANGUAGES {
            let Some(grammar) = language.grammar else {
                continue;
            };
            let mut parser = tree_sitter::Parser::new();
            for syntax in [(grammar.of_files)(), (grammar.of_stretches)()] {
                assert!(parser.set_language(&syntax).is_ok(), "{}", language.label);
                for kind in grammar.items {
                    let id = syntax.id_for_node_kind(kind, true);
                    assert!(id > 0, "{} has no {kind}", language.label);
                }
            }
        }
    }
}
