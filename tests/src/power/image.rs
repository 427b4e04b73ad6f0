//! [`Image`]: the bytes of a device in memory; what is zero takes no room.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

const CHUNK_BYTES: usize = 4_096;

type Chunk = [u8; CHUNK_BYTES];

/// The content of a device.
///
/// Invariants: a chunk that is not there is zero.
#[derive(Clone, Debug)]
pub struct Image {
    byte_count: u64,
    chunks: HashMap<u64, Box<Chunk>>,
}

impl Image {
    /// Of `byte_count` zeros.
    pub(super) fn new(byte_count: u64) -> Self {
        Self { byte_count, chunks: HashMap::new() }
    }

    /// How large the device is.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut image = Self::new(file.metadata()?.len());
        let mut bytes = vec![0; 1 << 20];
        let mut offset = 0;
        loop {
            let count = file.read(&mut bytes)?;
            if count == 0 {
                return Ok(image);
            }
            image.write(offset, &bytes[..count]);
            offset += count as u64;
        }
    }

    /// Writes it to a new sparse file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn store(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.byte_count)?;
        for (index, chunk) in &self.chunks {
            let offset = index * CHUNK_BYTES as u64;
            let end = self.byte_count.min(offset + CHUNK_BYTES as u64);
            file.write_all_at(&chunk[..(end - offset) as usize], offset)?;
        }
        Ok(())
    }

    /// Fills `bytes` with what is at `offset`.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) {
        for (index, within, range) in parts(offset, bytes.len()) {
            let part = &mut bytes[range];
            match self.chunks.get(&index) {
                Some(chunk) => part.copy_from_slice(&chunk[within..within + part.len()]),
                None => part.fill(0),
            }
        }
    }

    /// Puts `bytes` at `offset`.
    ///
    /// # Panics
    /// If they end beyond the device.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        assert!(offset + bytes.len() as u64 <= self.byte_count, "beyond the device");
        for (index, within, range) in parts(offset, bytes.len()) {
            let part = &bytes[range];
            let is_zero = part.iter().all(|byte| *byte == 0);
            if is_zero && !self.chunks.contains_key(&index) {
                continue;
            }
            let chunk = self.chunks.entry(index).or_insert_with(|| Box::new([0; CHUNK_BYTES]));
            chunk[within..within + part.len()].copy_from_slice(part);
        }
    }
}

/// The chunks of a range: index, where in the chunk it begins, and which part of the range it has.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % CHUNK_BYTES as u64) as usize;
        let count = (CHUNK_BYTES - within).min(len - done);
        let range = done..done + count;
        done += count;
        Some((at / CHUNK_BYTES as u64, within, range))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_the_rest_is_zero() {
        let mut image = Image::new(20_000);
        image.write(4_000, &[7; 9_000]);
        image.write(5_000, &[0; 100]);
        let mut bytes = vec![1; 20_000];
        image.read(0, &mut bytes);
        let expected =
            |at| if (4_000..13_000).contains(&at) && !(5_000..5_100).contains(&at) { 7 } else { 0 };
        assert_eq!(bytes, (0..20_000).map(expected).collect::<Vec<u8>>());

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        image.store(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        let mut again = vec![1; 20_000];
        Image::load(&path).unwrap().read(0, &mut again);
        assert_eq!(again, bytes);
    }
}
