//! What a session layer adds to an application: crates, and the time of a build.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Instant};

use tempfile::TempDir;

use crate::{
    stats::median,
    table::Table,
    targets::{self, Target},
};

const BENCHES: &str = env!("CARGO_MANIFEST_DIR");
const ROUNDS: usize = 3;

/// A small application with a layer.
struct Application {
    name: &'static str,
    dependency: String,
    /// Where its handler and its layer come from, and what they are.
    source: &'static str,
}

fn applications() -> [Application; 4] {
    let application = |name, dependency: &str, source| Application {
        name,
        dependency: dependency.to_owned(),
        source,
    };
    [
        application("axum alone", "", "async fn hello() {} fn layer(app: Router) -> Router { app }"),
        application(
            "tower_sessions",
            "tower-sessions = \"0.15\"",
            "use tower_sessions::*;
            async fn hello(session: Session) { session.insert(\"n\", 1).await.unwrap(); }
            fn layer(app: Router) -> Router { app.layer(SessionManagerLayer::new(MemoryStore::default())) }",
        ),
        application(
            "tower_sessions_signed",
            "tower-sessions = { version = \"0.15\", features = [\"signed\"] }",
            "use tower_sessions::*;
            async fn hello(session: Session) { session.insert(\"n\", 1).await.unwrap(); }
            fn layer(app: Router) -> Router {
                let layer = SessionManagerLayer::new(MemoryStore::default());
                app.layer(layer.with_signed(cookie::Key::generate()))
            }",
        ),
        application(
            "wiz_session",
            &format!("wiz-session = {{ path = \"{BENCHES}/..\" }}"),
            "use wiz_session::*;
            async fn hello(session: WizSession) { session.set(\"n\", 1).unwrap(); }
            fn layer(app: Router) -> Router { app.layer(WizSessionLayer::new(MemoryStore::new(), Key::generate())) }",
        ),
    ]
}

/// Seconds: by the clock, and of the processors.
#[derive(Clone, Copy)]
struct Build {
    clock: f64,
    processors: f64,
}

pub fn measure() {
    let folder = tempfile::Builder::new()
        .prefix("wiz-session-benches-")
        .tempdir();
    let folder = folder.expect("a temporary folder");
    let applications = applications();
    for one in &applications {
        one.write(&folder);
    }
    let crates: Vec<BTreeSet<String>> =
        applications.iter().map(|one| one.crates(&folder)).collect();
    let mut builds = vec![Vec::new(); applications.len()];
    for round in 0..ROUNDS {
        for step in 0..applications.len() {
            let index = (round + step) % applications.len();
            let one = &applications[index];
            eprintln!(
                "dependencies: {}, build {} of {ROUNDS}",
                one.name,
                round + 1
            );
            builds[index].push(one.build(&folder));
        }
    }
    print(&applications, &crates, &builds);
}

fn print(applications: &[Application; 4], crates: &[BTreeSet<String>], builds: &[Vec<Build>]) {
    let least = |builds: &Vec<Build>, of: fn(&Build) -> f64| {
        builds.iter().map(of).fold(f64::INFINITY, f64::min)
    };
    let middle = |builds: &Vec<Build>, of: fn(&Build) -> f64| {
        median(&mut builds.iter().map(of).collect::<Vec<f64>>())
    };
    let mut table = Table::new([
        "application",
        "crates",
        "build, s",
        "median",
        "of processors, s",
        "median",
    ]);
    for ((one, crates), builds) in applications.iter().zip(crates).zip(builds) {
        table.row([
            one.name.to_owned(),
            crates.len().to_string(),
            format!("{:.1}", least(builds, |build| build.clock)),
            format!("{:.1}", middle(builds, |build| build.clock)),
            format!("{:.1}", least(builds, |build| build.processors)),
            format!("{:.1}", middle(builds, |build| build.processors)),
        ]);
    }
    table.print("An application with a session layer");
    println!(
        "\nNormal dependencies of axum, tokio and the layer with its defaults, by `cargo tree`. `cargo build --release` \
         from nothing, {ROUNDS} times each in turn: the least and the median, by the clock and of all processors."
    );
    let [_, peers @ .., ours] = [0, 1, 2, 3];
    let mut list = Vec::new();
    for peer in peers {
        let name = applications[peer].name;
        let mut target = |what: &str, ours: f64, theirs: f64| {
            list.push(Target {
                what: what.to_owned(),
                target: format!("≤ {name}"),
                measured: format!("{ours:.1} : {theirs:.1}"),
                holds: ours <= theirs,
            });
        };
        target(
            "crates",
            crates[ours].len() as f64,
            crates[peer].len() as f64,
        );
        let both = |of| (least(&builds[ours], of), least(&builds[peer], of));
        let (ours, theirs) = both(|build| build.clock);
        target("build, s", ours, theirs);
        let (ours, theirs) = both(|build| build.processors);
        target("of processors, s", ours, theirs);
    }
    targets::print("Targets: dependencies", &list);
    for peer in peers {
        let only = |one: usize, other: usize| {
            let names = crates[one].difference(&crates[other]).map(String::as_str);
            names.collect::<Vec<_>>().join(", ")
        };
        let name = applications[peer].name;
        println!(
            "\nNot with {name}: {}.\nOnly with {name}: {}.",
            only(ours, peer),
            only(peer, ours)
        );
    }
}

impl Application {
    /// With the versions that this package is locked to.
    fn write(&self, folder: &TempDir) {
        let folder = folder.path().join(self.name);
        fs::create_dir_all(folder.join("src")).expect("a folder");
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
        write(
            "Cargo.toml",
            format!(
                "[package]\nname = \"application\"\nedition = \"2024\"\n[workspace]\n[dependencies]\naxum = \"0.8\"\n\
                 tokio = {{ version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }}\n{}\n",
                self.dependency
            ),
        );
        write(
            "src/main.rs",
            format!(
                "use axum::{{Router, routing::get}};
                #[tokio::main]
                async fn main() {{
                    let listener = tokio::net::TcpListener::bind(\"127.0.0.1:3000\").await.unwrap();
                    axum::serve(listener, layer(Router::new().route(\"/\", get(hello)))).await.unwrap();
                }}
                {}\n",
                self.source
            ),
        );
        fs::copy(
            Path::new(BENCHES).join("Cargo.lock"),
            folder.join("Cargo.lock"),
        )
        .expect("a lock file");
    }

    /// Names and versions, without the application's own.
    fn crates(&self, folder: &TempDir) -> BTreeSet<String> {
        let tree = self.cargo(folder, &["tree", "--edges", "normal", "--prefix", "none"]);
        let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        tree.lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .map(name)
            .collect()
    }

    fn build(&self, folder: &TempDir) -> Build {
        let target = tempfile::tempdir_in(folder).expect("a folder");
        let path = target.path().to_str().expect("a plain name");
        let (start, before) = (Instant::now(), processor_seconds_of_children());
        self.cargo(folder, &["build", "--release", "--target-dir", path]);
        Build {
            clock: start.elapsed().as_secs_f64(),
            processors: processor_seconds_of_children() - before,
        }
    }

    fn cargo(&self, folder: &TempDir, arguments: &[&str]) -> String {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(folder.path().join(self.name))
            .output()
            .expect("there is cargo");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", self.name);
        String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
    }
}

/// What the operating system charged for children that have ended, and theirs: fields 16 and 17, in hundredths.
fn processor_seconds_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
