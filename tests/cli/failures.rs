//! What goes wrong is said in one line, with what to do about it, and no password is in it.

use std::{fs, time::Instant};

use wiz_session::RedisStore;

use crate::{
    beside, place, redis_servers, shop,
    sql_servers::{self, Engine, Mortal},
    support,
    tool::Tool,
};

const PASSWORD: &str = "hunter2";
const MIGRATE: &str = "run `wiz-session migrate` first";
const LOOK_AT_URL: &str = "look at the URL of the store";
const IS_IT_RUNNING: &str = "is the server running";

#[test]
fn a_store_has_to_be_named() {
    for tool in [Tool::default(), Tool::on("")] {
        tool.run(&["count"])
            .fails(2, "where the sessions are", "set WIZ_SESSION_STORE");
    }
}

#[test]
fn the_argument_counts_more_than_the_environment() {
    let ended =
        Tool::on("sqlite:/nowhere/one.db").run(&["count", "--store", "sqlite:/nowhere/two.db"]);
    ended.fails(3, "there is no file /nowhere/two.db", "look at the path");
}

#[test]
fn a_url_that_makes_no_sense() {
    for url in [
        "hunter2",
        "hunter2:",
        "mongodb://app:hunter2@127.0.0.1/app",
        "redis+cluster:hunter2",
    ] {
        let ended = Tool::on(url).run(&["count"]);
        ended.fails(
            2,
            "none that is known",
            "it begins with sqlite:, postgres://",
        );
        assert!(!ended.err.contains(PASSWORD), "{ended:?}");
    }
    for url in [
        "postgres://app:hunter2@127.0.0.1:port/app",
        "mysql://app:hunter2@127.0.0.1:port/app",
        "redis://app:hunter2@127.0.0.1:port/",
        "redis+cluster://app:hunter2@127.0.0.1:port,127.0.0.1:1",
        "sqlite:sessions.db?mode=any",
    ] {
        let ended = Tool::on(url).run(&["count"]);
        ended.fails(2, "", LOOK_AT_URL);
        assert!(!ended.err.contains(PASSWORD), "{ended:?}");
    }
}

#[test]
fn a_server_that_is_not_there() {
    let port = support::free_port();
    for url in [
        format!("postgres://app:hunter2@127.0.0.1:{port}/app"),
        format!("mysql://app:hunter2@127.0.0.1:{port}/app"),
        format!("redis://app:hunter2@127.0.0.1:{port}/"),
        format!("redis+cluster://app:hunter2@127.0.0.1:{port},localhost:{port}"),
    ] {
        let ended = Tool::on(&url).run(&["count"]);
        ended.fails(3, "the session store failed: ", IS_IT_RUNNING);
        assert!(!ended.err.contains(PASSWORD), "{ended:?}");
    }
}

#[test]
fn a_server_that_does_not_answer() {
    let server = Mortal::start(Engine::Postgres);
    let tool = Tool::on(server.url());
    server.freeze();
    let start = Instant::now();
    let ended = tool.run(&["count", "--timeout", "1"]);
    server.thaw();
    ended.fails(3, "did not answer within 1s", "`--timeout SECONDS`");
    assert!(start.elapsed().as_secs() < 3, "{:?}", start.elapsed());
}

#[test]
fn a_wrong_password() {
    let postgres = sql_servers::postgres_url().replace("postgres@", "wiz_password:hunter2@");
    let mysql = sql_servers::mysql_url().replace("root@", "root:hunter2@");
    let server = redis_servers::Redis::start(&["--requirepass", "secret"]);
    let redis = server.url().replace("redis://", "redis://:hunter2@");
    for (url, says) in [
        (
            postgres,
            "password authentication failed for user \"wiz_password\"",
        ),
        (mysql, "Access denied for user 'root'"),
        (redis, "Password authentication failed"),
        (server.url(), "Authentication required"),
    ] {
        let ended = Tool::on(&url).run(&["count"]);
        ended.fails(3, says, "look at the user and the password");
        assert!(!ended.err.contains(PASSWORD), "{ended:?}");
    }
}

#[tokio::test]
async fn a_table_that_is_not_there() {
    let (sqlite, postgres) = (place::sqlite().await, place::postgres().await);
    let mysql = place::mysql().await;
    let tools = [
        ("no such table: wiz_sessions", &sqlite.tool),
        ("does not exist", &postgres.tool),
        ("doesn't exist", &mysql.tool),
    ];
    for (says, tool) in tools {
        for command in ["count", "sweep"] {
            tool.run(&[command]).fails(3, says, MIGRATE);
        }
        tool.run(&["list", "alice"]).fails(3, says, MIGRATE);
        let handle = "00112233445566778899aabbccddeeff";
        for command in ["show", "revoke"] {
            tool.run(&[command, handle]).fails(3, says, MIGRATE);
        }
        tool.run(&["migrate"]).done();
        assert_eq!(tool.run(&["count"]).done(), "0");
    }
}

#[test]
fn a_file_that_is_not_there_is_made_by_migrate_only() {
    let folder = support::folder();
    let file = folder.path().join("sessions.db");
    let tool = Tool::on(&format!("sqlite:{}", file.display()));
    tool.run(&["count"]).fails(
        3,
        "there is no file",
        "`wiz-session migrate` creates the file",
    );
    assert!(!file.exists());
    tool.run(&["migrate"]).done();
    assert_eq!(tool.run(&["count"]).done(), "0");
    let files = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1, "it tidied up");
}

#[test]
fn a_file_that_is_none_of_sqlite() {
    let folder = support::folder();
    let file = folder.path().join("sessions.db");
    fs::write(
        &file,
        "not a database, but long enough to be taken for one".repeat(20),
    )
    .expect("a file");
    let tool = Tool::on(&format!("sqlite:{}", file.display()));
    tool.run(&["count"]).fails(3, "not a database", "");
    let nowhere = format!("sqlite:{}/nowhere/sessions.db", folder.path().display());
    Tool::on(&nowhere).run(&["migrate"]).fails(
        3,
        "unable to open database file",
        "is the folder there",
    );
}

/// It takes no new session, and ends those that there are.
#[tokio::test]
async fn a_full_redis_lets_sessions_be_ended() {
    let server = redis_servers::Redis::start(&["--maxmemory", "3mb"]);
    let store = RedisStore::connect(&server.url()).await.expect("Redis");
    let app = shop::app(store);
    let (visitor, _) = shop::user(&app, "alice").await;
    let mut others = 0;
    while shop::anonymous_is_taken(&app).await {
        others += 1;
        assert!(others < 100_000, "it is not small");
    }
    let tool = Tool::on(&server.url());
    assert_eq!(
        tool.run(&["revoke", &visitor.handle]).done(),
        "1 session ended"
    );
    assert_eq!(
        tool.run(&["revoke-user", "alice"]).done(),
        "0 sessions ended"
    );
    assert_eq!(tool.run(&["count"]).done(), others.to_string());
}

#[test]
fn tls_that_is_not_built_in() {
    for url in [
        "rediss://app:hunter2@127.0.0.1/",
        "rediss+cluster://app:hunter2@127.0.0.1",
    ] {
        let ended = Tool::on(url).run(&["count"]);
        ended.fails(
            3,
            "TLS",
            "this build has no TLS; one that has: cargo install",
        );
        assert!(!ended.err.contains(PASSWORD), "{ended:?}");
    }
}

#[test]
fn a_server_that_cannot_be_verified() {
    let url = sql_servers::postgres_url() + "?sslmode=verify-full&sslrootcert=";
    let ended = Tool::on(&(url.clone() + "/no/such/file")).run(&["count"]);
    ended.fails(3, "/no/such/file", "?sslrootcert=FILE in the URL");
    let folder = support::folder();
    let authority = sql_servers::certify(folder.path(), "127.0.0.1");
    let ended = Tool::on(&(url + &authority)).run(&["count"]);
    ended.fails(3, "does not support TLS", "leave sslmode out of the URL");
}

#[test]
fn names_that_the_store_has_no_use_for() {
    let sqlite = Tool::on("sqlite:sessions.db");
    sqlite
        .run(&["count", "--prefix", "shop:"])
        .fails(2, "no prefix", "--table");
    Tool::on("redis://127.0.0.1/")
        .run(&["count", "--table", "shop"])
        .fails(2, "no tables", "--prefix");
}

#[tokio::test]
async fn a_table_name_that_is_none() {
    let place = place::sqlite().await;
    let ended = place.tool.run(&["count", "--table", "a; drop"]);
    ended.fails(2, "is no table name", "");
}

#[tokio::test]
async fn a_handle_that_is_none() {
    let place = place::sqlite().await;
    for command in ["show", "revoke"] {
        for text in ["", "alice", "0011", "00112233445566778899aabbccddeefg"] {
            let ended = place.tool.run(&[command, text]);
            ended.fails(
                2,
                "a session handle is 32 hexadecimal digits",
                "`wiz-session list USER`",
            );
        }
    }
}

#[test]
fn arguments_that_make_no_sense() {
    let tool = Tool::on("sqlite:/nowhere/sessions.db");
    for arguments in [
        &["frobnicate"][..],
        &["list"],
        &["count", "--batch", "1"],
        &["sweep", "--batch", "0"],
        &["count", "--timeout", "0"],
        &["count", "--timeout", "soon"],
    ] {
        let ended = tool.run(arguments);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains("error: "), "{ended:?}");
        assert!(ended.err.contains("--help"), "{ended:?}");
    }
    let ended = tool.run(&["count", "postgres://app:hunter2@127.0.0.1/app"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("unexpected argument '…'"), "{ended:?}");
    assert!(!ended.err.contains(PASSWORD), "{ended:?}");
}

#[test]
fn the_help_shows_examples_and_exit_codes_and_no_password() {
    let tool = Tool::on("postgres://app:hunter2@127.0.0.1/app");
    for arguments in [&["--help"][..], &["help"], &["-h"]] {
        let told = tool.run(arguments);
        for part in ["Examples:", "Exit codes:", "Stores:", "redis+cluster://"] {
            assert!(told.done().contains(part), "{part}: {told:?}");
        }
        assert!(!told.out.contains(PASSWORD), "{told:?}");
    }
    for command in ["key", "sweep", "show", "users", "copy"] {
        let told = tool.run(&[command, "--help"]);
        assert!(told.done().contains("Examples:"), "{told:?}");
        assert!(!told.out.contains(PASSWORD), "{told:?}");
    }
    let version = concat!("wiz-session ", env!("CARGO_PKG_VERSION"));
    assert_eq!(tool.run(&["--version"]).done(), version);
}

/// What the guide says there is, and no more and no less.
#[test]
fn the_help_and_the_guide_agree() {
    let guide = include_str!("../../docs/operating.md");
    let help = Tool::default().run(&["--help"]);
    let section = |name: &str| {
        let rest = help.done().split_once(name).expect("a section").1;
        let lines = rest
            .trim_start_matches(':')
            .trim_start_matches('\n')
            .lines();
        let lines = lines.take_while(|line| line.starts_with("  "));
        let first = lines.filter_map(|line| line.split_whitespace().next());
        first.map(str::to_owned).collect::<Vec<_>>()
    };
    let commands = section("Commands:");
    assert_eq!(commands.len(), 12, "eleven, and help");
    for command in commands.iter().filter(|command| *command != "help") {
        let row = format!("| `{command}");
        assert!(guide.lines().any(|line| line.starts_with(&row)), "{row}");
    }
    let codes = section("Exit codes:");
    assert_eq!(codes, ["0", "1", "2", "3", "130"]);
    for code in codes {
        let row = format!("| {code} |");
        assert!(guide.lines().any(|line| line.starts_with(&row)), "{row}");
    }
    for option in ["--store", "--table", "--prefix", "--timeout", "--json"] {
        assert!(section("Options:").iter().any(|o| o == option), "{option}");
        assert!(guide.contains(option), "{option}");
    }
}

/// By the codes that they have for it, which a trigger gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_disk_is_full() {
    const MAKE_ROOM: &str = "make room on the database's disk";
    let postgres = place::postgres().await;
    postgres.store.migrate().await.expect("a table");
    let (_, visitor) = shop::anonymous(&shop::app(postgres.store.clone())).await;
    let table = table_of(postgres.store.schema());
    let full = format!(
        "CREATE FUNCTION {table}_full() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$; \
        CREATE TRIGGER full_disk BEFORE DELETE ON {table} EXECUTE FUNCTION {table}_full()"
    );
    let client = beside::client(&sql_servers::postgres_url()).await;
    client.batch_execute(&full).await.expect("a trigger");
    let ended = postgres.tool.run(&["revoke", &visitor.handle]);
    ended.fails(3, "53100", MAKE_ROOM);

    let mysql = place::mysql().await;
    mysql.store.migrate().await.expect("a table");
    let (_, visitor) = shop::anonymous(&shop::app(mysql.store.clone())).await;
    let table = table_of(mysql.store.schema());
    for number in [1021, 1114] {
        let full = format!(
            "CREATE OR REPLACE TRIGGER {table}_full BEFORE DELETE ON {table} FOR EACH ROW \
            SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'no space'"
        );
        let full = sqlx::raw_sql(sqlx::AssertSqlSafe(full));
        full.execute(mysql.store.pool()).await.expect("a trigger");
        let ended = mysql.tool.run(&["revoke", &visitor.handle]);
        ended.fails(3, "no space", MAKE_ROOM);
    }
}

fn table_of(schema: &str) -> &str {
    let (_, rest) = schema.split_once("IF NOT EXISTS ").expect("a table");
    rest.split(' ').next().expect("its name")
}
