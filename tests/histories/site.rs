//! Processes of the example server on one store, and what happens to them.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use fastrand::Rng;

use crate::{
    database::Database,
    proxy::Proxy,
    server::{self, Server},
    support,
};

pub(crate) struct Site {
    store: String,
    ports: Vec<u16>,
    /// None while it is being started again.
    servers: Vec<Option<Server>>,
    database: Database,
    proxy: Option<Proxy>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillServer,
    FreezeServer,
    KillDatabase,
    FreezeDatabase,
    FillDatabase,
    Cut,
    LoseAnswers,
    SlowAnswers,
}

impl Site {
    pub(crate) async fn open(database: Database) -> Self {
        let proxy = match database.port() {
            Some(port) => Some(Proxy::before(port).await),
            None => None,
        };
        let store = database.store(proxy.as_ref().map(|proxy| proxy.port));
        // Without a database there is no second process that could share the store.
        let count = if let Database::Memory = database {
            1
        } else {
            3
        };
        let ports: Vec<u16> = (0..count).map(|_| support::free_port()).collect();
        let servers = ports
            .iter()
            .map(|port| Some(start(&store, *port)))
            .collect();
        Self {
            store,
            ports,
            servers,
            database,
            proxy,
        }
    }

    pub(crate) fn servers(&self) -> Vec<String> {
        let servers = self.servers.iter().flatten();
        servers.map(|server| server.url("")).collect()
    }

    /// One fault after the other, with a pause between, until this is dropped.
    pub(crate) fn break_down(self, seed: u64) -> Faults {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let (mut site, mut rng) = (self, Rng::with_seed(seed));
            let faults = site.faults();
            let mut told = vec![0; faults.len()];
            while !stop.load(Ordering::Relaxed) {
                wait(rng.u64(100..500));
                let chosen = rng.usize(..faults.len());
                told[chosen] += 1;
                site.happen(faults[chosen], &mut rng);
            }
            faults
                .into_iter()
                .zip(told)
                .map(|(fault, times)| format!("{times} × {fault:?}"))
                .collect()
        });
        Faults {
            is_over,
            thread: Some(thread),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::FreezeServer];
        if !matches!(self.database, Database::Memory) {
            faults.push(Fault::KillServer);
        }
        if self.proxy.is_some() {
            faults.extend([
                Fault::Cut,
                Fault::Cut,
                Fault::LoseAnswers,
                Fault::LoseAnswers,
            ]);
            faults.extend([
                Fault::SlowAnswers,
                Fault::FreezeDatabase,
                Fault::KillDatabase,
            ]);
        }
        if self.database.can_be_filled() {
            faults.push(Fault::FillDatabase);
        }
        faults
    }

    fn happen(&mut self, fault: Fault, rng: &mut Rng) {
        let chosen = rng.usize(..self.servers.len());
        match fault {
            Fault::KillServer => {
                self.servers[chosen] = None;
                wait(rng.u64(..200));
                if let Some(proxy) = &self.proxy {
                    // A server that does not find its database does not start.
                    proxy.lose_answers(0);
                }
                self.servers[chosen] = Some(start(&self.store, self.ports[chosen]));
            }
            Fault::FreezeServer => {
                let server = self.servers[chosen].as_ref().expect("it was started");
                server.signal("STOP");
                wait(rng.u64(20..300));
                server.signal("CONT");
            }
            Fault::KillDatabase => self.database.kill_and_start_again(),
            Fault::FreezeDatabase => {
                self.database.freeze();
                // Now and then for longer than the servers wait.
                wait(if rng.u8(..10) == 0 {
                    5_500
                } else {
                    rng.u64(20..600)
                });
                self.database.thaw();
            }
            Fault::FillDatabase => {
                self.database.fill();
                wait(rng.u64(20..300));
                self.database.make_room();
            }
            Fault::Cut => self.proxy().cut(),
            Fault::LoseAnswers => self.proxy().lose_answers(rng.usize(1..=8)),
            Fault::SlowAnswers => {
                self.proxy().slow_down(rng.u64(2..40));
                wait(rng.u64(100..600));
                self.proxy().slow_down(0);
            }
        }
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a database of its own process")
    }
}

/// Stops when it is told to, or dropped.
pub(crate) struct Faults {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Faults {
    /// Returns what happened, for people.
    pub(crate) fn stop(mut self) -> String {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it was not stopped");
        thread.join().expect("no panic").join(", ")
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Time is what the processes meet each other in: there is no clock to move.
fn wait(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

fn start(store: &str, port: u16) -> Server {
    let mut command = server::command();
    command.env("STORE", store).env("PORT", port.to_string());
    // It tells the operator of each fault.
    command.stderr(Stdio::null()).current_dir(Path::new("/"));
    Server::spawn(&mut command)
}
