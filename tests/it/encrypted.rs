//! `EncryptedStore`: what the store underneath sees, and keys that change.

use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use wiz_session::{
    EncryptedStore, Error, Handle, MemoryStore, Record, SessionStore, Version, WizSession,
    WizSessionLayer,
    store::{Created, conformance::Conformance},
};

use crate::support::{Browser, Yielding, key};

type Encrypted = EncryptedStore<MemoryStore>;

fn encrypted(store: &MemoryStore, byte: u8) -> Encrypted {
    EncryptedStore::new(store.clone(), key(byte))
}

fn layer(store: impl SessionStore) -> WizSessionLayer {
    WizSessionLayer::new(store, key(1))
}

/// A session of Alice's, with a secret.
async fn alice(store: &Encrypted) -> (Browser, Handle) {
    let mut browser = Browser::new(layer(store.clone()));
    let log_in = async |session: WizSession| {
        session.log_in("alice@example.com");
        session.label("Firefox on Linux");
        session.alias("oidc-sid", "08a5019c").await?;
        session.set("iban", "DE02120300000000202051")
    };
    browser.visit(log_in).await.is_ok();
    let handle = browser.handle().await.expect("a session");
    (browser, handle)
}

async fn dump(store: &MemoryStore) -> String {
    let page = store.scan(None, 1000).await.unwrap();
    let lines = page.sessions.iter().map(|(handle, record)| {
        let record = record.as_ref().unwrap();
        format!("{handle} {:?} {}\n", record.user(), record.to_json())
    });
    lines.collect()
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let store = || encrypted(&MemoryStore::new(), 2);
    Conformance::new().run(store()).await;
    let several = store().previous_keys([key(3)]).next_key(key(4));
    Conformance::new()
        .run(several.accept_unencrypted(true))
        .await;
}

#[tokio::test]
async fn a_dump_shows_neither_data_nor_users() {
    let inner = MemoryStore::new();
    let store = encrypted(&inner, 2);
    let (mut browser, _) = alice(&store).await;
    browser.visit(async |session| session.regenerate()).await;
    let dump = dump(&inner).await;
    assert_eq!(
        dump.lines().count(),
        3,
        "the session, what it left, the alias: {dump}"
    );
    for secret in [
        "alice", "example", "Firefox", "oidc", "08a5019c", "iban", "DE02",
    ] {
        assert!(!dump.contains(secret), "{secret}: {dump}");
    }
    let sessions = layer(store).sessions();
    let listed = sessions.list("alice@example.com").await.unwrap();
    assert_eq!(listed[0].label(), Some("Firefox on Linux"));
    assert_eq!(
        sessions.revoke_alias("oidc-sid", "08a5019c").await.unwrap(),
        1
    );
}

#[tokio::test]
async fn a_wrong_key_is_an_error_and_overwrites_nothing() {
    let inner = MemoryStore::new();
    let (browser, handle) = alice(&encrypted(&inner, 2)).await;
    let before = dump(&inner).await;
    let other = encrypted(&inner, 3);
    let error = other.load(handle).await.unwrap_err();
    assert!(
        error.is_store() && error.to_string().contains("does not have"),
        "{error}"
    );
    let mut browser = browser.through(layer(other.clone()));
    let reply = browser.write("a", 1).await;
    assert_eq!(reply.status.as_u16(), 503);
    assert!(reply.cookies().is_empty());
    assert_eq!(dump(&inner).await, before);
    assert!(
        other
            .previous_keys([key(2)])
            .load(handle)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn what_was_altered_or_copied_is_an_error() {
    let inner = MemoryStore::new();
    let store = encrypted(&inner, 2);
    let (_, handle) = alice(&store).await;
    let record = inner.load(handle).await.unwrap().unwrap();
    let elsewhere = Handle::from_bytes([7; 16]);
    assert_eq!(
        inner.create(elsewhere, &record).await.unwrap(),
        Created::Created
    );
    assert!(store.load(elsewhere).await.unwrap_err().is_store());

    let json = record.to_json();
    let end = json.rfind("\"}}").expect("the ciphertext's end");
    for at in [end - 1, end - 40, json.find("sealed").unwrap() + 12] {
        let mut altered = json.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let altered = Record::from_json(&altered, Version::FIRST, record.expires_at()).unwrap();
        let handle = Handle::from_bytes([at as u8; 16]);
        inner.create(handle, &altered).await.unwrap();
        assert!(
            store.load(handle).await.unwrap_err().is_store(),
            "byte {at}"
        );
    }
}

#[tokio::test]
async fn a_store_with_sessions_in_it_comes_to_be_encrypted() {
    let inner = MemoryStore::new();
    let mut plain = Browser::new(layer(inner.clone()));
    plain.visit(async |session| session.log_in("bob")).await;
    let strict = encrypted(&inner, 2);
    let reply = plain.through(layer(strict.clone())).write("a", 1).await;
    assert_eq!(reply.status.as_u16(), 503);

    let lenient = strict.clone().accept_unencrypted(true);
    let sessions = layer(lenient.clone()).sessions();
    assert_eq!(sessions.list("bob").await.unwrap().len(), 1);
    let mut bob = plain.through(layer(lenient));
    bob.write("a", 1).await.is_ok();
    assert_eq!(sessions.list("bob").await.unwrap().len(), 1);
    assert!(!dump(&inner).await.contains("bob"));
    assert_eq!(
        bob.through(layer(strict)).user().await.as_deref(),
        Some("bob")
    );
    assert_eq!(sessions.revoke_user("bob").await.unwrap(), 1);
}

#[tokio::test]
async fn keys_change_under_load_without_a_loss() {
    const WRITES: u32 = 300;
    let inner = MemoryStore::new();
    // Two processes, of the first and of the second deployment.
    let yielding = |byte| EncryptedStore::new(Yielding::new(inner.clone()), key(byte));
    let before = || yielding(2).next_key(key(3));
    let after = || yielding(3).previous_keys([key(2)]);
    let (browser, _) = alice(&encrypted(&inner, 2)).await;
    let write = async |store| {
        let mut browser = browser.through(layer(store));
        for _ in 0..WRITES {
            let add = async |session: WizSession| {
                session.update("n", |n: &mut u32| *n += 1)?;
                Ok::<_, Error>(())
            };
            browser.visit(add).await.is_ok();
        }
    };
    let list = async |store| {
        let sessions = layer(store).sessions();
        for _ in 0..WRITES {
            let listed = sessions.list("alice@example.com").await.unwrap();
            assert_eq!(listed.len(), 1);
        }
    };
    let writes = future::join(write(before()), write(after()));
    let lists = future::join(list(before()), list(after()));
    future::join(writes, lists).await;

    let mut browser = browser.through(layer(after()));
    assert_eq!(browser.read("n").await, Some(2 * WRITES));
    let sessions = layer(before()).sessions();
    assert_eq!(sessions.revoke_user("alice@example.com").await.unwrap(), 1);
    assert_eq!(browser.user().await, None);
}

/// Does something right after the first time that users are asked for.
struct Meanwhile(
    MemoryStore,
    parking_lot::Mutex<Option<BoxFuture<'static, ()>>>,
);

impl Meanwhile {
    fn new(store: &MemoryStore, does: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(store.clone(), parking_lot::Mutex::new(Some(does.boxed())))
    }

    async fn happens(&self) {
        let does = self.1.lock().take();
        if let Some(does) = does {
            does.await;
        }
    }
}

impl SessionStore for Meanwhile {
    wiz_session::forward_session_store!(self => self.0, except [list, delete_user]);

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let listed = self.0.list(user).await;
        self.happens().await;
        listed
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let deleted = self.0.delete_user(user, except).await;
        self.happens().await;
        deleted
    }
}

#[tokio::test]
async fn a_session_that_gets_the_other_key_meanwhile_is_ended_with_the_user() {
    let inner = MemoryStore::new();
    let before = encrypted(&inner, 2).next_key(key(3));
    let (_, handle) = alice(&before).await;
    let after = encrypted(&inner, 3).previous_keys([key(2)]);
    let writes = async move {
        let record = after.load(handle).await.unwrap().unwrap();
        after
            .replace(handle, record.version(), &record)
            .await
            .unwrap();
    };
    let store = EncryptedStore::new(Meanwhile::new(&inner, writes), key(3)).previous_keys([key(2)]);
    assert_eq!(
        store.delete_user("alice@example.com", None).await.unwrap(),
        1
    );
    assert!(store.load(handle).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_that_moves_to_the_other_key_meanwhile_is_listed_once() {
    let inner = MemoryStore::new();
    let after = encrypted(&inner, 3).previous_keys([key(2)]);
    let (_, handle) = alice(&after).await;
    let before = encrypted(&inner, 2).next_key(key(3));
    let moves = async move {
        let record = before.load(handle).await.unwrap().unwrap();
        let new = Handle::from_bytes([7; 16]);
        before.create(new, &record).await.unwrap();
        before.delete(handle).await.unwrap();
    };
    let store = EncryptedStore::new(Meanwhile::new(&inner, moves), key(3)).previous_keys([key(2)]);
    let listed = store.list("alice@example.com").await.unwrap();
    assert_eq!(listed.len(), 1, "a limit would end another one for it");
}
