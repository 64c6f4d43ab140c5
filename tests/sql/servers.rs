//! PostgreSQL and MariaDB, started by the tests unless they are told where one is.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{self, Server};

const INSTALL: &str = "apt-get install -y postgresql mariadb-server";

const INITDB: &[&str] = &[
    "--pgdata={data}",
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
];

const INSTALL_DB: &[&str] = &[
    "--no-defaults",
    "--datadir={data}",
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    // Two at once would use the same names in the shared one.
    "--tmpdir={data}",
];

/// The address of a database on the server that all tests share.
pub(crate) fn postgres_url() -> String {
    static SHARED: OnceLock<Running> = OnceLock::new();
    std::env::var("WIZ_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        SHARED
            .get_or_init(|| Running::start(&Engine::Postgres, None))
            .url
            .clone()
    })
}

/// The same for MariaDB or MySQL.
pub(crate) fn mysql_url() -> String {
    static SHARED: OnceLock<Running> = OnceLock::new();
    std::env::var("WIZ_TEST_MYSQL_URL").unwrap_or_else(|_| {
        SHARED
            .get_or_init(|| Running::start(&Engine::Mysql, None))
            .url
            .clone()
    })
}

pub(crate) enum Engine {
    Postgres,
    Mysql,
}

/// A server, and the address of a database on it.
struct Running {
    server: Server,
    url: String,
}

/// A server of one test's own, to be killed, frozen and started again on the same data.
pub(crate) struct Mortal {
    engine: Engine,
    /// Before its data, which it would write to while it is deleted.
    running: Option<Running>,
    data: TempDir,
    port: u16,
}

impl Mortal {
    pub(crate) fn start(engine: Engine) -> Self {
        let data = support::folder();
        let running = Running::start(&engine, Some(data.path()));
        let port = running.port();
        Self {
            engine,
            data,
            running: Some(running),
            port,
        }
    }

    /// A replica of this PostgreSQL server, on a port of its own, which may be `promoted` in its place.
    #[allow(dead_code, reason = "not every test has a need of it")]
    pub(crate) fn standby_of(primary: &Self, port: u16) -> Self {
        use std::os::unix::fs::PermissionsExt as _;

        let data = support::folder();
        let own_alone = fs::Permissions::from_mode(0o700);
        fs::set_permissions(data.path(), own_alone).expect("its mode");
        own(data.path());
        let engine = Engine::Postgres;
        let copy = format!(
            "{} --pgdata={} --host=127.0.0.1 --port={} --username=postgres --checkpoint=fast --write-recovery-conf --no-sync",
            engine.program("pg_basebackup"),
            data.path().display(),
            primary.port
        );
        run(&copy.split(' ').collect::<Vec<_>>());
        let running = Running::run(&engine, support::folder(), data.path(), port);
        Self {
            engine,
            running: Some(running),
            data,
            port,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.running().url
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    pub(crate) fn kill(&mut self) {
        self.running().server.signal("KILL");
        self.running = None;
    }

    /// On the same data and the same port.
    pub(crate) fn start_again(&mut self) {
        let running = Running::run(&self.engine, support::folder(), self.data.path(), self.port);
        self.running = Some(running);
    }

    /// Lets PostgreSQL offer TLS, with a certificate for this host; the file is that of its authority.
    #[allow(dead_code, reason = "not every test has a need of it")]
    pub(crate) fn offer_tls(&self, host: &str) -> String {
        let authority = certify(self.data(), host);
        let settings = "ssl = on\nssl_cert_file = 'own.crt'\nssl_key_file = 'own.key'\n";
        fs::write(self.data().join("postgresql.auto.conf"), settings).expect("settings");
        let server = &self.running().server;
        server.signal("HUP");
        support::wait_for("a server that offers TLS", || {
            let log = server.log();
            log.contains(r#"parameter "ssl" changed to "on""#)
                .then_some(())
        });
        authority
    }

    /// With all its processes.
    pub(crate) fn freeze(&self) {
        self.signal_all("STOP");
        // The threads that are running on another processor go on for a moment.
        std::thread::sleep(Duration::from_millis(100));
    }

    pub(crate) fn thaw(&self) {
        self.signal_all("CONT");
    }

    fn signal_all(&self, name: &str) {
        let pid = self.running().server.pid().to_string();
        let children = Command::new("ps")
            .args(["-o", "pid=", "--ppid", &pid])
            .output()
            .expect("`ps` runs");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let pids = children.split_whitespace().chain([pid.as_str()]);
        // One of the children may have ended meanwhile.
        let _ = Command::new("kill")
            .arg(format!("-{name}"))
            .args(pids)
            .status()
            .expect("`kill` runs");
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }
}

impl Running {
    /// In a folder of its own, or with its data elsewhere.
    fn start(engine: &Engine, data: Option<&Path>) -> Self {
        let folder = support::folder();
        let data = data.map_or_else(|| folder.path().join("data"), Path::to_owned);
        fs::create_dir_all(&data).expect("a folder for the data");
        own(folder.path());
        own(&data);
        engine.install(&data);
        Self::run(engine, folder, &data, support::free_port())
    }

    fn run(engine: &Engine, folder: TempDir, data: &Path, port: u16) -> Self {
        own(folder.path());
        let mut folder = Some(folder);
        let start = Instant::now();
        loop {
            let folder = folder.take().unwrap_or_else(support::folder);
            own(folder.path());
            fs::write(
                folder.path().join("init.sql"),
                "CREATE DATABASE IF NOT EXISTS wiz;\n",
            )
            .expect("a file");
            let arguments = engine.arguments(folder.path(), data, port);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let server = Server::start(folder, Path::new(arguments[0]), &arguments[1..]);
            if let Some(url) = engine.wait(&server, port) {
                return Self { server, url };
            }
            // After a kill, processes of the former server may be there for another moment.
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no server: {}",
                server.log()
            );
        }
    }

    fn port(&self) -> u16 {
        let port = self
            .url
            .rsplit_once(':')
            .and_then(|(_, rest)| rest.split('/').next());
        port.and_then(|port| port.parse().ok())
            .expect("a port in the address")
    }
}

impl Engine {
    fn program(&self, name: &str) -> String {
        let folders: Vec<String> = match self {
            Self::Postgres => versions("/usr/lib/postgresql"),
            Self::Mysql => vec!["/usr/sbin".to_owned()],
        };
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        support::program(name, &folders, INSTALL)
            .display()
            .to_string()
    }

    /// Fills the folder with the data of a new server.
    fn install(&self, data: &Path) {
        static POSTGRES: OnceLock<PathBuf> = OnceLock::new();
        static MYSQL: OnceLock<PathBuf> = OnceLock::new();
        let template = match self {
            Self::Postgres => &POSTGRES,
            Self::Mysql => &MYSQL,
        };
        copy(template.get_or_init(|| self.template()), data);
        if let Self::Postgres = self {
            let hba = "local all all trust\n\
                host all wiz_password 127.0.0.1/32 scram-sha-256\n\
                hostnossl all wiz_encrypted 127.0.0.1/32 reject\n\
                host all,replication all 127.0.0.1/32 trust\n";
            fs::write(data.join("pg_hba.conf"), hba).expect("pg_hba.conf is written");
        }
    }

    /// The data of a new server, to be copied: `initdb` and its like take a second each. It is kept from one run to the
    /// next in `target/tmp`, under a name for this version and this way of making it.
    fn template(&self) -> PathBuf {
        let (server, installer, arguments) = match self {
            Self::Postgres => ("postgres", "initdb", INITDB),
            Self::Mysql => ("mariadbd", "mariadb-install-db", INSTALL_DB),
        };
        let version = run(&[&self.program(server), "--version"]);
        let mut hasher = DefaultHasher::new();
        (version, arguments).hash(&mut hasher);
        let name = format!("{server}-{:016x}", hasher.finish());
        let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if template.exists() {
            return template;
        }
        let folder = support::folder();
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder for the data");
        own(folder.path());
        own(&data);
        let fill = |argument: &&str| argument.replace("{data}", &data.display().to_string());
        let arguments: Vec<String> = arguments.iter().map(fill).collect();
        let mut line = vec![self.program(installer)];
        line.extend(arguments);
        run(&line);
        publish(&data, &template);
        template
    }

    fn arguments(&self, folder: &Path, data: &Path, port: u16) -> Vec<String> {
        let (folder, data) = (folder.display(), data.display());
        let line = match self {
            Self::Postgres => format!(
                "{} -D {data} -p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200",
                self.program("postgres")
            ),
            // With the binary log, as MySQL has it by default. Without it others see what is not on the disk yet, and a
            // kill takes that back: https://bugs.mysql.com/bug.php?id=74303.
            Self::Mysql => format!(
                "{} --no-defaults --datadir={data} --port={port} --socket={folder}/socket --tmpdir={folder} --pid-file={folder}/mysqld.pid --init-file={folder}/init.sql \
                 --bind-address=127.0.0.1 --max-connections=200 --innodb-buffer-pool-size=128M --log-bin={data}/binlog --sync-binlog=1",
                self.program("mariadbd")
            ),
        };
        unprivileged()
            .into_iter()
            .chain(line.split(' ').map(str::to_owned))
            .collect()
    }

    /// Waits until it answers, and gives the address of a database; or nothing if the server has ended.
    fn wait(&self, server: &Server, port: u16) -> Option<String> {
        let is_ready = |log: &str| match self {
            Self::Postgres => {
                let mut kinds = ["connections", "read-only connections"].into_iter();
                kinds.any(|kind| log.contains(&format!("ready to accept {kind}")))
            }
            Self::Mysql => log.contains("ready for connections"),
        };
        let ready = || {
            let process = format!("/proc/{}/stat", server.pid());
            let ended = fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z "));
            match is_ready(&server.log()) {
                true => Some(true),
                false => ended.then_some(false),
            }
        };
        support::wait_for("a server that is ready", ready).then(|| match self {
            Self::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Self::Mysql => format!("mysql://root@127.0.0.1:{port}/wiz"),
        })
    }
}

/// Puts a new certificate for this host, and its key, into a folder.
pub(crate) fn certify(folder: &Path, host: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;

    let made = rcgen::generate_simple_self_signed([host.to_owned()]).expect("a certificate");
    let certificate = pem("CERTIFICATE", made.cert.der());
    let key = pem("PRIVATE KEY", &made.signing_key.serialize_der());
    for (name, text) in [("own.crt", certificate), ("own.key", key)] {
        let file = folder.join(name);
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        own(&file);
    }
    folder.join("own.crt").display().to_string()
}

fn pem(what: &str, der: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
}

/// The newest first.
fn versions(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<String> = entries
        .map(|entry| entry.path().join("bin").display().to_string())
        .collect();
    folders.sort_by(|a, b| b.cmp(a));
    folders
}

/// Both servers refuse to run as root.
pub(crate) fn unprivileged() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    let setpriv: PathBuf =
        support::program("setpriv", &["/usr/bin"], "apt-get install -y util-linux");
    let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    std::iter::once(setpriv.display().to_string())
        .chain(arguments.map(str::to_owned))
        .collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

pub(crate) fn own(folder: &Path) {
    if is_root() {
        std::os::unix::fs::chown(folder, Some(65534), Some(65534))
            .expect("root may give folders away");
    }
}

/// What the command prints.
fn run(line: &[impl AsRef<str>]) -> String {
    let line = line.iter().map(|word| word.as_ref().to_owned());
    let line: Vec<String> = unprivileged().into_iter().chain(line).collect();
    let output = Command::new(&line[0])
        .args(&line[1..])
        .current_dir("/tmp")
        .output()
        .expect("it is installed");
    assert!(
        output.status.success(),
        "{line:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Copies a folder to a place where others may be putting the same: what is there is whole at any time.
fn publish(folder: &Path, place: &Path) {
    let parent = place.parent().expect("it is in a folder");
    fs::create_dir_all(parent).expect("a folder for templates");
    let beside = tempfile::tempdir_in(parent).expect("a folder beside it");
    let copied = beside.path().join("data");
    copy(folder, &copied);
    if let Err(error) = fs::rename(copied, place) {
        let is_there = place.exists();
        assert!(is_there, "{}: {error}", place.display());
    }
}

/// With owners and modes, and without the zeros of MariaDB's log.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--sparse=always", "--no-target-directory"])
        .args([from, to])
        .status();
    assert!(status.expect("`cp` runs").success(), "no copy");
}
