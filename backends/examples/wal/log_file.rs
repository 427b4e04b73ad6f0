//! The log as a file: created so that nothing is overwritten, and put in order after a failure.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Result},
    path::Path,
};

use crate::{
    failure::Failure,
    format::{Recovered, Tail},
    log_reader::{LogReader, Next},
    platform, segments,
};

/// Creates an empty log and makes its directory entry durable. An existing file is left alone.
pub(crate) fn create(path: &Path) -> std::result::Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let what = format_args!("cannot create the log {}", path.display()).to_string();
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(
                format_args!("{what}: it exists, and a log is never overwritten"),
                "move or remove it, or choose another place: --dir, --name",
            ),
            _ => Failure::writing(what, &error),
        }
    })?;
    platform::sync_directory(folder_of(path)).map_err(|error| {
        discard_empty(path);
        Failure::writing(format_args!("cannot sync the folder of {}", path.display()), &error)
    })?;
    Ok(file)
}

/// Removes a log that this run created and that holds nothing, so that the next attempt can create
/// it.
pub(crate) fn discard_empty(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        // An empty file that stays does no harm beyond a message at the next attempt.
        let _ = fs::remove_file(path);
    }
}

/// Makes the whole records at the beginning of a log durable, and cuts it back to them. Segments
/// are not cut: what is behind the last record of one is not read. A log without a record is
/// removed.
///
/// # Errors
/// It could not be read, cut or synced.
pub(crate) fn cut_back(path: &Path) -> Result<Recovered> {
    let mut reader = LogReader::open(path)?;
    let recovered = loop {
        if let Next::End(recovered) = reader.next()? {
            break recovered;
        }
    };
    if path.is_dir() {
        for (_, segment) in segments::list(path)? {
            File::open(segment)?.sync_all()?;
        }
        if recovered.record_count == 0 {
            segments::discard(path);
        }
        return Ok(recovered);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    if recovered.tail != Tail::Clean {
        file.set_len(recovered.byte_count)?;
    }
    file.sync_all()?;
    if recovered.record_count == 0 {
        discard_empty(path);
    }
    Ok(recovered)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
