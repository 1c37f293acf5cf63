//! The component that the event loop probe calls.
