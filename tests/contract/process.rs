//! The process: how it is configured and how it stops.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::Browser;
use crate::server::{Server, command};

/// Starts a server that must not start, and gives what it says on stderr.
fn refusal(name: &str, value: &str) -> String {
    let output = command()
        .env(name, value)
        .output()
        .expect("the server runs");
    assert!(!output.status.success(), "{name}={value} is accepted");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn refuses_a_short_secret() {
    let said = refusal("SESSION_SECRET", &"x".repeat(31));
    assert!(
        said.contains("SESSION_SECRET") && said.contains("32"),
        "{said}"
    );
    assert!(refusal("SESSION_SECRET", "").contains("32"));
}

#[test]
fn refuses_a_port_that_is_none() {
    for port in ["x", "65536", "-1"] {
        assert!(refusal("PORT", port).contains("PORT"));
    }
}

#[test]
fn refuses_a_cookie_that_may_be_secure() {
    for value in ["", "1", "TRUE"] {
        assert!(refusal("SECURE_COOKIE", value).contains("true or false"));
    }
}

#[test]
fn refuses_a_key_of_flasks_that_everybody_knows() {
    let said = refusal("FLASK_SECRET_KEY", "season-wiz-secret");
    assert!(
        said.contains("FLASK_SECRET_KEY") && said.contains("`season-wiz-secret`"),
        "{said}"
    );
    assert!(refusal("FLASK_SECRET_KEY", "").contains("is empty"));
}

#[test]
fn names_the_feature_a_store_needs() {
    let stores = [
        ("sqlite:sessions.db", "sqlite", cfg!(feature = "sqlite")),
        (
            "postgres://user:hunter2@localhost/db",
            "postgres",
            cfg!(feature = "postgres"),
        ),
        (
            "mysql://user:hunter2@localhost/db",
            "mysql",
            cfg!(feature = "mysql"),
        ),
        ("redis://localhost", "redis", cfg!(feature = "redis")),
        (
            "redis+cluster://localhost",
            "redis-cluster",
            cfg!(feature = "redis-cluster"),
        ),
    ];
    for (url, feature, _) in stores.iter().filter(|(_, _, compiled_in)| !compiled_in) {
        let said = refusal("STORE", url);
        assert!(said.contains(&format!("--features {feature}")), "{said}");
        assert!(!said.contains("hunter2"));
    }
}

#[test]
fn lists_the_stores_it_knows() {
    let said = refusal("STORE", "mongodb://user:hunter2@localhost");
    for known in ["memory", "sqlite:", "postgres://", "mysql://", "redis://"] {
        assert!(said.contains(known), "{said}");
    }
    assert!(!said.contains("hunter2"));
}

#[test]
fn refuses_a_taken_port() {
    let server = Server::start();
    let url = server.url("");
    let port = url.rsplit(':').next().expect("a port");
    assert!(refusal("PORT", port).contains("cannot listen"));
}

#[tokio::test]
async fn a_signal_finishes_the_requests_under_way() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let browser = Browser::new(&server);
        let body = json!({ "key": "k", "value": 1, "ms": 1000 });
        let slow = tokio::spawn(async move { browser.post("/api/slow_set", body).await });
        tokio::time::sleep(Duration::from_millis(300)).await;

        server.signal(signal);

        let answer = slow.await.expect("no panic").expect(200);
        assert_eq!(answer.json(), json!({ "ok": true }));
        let start = Instant::now();
        assert!(server.exited_cleanly());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn the_cookie_is_secure_where_that_is_asked_for() {
    let server = Server::spawn(command().env("SECURE_COOKIE", "true"));
    let answer = Browser::new(&server).add_to_cart(1).await;
    let cookie = answer.set_cookie().expect("a cookie");
    assert!(cookie.starts_with("__Host-sid="), "{cookie}");
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn there_are_guests_where_that_is_asked_for() {
    let body = |number: u32, password: &str| {
        let email = format!("guest{number}@example.com");
        json!({ "email": email, "password": password })
    };
    let server = Server::spawn(command().env("GUESTS", "1"));
    let guest = Browser::new(&server);
    guest
        .post("/api/login", body(7, "x"))
        .await
        .expect_error(401);
    let login = guest.post("/api/login", body(7, "guest")).await.expect(200);
    assert_eq!(login.json()["user"]["name"], "Guest 7");
    let check = guest.get("/api/check_session").await.expect(200);
    assert_eq!(check.json()["user"]["email"], "guest7@example.com");

    let server = Server::start();
    let guest = Browser::new(&server);
    guest
        .post("/api/login", body(7, "guest"))
        .await
        .expect_error(401);
    assert!(refusal("GUESTS", "yes").contains("GUESTS must be 0 or 1"));
}

#[test]
fn refuses_tls_and_devices_that_make_no_sense() {
    assert!(refusal("TLS_CERT", "cert.pem").contains("TLS_CERT and TLS_KEY belong together"));
    assert!(refusal("REQUIRE_DEVICE", "yes").contains("REQUIRE_DEVICE must be 0 or 1"));
    assert!(refusal("REQUIRE_DEVICE", "1").contains("sid is not Secure"));
    assert!(refusal("DEVICE_COOKIE", "x").contains("DEVICE_COOKIE"));
    let output = command()
        .env("TLS_CERT", "/nowhere/cert.pem")
        .env("TLS_KEY", "/nowhere/key.pem")
        .output()
        .expect("the server runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("cannot read TLS_CERT"), "{said}");
}
