//! Redis, PostgreSQL and MariaDB servers on free ports, gone when their guards are.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::processors;

pub struct Server {
    /// Stands between: it stops the server when this program lets go of its input, however this program ends.
    shell: Child,
    pub port: u16,
    folder: TempDir,
}

/// In memory only, otherwise with its defaults. Nothing if it is not installed.
pub fn redis() -> Option<Server> {
    let program = find("redis-server", &[])?;
    let (folder, port) = (folder(), free_port());
    let line = format!(
        "{} --port {port} --bind 127.0.0.1 --save  --appendonly no",
        program.display()
    );
    Some(Server::start(folder, port, "INT", line.split(' '), |_| {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    }))
}

/// A new cluster with its defaults, so each commit waits for the disk. Nothing if it is not installed.
pub fn postgres() -> Option<Server> {
    let versions = versions();
    let (initdb, postgres) = (find("initdb", &versions)?, find("postgres", &versions)?);
    let (folder, port) = (folder(), free_port());
    let path = folder.path().display();
    let init = format!("-D {path}/data -U postgres -A trust -E UTF8 --locale=C");
    let output = unprivileged(&initdb)
        .args(init.split(' '))
        .current_dir(folder.path())
        .output();
    succeeded(output.expect("initdb runs"));
    let run = format!("-D {path}/data -p {port} -k {path} -c listen_addresses=127.0.0.1");
    let command = unprivileged(&postgres);
    let prefix = command.get_args().filter_map(|word| word.to_str());
    let program = command.get_program().to_str().into_iter();
    let line: Vec<&str> = program.chain(prefix).chain(run.split(' ')).collect();
    Some(Server::start(folder, port, "INT", line, |log| {
        log.contains("ready to accept connections")
    }))
}

/// A new one with its defaults, and a database `wiz`. Nothing if it is not installed.
pub fn mariadb() -> Option<Server> {
    let (install, program) = (find("mariadb-install-db", &[])?, find("mariadbd", &[])?);
    let (folder, port) = (folder(), free_port());
    let path = folder.path().display();
    let install_line = format!(
        "--no-defaults --datadir={path}/data --auth-root-authentication-method=normal --skip-test-db --tmpdir={path}"
    );
    let output = unprivileged(&install)
        .args(install_line.split(' '))
        .current_dir(folder.path())
        .output();
    succeeded(output.expect("mariadb-install-db runs"));
    let init = folder.path().join("init.sql");
    fs::write(&init, "CREATE DATABASE wiz;\n").expect("a file");
    let run = format!(
        "--no-defaults --datadir={path}/data --port={port} --socket={path}/socket --tmpdir={path} \
         --pid-file={path}/pid --init-file={path}/init.sql --bind-address=127.0.0.1"
    );
    let command = unprivileged(&program);
    let prefix = command.get_args().filter_map(|word| word.to_str());
    let program = command.get_program().to_str().into_iter();
    let line: Vec<&str> = program.chain(prefix).chain(run.split(' ')).collect();
    Some(Server::start(folder, port, "TERM", line, |log| {
        log.contains("ready for connections")
    }))
}

impl Server {
    fn start<'a>(
        folder: TempDir,
        port: u16,
        signal: &str,
        line: impl IntoIterator<Item = &'a str>,
        is_ready: impl Fn(&str) -> bool,
    ) -> Self {
        const SCRIPT: &str = r#"
            folder=$1; signal=$2; shift 2
            "$@" >"$folder/log" 2>&1 </dev/null &
            server=$!
            trap '' INT
            read -r _
            kill -$signal $server 2>/dev/null
            wait $server
            rm -rf "$folder"
        "#;
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(folder.path())
            .arg(signal)
            .args(line)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let server = Self {
            shell,
            port,
            folder,
        };
        let start = Instant::now();
        loop {
            let log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
            if is_ready(&log) {
                return server;
            }
            assert!(start.elapsed().as_secs() < 60, "no server: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Server {
    /// Seconds of processors that it has had.
    pub fn processor_seconds(&self) -> f64 {
        processors::below(self.shell.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It may have ended by itself; there is nothing to do about that here.
        let _ = self.shell.wait();
    }
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("wiz-session-benches-")
        .tempdir();
    let folder = folder.expect("a temporary folder");
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give folders away");
    }
    folder
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// From the `PATH`, or one of these folders.
fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(folders.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

pub fn pgbench() -> Option<PathBuf> {
    find("pgbench", &versions())
}

/// Where Debian has PostgreSQL's programs, the newest first.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort_by(|one, other| other.cmp(one));
    folders
}

const NOBODY: u32 = 65_534;

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let nobody = format!("--reuid={NOBODY} --regid={NOBODY} --clear-groups");
    command.args(nobody.split(' ')).arg(program);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn succeeded(output: Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
