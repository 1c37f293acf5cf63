//! What becomes of a message on its way through a handler.
//!
//! - [`dispatch`]: which messages wait, which run, in which order
//! - [`order`]: which must not overtake one another
//! - [`plan`]: what is answered to a delivery when the handler is done with it
//! - [`dead_letter`]: the message that is left of one that nobody could handle

pub mod dead_letter;
pub mod dispatch;
pub mod order;
pub mod plan;
