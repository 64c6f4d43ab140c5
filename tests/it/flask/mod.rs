//! Beside a Flask application, whose part is played by the codec of its cookie. `tests/flask` runs the real one.

mod cookies;
mod logins;
mod logouts;
mod overtaken;
mod pair;
mod requests;
mod values;
