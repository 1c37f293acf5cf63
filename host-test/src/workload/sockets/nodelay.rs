//! TCP_NODELAY on every socket of a guest.
//!
//! WASI has no such option, and without it a write-write-read exchange waits 40 ms for a delayed acknowledgement.
//! wasmtime-wasi does not give its sockets away, so a new one is found among the descriptors of this process: the TCP
//! socket with neither a local address nor the option. Accepted sockets inherit it from their listener.

/// Sets the option on the socket that a guest has just created.
#[cfg(target_os = "linux")]
pub(super) fn set_on_new_socket() {
    use std::os::fd::BorrowedFd;

    let Ok(listing) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let descriptors: Vec<i32> = listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in descriptors {
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
        // Every new one, not the first that is found: another thread may have created one at the same time.
        if is_new {
            let _ = socket.set_tcp_nodelay(true);
        }
    }
}

/// Elsewhere guests have what the operating system gives them.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_on_new_socket() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::{Domain, Socket, Type};

    #[test]
    fn a_new_socket_gets_the_option_and_its_accepted_ones_inherit_it() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(!listener.tcp_nodelay().unwrap());
        super::set_on_new_socket();
        listener
            .bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())
            .unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(listener.accept().unwrap().0.tcp_nodelay().unwrap());
    }
}
