//! [`Tree`]: the files of the repository, and [`Source`]: one of them, with its code told apart
//! from its comments and literals.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One text file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the top of the repository, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// With comments and literals blanked, line by line where they were.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code_of(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The name without folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The number, from 1, of the line with this byte.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        1 + self.code.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// Where `word` stands in the code as a word of its own.
    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
            let (before, after) = (&self.code[..at], &self.code[at + word.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })
    }
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The files that are looked at.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
}

impl Tree {
    /// Every text file of the repository that `.gitignore` does not leave out.
    pub(crate) fn of_the_repository() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let ignored = fs::read_to_string(top.join(".gitignore")).expect("a .gitignore");
        let ignored: Vec<PathBuf> =
            ignored.lines().map(|line| top.join(line.trim_matches('/'))).collect();
        let mut sources = Vec::new();
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.ends_with(".git") || ignored.contains(&path) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = fs::read_to_string(&path) {
                    let inside = path.strip_prefix(&top).expect("below the top");
                    let path = inside.to_str().expect("a name in UTF-8").replace('\\', "/");
                    sources.push(Source::new(&path, &text));
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Self { sources }
    }

    /// These files and no others.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { sources: files.iter().map(|(path, text)| Source::new(path, text)).collect() }
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.path.ends_with(".rs"))
    }
}

/// Blanks comments, strings and characters, byte for byte; line ends stay.
fn code_of(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let end = at + literal_or_comment(&text[at..], text[..at].ends_with(is_word));
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = if end > at { end } else { at + text[at..].chars().next().map_or(1, char::len_utf8) };
    }
    String::from_utf8(code).expect("only whole characters were blanked")
}

/// How many bytes at the front are a literal or a comment.
fn literal_or_comment(text: &str, is_inside_word: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let mut characters = rest.chars();
        let is_escape = characters.next() == Some('\\');
        // A lifetime has no second quote.
        return if is_escape || characters.next() == Some('\'') { quoted(text, '\'') } else { 0 };
    }
    if !is_inside_word {
        let unprefixed = text.strip_prefix(['b', 'c']).unwrap_or(text);
        if let Some(raw) = unprefixed.strip_prefix('r') {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            if raw[hashes..].starts_with('"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let inner = text.len() - raw.len() + hashes + 1;
                return text[inner..].find(&end).map_or(text.len(), |at| inner + at + end.len());
            }
        }
    }
    0
}

fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = r####"a // one
        /* two /* three */ four */ b "five \" six" c 'x' '\'' <'d> r#"se"ven"# br"eight" for"nine"
    "####;
    let words: Vec<String> =
        code_of(text).split(|c| !is_word(c)).filter(|w| !w.is_empty()).map(Into::into).collect();
    assert_eq!(words, ["a", "b", "c", "d", "for"]);
}
