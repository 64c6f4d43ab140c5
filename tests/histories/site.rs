//! Processes of the example server on one store, and what happens to them.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use crate::{
    database::Database,
    faults::Trouble,
    proxy::Proxy,
    server::{self, Server},
    support::{self, poll_for},
};

/// A server, as clients know it.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) url: String,
    /// It has a near cache.
    pub(crate) is_cached: bool,
}

pub(crate) struct Site {
    store: String,
    ports: Vec<u16>,
    /// None while it is being started again.
    servers: Vec<Option<Server>>,
    pub(crate) database: Database,
    /// Before each of its servers.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) trouble: Arc<Trouble>,
}

impl Site {
    pub(crate) async fn open(database: Database) -> Self {
        let mut proxies = Vec::new();
        for port in database.ports() {
            proxies.push(Proxy::before(port).await);
        }
        let ports: Vec<u16> = proxies.iter().map(|proxy| proxy.port).collect();
        let store = database.store(&ports);
        // Without a database there is no second process that could share the store.
        let count = if let Database::Memory = database {
            1
        } else {
            3
        };
        let ports: Vec<u16> = (0..count).map(|_| support::free_port()).collect();
        let servers = ports.iter().enumerate();
        let servers = servers
            .map(|(at, port)| Some(start(&store, *port, at == CACHED)))
            .collect();
        Self {
            trouble: Arc::default(),
            store,
            ports,
            servers,
            database,
            proxies,
        }
    }

    pub(crate) fn servers(&self) -> Vec<Address> {
        let servers = self.servers.iter().flatten().enumerate();
        servers
            .map(|(at, server)| Address {
                url: server.url(""),
                is_cached: at == CACHED,
            })
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn signal(&self, at: usize, signal: &str) {
        let server = self.servers[at].as_ref().expect("it was started");
        server.signal(signal);
    }

    pub(crate) fn kill(&mut self, at: usize) {
        self.servers[at] = None;
    }

    pub(crate) fn start(&mut self, at: usize) {
        self.servers[at] = Some(start(&self.store, self.ports[at], at == CACHED));
    }
}

/// The server that has a near cache, where there are several.
const CACHED: usize = 2;

/// A machine that has much else to do may starve a long run.
const PATIENCE: Duration = Duration::from_secs(300);

fn start(store: &str, port: u16, is_cached: bool) -> Server {
    let mut command = server::command();
    command.env("STORE", store).env("PORT", port.to_string());
    command.env("GUESTS", "1");
    if is_cached {
        command.env("CACHE", "1");
    }
    // It tells the operator of each fault.
    command.stderr(Stdio::null()).current_dir(Path::new("/"));
    // Its port may be taken for a moment by one who looks for a free one, or the database be slow on a busy machine.
    let started = poll_for(PATIENCE, || Server::try_spawn(&mut command).ok());
    started.expect("a server")
}
