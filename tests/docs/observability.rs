//! The page on observability and the source name the same events.

use std::{collections::BTreeMap, fs};

use crate::root;

/// An event's text; its level; its fields.
type Events = BTreeMap<String, (String, Vec<String>)>;

/// Every `event!(level, fields…, "text")` of the source.
fn emitted() -> Events {
    let path = root().join("src/observe/mod.rs");
    let source = fs::read_to_string(path).expect("there is one place for events");
    let calls = source.split("event!(").skip(1);
    calls
        .map(|rest| {
            let call = rest.split(");").next().expect("it ends");
            let (head, text) = call.split_once('"').expect("an event has a text");
            let text = text.trim().trim_end_matches('"');
            let mut words = head.split(',').map(str::trim);
            let level = words.next().expect("an event has a level");
            let fields = words.filter(|word| !word.is_empty()).map(field);
            (text.to_owned(), (level.to_owned(), fields.collect()))
        })
        .collect()
}

/// The name of `%name`, `?name` or `name = value`.
fn field(word: &str) -> String {
    let name = word.split('=').next().expect("a name").trim();
    name.trim_start_matches(['%', '?']).to_owned()
}

/// Every row of the table of events.
fn listed() -> Events {
    let path = root().join("docs/observability.md");
    let page = fs::read_to_string(path).expect("there is a page");
    let (_, table) = page.split_once("| event | level |").expect("a table");
    let rows = table.lines().skip(2).take_while(|line| !line.is_empty());
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let code = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(Into::into).collect()
        };
        let [event, level] = [0, 1].map(|cell| code(cells[cell]).concat());
        (event, (level, code(cells[2])))
    })
    .collect()
}

#[test]
fn every_event_is_a_row_and_every_row_is_an_event() {
    assert_eq!(emitted(), listed());
    assert!(emitted().len() > 10, "the test sees them");
}
