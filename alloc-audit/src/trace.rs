//! A captured call stack, and the places it resolves to.
//!
//! Capture happens inside the allocator, so it must neither allocate nor wait on a lock that the
//! interrupted code may hold. `std::backtrace` does not qualify: it allocates under a lock that is
//! not re-entrant, hence code that allocates while *it* captures or prints a backtrace would
//! deadlock. The `backtrace` crate's walk takes a lock that the same thread may take again, and
//! this file stores addresses only. Resolving is for later, and allocates.
//!
//! Limits: without debug information, inlined functions are missing and lines unknown. A function
//! that ends in a tail call (in optimised builds often one that ends by freeing) leaves no frame.

use crate::FRAME_CAPACITY;
use heapless::Vec as FixedVec;
use std::fmt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// The call stack of an offence: instruction addresses, innermost first.
///
/// `Display` resolves it and prints one place per function. The meter's own frames are left out.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    addresses: FixedVec<usize, FRAME_CAPACITY>,
}

impl Trace {
    /// Walks the stack of the calling thread. Does not unwind; empty if the walk fails.
    pub(crate) fn capture() -> Self {
        catch_unwind(|| {
            let mut addresses = FixedVec::new();
            backtrace::trace(|frame| addresses.push(frame.ip().addr()).is_ok());
            Self { addresses }
        })
        .unwrap_or_default()
    }

    /// Every place on the stack from the caller of the allocator on, innermost first.
    ///
    /// Inlined functions have places of their own; addresses without a symbol have none. Resolving
    /// allocates.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let mut places = self.resolve_all();
        places.drain(..caller_index(&places).unwrap_or(0));
        places
    }

    /// The innermost place outside of this crate and the standard library; none if the program has
    /// no symbols to tell by.
    #[must_use]
    pub fn culprit(&self) -> Option<Place> {
        let places = self.resolve_all();
        let caller_index = caller_index(&places)?;
        let mut callers = places.into_iter().skip(caller_index);
        callers.find(|place| !place.is_meter() && !place.is_library())
    }

    fn resolve_all(&self) -> Vec<Place> {
        self.addresses.iter().flat_map(|&address| resolve(address)).collect()
    }
}

/// Where in `places` the caller of the allocator is: behind the shims or, in a build that inlined
/// them and kept no line tables, behind the function of the meter that is never inlined.
fn caller_index(places: &[Place]) -> Option<usize> {
    let inside_index = places
        .iter()
        .position(Place::is_shim)
        .or_else(|| places.iter().position(|place| place.is_of_module("meter")))?;
    let is_inside = |place: &&Place| place.is_shim() || place.is_meter();
    let inside_count = places.iter().skip(inside_index).take_while(is_inside).count();
    Some(inside_index + inside_count)
}

/// The folder of this crate's source files as the compiler was given it.
fn own_folder() -> Option<&'static Path> {
    Path::new(file!()).parent()
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places().iter().enumerate() {
            writeln!(formatter, "{index:4}: {place}")?;
        }
        Ok(())
    }
}

/// A function, with file and line where the program's debug information tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The function's path, as in `my_crate::queue::push`; its bare name if the program was built
    /// with line tables only.
    pub function: String,
    /// The source file as the compiler was given it.
    pub file: Option<PathBuf>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
}

impl Place {
    /// True for the way from the caller into this crate: the allocator's methods, and the
    /// functions by which the compiler reaches them.
    fn is_shim(&self) -> bool {
        ["__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc", "__rust_dealloc"]
            .iter()
            .any(|name| self.function.ends_with(name))
            || self.is_of_module("allocator")
    }

    /// True for the file or module `name` of this crate.
    fn is_of_module(&self, name: &str) -> bool {
        let inside = match &self.file {
            Some(file) => file.file_stem().and_then(|stem| stem.to_str()),
            None => self.owner().split("::").nth(1),
        };
        self.is_meter() && inside == Some(name)
    }

    /// True for this crate. Goes by the folder of the source files where that is known: line tables
    /// alone name functions without their crate.
    fn is_meter(&self) -> bool {
        match &self.file {
            Some(file) => file
                .parent()
                .zip(own_folder())
                .is_some_and(|(folder, own_folder)| folder.ends_with(own_folder)),
            None => self.owner().starts_with("ringzero_alloc_audit::"),
        }
    }

    /// True for the standard library and the crates it is built from.
    fn is_library(&self) -> bool {
        let by_file = self.file.as_deref().and_then(|file| file.to_str()).is_some_and(|file| {
            file.starts_with("/rustc/")
                || file.starts_with("/rust/deps/")
                || file.replace('\\', "/").contains("/lib/rustlib/src/rust/library/")
        });
        let by_name = ["alloc::", "core::", "std::"];
        by_file || by_name.iter().any(|prefix| self.owner().starts_with(prefix))
    }

    /// The function's path without what precedes the crate's name: `<a::B as C>::d` gives
    /// `a::B as C>::d`.
    fn owner(&self) -> &str {
        self.function.trim_start_matches(['<', '&', '*'])
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, file, line } = self;
        match (file, line) {
            (Some(file), Some(line)) => write!(formatter, "{function} ({}:{line})", file.display()),
            _ => formatter.write_str(function),
        }
    }
}

/// The places at `address`, innermost first: the function, preceded by what was inlined into it.
fn resolve(address: usize) -> Vec<Place> {
    let mut places = Vec::new();
    backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
        if let Some(name) = symbol.name() {
            places.push(Place {
                function: format!("{name:#}"),
                file: symbol.filename().map(PathBuf::from),
                line: symbol.lineno(),
            });
        }
    });
    places
}

#[cfg(test)]
mod tests;
