//! What is refused before anything runs.

use std::{any::Any, panic::UnwindSafe, time::Duration};

use wiz_session::{
    Clock, ConfigError, CookieOptions, DeviceBinding, Handle, Key, MemoryStore, SameSite, Sweeper,
    SweeperBuilder, WizSessionLayer, WizSessionLayerBuilder,
    flask::{FlaskBridge, FlaskSessionStore},
    store::{PostgresStore, RedisStore, SqliteStore},
    test_util::{self, TestStore},
};

use crate::met::Met;

pub(crate) fn meet() -> Vec<Met> {
    let of_settings = of_the_layer().into_iter().chain(of_the_cookie());
    let of_settings = of_settings.chain(of_the_device());
    let refused = of_settings
        .chain(of_the_sweeper())
        .chain(of_flask())
        .chain(of_flask_session())
        .chain([of_the_table(), of_the_connections()]);
    let mut met: Vec<_> = refused.map(|error| Met::told(&error)).collect();
    met.push(Met::told(&"hunter2".parse::<Handle>().unwrap_err()));
    met
}

fn refused(setting: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder) -> ConfigError {
    let builder = WizSessionLayer::builder(MemoryStore::new(), Key::generate());
    setting(builder).build().expect_err("it makes no sense")
}

fn of_the_layer() -> [ConfigError; 11] {
    let minute = Duration::from_secs(60);
    [
        refused(|layer| layer.idle_timeout(Duration::ZERO)),
        refused(|layer| layer.idle_timeout(2 * minute).absolute_timeout(minute)),
        refused(|layer| layer.remember_limit(minute)),
        refused(|layer| layer.idle_timeout(minute).touch_threshold(minute)),
        refused(|layer| layer.store_timeout(Duration::ZERO)),
        refused(|layer| layer.watch_interval(Duration::ZERO)),
        refused(|layer| layer.cache_for(Duration::ZERO)),
        refused(|layer| layer.cache_bytes(0)),
        refused(|layer| layer.max_bytes(0)),
        refused(|layer| layer.max_sessions_per_user(0)),
        refused(|layer| layer.next_cookie(CookieOptions::default())),
    ]
}

fn of_the_device() -> [ConfigError; 6] {
    let offer = DeviceBinding::offer;
    [
        refused(|layer| {
            layer
                .device_bound(offer())
                .cookie(CookieOptions::insecure("sid"))
        }),
        refused(|layer| {
            let cookie = CookieOptions::default().partitioned(true);
            layer.device_bound(offer()).cookie(cookie)
        }),
        refused(|layer| layer.device_bound(offer().cookie_lifetime(Duration::ZERO))),
        refused(|layer| layer.device_bound(offer().grace(Duration::ZERO))),
        refused(|layer| layer.device_bound(offer().path("device"))),
        refused(|layer| {
            let cookie = CookieOptions::new("sid").path("/app");
            layer.device_bound(offer()).cookie(cookie)
        }),
    ]
}

fn of_the_cookie() -> [ConfigError; 9] {
    let insecure = || CookieOptions::insecure("sid");
    [
        CookieOptions::new("a b"),
        insecure().name("n".repeat(129)),
        insecure().path("app"),
        insecure().path("/".repeat(1025)),
        insecure().domain("a;b"),
        CookieOptions::default().secure(false),
        insecure().name("__Secure-sid"),
        insecure().same_site(SameSite::None),
        insecure().partitioned(true),
    ]
    .map(|cookie| refused(|layer| layer.cookie(cookie)))
}

fn of_the_sweeper() -> [ConfigError; 2] {
    type Builder = SweeperBuilder<MemoryStore>;
    let settings: [fn(Builder) -> Builder; 2] = [
        |sweeper| sweeper.interval(Duration::ZERO),
        |sweeper| sweeper.batch(0),
    ];
    settings.map(|setting| {
        let builder = setting(Sweeper::builder(MemoryStore::new()));
        builder.spawn().expect_err("it makes no sense")
    })
}

fn of_flask() -> [ConfigError; 3] {
    [
        FlaskBridge::builder(""),
        FlaskBridge::builder("season-wiz-secret"),
        FlaskBridge::builder("hunter2").lifetime(Duration::ZERO),
    ]
    .map(|bridge| bridge.build().expect_err("it makes no sense"))
}

fn of_flask_session() -> [ConfigError; 2] {
    let builder = || FlaskSessionStore::builder(&Key::generate());
    let cluster = redis::cluster::ClusterClient::new(vec!["redis://127.0.0.1/"]);
    let cluster = RedisStore::from_cluster_client(cluster.expect("an address"));
    let server = redis::Client::open("redis://127.0.0.1/").expect("an address");
    let short = builder().lifetime(Duration::from_millis(999));
    [
        builder().redis(cluster).expect_err("it makes no sense"),
        short
            .redis(RedisStore::from_client(server))
            .expect_err("it makes no sense"),
    ]
}

fn of_the_table() -> ConfigError {
    let pool = SqliteStore::pool_options().connect_lazy("sqlite::memory:");
    let store = SqliteStore::from_pool(pool.expect("an address"));
    store.with_table("no; table").expect_err("no name")
}

fn of_the_connections() -> ConfigError {
    let store = PostgresStore::from_config(tokio_postgres::Config::new());
    store.with_connections(0).expect_err("none")
}

pub(crate) fn panics() -> Vec<Met> {
    let without_a_runtime =
        std::thread::spawn(|| panic_of(|| drop(Sweeper::spawn(MemoryStore::new()))));
    vec![
        panic_of(|| Clock::system().advance(Duration::ZERO)),
        panic_of(|| _ = Key::derive_from(b"hunter2")),
        without_a_runtime.join().expect("it was caught"),
    ]
}

fn panic_of(work: impl FnOnce() + UnwindSafe) -> Met {
    told_by(&*std::panic::catch_unwind(work).expect_err("it panics"))
}

fn told_by(panic: &(dyn Any + Send)) -> Met {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Met::told(&text.expect("a panic with a text"))
}

/// What helps with the tests of an application.
pub(crate) async fn panics_of_tests() -> Vec<Met> {
    let empty = async {
        let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
        test_util::session_cookie(&layer, |_| Ok(())).await;
    };
    let failing = async {
        let store = TestStore::new();
        store.fail_all();
        let layer = WizSessionLayer::new(store, Key::generate());
        test_util::session_cookie(&layer, |session| session.set("pin", "hunter2")).await;
    };
    let (empty, failing) = (tokio::spawn(empty).await, tokio::spawn(failing).await);
    let panics = [empty, failing].map(|end| end.expect_err("it panics").into_panic());
    panics.iter().map(|panic| told_by(&**panic)).collect()
}
