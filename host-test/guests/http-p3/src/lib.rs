//! Answers HTTP requests by wasi:http 0.3: the path, then the body of the request, chunk by chunk.
