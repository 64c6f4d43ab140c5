//! Going through all records, for stores that can.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    parallel::in_parallel,
    rule,
    samples::{Kept, MINUTE, kept, record, tombstone},
    subject::Subject,
};
use crate::{
    error::Error,
    id::Handle,
    record::Version,
    store::{Cursor, Page, SessionStore, scan::UNSUPPORTED},
};

/// Far more than the records of the suite take.
const MOST_PAGES: usize = 10_000;

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    match store.try_scan(None, 1).await {
        Err(error) if error.advice() == Some(UNSUPPORTED) => {}
        Err(error) => rule::failed("scan", &error),
        Ok(_) => {
            every_record_is_on_a_page(store).await;
            what_changes_meanwhile_hides_no_other(store).await;
            a_cursor_of_another_store_is_an_error(store).await;
        }
    }
}

async fn page(store: &Subject<impl SessionStore>, after: Option<&Cursor>, limit: usize) -> Page {
    let page = store.try_scan(after, limit).await;
    page.unwrap_or_else(|error| rule::failed("scan", &error))
}

/// All records. Cursors go through text, as they do in a tool that resumes.
async fn all(store: &Subject<impl SessionStore>, limit: usize) -> BTreeMap<Handle, Kept> {
    let (mut records, mut after) = (BTreeMap::new(), None);
    for _page in 0..MOST_PAGES {
        let page = page(store, after.as_ref(), limit).await;
        for (handle, record) in page.sessions {
            match record {
                Ok(record) => drop(records.insert(handle, kept(&record))),
                Err(error) => rule::FAILURES.broken(format_args!("scan cannot read: {error}")),
            }
        }
        after = page.next.map(|cursor| Cursor::new(cursor.to_string()));
        if after.is_none() {
            return records;
        }
    }
    rule::SCAN.broken("scan comes to an end")
}

async fn every_record_is_on_a_page(store: &Subject<impl SessionStore>) {
    let now = store.now();
    let mut stored = vec![
        record(now, None, r#"{"n":1}"#),
        record(now, Some("alice"), "{}"),
        record(now, Some("alice"), "{}").with_version(Version::new(7)),
        record(now, None, "{}").with_expires_at(now - MINUTE),
        tombstone(now),
    ];
    stored.extend((0..20).map(|n| record(now, Some("bob"), &format!(r#"{{"n":{n}}}"#))));
    let mut expected = BTreeMap::new();
    for record in &stored {
        expected.insert(store.insert(record).await, kept(record));
    }
    for limit in [0, 1, 7, 1_000, usize::MAX] {
        let mut scanned = all(store, limit).await;
        scanned.retain(|handle, _| expected.contains_key(handle));
        let what = format!("scan by pages of {limit}");
        rule::SCAN.equal(&scanned, &expected, what);
    }
    let ended = store.insert(&record(now, None, "{}")).await;
    store.delete(ended).await;
    let scanned = all(store, 3).await;
    let is_there = scanned.contains_key(&ended);
    rule::VISIBLE.equal(is_there, false, "scan after delete");
    // What follows is to be among few others.
    in_parallel(store, scanned.into_keys(), |store, handle| async move {
        store.delete(handle).await
    })
    .await;
}

/// Between two pages records appear and end, among them the last one that was seen.
async fn what_changes_meanwhile_hides_no_other(store: &Subject<impl SessionStore>) {
    let session = record(store.now(), None, "{}");
    let (mut stay, mut go) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..50 {
        stay.insert(store.insert(&session).await);
        go.insert(store.insert(&session).await);
    }
    let (mut seen, mut after) = (BTreeSet::new(), None);
    let mut pages = 0;
    for number in 0..MOST_PAGES {
        pages += 1;
        let page = page(store, after.as_ref(), 3).await;
        let handles: Vec<_> = page.sessions.iter().map(|(handle, _)| *handle).collect();
        for handle in handles.iter().filter(|handle| go.contains(handle)) {
            store.delete(*handle).await;
        }
        if number % 5 == 0 {
            store.insert(&session).await;
        }
        seen.extend(handles);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let missed = stay.difference(&seen).count();
    let what = "records that a scan missed, though they were there throughout";
    rule::SCAN.equal(missed, 0, what);
    // An engine that cannot tell exactly has a page of more here and there.
    let what = format!("a scan of 100 sessions by pages of 3 took {pages}");
    rule::SCAN.holds(pages >= 5, what);
}

async fn a_cursor_of_another_store_is_an_error(store: &Subject<impl SessionStore>) {
    let foreign = Cursor::new("of another store");
    let refused = store.try_scan(Some(&foreign), 10).await;
    let is_error = refused.as_ref().is_err_and(Error::is_store);
    let what = "scan with a cursor that the store has not made is an error";
    rule::FAILURES.holds(is_error, what);
}
