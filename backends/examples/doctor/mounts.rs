//! Where a directory is mounted: [`Mount`], from `/proc/self/mountinfo`. Pure.
//!
//! A line of it (proc_pid_mountinfo(5)):
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! id parent device root MOUNT POINT, options, optional fields… - TYPE, source, options
//! ```

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where.
    pub(crate) point: PathBuf,
    /// Which type of file system.
    pub(crate) kind: String,
    /// From what: mostly a device.
    pub(crate) source: String,
    /// Options of the mount and, where they say more, of the file system.
    pub(crate) options: String,
}

impl Mount {
    /// The mount that `folder`, which is absolute and without links, is on. Of two at the same
    /// place the later one hides the earlier.
    pub(crate) fn of(folder: &Path, mountinfo: &str) -> Option<Self> {
        let above = mountinfo.lines().filter_map(Self::parsed);
        above
            .filter(|mount| folder.starts_with(&mount.point))
            .max_by_key(|mount| mount.point.components().count())
    }

    fn parsed(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(4);
        let (point, options) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let (kind, source) = (file_system.next()?, file_system.next()?);
        let mut all: Vec<&str> = options.split(',').collect();
        for option in file_system.next().unwrap_or_default().split(',') {
            if !option.is_empty() && !all.contains(&option) {
                all.push(option);
            }
        }
        Some(Self {
            point: PathBuf::from(unescaped(point)),
            kind: kind.to_owned(),
            source: unescaped(source).to_string_lossy().into_owned(),
            options: all.join(","),
        })
    }
}

/// Spaces, tabs, line ends and backslashes are `\` and three octal digits there.
fn unescaped(text: &str) -> OsString {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let code = behind.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(b'\\'));
        rest = if code.is_some() { behind.get(3..).unwrap_or_default() } else { behind };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned().into()
}
