//! TCP_NODELAY on every socket of a guest.
//!
//! WASI has no such option, and without it a write-write-read exchange waits 40 ms for a delayed acknowledgement.
//! wasmtime-wasi does not give its sockets away, so a new one is found among the descriptors of this process: it has the lowest
//! number that was free, and is a TCP socket with neither a local address nor the option. Accepted sockets inherit it from
//! their listener.

/// What `create` makes, and the option on the socket that it has made.
#[cfg(target_os = "linux")]
pub(super) fn set_on_new_socket<T, E>(create: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let next = next_descriptor();
    let created = create()?;
    // Another thread may have taken that number. Then all are looked at, by this thread or by that one.
    if !next.is_some_and(set_if_new) {
        for descriptor in descriptors() {
            set_if_new(descriptor);
        }
    }
    Ok(created)
}

/// The number of the next descriptor that this process opens, unless another thread is faster.
#[cfg(target_os = "linux")]
fn next_descriptor() -> Option<i32> {
    use std::os::fd::{AsFd as _, AsRawFd as _};

    let next = std::io::stderr().as_fd().try_clone_to_owned().ok()?;
    Some(next.as_raw_fd())
}

#[cfg(target_os = "linux")]
fn descriptors() -> Vec<i32> {
    let Ok(listing) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Sets the option if this is a new TCP socket. Says whether it was.
#[cfg(target_os = "linux")]
fn set_if_new(descriptor: i32) -> bool {
    use std::os::fd::BorrowedFd;

    // SAFETY: it was open a moment ago. Should another thread close it meanwhile, the calls below fail, or set a
    // harmless option on whatever TCP socket of this process took its number; nothing is read, written or closed.
    #[allow(unsafe_code)]
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let socket = socket2::SockRef::from(&borrowed);
    let is_new = socket.tcp_nodelay().is_ok_and(|set| !set)
        && socket
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket())
            .is_some_and(|address| address.port() == 0);
    is_new && socket.set_tcp_nodelay(true).is_ok()
}

/// Elsewhere guests have what the operating system gives them.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_on_new_socket<T, E>(create: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    create()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::{Domain, Socket, Type};

    fn new() -> std::io::Result<Socket> {
        Socket::new(Domain::IPV4, Type::STREAM, None)
    }

    #[test]
    fn a_new_socket_gets_the_option_and_its_accepted_ones_inherit_it() {
        assert!(!new().unwrap().tcp_nodelay().unwrap());
        let listener = super::set_on_new_socket(new).unwrap();
        listener
            .bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())
            .unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(listener.accept().unwrap().0.tcp_nodelay().unwrap());
    }

    #[test]
    fn a_new_socket_whose_number_was_taken_gets_the_option_too() {
        let late = || {
            let other = std::fs::File::open("/dev/null");
            new().map(|socket| (socket, other))
        };
        let (socket, _other) = super::set_on_new_socket(late).unwrap();
        assert!(socket.tcp_nodelay().unwrap());
    }
}
