//! Two processes of the example server on one store, with a proxy before the database.

use std::{fs, time::Duration};

use tempfile::NamedTempFile;

use crate::{
    database::Database,
    process::{self, Figures},
    proxy::Proxy,
    server::{self, Server},
};

pub(crate) const CACHE: Duration = Duration::from_secs(2);
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(2);
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) proxy: Proxy,
    servers: [Server; 2],
    /// What they print: each fault, and a panic.
    log: NamedTempFile,
}

impl Site {
    pub(crate) async fn open(database: Database) -> Self {
        let proxy = Proxy::before(database.port()).await;
        let store = database.url_through(proxy.port);
        let log = NamedTempFile::new().expect("a temporary file");
        let servers = [(); 2].map(|()| start(&store, log.reopen().expect("it is there")));
        Self {
            database,
            proxy,
            servers,
            log,
        }
    }

    pub(crate) fn ports(&self) -> [u16; 2] {
        self.servers.each_ref().map(|server| {
            let url = server.url("");
            let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
            port.expect("a port in the address")
        })
    }

    pub(crate) fn pids(&self) -> [u32; 2] {
        self.servers.each_ref().map(Server::pid)
    }

    pub(crate) fn figures(&self) -> [Figures; 2] {
        self.pids()
            .map(|pid| process::figures(pid, self.proxy.port))
    }

    pub(crate) fn assert_no_panic(&self) {
        let log = fs::read_to_string(self.log.path()).expect("text");
        let panic = log.find("panicked").map(|at| log[at..].lines().take(20));
        assert!(
            panic.is_none(),
            "{:#?}",
            panic.map(Iterator::collect::<Vec<_>>)
        );
    }
}

fn start(store: &str, log: fs::File) -> Server {
    let mut command = server::command();
    command.env("STORE", store);
    for (name, duration) in [
        ("CACHE", CACHE),
        ("WATCH_INTERVAL", WATCH_INTERVAL),
        ("IDLE_TIMEOUT", IDLE_TIMEOUT),
    ] {
        command.env(name, duration.as_secs().to_string());
    }
    command.env("MAX_SESSIONS_PER_USER", "50");
    command.env("RUST_LOG", "off").stderr(log);
    // The 19 MiB of a password's verification go back at once: else what the allocator holds depends on how many met.
    command.env("MALLOC_MMAP_THRESHOLD_", "1048576");
    Server::spawn(&mut command)
}
