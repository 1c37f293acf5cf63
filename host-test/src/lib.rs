//! The test host: runs a service in a workload next to reactive components.
