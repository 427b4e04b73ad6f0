//! The rules: each is given a tree and returns what is against it, with the place.

use crate::source::{Source, Tree, is_word};

const MOST_LINES: usize = 450;
const MOST_COLUMNS: usize = 100;

/// Files in which single functions opt in to `unsafe`, because they vouch for something to a table
/// below.
const OPT_IN_BY_FUNCTION: &[&str] = &["core/src/engine/mod.rs", "core/src/engine/run.rs"];

fn each(tree: &Tree, rule: impl Fn(&Source) -> Option<String>) -> Vec<String> {
    let offence = |source: &Source| Some(format!("{}: {}", source.path, rule(source)?));
    tree.rust().filter_map(offence).collect()
}

fn each_line(source: &Source, what: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(at, line)| Some(format!("{}:{}: {}", source.path, at + 1, what(line)?)))
        .collect()
}

/// One noun per file.
pub(crate) fn length(tree: &Tree) -> Vec<String> {
    each(tree, |source| {
        let count = source.text.lines().count();
        (count > MOST_LINES).then(|| format!("{count} lines, {MOST_LINES} at most"))
    })
}

/// A file says first what it is.
pub(crate) fn header(tree: &Tree) -> Vec<String> {
    each(tree, |source| {
        (!source.text.starts_with("//! ")).then(|| "does not begin with a `//!` header".to_owned())
    })
}

/// `unsafe` stands only in files that opt in, and those say why it is sound.
pub(crate) fn unsafety(tree: &Tree) -> Vec<String> {
    each(tree, |source| {
        let code: String = source.code.split_whitespace().collect();
        let is_unsafe = source.words("unsafe").next().is_some();
        let opts_in = code.contains("#![allow(unsafe_code");
        let may_by_function = OPT_IN_BY_FUNCTION.contains(&source.path.as_str());
        let opts_in_somewhere = code.contains("#[allow(unsafe_code");
        let is_explained = source.text.contains("# Safety") || source.text.contains("SAFETY:");
        Some(
            if opts_in_somewhere && !opts_in && !may_by_function {
                "opts in to unsafe code below its top"
            } else if is_unsafe && !opts_in && !opts_in_somewhere {
                "unsafe code without opting in: `#![allow(unsafe_code)]`"
            } else if is_unsafe && !is_explained {
                "unsafe code without a `# Safety` header or a SAFETY note"
            } else if !is_unsafe && (opts_in || opts_in_somewhere) {
                "opts in to unsafe code and has none"
            } else {
                return None;
            }
            .to_owned(),
        )
    })
}

/// What differs by platform or feature is in `lib.rs`, `errno.rs`, the platform modules and tests.
pub(crate) fn conditions(tree: &Tree) -> Vec<String> {
    let free = |word: &str| {
        matches!(word, "" | "not" | "any" | "all" | "test" | "debug_assertions" | "miri")
    };
    let mut offences = Vec::new();
    for source in tree.rust() {
        let mut folders = source.path.split('/');
        let is_place = matches!(source.name(), "lib.rs" | "errno.rs" | "platform.rs" | "tests.rs")
            || folders.any(|folder| matches!(folder, "platform" | "tests"));
        if is_place {
            continue;
        }
        for kind in ["cfg", "cfg_attr"] {
            for at in source.words(kind) {
                let rest = source.code[at + kind.len()..].trim_start_matches('!');
                let Some(predicate) = rest.strip_prefix('(').and_then(argument) else { continue };
                if !predicate.split(|c| !is_word(c)).all(free) {
                    let line = source.line_of(at);
                    offences.push(format!("{}:{line}: `{kind}` on a platform", source.path));
                }
            }
        }
    }
    offences
}

/// The first argument of a call, given what follows its parenthesis.
fn argument(text: &str) -> Option<&str> {
    let mut depth = 0;
    let end = text.find(|character| {
        match character {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' => return true,
            ',' => return depth == 0,
            _ => {}
        }
        false
    })?;
    Some(&text[..end])
}

/// Nothing is left for later, and no test is switched off.
pub(crate) fn finished(tree: &Tree) -> Vec<String> {
    // In halves, so that this file keeps the rule too.
    let marks =
        [("todo", "!("), ("unimplemented", "!("), ("FIX", "ME"), ("XX", "X"), ("#[", "ignore")]
            .map(|(a, b)| format!("{a}{b}"));
    let found = |line: &str| {
        let mark = marks.iter().find(|mark| line.contains(mark.as_str()))?;
        Some(format!("`{mark}`"))
    };
    tree.rust().flat_map(|source| each_line(source, found)).collect()
}

/// No tabs, no long lines; rustfmt leaves comments and strings alone.
pub(crate) fn layout(tree: &Tree) -> Vec<String> {
    let found = |line: &str| {
        let columns = line.chars().count();
        if line.contains('\t') {
            return Some("a tab".to_owned());
        }
        (columns > MOST_COLUMNS).then(|| format!("{columns} columns, {MOST_COLUMNS} at most"))
    };
    tree.rust().flat_map(|source| each_line(source, found)).collect()
}

/// No file, of whatever kind, knows where it was written.
pub(crate) fn no_machine(tree: &Tree) -> Vec<String> {
    let folders = ["work", "farm", "root", "home", "Users"].map(|name| format!("/{name}/"));
    let found = |line: &str| {
        let folder = folders.iter().find(|folder| line.contains(folder.as_str()))?;
        Some(format!("`{folder}` is a place on one machine"))
    };
    tree.sources.iter().flat_map(|source| each_line(source, found)).collect()
}

/// A compiler's new warning breaks no build of a user: warnings are denied where CI runs.
pub(crate) fn no_denied_warnings(tree: &Tree) -> Vec<String> {
    each(tree, |source| {
        let code: String = source.code.split_whitespace().collect();
        let is_denied = ["deny(warnings", "forbid(warnings"].iter().any(|what| code.contains(what));
        is_denied.then(|| "denies warnings".to_owned())
    })
}

/// What the no-panic proof covers: the types of these files.
const PROVEN: &[(&str, &[&str])] = &[
    ("core/src/engine/", &["Engine"]),
    ("core/src/handoff/", &["SpscQueue", "SpscSlot", "Producer", "Consumer", "Doorbell"]),
    ("core/src/waker_table.rs", &["WakerTable", "WakerSlot"]),
];

/// The no-panic proof calls every public function of the engine, the handoff and the table of
/// wakers.
pub(crate) fn proof_is_whole(tree: &Tree) -> Vec<String> {
    let is_proof = |source: &&Source| {
        let file = source.path.strip_prefix("proofs/src/").unwrap_or_default();
        matches!(file, "exercise.rs" | "handoff.rs" | "tables.rs" | "waker_table.rs")
    };
    let proof: String = tree.sources.iter().filter(is_proof).map(|s| s.code.as_str()).collect();
    let mut offences = Vec::new();
    for source in tree.rust() {
        let types = PROVEN.iter().find(|(folder, _)| source.path.starts_with(folder));
        let Some((_, types)) = types else { continue };
        let mut proven = None;
        for line in source.code.lines() {
            if line.starts_with("impl") {
                let is_of = |name: &&&str| {
                    [format!(" {name}<"), format!(" {name} {{")].iter().any(|of| line.contains(of))
                };
                proven = types.iter().find(is_of);
            } else if line.starts_with('}') {
                proven = None;
            }
            let Some(name) = proven else { continue };
            let Some(function) = line.trim_start().strip_prefix("pub ") else { continue };
            let Some((_, function)) = function.split_once("fn ") else { continue };
            let function: String = function.chars().take_while(|c| is_word(*c)).collect();
            let is_called = [format!(".{function}("), format!("{name}::{function}(")];
            if !is_called.iter().any(|call| proof.contains(call)) {
                offences.push(format!("{}: the no-panic proof lacks `{function}`", source.path));
            }
        }
    }
    offences
}
