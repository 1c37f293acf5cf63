//! Connections to the server beside the one that the workload shares.
//!
//! - A client that does not want its own messages back has one: only the server can leave them out, and it does so for a
//!   whole connection.
//! - A subscription that stops reading has one: what is not read there holds up no reply, no PONG and nobody else.

use std::rc::Rc;

use mainstay_nats_core::mux::{Mux, Settings};
use mainstay_nats_link::{Bridge, Connection, Link, Observer, token};

use crate::report::{AsideReport, Report};

/// Makes such connections.
pub(crate) struct Asides {
    settings: Settings,
    connection: Rc<Connection>,
    report: Rc<Report>,
}

/// A bridge with a connection to the server of its own, for as long as this is held.
pub(crate) struct Aside {
    pub(crate) bridge: Rc<Bridge>,
    /// The task that holds the connection.
    link: tokio::task::JoinHandle<()>,
}

impl Asides {
    /// As the shared connection is made, and with the permits of its multiplexer.
    pub(crate) fn new(settings: Settings, connection: &Rc<Connection>, report: &Rc<Report>) -> Self {
        Self {
            settings,
            connection: Rc::clone(connection),
            report: Rc::clone(report),
        }
    }

    /// For a client that does not want its own messages back.
    pub(crate) fn for_client(&self) -> Aside {
        self.open(AsideReport::of_client(&self.report), false)
    }

    /// For a subscription. It connects once the caller waits for something, so what is subscribed to by then is there
    /// when it is said to be ready.
    pub(crate) fn for_subscription(&self, name: &str) -> Aside {
        self.open(AsideReport::of_subscription(&self.report, name), true)
    }

    fn open(&self, report: AsideReport, echo: bool) -> Aside {
        let settings = Settings {
            instance: token(),
            ..self.settings.clone()
        };
        let observer: Rc<dyn Observer> = Rc::new(report);
        let bridge = Bridge::new(Mux::new(settings), self.connection.pending, Rc::clone(&observer));
        let link = Link::new(Rc::clone(&self.connection), Rc::clone(&bridge), observer, echo);
        Aside {
            bridge,
            link: tokio::task::spawn_local(link.run()),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.link.abort();
    }
}
