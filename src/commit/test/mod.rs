//! Scenarios: what a commit asks for, what it is told, and where that leads. Each arrow of the
//! [diagram](crate::commit) has some. One file for each state; transactions go through several.

mod model;
mod plain_way;
mod reload;
mod scenario;
mod state_creating;
mod state_ending;
mod state_moving;
mod state_planning;
mod state_refreshing;
mod state_replacing;
mod state_touching;
mod state_verifying;
mod transaction;
