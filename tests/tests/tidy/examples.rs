//! The rule that every public item has an example.
//!
//! Of both libraries: every type, trait, function, alias and constant that their roots and public
//! modules export has an example in its own docs; every public method and associated constant of
//! such a type or trait has one of its own, or is used by one in the docs of its type or of that
//! type's other methods. Lines that are not shown do not count, nor do blocks that must not
//! compile. What is used is found by its name; whether the examples compile and run is what
//! `cargo test --doc` says.

use crate::source::{Source, Tree, is_word};

/// The crates, and the files that say what they export.
const ROOTS: &[(&str, &[&str])] =
    &[("core/src/", &["lib.rs", "handoff/mod.rs", "limits.rs"]), ("backends/src/", &["lib.rs"])];

/// Something public.
#[derive(Debug)]
struct Item<'a> {
    path: &'a str,
    line: usize,
    /// The type or trait that it belongs to, if any.
    owner: Option<&'a str>,
    name: &'a str,
    examples: String,
}

pub(crate) fn offences(tree: &Tree) -> Vec<String> {
    ROOTS.iter().flat_map(|(folder, roots)| offences_of(tree, folder, roots)).collect()
}

fn offences_of(tree: &Tree, folder: &str, roots: &[&str]) -> Vec<String> {
    let sources = || tree.rust().filter(|source| source.path.starts_with(folder));
    let items: Vec<Item<'_>> = sources().flat_map(items).collect();
    let mut exported: Vec<&str> = Vec::new();
    for source in sources().filter(|source| roots.contains(&&source.path[folder.len()..])) {
        exported.extend(reexports(&source.code));
        let own = items.iter().filter(|item| item.path == source.path && item.owner.is_none());
        exported.extend(own.map(|item| item.name));
    }
    let offence = |item: &Item<'_>| {
        let used = |owner| {
            let mut of_owner = items.iter().filter(|it| it.owner.unwrap_or(it.name) == owner);
            of_owner.any(|it| uses(it, item.name))
        };
        let has_one = !item.examples.is_empty() || item.owner.is_some_and(used);
        let owner = item.owner.map(|owner| format!("{owner}::")).unwrap_or_default();
        let place = format!("{}:{}", item.path, item.line);
        (!has_one).then(|| format!("{place}: `{owner}{}` has no example", item.name))
    };
    let is_exported = |item: &&Item<'_>| exported.contains(&item.owner.unwrap_or(item.name));
    items.iter().filter(is_exported).filter_map(offence).collect()
}

/// Whether the examples of `item` name `name` as a part of a value or a type, or implement it.
fn uses(item: &Item<'_>, name: &str) -> bool {
    item.examples.match_indices(name).any(|(at, _)| {
        let (before, after) = (&item.examples[..at], &item.examples[at + name.len()..]);
        let is_part = before.ends_with('.') || before.ends_with("::") || before.ends_with("fn ");
        is_part && !after.starts_with(is_word)
    })
}

/// The names that `pub use` brings to a root.
fn reexports(code: &str) -> impl Iterator<Item = &str> {
    code.split("pub use ").skip(1).flat_map(|rest| {
        let list = rest.split(';').next().unwrap_or_default();
        let names = list.split(|c| !is_word(c) && c != ':').filter(|path| !path.ends_with("::"));
        names.filter_map(|path| path.rsplit("::").next()).filter(|name| !name.is_empty())
    })
}

/// What the lines that are indented belong to.
#[derive(Clone, Copy)]
enum Owner<'a> {
    Type(&'a str),
    Trait(&'a str),
}

/// The public items of a file, those in `impl` blocks and traits included.
fn items(source: &Source) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut owner = None;
    let mut examples = String::new();
    let mut fence = None;
    for (at, line) in source.text.lines().enumerate() {
        if let Some(text) = line.trim_start().strip_prefix("///").map(str::trim_start) {
            match (text.strip_prefix("```"), fence) {
                (Some(kind), None) => fence = Some(kind),
                (Some(_), Some(_)) => fence = None,
                // What does not compile, or is no code, is no example.
                (None, Some("")) if !text.starts_with("# ") => examples.extend([text, "\n"]),
                _ => {}
            }
            continue;
        }
        if line.starts_with('}') {
            owner = None;
        }
        if let Some(name) = public_name(line, owner) {
            let (of, line) = (owner.map(|(Owner::Type(of) | Owner::Trait(of))| of), at + 1);
            let examples = std::mem::take(&mut examples);
            items.push(Item { path: &source.path, line, owner: of, name, examples });
        }
        if !line.ends_with("{}") {
            owner = owner.or(owner_of(line));
        }
        // An attribute stands between docs and item.
        if !line.trim_start().starts_with("#[") {
            examples.clear();
        }
    }
    items
}

/// What an inherent `impl` block or a public trait that begins on this line is of.
fn owner_of(line: &str) -> Option<Owner<'_>> {
    let name = |rest: &'_ str| rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    if let Some(rest) = line.strip_prefix("pub trait ").or(line.strip_prefix("pub unsafe trait ")) {
        return Some(Owner::Trait(&rest[..name(rest)]));
    }
    let rest = line.strip_prefix("impl").filter(|_| !line.contains(" for "))?;
    let mut depth = 0;
    let begin = rest.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0 && c == ' '
    })?;
    let rest = &rest[begin + 1..];
    Some(Owner::Type(&rest[..name(rest)]))
}

/// The name of what a line declares, if that is public and belongs to `owner`.
fn public_name<'a>(line: &'a str, owner: Option<Owner<'_>>) -> Option<&'a str> {
    let (begin, kinds): (_, &[_]) = match owner {
        None => ("pub ", &["struct ", "enum ", "trait ", "type ", "fn ", "const "]),
        Some(Owner::Type(_)) => ("    pub ", &["fn ", "const "]),
        // A trait's types are named where it is implemented.
        Some(Owner::Trait(_)) => ("    ", &["fn ", "const "]),
    };
    let mut declaration = line.strip_prefix(begin)?;
    for qualifier in ["const ", "unsafe ", "async "] {
        let rest = declaration.strip_prefix(qualifier);
        let is_qualifier = |rest: &&str| rest.contains("fn ") || rest.starts_with("trait ");
        declaration = rest.filter(is_qualifier).unwrap_or(declaration);
    }
    let name = kinds.iter().find_map(|kind| declaration.strip_prefix(kind))?;
    name.split(|c| !is_word(c)).next()
}
