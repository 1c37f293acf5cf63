//! What a component needs and gives, whether two fit, and joining them.
