//! [`FileSystem`]: the file systems that are put on the device.

use std::{fs::File, io, path::Path, process::Command};

use super::command::run;

/// What is on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ext4 as it is by default.
    Ext4,
    /// ext4 without a journal, and without checksums of metadata, which a block that arrived in
    /// part would not match: the superblock's, and nothing would be left. After a cut it is put in
    /// order by e2fsck.
    Ext4WithoutJournal,
    /// XFS as it is by default.
    Xfs,
    /// Btrfs with one copy of everything, so that a cut is mended by no second one.
    Btrfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ext4, Self::Ext4WithoutJournal, Self::Xfs, Self::Btrfs];

    /// What is printed; also what [`FileSystem::of_name`] takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Ext4WithoutJournal => "ext4-without-journal",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file_system| file_system.name() == name)
    }

    /// Its name for mount(8).
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Ext4 | Self::Ext4WithoutJournal => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// mkfs.xfs makes none below 300 MB, mkfs.btrfs none below 109 MiB.
    const fn byte_count(self) -> u64 {
        match self {
            Self::Ext4 | Self::Ext4WithoutJournal => 64 << 20,
            Self::Xfs => 320 << 20,
            Self::Btrfs => 128 << 20,
        }
    }

    /// What the device it is made for writes whole or not at all, in bytes. Btrfs has one
    /// superblock of 4,096 bytes under one checksum; without it, nothing is left.
    pub const fn sector_bytes(self) -> usize {
        match self {
            Self::Ext4 | Self::Ext4WithoutJournal | Self::Xfs => 512,
            Self::Btrfs => 4_096,
        }
    }

    /// Makes an empty one in a new sparse file.
    ///
    /// # Errors
    /// The tool is missing, or complained.
    pub(super) fn make(self, path: &Path) -> io::Result<()> {
        File::create_new(path)?.set_len(self.byte_count())?;
        let mut command = match self {
            Self::Ext4 | Self::Ext4WithoutJournal => Command::new("mkfs.ext4"),
            Self::Xfs => Command::new("mkfs.xfs"),
            Self::Btrfs => Command::new("mkfs.btrfs"),
        };
        match self {
            // Everything is written now, nothing by the kernel later.
            Self::Ext4 | Self::Ext4WithoutJournal => {
                command.args(["-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"]);
            }
            Self::Xfs => {}
            Self::Btrfs => {
                command.args(["-m", "single", "-d", "single"]);
            }
        }
        if self == Self::Ext4WithoutJournal {
            command.args(["-O", "^has_journal,^metadata_csum"]);
        }
        run(command.arg("-q").arg(path), 0)
    }

    /// Does for a new empty file, which will not grow beyond `byte_count`, what it needs on this
    /// file system so that later growth cannot cost it what was synced before.
    ///
    /// Without a journal, a change of metadata in two sectors is not atomic, and a later change
    /// that nobody synced may arrive in part: the inode that points to a new block of extents, but
    /// not that block. So the blocks are reserved in one piece, and the extents stay in the inode,
    /// in one sector.
    ///
    /// # Errors
    /// The tool is missing, or complained.
    pub fn reserve(self, path: &Path, byte_count: u64) -> io::Result<()> {
        match self {
            Self::Ext4WithoutJournal => {
                let length = byte_count.to_string();
                run(Command::new("fallocate").args(["-n", "-l", &length]).arg(path), 0)
            }
            Self::Ext4 | Self::Xfs | Self::Btrfs => Ok(()),
        }
    }

    /// What has to be done before an image is mounted that was cut off. A journal recovers by
    /// itself, and so does Btrfs.
    ///
    /// # Errors
    /// The tool is missing, or gave up.
    pub fn repair(self, path: &Path) -> io::Result<()> {
        /// "File system errors corrected": e2fsck(8), EXIT CODE.
        const CORRECTED: i32 = 2;
        match self {
            Self::Ext4WithoutJournal => run(Command::new("e2fsck").arg("-fy").arg(path), CORRECTED),
            Self::Ext4 | Self::Xfs | Self::Btrfs => Ok(()),
        }
    }
}
