//! The paths of a source, as far as they begin with `crate` or `super`: which modules a file names.

use crate::source::{Source, is_word};

/// An import of everything at the root, which would name any module.
pub(crate) const EVERYTHING: &str = "*";

/// What a file of these modules names: where, how many modules deep the path begins (0: at the
/// root), and the first name of it there.
pub(crate) fn named(
    source: &Source,
    modules: &[&str],
) -> impl Iterator<Item = (usize, usize, String)> {
    // `mod.rs` is the module of its folder.
    let own = modules.iter().filter(|module| **module != "mod").count();
    let mut names = Vec::new();
    for at in source.words("crate") {
        if let Some(rest) = source.code[at..].strip_prefix("crate::") {
            names.extend(heads(rest).map(|head| (at, 0, head)));
            if rest.starts_with('*') {
                names.push((at, 0, EVERYTHING.to_owned()));
            }
        }
    }
    for at in source.words("super") {
        let mut rest = &source.code[at..];
        let mut steps = 0;
        while let Some(further) = rest.strip_prefix("super::") {
            rest = further;
            steps += 1;
        }
        // A module inside of the file may go up once more, to the root.
        if steps > 0 && !source.code[..at].ends_with("super::") {
            names.extend(heads(rest).map(|head| (at, own.saturating_sub(steps), head)));
        }
    }
    names.into_iter()
}

/// The first words of a path, or of each path in braces: of `{a::b, c::{d, e}}`, `a` and `c`.
fn heads(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut depth = 0;
    let mut is_over = false;
    let pieces = text.split_inclusive(['{', '}', ',', ';']).filter_map(move |piece| {
        if is_over {
            return None;
        }
        let head: String = piece.trim_start().chars().take_while(|c| is_word(*c)).collect();
        let is_head = depth <= 1 && !head.is_empty();
        match piece.chars().last() {
            Some('{') => depth += 1,
            Some('}') => depth -= 1,
            _ => {}
        }
        is_over = depth <= 0;
        is_head.then_some(head)
    });
    pieces.collect::<Vec<_>>().into_iter()
}

#[test]
fn the_first_words_of_nested_imports_are_found() {
    let found = |text: &str| heads(text).collect::<Vec<_>>();
    assert_eq!(found("a::b(c, d);"), ["a"]);
    assert_eq!(found("a;"), ["a"]);
    assert_eq!(found("{ a::{b, c::{d}}, e::f, g }; h::{i}"), ["a", "e", "g"]);
}
