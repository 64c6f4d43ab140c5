//! What a session layer adds to an application: crates, and the time of a build.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{
    contestants::{OURS, PEER},
    stats::median,
    table::Table,
    targets::{self, Target},
};

const ROUNDS: usize = 3;
const BENCHES: &str = env!("CARGO_MANIFEST_DIR");

/// A small application: its name, its dependency besides axum and tokio, and its handler and layer.
const APPLICATIONS: [(&str, &str, &str); 4] = [
    ("axum alone", "", ALONE),
    ("tower_sessions", r#"tower-sessions = "0.15""#, TOWER),
    (
        PEER,
        r#"tower-sessions = { version = "0.15", features = ["signed"] }"#,
        TOWER_SIGNED,
    ),
    (
        OURS,
        concat!(
            "wiz-session = { path = \"",
            env!("CARGO_MANIFEST_DIR"),
            "/..\" }"
        ),
        WIZ,
    ),
];

const ALONE: &str = "
async fn hello() {}

fn with_layer(app: Router) -> Router { app }
";

const TOWER: &str = r#"
use tower_sessions::*;

async fn hello(session: Session) { session.insert("n", 1).await.unwrap(); }

fn with_layer(app: Router) -> Router { app.layer(SessionManagerLayer::new(MemoryStore::default())) }
"#;

const TOWER_SIGNED: &str = r#"
use tower_sessions::*;

async fn hello(session: Session) { session.insert("n", 1).await.unwrap(); }

fn with_layer(app: Router) -> Router {
    app.layer(SessionManagerLayer::new(MemoryStore::default()).with_signed(cookie::Key::generate()))
}
"#;

const WIZ: &str = r#"
use wiz_session::*;

async fn hello(session: WizSession) { session.set("n", 1).unwrap(); }

fn with_layer(app: Router) -> Router { app.layer(WizSessionLayer::new(MemoryStore::new(), Key::generate())) }
"#;

const MANIFEST: &str = r#"
[package]
name = "application"
edition = "2024"

[workspace]

[dependencies]
axum = "0.8"
tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
"#;

const MAIN: &str = r#"
use axum::{Router, routing::get};

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await.unwrap();
    axum::serve(listener, with_layer(Router::new().route("/", get(hello)))).await.unwrap();
}
"#;

pub fn measure() {
    let folder = tempfile::Builder::new()
        .prefix("wiz-session-benches-")
        .tempdir();
    let folder = folder.expect("a temporary folder");
    let mut applications = APPLICATIONS.map(|(name, dependency, source)| {
        Application::new(folder.path(), name, dependency, source)
    });
    for round in 0..ROUNDS {
        for step in 0..applications.len() {
            let index = (round + step) % applications.len();
            let one = &mut applications[index];
            eprintln!(
                "dependencies: {}, build {} of {ROUNDS}",
                one.name,
                round + 1
            );
            one.build();
        }
    }
    let [_, peers @ .., ours] = &applications;
    print_costs(&applications);
    print_targets(peers, ours);
    for peer in peers {
        println!("\nNot with {}: {}.", peer.name, ours.beyond(peer));
        println!("Only with {}: {}.", peer.name, peer.beyond(ours));
    }
}

fn print_costs(applications: &[Application]) {
    let mut table = Table::new([
        "application",
        "crates",
        "build, s",
        "median",
        "of processors, s",
        "median",
    ]);
    for one in applications {
        let mut cells = vec![one.name.to_owned(), one.crates.len().to_string()];
        for of in [Build::clock, Build::processors] {
            let mut seconds = one.seconds(of);
            let middle = median(&mut seconds);
            cells.push(format!("{:.1}", seconds[0]));
            cells.push(format!("{middle:.1}"));
        }
        table.row(cells);
    }
    table.print("An application with a session layer");
    println!(
        "\nNormal dependencies of axum, tokio and the layer with its defaults, by `cargo tree`. `cargo build --release` \
         from nothing, {ROUNDS} times each in turn: the least and the median, by the clock and of all processors."
    );
}

fn print_targets(peers: &[Application], ours: &Application) {
    let mut targets = Vec::new();
    for peer in peers {
        let mut target = |what: &str, measured: String, holds| {
            targets.push(Target {
                what: what.to_owned(),
                target: format!("≤ {}", peer.name),
                measured,
                holds,
            });
        };
        let (few, many) = (ours.crates.len(), peer.crates.len());
        target("crates", format!("{few} : {many}"), few <= many);
        for (what, of) in [
            ("build, s", Build::clock as fn(&Build) -> f64),
            ("of processors, s", Build::processors),
        ] {
            let (ours, theirs) = (ours.seconds(of)[0], peer.seconds(of)[0]);
            target(what, format!("{ours:.1} : {theirs:.1}"), ours <= theirs);
        }
    }
    targets::print("Targets: dependencies, the least times", &targets);
}

struct Application {
    name: &'static str,
    folder: PathBuf,
    /// Names and versions of all but itself.
    crates: BTreeSet<String>,
    builds: Vec<Build>,
}

/// Seconds.
struct Build {
    clock: f64,
    processors: f64,
}

impl Application {
    /// With the versions that this package is locked to.
    fn new(within: &Path, name: &'static str, dependency: &str, source: &str) -> Self {
        let folder = within.join(name);
        fs::create_dir_all(folder.join("src")).expect("a folder");
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
        write("Cargo.toml", format!("{MANIFEST}{dependency}\n"));
        write("src/main.rs", format!("{MAIN}{source}"));
        let lock = Path::new(BENCHES).join("Cargo.lock");
        fs::copy(lock, folder.join("Cargo.lock")).expect("this package's lock file");
        let mut application = Self {
            name,
            folder,
            crates: BTreeSet::new(),
            builds: Vec::new(),
        };
        let tree = application.cargo(&["tree", "--edges", "normal", "--prefix", "none"]);
        let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        application.crates = tree.lines().skip(1).map(name).collect();
        application
    }

    fn build(&mut self) {
        let target = tempfile::tempdir_in(&self.folder).expect("a folder");
        let path = target.path().to_str().expect("a plain name");
        let (start, before) = (Instant::now(), processor_seconds_of_children());
        self.cargo(&["build", "--release", "--target-dir", path]);
        self.builds.push(Build {
            clock: start.elapsed().as_secs_f64(),
            processors: processor_seconds_of_children() - before,
        });
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .expect("there is cargo");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", self.name);
        String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
    }

    /// The least first.
    fn seconds(&self, of: fn(&Build) -> f64) -> Vec<f64> {
        let mut seconds: Vec<f64> = self.builds.iter().map(of).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }

    fn beyond(&self, other: &Self) -> String {
        let names = self.crates.difference(&other.crates).map(String::as_str);
        names.collect::<Vec<_>>().join(", ")
    }
}

impl Build {
    fn clock(&self) -> f64 {
        self.clock
    }

    fn processors(&self) -> f64 {
        self.processors
    }
}

/// What Linux charged for children that have ended, and theirs: fields 16 and 17, in hundredths of a second.
fn processor_seconds_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
