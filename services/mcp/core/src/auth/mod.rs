//! Who asks: bearer tokens (RFC 6750) that are JWTs (RFC 7519), and where to get one (RFC 9728).
//!
//! - [`keys`]: the keys of those who issue tokens, as a JWK set or in PEM
//! - [`token`]: a token's signature and claims
//! - [`guard`]: requests with and without one, and what they may do

mod der;
pub mod guard;
pub mod keys;
pub mod token;

pub use guard::{Guard, Resource};
pub use keys::Keys;
pub use token::{Invalid, Verifier};
