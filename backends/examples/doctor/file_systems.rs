//! What is known of file systems: [`name_of`] and [`remark_on`]. Pure.
//!
//! The numbers are those of statfs(2), `f_type`, and of the kernel's `magic.h`.

/// The name of the file system with this number.
pub(crate) fn name_of(magic: u64) -> Option<&'static str> {
    const NAMES: &[(u64, &str)] = &[
        (0x0000_EF53, "ext2, ext3 or ext4"),
        (0x5846_5342, "XFS"),
        (0x9123_683E, "Btrfs"),
        (0xF2F5_2010, "F2FS"),
        (0xCA45_1A4E, "bcachefs"),
        (0x2FC1_2FC1, "ZFS"),
        (0x0102_1994, "tmpfs"),
        (0x8584_58F6, "ramfs"),
        (0x794C_7630, "overlayfs"),
        (0x6573_5546, "FUSE"),
        (0x0000_6969, "NFS"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x00C3_6400, "Ceph"),
        (0x0000_4D44, "FAT"),
        (0x2011_BAB0, "exFAT"),
        (0x7366_746E, "NTFS"),
    ];
    NAMES.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

/// What that means for durable writes, where it is not the usual.
pub(crate) fn remark_on(magic: u64) -> Option<&'static str> {
    match name_of(magic)? {
        "tmpfs" | "ramfs" => Some("in memory: nothing here outlives the power, a datasync is free"),
        "Btrfs" | "bcachefs" | "ZFS" => Some("never writes in place: a segment gains nothing"),
        "overlayfs" => Some("what is below decides; in a container, use a volume"),
        "FUSE" | "NFS" | "CIFS" | "SMB2" | "9P" | "Ceph" => {
            Some("another program decides what a datasync means and how long it takes")
        }
        "FAT" | "exFAT" => Some("has no journal: a crash can damage files that were synced"),
        _ => None,
    }
}
