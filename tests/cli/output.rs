//! Where the answer goes: closed pipes, full disks, and texts that would play with a terminal.

use std::{fs::File, process::Stdio};

use wiz_session::{Record, SessionStore as _, Version, store::Created};

use crate::{
    place, shop,
    tool::{Ended, Tool},
};

#[tokio::test]
async fn a_closed_pipe_is_no_failure() {
    let place = place::sqlite().await;
    place.tool.run(&["migrate"]).done();
    shop::user(&shop::app(place.store.clone()), "alice").await;
    for arguments in [
        &["list", "alice"][..],
        &["users"],
        &["top"],
        &["count"],
        &["count", "--json"],
        &["sweep"],
        &["migrate"],
        &["key"],
        &["--help"],
    ] {
        let mut command = place.tool.command(arguments);
        let mut child = command
            .stdout(closed())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool runs");
        drop(child.stdout.take());
        let ended = Ended::from(child.wait_with_output().expect("it ends"));
        assert_eq!(
            (ended.code, &*ended.err),
            (Some(0), ""),
            "{arguments:?}: {ended:?}"
        );
    }
}

#[tokio::test]
async fn a_failure_that_nobody_hears_keeps_its_code() {
    let place = place::sqlite().await;
    let unknown = ["show", "00112233445566778899aabbccddeeff"];
    place.tool.run(&["migrate"]).done();
    for (tool, arguments, code) in [
        (&place.tool, &unknown[..], 1),
        (&place.tool, &["frobnicate"], 2),
        (&Tool::on("sqlite:/nowhere/sessions.db"), &["count"], 3),
    ] {
        let status = tool.command(arguments).stderr(closed()).status();
        assert_eq!(
            status.expect("the tool runs").code(),
            Some(code),
            "{arguments:?}"
        );
    }
}

/// The end to write to of a pipe that nobody reads from.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let mut command = Tool::default().command(&["key"]);
    let output = command.stdout(full).output().expect("the tool runs");
    let ended = Ended::from(output);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let told = "wiz-session: the answer could not be written: ";
    assert!(ended.err.starts_with(told), "{ended:?}");
}

/// Users choose their names, and what is in their sessions.
#[tokio::test]
async fn what_users_choose_plays_no_tricks_on_a_terminal() {
    let place = place::sqlite().await;
    place.tool.run(&["migrate"]).done();
    let handle = "00112233445566778899aabbccddeeff";
    let json = r#"{"v":1,"created_at":1,"deadline":253402300799999,"user":"al\u001b[2Jice","data":{"k\u009b1m":"\u007f\n","n":12345678901234567890.10}}"#;
    let end = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let record = Record::from_json(json, Version::FIRST, end).expect("a record");
    let created = place
        .store
        .create(handle.parse().expect("a handle"), &record);
    assert_eq!(created.await.expect("a create"), Created::Created);

    let told = place.tool.run(&["show", handle, "--values"]);
    assert!(
        told.done().chars().all(|c| c == '\n' || !c.is_control()),
        "{told:?}"
    );
    assert!(told.out.contains(r"user        al\u{1b}[2Jice"), "{told:?}");
    let exact = r#""n":{"bytes":23,"value":12345678901234567890.10}"#;
    let told = place.tool.run(&["show", handle, "--values", "--json"]);
    assert!(told.done().contains(exact), "every digit: {told:?}");
}
