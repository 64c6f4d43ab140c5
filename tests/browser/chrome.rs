//! Chromium and its driver, as programs: where they are, how they are started, how they end.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use fantoccini::wd::Capabilities;
use serde_json::{Map, Value, json};

use crate::{
    profiles::Profiles,
    support::{self, Server, wait_for},
};

const INSTALL: &str = "apt-get install chromium chromium-driver";

/// One driver serves all tests, and ends with the test process.
static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

struct Driver {
    _server: Server,
    port: u16,
    chromium: PathBuf,
    profiles: Profiles,
}

impl Driver {
    fn start() -> Self {
        let chromium = support::program("chromium", &[], INSTALL);
        let program = support::program("chromedriver", &["/usr/lib/chromium"], INSTALL);
        let server = Server::start(support::folder(), &program, &["--port=0"]);
        let port = wait_for("chromedriver's port", || port_in(&server.log()));
        Self {
            _server: server,
            port,
            chromium,
            profiles: Profiles::new(),
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

/// A folder for a new Chromium.
pub(crate) fn profile() -> PathBuf {
    DRIVER.profiles.fresh()
}

/// What a new Chromium shall be like: without a window, and talking to nobody but the site.
pub(crate) fn capabilities(profile: &Path) -> Capabilities {
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
