//! The driver of Chromium, as a program. It speaks WebDriver.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::LazyLock,
    time::Duration,
};

use crate::support::{self, Server, wait_for};

/// How to get Chromium and its driver.
pub(crate) const INSTALL: &str = "apt-get install chromium chromium-driver";

/// One driver serves all tests, and ends with the test process.
static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

struct Driver {
    _server: Server,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let program = support::program("chromedriver", &["/usr/lib/chromium"], INSTALL);
        let server = Server::start(support::folder(), &program, &["--port=0"]);
        let port = wait_for("chromedriver's port", || port_in(&server.log()));
        Self {
            _server: server,
            port,
        }
    }
}

/// The port in `ChromeDriver was started successfully on port 12345.`
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

/// Where the driver listens.
pub(crate) fn url() -> String {
    format!("http://127.0.0.1:{}", DRIVER.port)
}

/// Takes the driver off a Chromium. For a destructor, which cannot wait for a future.
pub(crate) fn detach(session: &str) -> std::io::Result<()> {
    let mut driver = TcpStream::connect(("127.0.0.1", DRIVER.port))?;
    driver.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        driver,
        "DELETE /session/{session} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )?;
    // It answers when that is done, and keeps the connection open.
    driver.read_exact(&mut [0])
}
