//! Several processes on one SQLite file, and one that is killed.
//!
//! The other processes are this test program again, told by the environment to run [`child`] alone.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use wiz_session::{
    Handle, SessionStore, Version,
    store::{Replaced, SqliteStore},
};

use crate::{
    schema::{handle, in_an_hour, record},
    support,
};

const PROCESSES: u64 = 4;
const EACH: u64 = 100;

fn spawn(folder: &Path, task: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "processes::child", "--nocapture"])
        .env("WIZ_CHILD", task)
        .env("WIZ_CHILD_FILE", folder.join("sessions.db"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs")
}

/// The handles that a process printed.
fn printed(child: &mut Child) -> Vec<Handle> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("stored ")?.parse().ok())
        .collect()
}

/// A test only by name: what another process does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(task) = std::env::var("WIZ_CHILD") else {
        return;
    };
    let file = std::env::var("WIZ_CHILD_FILE").expect("a file");
    let store = SqliteStore::connect(&format!("sqlite:{file}"))
        .await
        .expect("the file");
    store.migrate().await.expect("a table");
    if task == "create" {
        loop {
            let handle = handle();
            store
                .create(handle, &record(None, in_an_hour()))
                .await
                .expect("a create");
            println!("stored {handle}");
        }
    }
    let shared: Handle = task.parse().expect("a handle");
    let mut done = 0;
    while done < EACH {
        let loaded = store
            .load(shared)
            .await
            .expect("a load")
            .expect("the record");
        match store
            .replace(shared, loaded.version(), &loaded)
            .await
            .expect("a replace")
        {
            Replaced::Stored(_) => done += 1,
            Replaced::Conflict => {}
            other => panic!("{other:?}: nobody deleted it"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_share_a_file() {
    let folder = support::folder();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    let store = SqliteStore::connect(&url).await.expect("a file");
    store.migrate().await.expect("a table");
    let shared = handle();
    store
        .create(shared, &record(None, in_an_hour()))
        .await
        .expect("a create");
    let children: Vec<Child> = (0..PROCESSES)
        .map(|_| spawn(folder.path(), &shared.to_string()))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success(), "a process failed");
    }
    let loaded = store
        .load(shared)
        .await
        .expect("a load")
        .expect("the record");
    assert_eq!(
        loaded.version(),
        Version::new(1 + PROCESSES * EACH),
        "each write counts once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_it_confirmed() {
    let folder = support::folder();
    let mut children: Vec<Child> = (0..2).map(|_| spawn(folder.path(), "create")).collect();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for child in &mut children {
        child.kill().expect("it runs");
    }
    let confirmed: Vec<Handle> = children.iter_mut().flat_map(printed).collect();
    for mut child in children {
        child.wait().expect("it has ended");
    }
    println!("{} sessions were confirmed", confirmed.len());
    assert!(confirmed.len() > 10, "the processes were at work");
    let store = SqliteStore::connect(&format!(
        "sqlite:{}",
        folder.path().join("sessions.db").display()
    ))
    .await;
    let store = store.expect("the file");
    for handle in &confirmed {
        assert!(
            store.load(*handle).await.expect("a load").is_some(),
            "{handle} was confirmed"
        );
    }
    assert!(store.count(SystemTime::now()).await.expect("a count") >= confirmed.len() as u64);
}
