//! `health.wasm`: puts the health pages of a service on the HTTP of its workload.
//!
//! A service listens on the workload's loopback only, and the status of a workload does not show that its service has
//! died. This component can be asked from outside, by a Kubernetes probe for one, and asks the service: one
//! connection for each request, given up after a timeout. Where the service does not answer, it answers 503 for it,
//! with the reason in one line.
//!
//! | module | idea |
//! |---|---|
//! | [`settings`] | where the service answers, and how long it may take |
//! | [`page`] | which requests are for a page, and what the others get |
//! | [`answer`] | what the service said, checked before it is passed on |
//! | `component` | `wasi:http/incoming-handler` and the socket to the service |

pub mod answer;
pub mod page;
pub mod settings;

#[cfg(target_family = "wasm")]
mod component;
