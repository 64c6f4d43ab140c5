use base64::prelude::{BASE64_STANDARD, Engine as _};
use wiz_session::Key;

use crate::tool::Tool;

#[test]
fn a_key_needs_no_store_and_is_another_each_time() {
    let tool = Tool::default();
    let keys = [tool.run(&["key"]), tool.run(&["key"])].map(|told| told.done().to_owned());
    assert_ne!(keys[0], keys[1]);
    for key in keys {
        // As the help says that an application reads it.
        let bytes = BASE64_STANDARD.decode(key).expect("base64");
        let key = Key::try_from(&bytes[..]).expect("a key");
        assert_eq!(key.master(), bytes);
    }
}

#[test]
fn a_key_in_json() {
    let told = Tool::default().run(&["key", "--json"]).json();
    let bytes = BASE64_STANDARD.decode(told["key"].as_str().expect("a key"));
    assert_eq!(bytes.expect("base64").len(), 64);
}
