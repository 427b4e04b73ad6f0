//! The structure of the repository, kept by tests. Each rule is shown a text that offends it, so
//! that a rule which finds nothing is known to look.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "test code")]

mod circles;
mod examples;
mod floors;
mod paths;
mod rules;
mod source;

use std::sync::LazyLock;

use source::Tree;

type Rule = fn(&Tree) -> Vec<String>;

static REPOSITORY: LazyLock<Tree> = LazyLock::new(Tree::of_the_repository);

#[track_caller]
fn keeps(rule: Rule) {
    let offences = rule(&REPOSITORY);
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[track_caller]
fn offends(rule: Rule, path: &str, text: &str) {
    assert_eq!(rule(&Tree::of(&[(path, text)])).len(), 1, "{path}: {text}");
}

#[track_caller]
fn accepts(rule: Rule, path: &str, text: &str) {
    assert_eq!(rule(&Tree::of(&[(path, text)])), [""; 0], "{path}: {text}");
}

#[test]
fn the_repository_is_found() {
    let paths: Vec<&str> = REPOSITORY.sources.iter().map(|source| source.path.as_str()).collect();
    for path in ["Cargo.toml", ".ci/run", "core/src/lib.rs", "backends/src/lib.rs"] {
        assert!(paths.contains(&path), "{path}");
    }
    let is_built = |path: &&str| path.starts_with("target/") || path.starts_with("proofs/target/");
    assert_eq!(paths.iter().find(|path| is_built(path)), None);
}

#[test]
fn no_file_is_long() {
    offends(rules::length, "core/src/a.rs", &"\n".repeat(451));
    accepts(rules::length, "core/src/a.rs", &"\n".repeat(450));
    keeps(rules::length);
}

#[test]
fn every_file_begins_with_a_header() {
    offends(rules::header, "core/src/a.rs", "use a::b;\n//! Late.");
    accepts(rules::header, "core/src/a.rs", "//! What it is.\nuse a::b;");
    keeps(rules::header);
}

#[test]
fn unsafe_code_is_where_a_file_opts_in_and_says_why() {
    let rule = rules::unsafety;
    offends(rule, "core/src/a.rs", "// SAFETY: sound.\nunsafe { f() }");
    offends(rule, "core/src/a.rs", "#![allow(unsafe_code)]\nunsafe { f() }");
    offends(rule, "core/src/a.rs", "#![allow(unsafe_code)]\n// SAFETY: sound.\nf()");
    offends(rule, "core/src/a.rs", "#[allow(unsafe_code)]\nfn f() {\n// SAFETY: x\nunsafe {} }");
    offends(rule, "core/src/engine/run.rs", "// SAFETY: sound.\nunsafe { f() }");
    accepts(rule, "core/src/engine/run.rs", "#[allow(unsafe_code)]\n// SAFETY: x\nunsafe {}");
    accepts(rule, "core/src/a.rs", "//! # Safety\n#![allow(unsafe_code)]\nunsafe { f() }");
    accepts(rule, "core/src/a.rs", "//! unsafe\nlet unsafe_code = \"unsafe\";");
    keeps(rule);
}

#[test]
fn arrows_point_down() {
    let rule = floors::offences;
    offends(rule, "core/src/table/a.rs", "use crate::engine::Engine;");
    offends(rule, "core/src/table/a.rs", "use crate::{Slots,\n engine::{operation::Operation}};");
    offends(rule, "core/src/table/a.rs", "fn f(io: &dyn crate::storage_io::StorageIo) {}");
    offends(rule, "core/src/table/a.rs", "use super::super::engine;");
    offends(rule, "core/src/table/a.rs", "use crate::*;");
    offends(rule, "core/src/limits.rs", "use super::table;");
    offends(rule, "core/src/limits.rs", "use crate::table::records::NIL;");
    offends(rule, "core/src/novelty.rs", "");
    offends(rule, "backends/src/sync.rs", "use crate::uring::UringBackend;");
    offends(rule, "backends/src/uring/ring.rs", "use crate::{config::Config, sync};");
    accepts(rule, "core/src/engine/a.rs", "use super::Engine;\nuse crate::{Errno, table::list};");
    accepts(rule, "core/src/table/a.rs", "//! `crate::engine`\nuse super::list::List;");

    let root = ("core/src/lib.rs", "pub use engine::{Engine, operation::Operation};\nmod table;");
    let by_export = ("core/src/table/a.rs", "use crate::{Errno, Operation};");
    assert_eq!(rule(&Tree::of(&[root, by_export])).len(), 1, "by the name at the root");
    keeps(rule);
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let circles = |files: &[(&str, &str)]| circles::offences(&Tree::of(files)).len();
    let a = ("core/src/engine/a.rs", "use super::{Engine, b::B};");
    let b = ("core/src/engine/b.rs", "use super::c::C;");
    let c = ("core/src/engine/c/mod.rs", "mod inner;");
    let root = ("core/src/engine/mod.rs", "mod a;\nuse self::a::A;");
    assert_eq!(circles(&[a, b, c, root]), 0);
    let back = ("core/src/engine/c/inner.rs", "use super::super::a::A;");
    assert_eq!(circles(&[a, b, c, back, root]), 1);
    let by_root = ("backends/src/b.rs", "use crate::c::C;");
    assert_eq!(circles(&[by_root, ("backends/src/c.rs", "fn f() -> super::b::B {}")]), 1);
    keeps(circles::offences);
}

#[test]
fn what_differs_by_platform_is_in_few_places() {
    let rule = rules::conditions;
    offends(rule, "core/src/a.rs", "#[cfg(unix)]\nfn f() {}");
    offends(rule, "core/src/a.rs", "#[cfg(any(test, feature = \"alloc\"))]\nfn f() {}");
    offends(rule, "core/src/a.rs", "#![cfg_attr(windows, allow(dead_code))]");
    offends(rule, "core/src/a.rs", "if cfg!(target_os = \"linux\") {}");
    accepts(rule, "core/src/lib.rs", "#[cfg(unix)]\nmod a;");
    accepts(rule, "core/src/a.rs", "#[cfg(all(test, not(miri)))]\nmod tests;");
    accepts(rule, "core/src/a.rs", "#![cfg_attr(test, allow(dead_code))]");
    keeps(rule);
}

#[test]
fn nothing_is_left_undone() {
    for (a, b) in [("todo", "!()"), ("unimplemented", "!()"), ("// FIX", "ME"), ("#[", "ignore]")] {
        offends(rules::finished, "core/src/a.rs", &format!("{a}{b}"));
    }
    offends(rules::finished, "core/src/a.rs", &format!("// XX{}", "X"));
    keeps(rules::finished);
}

#[test]
fn lines_fit_and_have_no_tabs() {
    offends(rules::layout, "core/src/a.rs", "\tlet a = 1;");
    offends(rules::layout, "core/src/a.rs", &"x".repeat(101));
    accepts(rules::layout, "core/src/a.rs", &"ü".repeat(100));
    keeps(rules::layout);
}

#[test]
fn no_file_knows_a_machine() {
    for folder in ["work", "root", "home"] {
        offends(rules::no_machine, "README.md", &format!("cd /{folder}/me/ringzero"));
    }
    keeps(rules::no_machine);
}

#[test]
fn no_crate_denies_warnings() {
    offends(rules::no_denied_warnings, "core/src/lib.rs", "#![deny(warnings)]");
    offends(rules::no_denied_warnings, "core/src/lib.rs", "#![deny(\n    warnings,\n)]");
    accepts(rules::no_denied_warnings, "core/src/lib.rs", "#![warn(missing_docs)]");
    keeps(rules::no_denied_warnings);
}

#[test]
fn the_no_panic_proof_calls_every_function_of_the_engine_and_the_handoff() {
    let rule = rules::proof_is_whole;
    let engine = "impl<S: Storage> Engine<S> {\n    pub const fn hot(&self) {}\n}\n";
    let others =
        "impl Stats {\n    pub fn sum(&self) {}\n}\nimpl<S> Engine<S> {\n    fn own() {}\n}";
    offends(rule, "core/src/engine/a.rs", engine);
    offends(rule, "core/src/handoff/a.rs", "impl Doorbell {\n    pub fn knock(&self) {}\n}\n");
    accepts(rule, "core/src/engine/a.rs", others);
    let proof = ("proofs/src/exercise.rs", "engine.hot();");
    assert_eq!(rule(&Tree::of(&[("core/src/engine/a.rs", engine), proof])), [""; 0]);
    keeps(rule);
}

#[test]
fn every_public_item_has_an_example() {
    let rule = examples::offences;
    let exported = |text: &str| {
        let root = ("core/src/lib.rs", "pub use a::{A, b::f};");
        rule(&Tree::of(&[root, ("core/src/a.rs", text)])).len()
    };
    let block = |body: &str| format!("/// It.\n/// ```\n/// {body}\n/// ```\n");
    assert_eq!(exported("/// It.\npub struct A;\n"), 1);
    assert_eq!(exported("/// It.\npub trait A {\n}\n/// It.\npub const fn f() {}\n"), 2);
    assert_eq!(exported("/// It.\npub struct C;\npub(crate) fn f() {}\n"), 0, "not exported");
    assert_eq!(exported(&(block("A") + "#[derive(Debug)]\npub struct A;\n")), 0);
    assert_eq!(exported(&(block("A") + "const C: u8 = 1;\npub struct A;\n")), 1, "of another");
    assert_eq!(exported("/// ```text\n/// A\n/// ```\npub struct A;\n"), 1, "no code");
    assert_eq!(exported("/// ```compile_fail\n/// A\n/// ```\npub struct A;\n"), 1);
    assert_eq!(exported(&(block("# A") + "pub struct A;\n")), 1, "not shown");

    let method = "impl<T: B<u8>> A<T> {\n    /// It.\n    pub const fn g(&self) {}\n}\n";
    assert_eq!(exported(&(block("A") + "pub struct A;\n" + method)), 1);
    assert_eq!(exported(&(block("a.go()") + "pub struct A;\n" + method)), 1, "another name");
    assert_eq!(exported(&(block("a.g()") + "pub struct A;\n" + method)), 0);
    assert_eq!(exported(&(block("a.g()") + "pub struct C;\n" + method)), 1, "another type's");
    assert_eq!(exported(&(block("A") + "pub struct A;\nimpl B for A {\n    fn g() {}\n}\n")), 0);

    let behind = method.replace("> {", ">\nwhere\n    T: C,\n{\n    fn own() {}\n");
    assert_eq!(exported(&(block("A") + "pub struct A;\n" + &behind)), 1, "not the first");

    let of_trait = "pub trait A {\n    fn g(&self);\n}\n";
    assert_eq!(exported(&(block("A") + of_trait)), 1);
    assert_eq!(exported(&(block("fn g(&self) {}") + of_trait)), 0, "implemented");
    assert_eq!(exported(&(block("A") + &of_trait.replace("trait", "unsafe trait"))), 1);
    keeps(rule);
}
