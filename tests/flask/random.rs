//! Requests to both sides in random order agree with a model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    python,
    there::There,
    visitor::{KEY, Visitor},
};

/// What both sides have to see.
#[derive(Default)]
struct Model {
    user: Option<u8>,
    values: BTreeMap<&'static str, u16>,
}

impl Model {
    async fn is_seen(&self, visitor: &Visitor, seed: u64, step: usize) {
        let mut there: BTreeMap<_, _> = self
            .values
            .iter()
            .map(|(key, value)| (*key, *value))
            .collect();
        there.extend(self.user.map(|user| ("user_id", u16::from(user))));
        let pairs: Vec<_> = there
            .iter()
            .map(|(key, value)| format!("'{key}': {value}"))
            .collect();
        let there = format!("{{{}}}", pairs.join(", "));
        assert_eq!(
            visitor.there("pass").await,
            there,
            "seed {seed}, step {step}"
        );

        let mut here = visitor.here("show").await;
        let user = self.user.map(|user| user.to_string());
        assert_eq!(here["user"], json!(user), "seed {seed}, step {step}");
        let values = here["values"].as_object_mut().expect("an object");
        values.remove("user_id");
        assert_eq!(
            Value::Object(values.clone()),
            json!(self.values),
            "seed {seed}, step {step}"
        );
    }
}

const KEYS: [&str; 3] = ["a", "b", "cart"];

async fn run(there: &There, seed: u64, steps: usize) {
    let visitor = Visitor::of(there).await;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut model = Model::default();
    for step in 0..steps {
        let (key, value, user) = (KEYS[rng.usize(..KEYS.len())], rng.u16(..3), rng.u8(1..4));
        match rng.u8(..10) {
            0 | 1 => {
                visitor.set(key, &value.into()).await;
                model.values.insert(key, value);
            }
            2 | 3 => {
                visitor.there(&format!("session['{key}'] = {value}")).await;
                model.values.insert(key, value);
            }
            4 => {
                visitor.here(&format!("delete/{key}")).await;
                model.values.remove(key);
            }
            5 => {
                visitor.there(&format!("session.pop('{key}', None)")).await;
                model.values.remove(key);
            }
            6 => {
                visitor.here(&format!("log_in/{user}")).await;
                // Here another user starts empty.
                if model.user.is_some_and(|former| former != user) {
                    model.values.clear();
                }
                model.user = Some(user);
            }
            7 => {
                // There nothing does that by itself.
                visitor
                    .there(&format!("session.clear(); session['user_id'] = {user}"))
                    .await;
                model.values.clear();
                model.user = Some(user);
            }
            8 => {
                visitor.here("log_out").await;
                model = Model::default();
            }
            _ => {
                visitor.there("session.clear()").await;
                model = Model::default();
            }
        }
        // Else the other side's next request is the first to see it.
        if rng.bool() {
            model.is_seen(&visitor, seed, step).await;
        }
    }
    model.is_seen(&visitor, seed, steps).await;
}

#[tokio::test]
async fn two_hundred_requests_agree_with_a_model() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    for seed in 0..5 {
        run(&there, seed, 200).await;
    }
}
