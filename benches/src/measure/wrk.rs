//! Requests per second over loopback. Server and `wrk` share the machine's cores.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use crate::{
    contestants::{self, BARE, Contestant},
    routes,
    stage::{call, cookies_of, request},
    stats::median,
    table::Table,
};

const ROUNDS: usize = 5;
const SECONDS: &str = "2s";
const CONNECTIONS: &str = "32";

pub fn measure() {
    if Command::new("wrk")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        println!("\nNo requests per second: there is no wrk. `apt-get install -y wrk`");
        return;
    }
    let paths = [routes::UNTOUCHED, routes::READ, routes::WRITE];
    let servers: Vec<Server> = contestants::ALL.iter().map(Server::start).collect();
    let mut table = Table::new(["contestant"].into_iter().chain(paths));
    let mut rates = vec![vec![Vec::new(); servers.len()]; paths.len()];
    for round in 0..ROUNDS {
        eprintln!("wrk: round {} of {ROUNDS}", round + 1);
        for (path, rates) in paths.iter().zip(&mut rates) {
            for (server, rates) in servers.iter().zip(rates) {
                rates.push(server.requests_per_second(path));
            }
        }
    }
    let medians: Vec<Vec<f64>> = rates
        .iter_mut()
        .map(|of_path| of_path.iter_mut().map(|rates| median(rates)).collect())
        .collect();
    let bare = contestants::ALL
        .iter()
        .position(|one| one.name == BARE)
        .expect("bare runs");
    for (index, one) in contestants::ALL.iter().enumerate() {
        let cell = |of_path: &Vec<f64>| {
            let share = 100.0 * of_path[index] / of_path[bare];
            format!("{:.0} ({share:.0} %)", of_path[index])
        };
        table.row(
            [one.name.to_owned()]
                .into_iter()
                .chain(medians.iter().map(cell)),
        );
    }
    table.print("Requests per second over loopback (of bare)");
    println!(
        "\n`wrk -t1 -c{CONNECTIONS} -d{SECONDS}`, a small session, medians of {ROUNDS} rounds in turn."
    );
}

/// This program as a server, until it is dropped.
struct Server {
    child: Child,
    address: String,
    cookies: String,
}

impl Server {
    fn start(contestant: &Contestant) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args(["serve", contestant.name])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut line = || lines.next().expect("the server tells").expect("in text");
        Self {
            address: line(),
            cookies: line(),
            child,
        }
    }

    fn requests_per_second(&self, path: &str) -> f64 {
        let output = Command::new("wrk")
            .args([
                "-t1",
                &format!("-c{CONNECTIONS}"),
                &format!("-d{SECONDS}"),
                "-H",
            ])
            .arg(format!("Cookie: {}", self.cookies))
            .arg(format!("http://{}{path}", self.address))
            .output()
            .expect("wrk was found");
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(!output.contains("Non-2xx"), "{output}");
        output
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"))
            .and_then(|rate| rate.trim().parse().ok())
            .unwrap_or_else(|| panic!("wrk said: {output}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about that here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: prints its address and a session's cookies, and serves until it is killed.
pub fn serve(contestant: &Contestant) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let mut app = (contestant.app)();
        let response = call(&mut app, request(routes::FILL_SMALL, None)).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        println!("{address}\n{}", cookies_of(&response));
        std::io::stdout().flush().expect("the parent reads");
        axum::serve(listener, app).await.expect("it serves");
    });
}
