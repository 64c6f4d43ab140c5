//! What is refused before anything runs.

use std::{panic::UnwindSafe, time::Duration};

use wiz_session::{
    Clock, ConfigError, CookieOptions, Handle, Key, MemoryStore, SameSite, Sweeper, SweeperBuilder,
    WizSessionLayer, WizSessionLayerBuilder, store::SqliteStore,
};

use crate::met::Met;

pub(crate) fn meet() -> Vec<Met> {
    let of_settings = of_the_layer().into_iter().chain(of_the_cookie());
    let refused = of_settings.chain(of_the_sweeper()).chain([of_the_table()]);
    let mut met: Vec<_> = refused.map(|error| Met::told(&error)).collect();
    met.push(Met::told(&"hunter2".parse::<Handle>().unwrap_err()));
    met
}

fn refused(setting: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder) -> ConfigError {
    let builder = WizSessionLayer::builder(MemoryStore::new(), Key::generate());
    setting(builder).build().expect_err("it makes no sense")
}

fn of_the_layer() -> [ConfigError; 5] {
    let minute = Duration::from_secs(60);
    [
        refused(|layer| layer.idle_timeout(Duration::ZERO)),
        refused(|layer| layer.idle_timeout(2 * minute).absolute_timeout(minute)),
        refused(|layer| layer.idle_timeout(minute).touch_after(minute)),
        refused(|layer| layer.store_timeout(Duration::ZERO)),
        refused(|layer| layer.max_bytes(0)),
    ]
}

fn of_the_cookie() -> [ConfigError; 7] {
    let insecure = || CookieOptions::insecure("sid");
    [
        CookieOptions::new("a b"),
        insecure().path("app"),
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

fn of_the_table() -> ConfigError {
    let pool = SqliteStore::pool_options().connect_lazy("sqlite::memory:");
    let store = SqliteStore::from_pool(pool.expect("an address"));
    store.with_table("no; table").expect_err("no name")
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
    let panic = std::panic::catch_unwind(work).expect_err("it panics");
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Met::told(&text.expect("a panic with a text"))
}
