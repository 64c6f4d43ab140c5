//! The example server as a process of its own, for one test.

use std::env::{self, consts::EXE_SUFFIX};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Long enough, and no secret.
const SECRET: &str = "a secret for tests, of more than 32 bytes";

/// A running server; it is stopped on drop, also by a panic.
pub(crate) struct Server {
    process: Child,
    /// Such as `http://127.0.0.1:1234`.
    origin: String,
}

impl Server {
    /// Starts the server on a free port and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::spawn(&mut command())
    }

    /// The same with its sessions in this store.
    #[allow(dead_code, reason = "for the tests of several processes")]
    pub(crate) fn start_on(store: &str) -> Self {
        Self::spawn(command().env("STORE", store))
    }

    /// Starts what [`command`] gave, and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::try_spawn(command).unwrap_or_else(|line| panic!("the server said {line:?}"))
    }

    /// Starts it, or answers what it printed if it does not listen.
    pub(crate) fn try_spawn(command: &mut Command) -> Result<Self, String> {
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("stdout is text");
        let server = Self {
            process,
            origin: line
                .trim_end()
                .trim_start_matches("listening on ")
                .to_owned(),
        };
        let listens = ["http", "https"]
            .iter()
            .any(|scheme| line.starts_with(&format!("listening on {scheme}://127.0.0.1:")));
        if listens { Ok(server) } else { Err(line) }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The URL of the WebSocket.
    pub(crate) fn websocket_url(&self) -> String {
        format!("ws{}/ws", self.origin.trim_start_matches("http"))
    }

    /// Its process id.
    #[allow(dead_code, reason = "for the tests that measure the process")]
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks the server to stop, as an operator would: with `SIGTERM` or `SIGINT`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.process.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the exit and tells whether it was clean.
    pub(crate) fn exited_cleanly(&mut self) -> bool {
        self.process
            .wait()
            .expect("the server was started")
            .success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's command, on a free port, with a key and the memory store.
pub(crate) fn command() -> Command {
    let mut command = Command::new(example("server"));
    command
        .env("PORT", "0")
        .env("SESSION_SECRET", SECRET)
        .env_remove("STORE");
    command
}

/// `target/PROFILE/examples/NAME`, as seen from `target/PROFILE/deps/contract-…`.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test has a path");
    let profile = test.ancestors().nth(2).expect("cargo's target folder");
    let binary = profile.join(format!("examples/{name}{EXE_SUFFIX}"));
    assert!(
        binary.exists(),
        "{} is missing: run `cargo test`, or `cargo build --example {name}` first",
        binary.display()
    );
    binary
}
