//! Chromium, as a program, and how one of them serves visitor after visitor: to start one takes longer than most tests.

use std::{ffi::OsString, fs, net::TcpStream, path::Path, thread, time::Duration};

use fantoccini::wd::Capabilities;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::{
    driver::INSTALL,
    support::{self, Server, wait_for},
};

/// Without a window on a screen, and talking to nobody but the site.
const QUIET: [&str; 11] = [
    // The pages speak the language that the browser asks for.
    "--accept-lang=ko-KR,ko",
    "--headless",
    "--no-sandbox",
    "--no-startup-window",
    // A name and an address that are not the machine's own, and lead to it all the same.
    "--host-resolver-rules=MAP shop.example 127.0.0.1,MAP 192.0.2.7 127.0.0.1",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-quic",
    "--disable-component-update",
    "--disable-dev-shm-usage",
];

/// Whoever serves TLS here made the certificate a moment ago.
const TRUSTING: &str = "--ignore-certificate-errors";

/// What the driver asks for where it starts a Chromium itself.
const DRIVEN: [&str; 10] = [
    "--allow-pre-commit-input",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-hang-monitor",
    "--disable-popup-blocking",
    "--disable-sync",
    "--enable-automation",
    "--no-first-run",
    "--no-service-autorun",
];

/// The first two as the driver asks. The others are processes for each window that no test looks at, at a third of
/// the time: one in reserve, and those that draw what drops from the address bar.
const WITHOUT: [&str; 6] = [
    "IgnoreDuplicateNavs",
    "Prewarm",
    "SpareRendererForSitePerProcess",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
];

/// Those that serve nobody just now. They end with the test process.
static IDLE: Mutex<Vec<Chromium>> = Mutex::new(Vec::new());

struct Chromium {
    _server: Server,
    address: String,
    devtools: Mutex<WebSocket<TcpStream>>,
}

impl Chromium {
    fn start(flags: &[String]) -> Self {
        let chromium = support::program("chromium", &[], INSTALL);
        let folder = support::folder();
        let profile = folder.path().join("profile");
        let mut arguments = vec![
            with("TMPDIR=", folder.path()),
            chromium.into_os_string(),
            with("--user-data-dir=", &profile),
        ];
        arguments.extend(QUIET.map(OsString::from));
        arguments.extend(DRIVEN.map(OsString::from));
        arguments.push(format!("--disable-features={}", WITHOUT.join(",")).into());
        arguments.extend(flags.iter().map(OsString::from));
        let server = Server::start(folder, Path::new("/usr/bin/env"), &arguments);
        let (address, path) = wait_for("Chromium", || {
            devtools_in(&fs::read_to_string(profile.join("DevToolsActivePort")).ok()?)
        });
        let stream = TcpStream::connect(&address).expect("Chromium listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(15)))
            .expect("a timeout");
        let (devtools, _) = tungstenite::client(format!("ws://{address}{path}"), stream)
            .expect("Chromium speaks DevTools");
        Self {
            _server: server,
            address,
            devtools: Mutex::new(devtools),
        }
    }

    /// A command to Chromium itself, rather than to a page, and the answer.
    fn call(&self, method: &str, params: &Value) -> tungstenite::Result<Value> {
        let command = json!({ "id": 1, "method": method, "params": params });
        let mut devtools = self.devtools.lock();
        devtools.send(Message::text(command.to_string()))?;
        loop {
            let Message::Text(text) = devtools.read()? else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["id"] == 1 {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return Ok(answer["result"].take());
            }
        }
    }

    /// Calls for something new and gives its id.
    fn make(&self, method: &str, id: &str, params: &Value) -> String {
        let made = self.call(method, params).expect("Chromium answers");
        made[id].as_str().expect("an id").to_owned()
    }
}

fn with(name: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(name);
    argument.push(path);
    argument
}

/// Chromium writes a port and a path, a line each.
fn devtools_in(file: &str) -> Option<(String, String)> {
    let (port, path) = file.split_once('\n')?;
    path.starts_with('/')
        .then(|| (format!("127.0.0.1:{port}"), path.to_owned()))
}

/// A Chromium for one visitor, with cookies, storage and a cache that nobody else has used or will use.
pub(crate) struct Context {
    /// It is there until the drop.
    chromium: Option<Chromium>,
    /// `None` if Chromium has no other visitor.
    id: Option<String>,
}

impl Context {
    /// A new one, with one page, which is being opened.
    pub(crate) fn new(page: &str) -> Self {
        let idle = IDLE.lock().pop();
        let chromium = idle.unwrap_or_else(|| Chromium::start(&[TRUSTING.to_owned()]));
        let id = chromium.make(
            "Target.createBrowserContext",
            "browserContextId",
            &json!({}),
        );
        let context = Self {
            chromium: Some(chromium),
            id: Some(id),
        };
        context.open_window(page);
        context
    }

    /// A Chromium of its own with these flags, which trusts no certificate blindly, and with a profile, which other contexts
    /// have none of.
    pub(crate) fn with_flags(page: &str, flags: &[String]) -> Self {
        let context = Self {
            chromium: Some(Chromium::start(flags)),
            id: None,
        };
        context.open_window(page);
        context
    }

    fn open_window(&self, page: &str) {
        self.open(json!({ "url": page, "newWindow": true, "width": 1280, "height": 900 }));
    }

    /// Opens a page in another tab and gives its id. WebDriver's own way forgets whose tab it shall be.
    pub(crate) fn new_tab(&self, page: &str) -> String {
        self.open(json!({ "url": page }))
    }

    fn open(&self, mut page: Value) -> String {
        if let Some(id) = &self.id {
            page["browserContextId"] = json!(id);
        }
        self.chromium()
            .make("Target.createTarget", "targetId", &page)
    }

    fn chromium(&self) -> &Chromium {
        self.chromium.as_ref().expect("it is not dropped yet")
    }

    /// What tells the driver where the page is.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let options = json!({ "debuggerAddress": self.chromium().address });
        Map::from_iter([
            ("browserName".to_owned(), json!("chrome")),
            ("goog:chromeOptions".to_owned(), options),
        ])
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // Who knows what a test that failed has left; that Chromium is stopped.
        let Some(chromium) = self.chromium.take().filter(|_| !thread::panicking()) else {
            return;
        };
        let Some(id) = &self.id else { return };
        let id = json!({ "browserContextId": id });
        if chromium.call("Target.disposeBrowserContext", &id).is_ok() {
            IDLE.lock().push(chromium);
        }
    }
}
