//! Puts the health pages of a service on the HTTP of its workload.
