//! Why the example server does not start.

use std::{ffi::OsStr, net::TcpListener, os::unix::ffi::OsStrExt};

use crate::{
    met::{Met, SECRET},
    server,
};

pub(crate) fn meet() -> Vec<Met> {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let store = |address: &str| refusal("STORE", address.as_ref());
    vec![
        refusal("PORT", "http".as_ref()),
        refusal("PORT", port.as_ref()),
        refusal("SESSION_SECRET", "hunter2".as_ref()),
        refusal("SECURE_COOKIE", "maybe".as_ref()),
        refusal("SECURE_COOKIE", OsStr::from_bytes(b"\xff")),
        refusal("FLASK_SECRET_KEY", "season-wiz-secret".as_ref()),
        store("mongodb://app:hunter2@localhost"),
        store("sqlite:/no/such/folder/sessions.db"),
        store("redis:hunter2"),
    ]
}

/// What it says where this is set.
fn refusal(name: &str, value: &OsStr) -> Met {
    let output = server::command()
        .env(name, value)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{name}={value:?}");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!said.contains(SECRET), "{said}");
    let mut lines = said.lines();
    let message = lines.next().and_then(|line| line.strip_prefix("error: "));
    let cause = lines.next().map(|line| line.starts_with("cause: "));
    assert!(cause.unwrap_or(true) && lines.next().is_none(), "{said}");
    Met::told(&message.unwrap_or_else(|| panic!("it says {said:?}")))
}
