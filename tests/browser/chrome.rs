//! Chromium and its driver, as programs: where they are, how they are started, how they end.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fantoccini::wd::Capabilities;
use serde_json::{Map, Value, json};

use crate::support::{self, Server, wait_for};

const INSTALL: &str = "apt-get install chromium chromium-driver";

/// One driver serves all tests. It ends with the test process, and every Chromium with it: the driver asks the
/// kernel for that.
static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

struct Driver {
    server: Server,
    port: u16,
    chromium: PathBuf,
    profiles: AtomicU32,
}

impl Driver {
    fn start() -> Self {
        let chromium = support::program("chromium", &[], INSTALL);
        let program = support::program("chromedriver", &["/usr/lib/chromium"], INSTALL);
        let server = Server::start(support::folder(), &program, &["--port=0"]);
        let port = wait_for("chromedriver's port", || port_in(&server.log()));
        Self {
            server,
            port,
            chromium,
            profiles: AtomicU32::new(0),
        }
    }
}

/// The port in `ChromeDriver was started successfully on port 12345.`
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

/// Where the driver listens.
pub(crate) fn driver_url() -> String {
    format!("http://127.0.0.1:{}", DRIVER.port)
}

/// What a new Chromium shall be like: without a window, talking to nobody but the site, and with a new profile.
pub(crate) fn capabilities() -> Capabilities {
    let number = DRIVER.profiles.fetch_add(1, Ordering::Relaxed);
    let profile = DRIVER.server.folder().join(format!("profile-{number}"));
    let options = json!({
        "binary": DRIVER.chromium,
        "args": [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
            format!("--user-data-dir={}", profile.display()),
        ],
    });
    Map::from_iter([
        ("browserName".to_owned(), json!("chrome")),
        // Whoever serves TLS here made the certificate a moment ago.
        ("acceptInsecureCerts".to_owned(), Value::Bool(true)),
        ("goog:chromeOptions".to_owned(), options),
    ])
}

/// Ends a Chromium from a destructor, which cannot wait for a future.
pub(crate) fn quit(session: &str) -> std::io::Result<()> {
    let mut driver = TcpStream::connect(("127.0.0.1", DRIVER.port))?;
    driver.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        driver,
        "DELETE /session/{session} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )?;
    // It answers when Chromium has ended, and keeps the connection open.
    driver.read_exact(&mut [0])
}
