use super::scenario::*;
use crate::{
    Error,
    commit::{CookieAction::Set, Found},
    record::Record,
};

fn creates() -> Scenario {
    let scenario = Scenario::new().set("a", "1").commits();
    scenario.asks(Create(New(0), r#"{"a":1}"#))
}

#[test]
fn the_first_value_begins_a_session() {
    creates()
        .answers(IsCreated)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set))
        .sees(r#"{"a":1}"#)
        .has_nothing_pending();
}

#[test]
fn a_login_on_a_session_that_has_ended_begins_one() {
    let scenario = Scenario::new().found(Found::moved);
    let scenario = scenario.log_in("alice").commits();
    let scenario = scenario.asks(Create(New(0), "{}"));
    assert_eq!(scenario.written.as_ref().unwrap().user(), Some("alice"));
    scenario
        .answers(IsCreated)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

#[test]
fn a_users_name_that_does_not_fit_is_refused() {
    let scenario = Scenario::new().set("a", "1").log_in(&"x".repeat(100));
    scenario.commits().fails(Error::is_too_large);
}

#[test]
fn no_session_begins_once_the_headers_are_sent() {
    let scenario = Scenario::new().headers_sent().set("a", "1");
    scenario.commits().fails(Error::is_headers_sent);
}

#[test]
fn of_ids_that_are_in_use_at_an_immediate_store_three_are_tried() {
    let scenario = Scenario::new().immediate().set("a", "1").commits();
    (0..3)
        .fold(scenario, |scenario, id| {
            let scenario = scenario.asks(Create(New(id), r#"{"a":1}"#));
            scenario.answers(Exists)
        })
        .fails(is_plain_store_error);
}

#[test]
fn an_id_that_is_in_use_by_this_very_commit_is_its_session() {
    creates()
        .answers(Exists)
        .asks(Verify(New(0)))
        .loads_own(0)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

#[test]
fn an_id_that_is_in_use_by_another_session_is_left_alone() {
    creates()
        .answers(Exists)
        .asks(Verify(New(0)))
        .loads(record(v(1), "{}"))
        .asks(Create(New(1), r#"{"a":1}"#))
        .answers(IsCreated)
        .tells(Told::Created(New(1)))
        .settles(v(1), Some(Set));
}

#[test]
fn an_id_that_was_in_use_and_is_no_more_is_left_alone() {
    let again = creates().answers(Exists).asks(Verify(New(0))).loads(None);
    again.asks(Create(New(1), r#"{"a":1}"#));
}

#[test]
fn who_has_an_id_may_stay_unknown() {
    creates()
        .answers(Exists)
        .asks(Verify(New(0)))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt)
        .resumes()
        .asks(Verify(New(0)))
        .loads_own(0)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

#[test]
fn a_session_whose_answer_was_lost_is_found() {
    creates()
        .answers(Fails)
        .asks(Verify(New(0)))
        .loads_own(0)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set))
        .has_nothing_pending();
}

#[test]
fn one_that_is_not_found_is_begun_under_the_same_names() {
    let scenario = creates();
    let first = scenario.written.clone().unwrap();
    let scenario = scenario
        .answers(Fails)
        .asks(Verify(New(0)))
        .loads(None)
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(New(0)))
        .loads(None)
        .asks(Create(New(0), r#"{"a":1}"#));
    assert!(scenario.written.as_ref().unwrap().is_same_commit(&first));
    // The first call was only late.
    scenario
        .answers(Exists)
        .asks(Verify(New(0)))
        .loads(first)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

#[test]
fn another_session_under_the_id_of_one_whose_answer_was_lost_is_left_alone() {
    creates()
        .answers(Fails)
        .asks(Verify(New(0)))
        .loads(record(v(1), "{}"))
        .asks(Create(New(1), r#"{"a":1}"#));
}

#[test]
fn a_look_up_that_fails_leaves_it_in_doubt() {
    creates()
        .answers(Fails)
        .asks(Verify(New(0)))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt)
        .resumes()
        .asks(Verify(New(0)))
        .loads_own(0)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

/// Its first call may be under way still, so it stays in doubt.
#[test]
fn one_that_is_not_found_when_it_is_too_late_does_not_begin() {
    creates()
        .drops()
        .headers_sent()
        .resumes()
        .asks(Verify(New(0)))
        .loads(None)
        .fails_in_doubt(Error::is_headers_sent);
}

#[test]
fn an_immediate_stores_error_leaves_nothing_in_doubt() {
    let scenario = Scenario::new().immediate().set("a", "1").commits();
    let scenario = scenario.asks(Create(New(0), r#"{"a":1}"#));
    assert!(!scenario.written.as_ref().unwrap().has_commits());
    scenario
        .answers(Fails)
        .fails(is_plain_store_error)
        .sees(r#"{"a":1}"#);
}

#[test]
fn a_user_counts_as_data_do() {
    let longest = "u".repeat(100);
    let scenario = Scenario::new().log_in(&longest).commits();
    scenario.asks(Create(New(0), "{}"));
    let scenario = Scenario::new().log_in(&(longest + "u")).commits();
    scenario.fails(crate::Error::is_too_large);
}

/// One part begun and the other refused would be a session without a login, or a login without its values.
#[test]
fn one_that_is_not_found_is_begun_with_what_came_later() {
    type Case = (fn(Scenario) -> Scenario, &'static str);
    let later: [Case; 2] = [
        (|scenario| scenario.set("b", "2"), r#"{"a":1,"b":2}"#),
        (|scenario| scenario.log_in("alice"), r#"{"a":1}"#),
    ];
    for (change, all) in later {
        let scenario = creates().answers(Fails).asks(Verify(New(0))).loads(None);
        change(scenario.fails_in_doubt(is_plain_store_error))
            .resumes()
            .asks(Verify(New(0)))
            .loads(None)
            .ends_unstored()
            .commits()
            .asks(Create(New(0), all))
            .answers(IsCreated)
            .tells(Told::Created(New(0)))
            .settles(v(1), Some(Set));
    }
}

/// The create is not answered, not found, and given up. Another key is set meanwhile.
fn gives_up_and_sets(scenario: Scenario, key: &str, json: &str) -> Scenario {
    let scenario = scenario.answers(Fails).asks(Verify(New(0))).loads(None);
    let scenario = scenario.fails_in_doubt(is_plain_store_error).set(key, json);
    let scenario = scenario.resumes().asks(Verify(New(0))).loads(None);
    scenario.ends_unstored()
}

/// One that was not found, and is to be begun with what came later.
fn begins_again() -> (Scenario, Record) {
    let scenario = creates();
    let first = scenario.written.clone().unwrap();
    let scenario = gives_up_and_sets(scenario, "b", "2").commits();
    let scenario = scenario.asks(Create(New(0), r#"{"a":1,"b":2}"#));
    assert!(!scenario.written.as_ref().unwrap().is_same_commit(&first));
    (scenario, first)
}

#[test]
fn one_that_is_stored_late_all_the_same_is_ended() {
    let (scenario, first) = begins_again();
    scenario
        .answers(Exists)
        .asks(Verify(New(0)))
        .loads(first)
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .asks(Create(New(1), r#"{"a":1,"b":2}"#))
        .answers(IsCreated)
        .tells(Told::Created(New(1)))
        .settles(v(1), Some(Set))
        .has_nothing_pending();
}

#[test]
fn the_first_of_two_that_were_given_up_is_known_too() {
    let (scenario, first) = begins_again();
    let scenario = gives_up_and_sets(scenario, "c", "3").commits();
    let scenario = scenario.asks(Create(New(0), r#"{"a":1,"b":2,"c":3}"#));
    let scenario = scenario.answers(Exists).asks(Verify(New(0))).loads(first);
    scenario.asks(Delete(New(0)));
}

#[test]
fn another_session_under_the_id_of_one_that_was_given_up_is_left_alone() {
    let (scenario, _) = begins_again();
    let scenario = scenario.answers(Exists).asks(Verify(New(0)));
    let scenario = scenario.loads(record(v(1), "{}"));
    scenario.asks(Create(New(1), r#"{"a":1,"b":2}"#));
}

#[test]
fn one_that_was_given_up_is_ended_with_the_session() {
    let (scenario, _) = begins_again();
    gives_up_and_sets(scenario, "c", "3")
        .clear()
        .set("d", "4")
        .commits()
        .asks(Delete(New(0)))
        .answers(IsDeleted(false))
        .asks(Create(New(1), r#"{"d":4}"#));
}

#[test]
fn a_clear_while_one_is_given_up_ends_it() {
    let scenario = creates().answers(Fails).asks(Verify(New(0))).loads(None);
    let scenario = scenario.fails_in_doubt(is_plain_store_error).set("b", "2");
    scenario
        .resumes()
        .asks(Verify(New(0)))
        .loads(None)
        .clear()
        .ends_unstored()
        .commits()
        .asks(Delete(New(0)));
}

#[test]
fn once_another_session_has_begun_none_is_under_its_id() {
    let (scenario, _) = begins_again();
    let scenario = scenario.answers(IsCreated).tells(Told::Created(New(0)));
    let scenario = scenario.settles(v(1), Some(Set));
    // A login would begin a session under it once this one has ended.
    let scenario = scenario.change(|state| assert!(state.abandoned.is_none()));
    let scenario = scenario.clear().set("c", "3").commits();
    let scenario = scenario.asks(Delete(New(0)));
    let scenario = scenario.answers(IsDeleted(true)).tells(Told::Ended(New(0)));
    scenario.asks(Create(New(1), r#"{"c":3}"#));
}

#[test]
fn a_login_on_a_session_that_has_ended_is_begun_under_that_id_too() {
    let moves = |scenario: Scenario, new, data| scenario.asks(Move(v(1), New(new), data));
    let scenario = Scenario::new().loaded(record(v(1), "{}")).log_in("alice");
    let scenario = moves(scenario.commits(), 0, "{}").answers(IsGone);
    let scenario = scenario.asks(Create(New(1), "{}")).answers(Fails);
    let scenario = scenario.asks(Verify(New(1))).loads(None);
    let scenario = scenario.fails_in_doubt(is_plain_store_error).set("b", "2");
    let scenario = scenario.resumes().asks(Verify(New(1))).loads(None);
    let scenario = moves(scenario.ends_unstored().commits(), 2, r#"{"b":2}"#);
    scenario.answers(IsGone).asks(Create(New(1), r#"{"b":2}"#));
}
