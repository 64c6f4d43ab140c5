//! Real servers for tests: started on free ports, in temporary folders, and gone when the tests are.

pub(crate) mod small_disk;

use std::{
    ffi::OsStr,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A server process that ends with its guard, or with the test process, however that ends.
///
/// A shell stands between: it waits for the end of a pipe that only the test process holds open, and
/// then kills the server by its process id. So a static guard, a panic and a killed test leave nothing behind.
pub(crate) struct Server {
    shell: Child,
    pid: u32,
    folder: TempDir,
}

impl Server {
    /// Starts a program that must be installed already. Its output goes to `log` in the server's folder.
    pub(crate) fn start(folder: TempDir, program: &Path, arguments: &[impl AsRef<OsStr>]) -> Self {
        let script = r#"
            "$@" >"$WIZ_FOLDER/log" 2>&1 </dev/null &
            server=$!
            echo $server >"$WIZ_FOLDER/pid.new" && mv "$WIZ_FOLDER/pid.new" "$WIZ_FOLDER/pid"
            trap '' INT
            read -r _
            kill -KILL $server 2>/dev/null
            wait $server
            # Its children may write for a moment longer.
            for _ in 1 2 3 4 5 6 7 8 9; do
                rm -rf "$WIZ_FOLDER" 2>/dev/null && break
                sleep 0.1
            done
        "#;
        let shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(program)
            .args(arguments)
            .env("WIZ_FOLDER", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` runs");
        let pid_file = folder.path().join("pid");
        let pid = wait_for("the server's process id", || {
            std::fs::read_to_string(&pid_file).ok()?.trim().parse().ok()
        });
        Self { shell, pid, folder }
    }

    /// Where it lives.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Sends it a signal, such as `STOP`, `CONT` or `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status();
        assert!(
            status.expect("`kill` runs").success(),
            "no process {} to send {name}",
            self.pid
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A port that nobody uses just now, nor the one ten thousand above it, which a node of a Redis cluster takes too.
///
/// Both are below the ports of outgoing connections (32,768 on Linux): one of another test's would take it before the
/// server does, or while the server is down. No process is given one twice.
pub(crate) fn free_port() -> u16 {
    const APART: u16 = 10_000;
    // Processes that run at the same time begin elsewhere.
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id() * 16));
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..APART)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(APART))
        .map(|above| APART + u16::try_from(above).expect("a remainder"))
        .find(|port| is_free(*port) && is_free(port + APART))
        .expect("a free port")
}

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("wiz-session-")
        .tempdir()
        .expect("a temporary folder")
}

/// The program, from the `PATH` or one of these folders; or a panic that says how to get it.
pub(crate) fn program(name: &str, folders: &[&str], install: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).chain(folders.iter().map(PathBuf::from));
    candidates
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("this test needs `{name}`; install it with: {install}"))
}

/// Polls until there is a result, for half a minute.
pub(crate) fn wait_for<T>(what: &str, poll: impl FnMut() -> Option<T>) -> T {
    poll_for(Duration::from_secs(30), poll).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// Polls until there is a result, for so long.
pub(crate) fn poll_for<T>(limit: Duration, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let result = poll();
        if result.is_some() || start.elapsed() >= limit {
            return result;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
