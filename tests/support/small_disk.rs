//! Disks that are full before long.

use std::{io::Write, path::Path, process::Command};

use tempfile::TempDir;

/// A small file system of its own, unmounted at the end.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one, or returns `None`, which is said on standard error, where that is forbidden.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "nightshard-test",
            ])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        let said = writeln!(
            std::io::stderr(),
            "no small disk could be mounted to be filled up"
        );
        said.unwrap();
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}
