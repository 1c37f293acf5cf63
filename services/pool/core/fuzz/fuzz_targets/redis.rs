//! Whatever clients and a server say, in pieces: errors, never a panic; and each client gets as many answers as it asked.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mainstay_pool_core::redis::{ClientId, Commands, Dedicated, Login, Mux, classify};

fuzz_target!(|pieces: Vec<(u8, Vec<u8>)>| {
    let mut mux = Mux::default();
    let mut clients: [(Commands, BytesMut); 3] = Default::default();
    for client in 0..3 {
        mux.open(ClientId(client));
    }
    let mut dedicated = Dedicated::default();
    let (mut login, _) = Login::begin(None, None, 0);
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    for (who, bytes) in pieces {
        let _ = login.answer(&mut BytesMut::from(&bytes[..]));
        if let Some((commands, buffer)) = clients.get_mut(usize::from(who)) {
            buffer.extend_from_slice(&bytes);
            while let Ok(Some(command)) = commands.next(buffer) {
                classify(&command, 0);
                dedicated.say(&command, 0);
                let length = command.length;
                mux.push(ClientId(who.into()), buffer.split_to(length).freeze(), 1, who == 0);
            }
        } else if who < 128 {
            mux.take_output(&mut out, 100);
            input.extend_from_slice(&bytes);
            if mux.input(&mut input).is_err() {
                return;
            }
        } else {
            let _ = dedicated.input(&mut BytesMut::from(&bytes[..]), &mut out);
            mux.disconnected("lost");
            input.clear();
        }
    }
    mux.fail("no connection");
    assert!(mux.is_idle());
    for client in 0..3 {
        assert_eq!(mux.owed(ClientId(client)), 0);
    }
});
