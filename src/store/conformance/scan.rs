//! Going through all records, for stores that can.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use super::support::{assert_same, create, delete, load, record, tombstone};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Cursor, Page, SessionStore, scan::UNSUPPORTED},
};

/// Far more than the records of the suite take.
const MOST_PAGES: usize = 10_000;

pub(super) async fn check(store: &impl SessionStore) {
    match store.scan(None, 1).await {
        Err(error) if error.advice() == Some(UNSUPPORTED) => {}
        answer => {
            answer.expect("scan answers");
            every_record_is_on_a_page(store).await;
            what_changes_meanwhile_hides_no_other(store).await;
            a_cursor_of_another_store_is_an_error(store).await;
        }
    }
}

async fn page(store: &impl SessionStore, after: Option<&Cursor>, limit: usize) -> Page {
    store.scan(after, limit).await.expect("scan answers")
}

/// All records from here on. Cursors go through text, as they do in a tool that resumes.
async fn rest(
    store: &impl SessionStore,
    mut after: Option<Cursor>,
    limit: usize,
) -> BTreeMap<Handle, Record> {
    let mut records = BTreeMap::new();
    for _page in 0..MOST_PAGES {
        let page = page(store, after.as_ref(), limit).await;
        for (handle, record) in page.sessions {
            records.insert(handle, record.expect("the record can be read"));
        }
        after = page.next.map(|cursor| Cursor::new(cursor.to_string()));
        if after.is_none() {
            return records;
        }
    }
    panic!("scan comes to an end");
}

async fn every_record_is_on_a_page(store: &impl SessionStore) {
    let expired = SystemTime::now() - Duration::from_secs(60);
    let mut stored = vec![
        record(None, r#"{"n":1}"#),
        record(Some("alice"), "{}"),
        record(Some("alice"), "{}").with_version(Version::new(7)),
        record(None, "{}").with_expires_at(expired),
        tombstone(),
    ];
    stored.extend((0..20).map(|n| record(Some("bob"), &format!(r#"{{"n":{n}}}"#))));
    let mut expected = BTreeMap::new();
    for record in &stored {
        expected.insert(create(store, record).await, record);
    }
    // A store may have removed what has expired.
    for handle in expected.keys().copied().collect::<Vec<_>>() {
        if load(store, handle).await.is_none() {
            expected.remove(&handle);
        }
    }
    for limit in [0, 1, 2, 7, 1_000, usize::MAX] {
        let records = rest(store, None, limit).await;
        for (handle, expected) in &expected {
            let scanned = records.get(handle);
            assert_same(scanned, expected, "scan");
            let version = scanned.map(Record::version);
            assert_eq!(version, Some(expected.version()), "scan gives the version");
        }
    }
    let ended = create(store, &record(None, "{}")).await;
    delete(store, ended).await;
    let records = rest(store, None, 3).await;
    assert!(
        !records.contains_key(&ended),
        "what was deleted is on no page"
    );
}

/// Between two pages records appear and end, among them the last one that was seen.
async fn what_changes_meanwhile_hides_no_other(store: &impl SessionStore) {
    let (mut stay, mut go) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20 {
        stay.insert(create(store, &record(None, "{}")).await);
        go.insert(create(store, &record(None, "{}")).await);
    }
    let (mut seen, mut after) = (BTreeSet::new(), None);
    for _page in 0..MOST_PAGES {
        let page = page(store, after.as_ref(), 3).await;
        let handles: Vec<_> = page.sessions.iter().map(|(handle, _)| *handle).collect();
        for handle in handles.iter().filter(|handle| go.contains(handle)) {
            delete(store, *handle).await;
        }
        create(store, &record(None, "{}")).await;
        seen.extend(handles);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let missed = stay.difference(&seen).count();
    assert_eq!(missed, 0, "a record that is there throughout is on a page");
}

async fn a_cursor_of_another_store_is_an_error(store: &impl SessionStore) {
    let foreign = Cursor::new("of another store");
    let refused = store.scan(Some(&foreign), 10).await.map(|page| page.next);
    let is_store = refused.as_ref().err().is_some_and(Error::is_store);
    assert!(
        is_store,
        "a cursor that the store has not made: {refused:?}"
    );
}
