//! Files of SQLite that are read-only, on a full disk, or copied while they are in use.

use std::{fs, path::Path};

use wiz_session::{Handle, Record, SessionStore as _, SqliteStore, Version, store::Created};

use crate::{
    shop,
    support::{self, small_disk::SmallDisk},
    tool::Tool,
};

async fn open(file: &Path) -> SqliteStore {
    let store = SqliteStore::connect(&url(file)).await.expect("a file");
    store.migrate().await.expect("a table");
    store
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// Of about so many bytes, of alice's.
fn record(bytes: usize) -> Record {
    let text = "x".repeat(bytes);
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"user":"alice","data":{{"text":"{text}"}}}}"#
    );
    let end = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    Record::from_json(&json, Version::FIRST, end).expect("a record")
}

fn handle() -> Handle {
    Handle::from_bytes(std::array::from_fn(|_| fastrand::u8(..)))
}

/// Creates sessions until there is no room for another one.
async fn fill(store: &SqliteStore) -> Vec<Handle> {
    let mut stored = Vec::new();
    loop {
        let handle = handle();
        match store.create(handle, &record(4_000)).await {
            Ok(Created::Created) => stored.push(handle),
            Ok(other) => panic!("{other:?}"),
            Err(_) => return stored,
        }
        assert!(stored.len() < 10_000, "the disk is not small");
    }
}

/// Another program fills the disk, while the WAL holds changes of sessions that are in the file already.
#[tokio::test]
async fn a_session_can_be_ended_on_a_disk_that_others_have_filled() {
    let Some(disk) = SmallDisk::mount("2m") else {
        return;
    };
    let file = disk.0.path().join("sessions.db");
    let store = open(&file).await;
    let stored: [Handle; 20] = std::array::from_fn(|_| handle());
    let (first, second) = (record(4_000), record(3_999));
    for handle in stored {
        store.create(handle, &first).await.expect("a create");
    }
    let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint
        .execute(store.pool())
        .await
        .expect("a checkpoint");
    for handle in stored {
        let replaced = store.replace(handle, Version::FIRST, &second).await;
        replaced.expect("a replace");
    }
    let logs = fs::write(disk.0.path().join("log"), vec![0; 4_000_000]);
    assert!(logs.is_err(), "the disk is full");

    let tool = Tool::on(&url(&file));
    let told = tool.run(&["revoke", &stored[0].to_string()]);
    assert_eq!(told.done(), "1 session ended");
    let told = tool.run(&["revoke-user", "alice"]);
    assert_eq!(told.done(), "19 sessions ended");
    store.pool().close().await;
}

#[tokio::test]
async fn a_disk_that_is_full_of_sessions_needs_a_little_room_to_end_one() {
    let Some(disk) = SmallDisk::mount("2m") else {
        return;
    };
    let (file, log) = (disk.0.path().join("sessions.db"), disk.0.path().join("log"));
    fs::write(&log, vec![0; 500_000]).expect("there is room yet");
    let store = open(&file).await;
    let stored = fill(&store).await;
    let tool = Tool::on(&url(&file));
    let revoke = ["revoke", &stored[0].to_string()];
    let ended = tool.run(&revoke);
    ended.fails(3, "full", "make room on the database's disk");
    fs::remove_file(&log).expect("a file");
    assert_eq!(tool.run(&revoke).done(), "1 session ended");
    let told = tool.run(&["revoke-user", "alice"]);
    let left = stored.len() - 1;
    assert_eq!(told.done(), format!("{left} sessions ended"));
    store.pool().close().await;
}

#[tokio::test]
async fn a_read_only_file_is_counted_and_listed() {
    let Some(disk) = SmallDisk::mount("2m") else {
        return;
    };
    let file = disk.0.path().join("sessions.db");
    let store = open(&file).await;
    let (visitor, _) = shop::user(&shop::app(store.clone()), "alice").await;
    store.pool().close().await;
    disk.make_read_only();
    let tool = Tool::on(&url(&file));
    assert_eq!(tool.run(&["count"]).done(), "1");
    assert!(
        tool.run(&["list", "alice"])
            .done()
            .contains(&visitor.handle)
    );
    assert!(tool.run(&["users"]).done().contains("alice"));
    tool.run(&["show", &visitor.handle]).done();
    let ended = tool.run(&["revoke", &visitor.handle]);
    ended.fails(3, "readonly database", "as a user who may write to both");
}

/// What is in the WAL would be left out, which nobody could see.
#[tokio::test]
async fn a_read_only_file_with_changes_beside_it_is_not_half_counted() {
    let Some(disk) = SmallDisk::mount("2m") else {
        return;
    };
    let folder = support::folder();
    let store = open(&folder.path().join("sessions.db")).await;
    shop::user(&shop::app(store.clone()), "alice").await;
    for name in ["sessions.db", "sessions.db-wal"] {
        fs::copy(folder.path().join(name), disk.0.path().join(name)).expect("a copy");
    }
    disk.make_read_only();
    let tool = Tool::on(&url(&disk.0.path().join("sessions.db")));
    tool.run(&["count"])
        .fails(3, "unable to open", "may you write to it");
}

/// What `docs/operating.md` says of backups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_file_in_use_is_whole_and_a_copied_file_is_not() {
    let folder = support::folder();
    let (file, backup) = (
        folder.path().join("sessions.db"),
        folder.path().join("backup.db"),
    );
    let store = open(&file).await;
    let mut stored = Vec::new();
    for _ in 0..20 {
        stored.push(handle());
        store
            .create(stored[stored.len() - 1], &record(100))
            .await
            .expect("a create");
    }
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                store
                    .create(handle(), &record(4_000))
                    .await
                    .expect("a create");
            }
        })
    };
    let vacuum = format!("VACUUM INTO '{}'", backup.display());
    let vacuum = sqlx::query(sqlx::AssertSqlSafe(vacuum.as_str()));
    vacuum.execute(store.pool()).await.expect("a backup");
    writer.abort();

    let restored = SqliteStore::connect(&url(&backup))
        .await
        .expect("the backup");
    let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check");
    let check = check.fetch_one(restored.pool()).await;
    assert_eq!(check.expect("a check"), "ok");
    for handle in &stored {
        assert!(restored.load(*handle).await.expect("a load").is_some());
    }

    let late = handle();
    store.create(late, &record(100)).await.expect("a create");
    let copy = folder.path().join("copy.db");
    fs::copy(&file, &copy).expect("a copy");
    let copied = SqliteStore::connect(&url(&copy)).await.expect("the copy");
    let found = copied.load(late).await;
    assert!(
        !matches!(found, Ok(Some(_))),
        "the last writes are not in the file"
    );
}
