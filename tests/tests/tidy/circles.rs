//! Inside a folder of modules too, arrows point one way: no files of it name each other in a
//! circle.
//!
//! A folder's own `mod.rs` stands above what is in it, and a folder in a folder counts as one.
//! Private tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{paths::named, source::Tree};

/// The crates that are looked at.
const SOURCES: &[&str] = &["core/src/", "backends/src/"];

/// For each folder, who names whom.
type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Every circle, told once, by the folder and the names in it.
pub(crate) fn offences(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for (folder, mut arrows) in arrows(tree) {
        // What names nothing that is left is in no circle, nor is what nobody names.
        loop {
            let named: BTreeSet<String> = arrows.values().flatten().cloned().collect();
            let before = arrows.len();
            arrows.retain(|name, _| named.contains(name));
            let left: BTreeSet<String> = arrows.keys().cloned().collect();
            arrows.values_mut().for_each(|names| names.retain(|name| left.contains(name)));
            arrows.retain(|_, names| !names.is_empty());
            if arrows.len() == before {
                break;
            }
        }
        if !arrows.is_empty() {
            let names: Vec<String> = arrows.into_keys().collect();
            offences.push(format!("{folder}: a circle in {}", names.join(", ")));
        }
    }
    offences
}

fn arrows(tree: &Tree) -> Arrows {
    let mut arrows = Arrows::new();
    for source in tree.rust() {
        let Some((root, inside)) = SOURCES
            .iter()
            .find_map(|root| source.path.strip_prefix(root).map(|inside| (*root, inside)))
        else {
            continue;
        };
        let modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
        if modules.contains(&"tests") || modules == ["lib"] {
            continue;
        }
        for (_, depth, name) in named(source, &modules) {
            let Some(own) = modules.get(depth) else { continue };
            let folder = format!("{root}{}", modules[..depth].join("/"));
            let prefix = format!("{}/{name}", folder.trim_end_matches('/'));
            let is_beside = tree.sources.iter().any(|other| {
                let rest = other.path.strip_prefix(&prefix);
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            if *own != "mod" && *own != name && is_beside {
                let of_folder = arrows.entry(folder).or_default();
                of_folder.entry((*own).to_owned()).or_default().insert(name);
            }
        }
    }
    arrows
}
