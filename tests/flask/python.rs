//! Environments with packages of Python's registry, made once in `target/flask`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::support::program;

/// Flask 3.1, and what else a test of it needs.
pub(crate) fn flask_3_1() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let packages = [
        "flask==3.1.3",
        "flask-session==0.8.0",
        "flask-sqlalchemy==3.1.1",
        "redis",
        "psycopg[binary]",
        "pymysql",
    ];
    MADE.get_or_init(|| environment("flask-3.1.3", &[&packages]))
}

/// Flask 3.0, as wiz has it, and wiz. It names a hundred packages, for its editor: these are those of its server.
pub(crate) fn wiz() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let packages = [
        "flask==3.0.2",
        "werkzeug==3.0.1",
        "jinja2==3.1.3",
        "flask-socketio==5.3.6",
        "python-socketio==5.11.1",
        "pandas",
        "pillow",
    ];
    MADE.get_or_init(|| {
        environment(
            "season-2.5.2",
            &[&packages, &["--no-deps", "season==2.5.2"]],
        )
    })
}

fn environment(name: &str, installs: &[&[&str]]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/flask")
        .join(name);
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    let packages = format!("{installs:?}");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == packages) {
        return python;
    }
    // What is there may be half of one.
    let _none = std::fs::remove_dir_all(&folder);
    run(
        Command::new(program("python3", &[], "apt-get install -y python3-venv"))
            .args(["-m", "venv"])
            .arg(&folder),
    );
    for packages in installs {
        run(Command::new(&python)
            .args(["-m", "pip", "install", "-q"])
            .args(*packages));
    }
    std::fs::write(&ready, packages).expect("a folder to write to");
    python
}

fn run(command: &mut Command) {
    let output = command.output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed; on Debian it needs `apt-get install -y python3-venv`, and PyPI within reach:\n{said}"
    );
}
