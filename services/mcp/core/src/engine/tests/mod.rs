//! Conversations, message by message.

mod calls;
mod legacy;
mod modern;
mod support;
mod tasks;
