//! Which modules may know which: arrows point down only.
//!
//! A crate's modules stand on floors. A file names modules of its own floor or below; what the
//! crate re-exports at its root counts as the module it comes from. Modules of [`STRANGERS`] never
//! name each other.

use crate::{
    paths::{EVERYTHING, named},
    source::{Tree, is_word},
};

/// The modules of a crate and their floors.
struct House {
    folder: &'static str,
    floors: &'static [(&'static str, u32)],
}

const HOUSES: &[House] = &[
    House {
        folder: "core/src/",
        floors: &[
            ("completion", 0),
            ("errno", 0),
            ("error", 0),
            ("exercise", 0),
            ("id", 0),
            ("limits", 0),
            ("memory", 0),
            ("slots", 0),
            ("boxed_queue", 1),
            ("handoff", 1),
            ("table", 1),
            ("waker_table", 1),
            ("engine", 2),
            ("boxed", 2),
            ("storage_io", 2),
            ("storage_io_ext", 2),
        ],
    },
    House {
        folder: "backends/src/",
        floors: &[
            ("error", 0),
            ("guide", 0),
            ("platform", 0),
            ("config", 1),
            ("event_source", 1),
            ("files", 1),
            ("fork", 1),
            ("lock", 1),
            ("memory", 1),
            ("report", 1),
            ("segment", 1),
            ("setup_error", 1),
            ("registry", 2),
            ("storage_io", 2),
            ("driver", 3),
            ("sim", 4),
            ("sync", 4),
            ("uring", 4),
            ("worker", 4),
            ("probe", 5),
            ("open", 6),
            ("ring", 6),
            ("ring_absent", 6),
            ("ring_linux", 6),
        ],
    },
];

const STRANGERS: &[&str] = &["sim", "sync", "uring", "worker"];

impl House {
    fn floor(&self, module: &str) -> Option<u32> {
        self.floors.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
    }
}

/// Every arrow that points up or to a stranger, and every module without a floor.
pub(crate) fn offences(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for house in HOUSES {
        let exports = exports(tree, house);
        for source in tree.rust() {
            let Some(inside) = source.path.strip_prefix(house.folder) else { continue };
            let modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
            if modules == ["lib"] {
                continue;
            }
            let own = modules[0];
            let Some(floor) = house.floor(own) else {
                offences.push(format!("{}: module `{own}` has no floor here", source.path));
                continue;
            };
            for (at, _, name) in named(source, &modules).filter(|(_, depth, _)| *depth == 0) {
                let module = exports.iter().find(|(export, _)| *export == name);
                let module = module.map_or(name.as_str(), |(_, module)| module);
                let is_above = house.floor(module).is_some_and(|other| other > floor);
                let is_strange =
                    own != module && STRANGERS.contains(&own) && STRANGERS.contains(&module);
                if is_above || is_strange || name == EVERYTHING {
                    let line = source.line_of(at);
                    offences.push(format!("{}:{line}: `{own}` names `{name}`", source.path));
                }
            }
        }
    }
    offences
}

/// What the crate re-exports at its root, and the module each name comes from.
fn exports(tree: &Tree, house: &House) -> Vec<(String, String)> {
    let path = format!("{}lib.rs", house.folder);
    let Some(root) = tree.sources.iter().find(|source| source.path == path) else {
        return Vec::new();
    };
    let mut exports = Vec::new();
    for at in root.words("pub use") {
        let statement = root.code[at + "pub use".len()..].split(';').next().unwrap_or_default();
        let mut words = statement.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        let module = words.next().unwrap_or_default();
        if house.floor(module).is_some() {
            exports.extend(words.map(|word| (word.to_owned(), module.to_owned())));
        }
    }
    exports
}
