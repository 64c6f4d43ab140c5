//! Finding and ending the sessions of a user.

use std::collections::BTreeSet;

use super::support::{assert_same, create, delete, handle, load, record, replace, tombstone};
use crate::{
    id::Handle,
    record::Version,
    store::{Replaced, SessionStore},
};

pub(super) async fn check(store: &impl SessionStore) {
    a_user_has_their_sessions_and_no_others(store).await;
    names_are_compared_byte_by_byte(store).await;
    the_list_follows_the_record(store).await;
    all_sessions_end_but_one(store).await;
}

async fn list(store: &impl SessionStore, user: &str) -> BTreeSet<Handle> {
    let listed = store.list(user).await.expect("list answers");
    assert!(
        listed.iter().all(|(_, record)| record.user() == Some(user)),
        "list gives the user's own records"
    );
    listed.into_iter().map(|(handle, _)| handle).collect()
}

fn name() -> String {
    format!("user {}", handle())
}

async fn a_user_has_their_sessions_and_no_others(store: &impl SessionStore) {
    let (alice, bob) = (name(), name());
    assert!(
        list(store, &alice).await.is_empty(),
        "a user without sessions"
    );
    let stored = record(Some(&alice), r#"{"n":1}"#);
    let of_alice = BTreeSet::from([create(store, &stored).await, create(store, &stored).await]);
    create(store, &record(Some(&bob), "{}")).await;
    create(store, &record(None, "{}")).await;
    assert_eq!(
        list(store, &alice).await,
        of_alice,
        "all sessions of the user, and no other"
    );
    for (_, listed) in store.list(&alice).await.expect("list answers") {
        assert_same(Some(&listed), &stored, "list");
    }
}

async fn names_are_compared_byte_by_byte(store: &impl SessionStore) {
    let base = name();
    let alike = [
        base.clone(),
        base.to_uppercase(),
        format!("{base} "),
        format!("{base}\u{0}"),
        format!("{base}é"),
        format!("{base}e\u{301}"),
        format!("{base}%"),
        format!("{base}🛒"),
        format!("{base}{{x}}"),
        format!("{base}:*"),
    ];
    for user in &alike {
        create(store, &record(Some(user), "{}")).await;
    }
    for user in &alike {
        assert_eq!(
            list(store, user).await.len(),
            1,
            "{user:?} is no other user"
        );
        assert_eq!(
            store
                .delete_user(user, None)
                .await
                .expect("delete_user answers"),
            1,
            "{user:?} is no other user"
        );
    }
}

async fn the_list_follows_the_record(store: &impl SessionStore) {
    let (alice, bob) = (name(), name());
    let session = create(store, &record(None, "{}")).await;
    replace(store, session, Version::FIRST, &record(Some(&alice), "{}")).await;
    assert_eq!(
        list(store, &alice).await,
        BTreeSet::from([session]),
        "replace gave it to a user"
    );
    replace(store, session, Version::new(2), &record(Some(&bob), "{}")).await;
    assert!(
        list(store, &alice).await.is_empty(),
        "replace took it from a user"
    );
    assert_eq!(
        list(store, &bob).await,
        BTreeSet::from([session]),
        "replace gave it to another"
    );

    let next = handle();
    let moved = record(Some(&bob), "{}");
    let answer = store
        .regenerate(session, Version::new(3), &tombstone(), next, &moved)
        .await;
    assert!(
        matches!(answer, Ok(Replaced::Stored(_))),
        "regenerate: {answer:?}"
    );
    assert_eq!(
        list(store, &bob).await,
        BTreeSet::from([next]),
        "regenerate moved it"
    );
    delete(store, next).await;
    assert!(list(store, &bob).await.is_empty(), "delete ended it");
}

async fn all_sessions_end_but_one(store: &impl SessionStore) {
    let user = name();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(create(store, &record(Some(&user), "{}")).await);
    }
    let other = create(store, &record(Some(&name()), "{}")).await;
    let kept = sessions[2];
    assert_eq!(
        store
            .delete_user(&user, Some(kept))
            .await
            .expect("delete_user answers"),
        4,
        "all but one"
    );
    assert_eq!(
        list(store, &user).await,
        BTreeSet::from([kept]),
        "the excepted one lives"
    );
    assert_eq!(
        store
            .delete_user(&user, Some(kept))
            .await
            .expect("delete_user answers"),
        0,
        "nothing is left to end"
    );
    assert_eq!(
        store
            .delete_user(&user, None)
            .await
            .expect("delete_user answers"),
        1,
        "and now that one too"
    );
    for handle in sessions {
        assert!(load(store, handle).await.is_none(), "delete_user");
    }
    assert!(
        load(store, other).await.is_some(),
        "delete_user leaves other users alone"
    );
}
