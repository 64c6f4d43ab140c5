//! The suites that every store passes.

use wiz_session::{SessionStore, store::conformance};

use crate::{
    fresh::{Fresh, on_each_engine},
    races,
};

on_each_engine!(conforms, loses_no_race);

async fn conforms<S: SessionStore>(fresh: Fresh<S>) {
    conformance::run(fresh.store).await;
}

async fn loses_no_race<S: SessionStore + Clone>(fresh: Fresh<S>) {
    races::run(fresh.store, 2).await;
}
