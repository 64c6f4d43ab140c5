//! What a request changes: the values of a session as raw JSON, operations on them, and the view that they make.

mod data;
mod hand_over;
mod in_flight;
mod json;
mod op;
mod view;

pub(crate) use self::{
    data::Data,
    in_flight::InFlight,
    json::{decode, members, put_op, update_op, updated},
    op::{Op, Update},
    view::{Changes, Draft},
};
