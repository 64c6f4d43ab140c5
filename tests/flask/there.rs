//! The applications that were there first.

use std::{fs, net::TcpStream, path::Path};

use crate::{
    python,
    support::{Server, folder, free_port, wait_for},
};

/// A Flask application, or a wiz project, of a test's own.
pub(crate) struct There {
    server: Server,
    pub(crate) port: u16,
    pub(crate) is_wiz: bool,
}

impl There {
    /// Flask 3.1.3, or whatever is in another environment.
    pub(crate) fn flask(python: &Path, key: &str, fallbacks: &[&str]) -> Self {
        let folder = folder();
        fs::write(folder.path().join("site.py"), include_str!("site.py")).expect("written");
        let port = free_port();
        let number = port.to_string();
        let arguments = [&["site.py", &number, key], fallbacks].concat();
        Self::answering(Server::start(folder, python, &arguments), port, false)
    }

    /// Flask with Flask-Session.
    pub(crate) fn flask_session(python: &Path, engine: &str, url: &str, settings: &[&str]) -> Self {
        let folder = folder();
        let site = include_str!("records/site.py");
        fs::write(folder.path().join("site.py"), site).expect("written");
        let port = free_port();
        let number = port.to_string();
        let arguments = [&["site.py", &number, engine, url], settings].concat();
        Self::answering(Server::start(folder, python, &arguments), port, false)
    }

    pub(crate) fn wiz(key: &str) -> Self {
        let (folder, port) = (folder(), free_port());
        let python = python::wiz();
        let package = python.parent().and_then(Path::parent).expect("bin/python");
        let package = package.join("lib");
        let python_lib = fs::read_dir(package)
            .expect("a library")
            .next()
            .expect("of one version");
        let season = python_lib
            .expect("it can be listed")
            .path()
            .join("site-packages/season");
        let boot = include_str!("wiz/boot.py");
        let boot = boot
            .replace("__KEY__", key)
            .replace("__PORT__", &port.to_string());
        let model = season.join("data/sample/src/portal/season/model/session.py");
        let files = [
            ("config/boot.py", boot),
            (
                "plugin/test/filter.py",
                include_str!("wiz/filter.py").to_owned(),
            ),
            (
                "project/main/bundle/src/model/portal/season/session.py",
                fs::read_to_string(model).expect("wiz's own"),
            ),
        ];
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, text).expect("written");
        }
        let arguments = ["-c", "import season; season.server('.').run()"];
        Self::answering(Server::start(folder, python, &arguments), port, true)
    }

    fn answering(server: Server, port: u16, is_wiz: bool) -> Self {
        wait_for("an application of Python's", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            server,
            port,
            is_wiz,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}
