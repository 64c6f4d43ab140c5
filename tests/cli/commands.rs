//! Each command on each store, for people and for programs.

use serde_json::{Value, json};
use wiz_session::SessionStore;

use crate::{
    place::{Place, on_each_store},
    shop::{self, Visitor},
    tool::Tool,
};

on_each_store!(every_command_does_its_work, nothing_tells_a_secret);

async fn every_command_does_its_work<S: SessionStore + Clone>(place: Place<S>) {
    let (store, tool) = (place.store, place.tool);
    migrates(&tool);
    let app = shop::app(store.clone());
    assert_eq!(tool.run(&["count"]).done(), "0");
    let (first, before) = shop::user(&app, "alice").await;
    let (second, _) = shop::user(&app, "alice").await;
    let (bob, _) = shop::user(&app, "bob").await;
    let (_, nobody) = shop::anonymous(&app).await;
    let expired = shop::expired(&store).await.to_string();

    counts(&tool);
    lists(&tool, &first, &second, &expired);
    ranks_users(&tool);
    ranks_sessions(&tool, &first, &nobody, &expired);
    shows_a_user(&tool, &first);
    shows_nobody(&tool, &nobody);
    shows_what_is_over(&tool, &expired, &before.handle);
    sweeps(&tool);
    revokes(&tool, &first);
    revokes_all(&tool, &second);
    assert_eq!(tool.run(&["show", &bob.handle]).code, Some(0), "untouched");
}

fn migrates(tool: &Tool) {
    for _ in 0..2 {
        let told = tool.run(&["migrate"]);
        let is_redis = told.done() == "Redis has no tables: there is nothing to do";
        assert!(is_redis || told.done() == "the table is there", "{told:?}");
        let told = tool.run(&["migrate", "--json"]).json();
        assert_eq!(told, json!({ "migrated": !is_redis }));
    }
}

fn counts(tool: &Tool) {
    assert_eq!(tool.run(&["count"]).done(), "4", "the live ones");
    assert_eq!(tool.run(&["count", "--json"]).json(), json!({ "count": 4 }));
}

fn lists(tool: &Tool, first: &Visitor, second: &Visitor, expired: &str) {
    let told = tool.run(&["list", "alice"]);
    let lines: Vec<&str> = told.done().lines().collect();
    assert_eq!(lines.len(), 3, "a head and two sessions: {told:?}");
    let head: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(
        head,
        ["HANDLE", "CREATED", "LOGGED", "IN", "EXPIRES", "LABEL"]
    );
    assert!(lines[1].ends_with("  Firefox on Linux"), "{told:?}");
    assert!(!told.out.contains(expired));
    for visitor in [first, second] {
        assert!(told.out.contains(&visitor.handle), "{told:?}");
    }

    let listed = tool.run(&["list", "alice", "--json"]).json();
    let handles: Vec<&Value> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|l| &l["handle"])
        .collect();
    assert_eq!(
        handles,
        [&second.handle, &first.handle],
        "the latest login first"
    );
    for line in listed.as_array().expect("a list") {
        assert_eq!(line["label"], "Firefox on Linux");
        assert_eq!(line["device_bound"], false);
        for time in ["created_at", "authenticated_at", "expires_at"] {
            assert!(is_time(&line[time]), "{time}: {line}");
        }
    }

    let told = tool.run(&["list", "carol"]);
    let says = "wiz-session: this user has no live session\n";
    assert_eq!((told.code, &*told.out, &*told.err), (Some(0), "", says));
    assert_eq!(tool.run(&["list", "carol", "--json"]).json(), json!([]));
}

fn ranks_users(tool: &Tool) {
    let told = tool.run(&["users"]);
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(Into::into).collect() };
    let lines: Vec<_> = told.done().lines().map(words).collect();
    assert_eq!(lines[0], ["SESSIONS", "LAST", "LOGIN", "USER"]);
    let [alice, bob] = &lines[1..] else {
        panic!("two users: {told:?}");
    };
    assert_eq!((&*alice[0], &*alice[2]), ("2", "alice"), "the most first");
    assert_eq!((&*bob[0], &*bob[2]), ("1", "bob"));

    let users = tool.run(&["users", "--most", "1", "--json"]).json();
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{users}");
    assert_eq!(
        (&users[0]["user"], &users[0]["sessions"]),
        (&json!("alice"), &json!(2))
    );
    assert!(is_time(&users[0]["last_login"]), "{users}");
}

fn ranks_sessions(tool: &Tool, user: &Visitor, nobody: &Visitor, expired: &str) {
    let told = tool.run(&["top"]);
    assert_eq!(told.done().lines().count(), 5, "a head, and the live ones");
    assert!(!told.out.contains(expired));
    let first = told.done().lines().nth(1).expect("a line");
    assert!(first.contains("alice") || first.contains("bob"), "{told:?}");
    let last = told.done().lines().last().expect("a line");
    assert!(last.starts_with(&nobody.handle) && last.ends_with("  -"));

    let top = tool.run(&["top", "--most", "3", "--json"]).json();
    let sessions = top.as_array().expect("a list");
    assert_eq!(sessions.len(), 3);
    let bytes = sessions.iter().map(|session| session["bytes"].as_u64());
    let bytes: Vec<_> = bytes.map(|bytes| bytes.expect("a number")).collect();
    assert!(bytes.is_sorted_by(|a, b| a >= b), "{top}");
    let user = sessions.iter().find(|it| it["handle"] == user.handle);
    assert_eq!(user.expect("it is there")["user"], "alice");
}

fn shows_a_user(tool: &Tool, visitor: &Visitor) {
    let told = tool.run(&["show", &visitor.handle]);
    for line in ["state       live", "user        alice", "values      2"] {
        assert!(told.done().lines().any(|l| l == line), "{line}: {told:?}");
    }
    assert!(told.out.contains("diary  12 bytes"), "{told:?}");
    assert!(
        !told.out.contains("dear"),
        "the values are the user's: {told:?}"
    );
    let told = tool.run(&["show", &visitor.handle, "--values"]);
    assert!(
        told.done().contains(r#"diary  12 bytes  "dear diary""#),
        "{told:?}"
    );

    let shown = tool.run(&["show", &visitor.handle, "--json"]).json();
    let sizes = json!({ "cart": { "bytes": 6 }, "diary": { "bytes": 12 } });
    assert_eq!(shown["handle"], visitor.handle);
    assert_eq!(
        (&shown["state"], &shown["user"]),
        (&json!("live"), &json!("alice"))
    );
    assert_eq!((&shown["values"], &shown["version"]), (&sizes, &json!(2)));
    assert_eq!(shown["remember_seconds"], Value::Null);
    for time in ["created_at", "authenticated_at", "expires_at", "deadline"] {
        assert!(is_time(&shown[time]), "{time}: {shown}");
    }
    let shown = tool
        .run(&["show", &visitor.handle, "--json", "--values"])
        .json();
    assert_eq!(
        shown["values"]["cart"],
        json!({ "bytes": 6, "value": [1, 20] })
    );
}

fn shows_nobody(tool: &Tool, visitor: &Visitor) {
    let told = tool.run(&["show", &visitor.handle]);
    for line in ["user        -", "logged in   -", "values      1"] {
        assert!(told.done().lines().any(|l| l == line), "{line}: {told:?}");
    }
    let shown = tool.run(&["show", &visitor.handle, "--json"]).json();
    assert_eq!(
        (&shown["user"], &shown["authenticated_at"]),
        (&Value::Null, &Value::Null)
    );
}

/// It is shown, and yet there is no such session.
fn shows_what_is_over(tool: &Tool, expired: &str, moved: &str) {
    for (handle, state) in [(expired, "expired"), (moved, "moved")] {
        let told = tool.run(&["show", handle]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(
            told.out.contains(&format!("state       {state}\n")),
            "{told:?}"
        );
        let told = tool.run(&["show", handle, "--json"]);
        let shown: Value = serde_json::from_str(&told.out).expect("JSON");
        assert_eq!((told.code, &shown["state"]), (Some(1), &json!(state)));
    }
}

fn sweeps(tool: &Tool) {
    assert_eq!(
        tool.run(&["sweep", "--batch", "1"]).done(),
        "1 expired session deleted"
    );
    assert_eq!(tool.run(&["sweep"]).done(), "0 expired sessions deleted");
    let swept = tool.run(&["sweep", "--json"]).json();
    assert_eq!(swept, json!({ "deleted": 0, "interrupted": false }));
    assert_eq!(tool.run(&["count"]).done(), "4", "the live ones stay");
}

fn revokes(tool: &Tool, visitor: &Visitor) {
    assert_eq!(
        tool.run(&["revoke", &visitor.handle]).done(),
        "1 session ended"
    );
    tool.run(&["revoke", &visitor.handle])
        .tells_there_is_no_session();
    tool.run(&["show", &visitor.handle])
        .tells_there_is_no_session();
    for (command, told) in [("revoke", json!({ "revoked": 0 })), ("show", Value::Null)] {
        let ended = tool.run(&[command, &visitor.handle, "--json"]);
        assert_eq!((ended.code, &*ended.err), (Some(1), ""), "{ended:?}");
        assert_eq!(
            serde_json::from_str::<Value>(&ended.out).expect("JSON"),
            told
        );
    }
    assert_eq!(tool.run(&["count"]).done(), "3");
}

fn revokes_all(tool: &Tool, visitor: &Visitor) {
    assert_eq!(
        tool.run(&["revoke-user", "alice"]).done(),
        "1 session ended"
    );
    tool.run(&["show", &visitor.handle])
        .tells_there_is_no_session();
    assert_eq!(
        tool.run(&["revoke-user", "alice"]).done(),
        "0 sessions ended"
    );
    let revoked = tool.run(&["revoke-user", "alice", "--json"]).json();
    assert_eq!(revoked, json!({ "revoked": 0 }));
    assert_eq!(
        tool.run(&["count"]).done(),
        "2",
        "bob's, and the anonymous one"
    );
}

/// All that can be said of a session, and neither its cookie nor its id is in it; nor if somebody takes one for a
/// handle.
async fn nothing_tells_a_secret<S: SessionStore + Clone>(place: Place<S>) {
    let tool = place.tool;
    tool.run(&["migrate"]);
    let app = shop::app(place.store);
    let (visitor, before) = shop::user(&app, "alice").await;
    let (cookie, id) = (&*visitor.secrets[0], &*visitor.secrets[1]);
    for handle in [&visitor.handle, &before.handle] {
        tool.run(&["show", handle, "--values"]);
        tool.run(&["show", handle, "--values", "--json"]);
    }
    for format in [&[][..], &["--json"]] {
        tool.run(&[&["list", "alice"], format].concat());
        tool.run(&[&["count"], format].concat());
        tool.run(&[&["sweep"], format].concat());
        tool.run(&[&["revoke", &visitor.handle], format].concat());
        tool.run(&[&["revoke-user", "alice"], format].concat());
        for secret in [cookie, id] {
            tool.run(&[&["show", secret], format].concat());
            tool.run(&[&["revoke", secret], format].concat());
            tool.run(&[&["revoke", &visitor.handle, secret], format].concat());
        }
    }
    let printed = tool.printed();
    assert!(printed.contains(&visitor.handle), "it did say something");
    for secret in visitor.secrets.iter().chain(&before.secrets) {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// Such as 2026-03-01T12:00:00Z, which `jq` reads with `fromdate`.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let shape = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c });
    shape.collect::<String>() == "0000-00-00T00:00:00Z"
}
