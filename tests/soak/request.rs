//! What a visitor asks of the example server.

use fastrand::Rng;
use serde_json::json;

/// A request, and what its answer may do to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never begins a session.
    Read,
    /// Begins one where there is none.
    Write,
    /// With a cookie that nobody was given.
    Forged,
    LogIn {
        token: bool,
    },
    LogOut,
}

/// How a visitor shows who they are.
#[derive(Clone)]
pub(crate) enum Identity {
    Nobody,
    Cookie(String),
    Token(String),
}

impl Identity {
    pub(crate) fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Nobody => None,
            Self::Cookie(cookie) => Some(("cookie", format!("sid={cookie}"))),
            Self::Token(token) => Some(("authorization", format!("Bearer {token}"))),
        }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// The value of the session's cookie, which a token is too.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::Cookie(value) | Self::Token(value) => Some(value),
        }
    }
}

const FORGED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA00112233445566778899aabbccddeeff";

impl Kind {
    /// Most requests read, as those of people do. A login takes 15 ms of a core, so they are one in two thousand.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        match rng.u16(..2_000) {
            0 => Self::LogIn { token: rng.bool() },
            1..=30 => Self::LogOut,
            31..=70 => Self::Forged,
            71..=500 => Self::Write,
            _ => Self::Read,
        }
    }

    pub(crate) fn write(self, identity: &Identity, rng: &mut Rng, out: &mut Vec<u8>) {
        let (path, body) = match self {
            Self::Read => (read(rng), None),
            Self::Forged => ("/api/session", None),
            Self::Write => write(rng),
            Self::LogIn { token } => ("/api/login", Some(credentials(token, rng))),
            Self::LogOut => ("/api/logout", Some("{}".to_owned())),
        };
        let identity = match self {
            Self::Forged => &Identity::Cookie(FORGED.to_owned()),
            _ => identity,
        };
        head(path, body.as_ref().map(String::len), identity, out);
        out.extend_from_slice(body.unwrap_or_default().as_bytes());
    }
}

/// All of a request but its body, which has this length.
pub(crate) fn head(path: &str, body: Option<usize>, identity: &Identity, out: &mut Vec<u8>) {
    let method = if body.is_some() { "POST " } else { "GET " };
    for part in [
        method,
        path,
        " HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some((name, value)) = identity.header() {
        for part in [name, ": ", &value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    if let Some(length) = body {
        let lines = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
        out.extend_from_slice(lines.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn read(rng: &mut Rng) -> &'static str {
    match rng.u8(..100) {
        0..30 => "/api/session",
        30..55 => "/api/get_cart",
        55..75 => "/api/check_session",
        75..90 => "/api/get_preferences",
        90..93 => "/users",
        93..94 => "/api/sessions",
        94..95 => "/login",
        _ => "/healthz",
    }
}

fn write(rng: &mut Rng) -> (&'static str, Option<String>) {
    let product = |rng: &mut Rng| json!({ "product_id": rng.u8(1..40) });
    let set = |key: &str, length| json!({ "key": key, "value": "x".repeat(length), "ms": 0 });
    let (path, body) = match rng.u8(..100) {
        0..35 => ("/api/add_to_cart", product(rng)),
        35..50 => ("/api/remove_from_cart", product(rng)),
        50..52 => ("/api/clear_cart", json!({})),
        52..65 => (
            "/api/update_preferences",
            json!({ "theme": rng.u8(..9).to_string() }),
        ),
        65..70 => (
            "/api/save_step1",
            json!({ "name": "Ann", "email": "ann@example.com" }),
        ),
        70..78 => ("/api/slow_set", flash(rng)),
        // A path that is remembered for the login, by whom it needs.
        78..82 => return ("/dashboard", None),
        82..99 => (
            "/api/slow_set",
            set(&format!("k{}", rng.u8(..8)), rng.usize(..1_000)),
        ),
        _ => ("/api/slow_set", set("large", rng.usize(..50_000))),
    };
    (path, Some(body.to_string()))
}

fn flash(rng: &mut Rng) -> serde_json::Value {
    let message = rng.u32(..).to_string();
    json!({ "key": "flash_message", "value": { "message": message, "type": "info" }, "ms": 0 })
}

/// One in ten has forgotten the password.
fn credentials(token: bool, rng: &mut Rng) -> String {
    let (email, password) = match rng.bool() {
        true => ("alice@example.com", "wonderland"),
        false => ("bob@example.com", "builder"),
    };
    let password = if rng.u8(..10) == 0 { "wrong" } else { password };
    json!({ "email": email, "password": password, "token": token }).to_string()
}
