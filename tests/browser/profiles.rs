//! The folders in which browsers keep what they know, and the end of browsers whose test was killed.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

use crate::support;

/// Kills what still runs when the pipe ends that only the test process holds open: a Chromium outlives its driver.
/// It keeps its process id in a link in its profile, as `host-123`.
const WATCH: &str = r#"
    trap '' INT TERM
    read -r _
    # More than once: one that is just starting has no link yet, and the children of one that was killed write on.
    for _ in 1 2 3; do
        for lock in "$1"/*/SingletonLock; do
            name=$(readlink "$lock") && rm "$lock" && kill -KILL "${name##*-}" 2>/dev/null
        done
        [ -n "$(ls "$1")" ] || break
        sleep 1
    done
    rm -rf "$1"
"#;

/// All profiles of this process.
pub(crate) struct Profiles {
    folder: TempDir,
    next: AtomicU32,
    _watcher: Child,
}

impl Profiles {
    pub(crate) fn new() -> Self {
        let folder = support::folder();
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` runs");
        Self {
            folder,
            next: AtomicU32::new(0),
            _watcher: watcher,
        }
    }

    /// A folder that nobody has used.
    pub(crate) fn fresh(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(number.to_string())
    }
}
