//! Where components speak during a call: on the loopback, a line of JSON for each wish, and one back.
//!
//! `{"do": "progress", "call": "..", "progress": 1, "total": 2, "message": ".."}` is answered by `{"ok": null}`, or by
//! `{"refused": ".."}`. An answer comes when the message is on its way, or when the client has room for it: whoever reports
//! faster than its client reads has to wait.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;

use mainstay_mcp_core::engine::Changed;
use mainstay_mcp_core::jsonrpc::{Line, Lines};
use mainstay_mcp_core::model::{self, Ask, LogLevel};
use mainstay_runtime::listener;
use mainstay_runtime::net::Socket;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::component::Components;
use crate::hub::Hub;
use crate::offer::Asker;

/// Components at once.
const CLIENTS: usize = 1024;

/// A wish is no larger than this.
const WISH: usize = 16 << 20;

/// Serves components from now on.
pub(crate) fn serve<C: Components>(hub: Rc<Hub>, asker: Rc<Asker<C>>, address: SocketAddr) {
    listener::keep("context", "context of calls", address, CLIENTS, move |stream, peer| {
        let (hub, asker) = (Rc::clone(&hub), Rc::clone(&asker));
        async move {
            if let Err(error) = component(&hub, &asker, stream).await {
                tracing::debug!(%peer, "context: {error}");
            }
        }
    });
}

async fn component<C: Components>(hub: &Hub, asker: &Rc<Asker<C>>, mut stream: Socket) -> io::Result<()> {
    let (mut lines, mut buffer) = (Lines::new(WISH), vec![0; 8 << 10]);
    loop {
        while let Some(line) = lines.next_line() {
            let granted = match &line {
                Line::Whole(bytes) => {
                    let granted = grant(hub, asker, bytes);
                    match unless_hung_up(granted, &mut stream, &mut lines, &mut buffer).await? {
                        Some(granted) => granted,
                        None => return Ok(()),
                    }
                }
                Line::TooLong => Err("larger than 16 MiB".to_owned()),
            };
            let mut answer = match granted {
                Ok(result) => json!({ "ok": result }),
                Err(refused) => json!({ "refused": refused }),
            }
            .to_string();
            answer.push('\n');
            stream.write_all(answer.as_bytes()).await?;
        }
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        lines.push(buffer.get(..read).unwrap_or_default());
    }
}

/// What comes of a wish; nothing if the component hangs up before, as its call has ended then.
async fn unless_hung_up<T>(
    granted: impl Future<Output = T>,
    stream: &mut Socket,
    lines: &mut Lines,
    buffer: &mut [u8],
) -> io::Result<Option<T>> {
    let mut granted = pin!(granted);
    tokio::select! {
        biased;
        granted = &mut granted => return Ok(Some(granted)),
        read = stream.read(buffer) => match read? {
            0 => return Ok(None),
            // The next wish already. It waits for this one, and what comes after it is not read yet.
            read => lines.push(buffer.get(..read).unwrap_or_default()),
        },
    }
    Ok(Some(granted.await))
}

/// What comes of a wish; the error says why nothing does.
type Granted<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + 'a>>;

async fn grant<C: Components>(hub: &Hub, asker: &Rc<Asker<C>>, line: &[u8]) -> Result<Value, String> {
    let wish: Value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let text = |name: &str| wish.get(name).and_then(Value::as_str);
    let required = |name: &str| text(name).ok_or_else(|| format!("{name:?} must be a string"));
    let granted: Granted<'_> = match required("do")? {
        "progress" => Box::pin(progress(hub, required("call")?, &wish)),
        "log" => Box::pin(log(hub, required("call")?, &wish)),
        "pause" => {
            let call = required("call")?;
            hub.with(|engine| engine.pause(call)).map_err(|error| error.message)?;
            return Ok(Value::Null);
        }
        "ask" => Box::pin(ask(hub, required("call")?, &wish)),
        "updated" => {
            let uri = required("uri")?;
            hub.with(|engine| engine.updated(uri));
            return Ok(Value::Null);
        }
        "changed" => {
            let what = match required("list")? {
                "tools" => Changed::Tools,
                "resources" => Changed::Resources,
                "prompts" => Changed::Prompts,
                other => return Err(format!("{other:?} is no list")),
            };
            let asker = Rc::clone(asker);
            // It goes on though the component hangs up: clients are to be told all the same.
            let told = tokio::task::spawn_local(async move { asker.changed(what).await });
            told.await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
            return Ok(Value::Null);
        }
        other => return Err(format!("{other:?} is nothing that can be done")),
    };
    granted.await
}

async fn progress(hub: &Hub, call: &str, wish: &Value) -> Result<Value, String> {
    let number = |name: &str| wish.get(name).and_then(Value::as_f64);
    let (progress, total) = (number("progress").unwrap_or(f64::NAN), number("total"));
    let message = wish.get("message").and_then(Value::as_str);
    let told = hub.with(|engine| engine.progress(call, progress, total, message));
    if let Some(channel) = told.map_err(|error| error.message)? {
        hub.room(channel).await;
    }
    Ok(Value::Null)
}

async fn log(hub: &Hub, call: &str, wish: &Value) -> Result<Value, String> {
    let text = |name: &str| wish.get(name).and_then(Value::as_str);
    let level = text("level").unwrap_or_default();
    let level = LogLevel::named(level).ok_or_else(|| format!("{level:?} is no log level"))?;
    let data = text("data").ok_or("\"data\" must be a string of JSON")?;
    let data = model::json(data.to_owned()).map_err(|error| format!("\"data\" is not JSON: {error}"))?;
    let told = hub.with(|engine| engine.log(call, level, text("logger"), &data));
    if let Some(channel) = told.map_err(|error| error.message)? {
        hub.room(channel).await;
    }
    Ok(Value::Null)
}

async fn ask(hub: &Hub, call: &str, wish: &Value) -> Result<Value, String> {
    let text = |name: &str| wish.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let question = match text("question").as_str() {
        "form" => Ask::Form(text("message"), model::json_object(text("schema"))?),
        "page" => Ask::Page(text("message"), text("url")),
        "sample" => Ask::Sample(model::json_object(text("parameters"))?),
        "roots" => Ask::Roots,
        other => return Err(format!("{other:?} is no question")),
    };
    let asked = hub.with(|engine| engine.ask(call, &question));
    let asked = asked.map_err(|error| error.message)?;
    let answer = hub.answer(call, asked).await.map_err(|error| error.message)?;
    Ok(Value::String(answer))
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use mainstay_runtime::listener::Listener;
    use tokio::net::TcpStream;
    use tokio::task::LocalSet;

    use super::*;
    use crate::line::Connection;
    use crate::scripted::{self, Scripted, offered};

    /// A component that asks in the middle of a call, from its client's side and its own.
    struct Asking {
        hub: Rc<Hub>,
        client: Connection,
        sent: u64,
        component: Option<TcpStream>,
        call: u64,
        serving: tokio::task::JoinHandle<io::Result<()>>,
    }

    impl Asking {
        async fn begin() -> Self {
            let components = Rc::new(Scripted::new(|_| ready(scripted::text("unused"))));
            let (hub, asker) = offered(&components).await;
            let client = Connection::open(Rc::clone(&hub));
            let mut lines = Lines::new(1 << 20);
            for message in [scripted::initialize(), scripted::call(1)] {
                client.received(&mut lines, format!("{message}\n").as_bytes()).await;
            }
            let (call, token) = loop {
                if let mainstay_mcp_core::engine::Action::Call(call, request) = hub.action().await {
                    break (call, request.token.clone());
                }
            };
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let mut component = TcpStream::connect(listener.address()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let serving = tokio::task::spawn_local({
                let hub = Rc::clone(&hub);
                async move { super::component(&hub, &asker, stream).await }
            });
            let wish = json!({"do": "ask", "call": token, "question": "roots"});
            component.write_all(format!("{wish}\n").as_bytes()).await.unwrap();
            let mut asking = Self {
                hub,
                client,
                sent: 0,
                component: Some(component),
                call,
                serving,
            };
            while asking.told().await["method"] != "roots/list" {}
            asking
        }

        /// What the client is told next.
        async fn told(&mut self) -> Value {
            let event = self.hub.next(self.client.channel(), self.sent);
            let event = tokio::time::timeout(Duration::from_secs(10), event)
                .await
                .unwrap()
                .unwrap();
            self.sent = event.number;
            serde_json::from_str(&event.json).unwrap()
        }
    }

    #[tokio::test]
    async fn a_component_whose_call_ends_unanswered_is_told_so() {
        let test = async {
            let mut asking = Asking::begin().await;
            let call = asking.call;
            asking.hub.with(|engine| engine.finish(call, scripted::text("late")));
            while let Some(action) = asking.hub.with(|engine| engine.next_action()) {
                if let mainstay_mcp_core::engine::Action::Answered(ask, answer) = action {
                    asking.hub.answered(ask, answer);
                }
            }
            assert_eq!(asking.told().await["method"], "notifications/cancelled");
            let (mut answer, mut component) = (vec![0; 1024], asking.component.take().unwrap());
            let read = component.read(&mut answer).await.unwrap();
            assert_eq!(&answer[..read], b"{\"refused\":\"the call has ended\"}\n");
            drop(component);
            asking.serving.await.unwrap().unwrap();
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_component_that_hangs_up_is_not_waited_for_and_its_question_is_taken_back() {
        let test = async {
            let mut asking = Asking::begin().await;
            drop(asking.component.take());
            assert_eq!(asking.told().await["method"], "notifications/cancelled");
            tokio::time::timeout(Duration::from_secs(10), asking.serving)
                .await
                .unwrap()
                .unwrap()
                .unwrap();
        };
        LocalSet::new().run_until(test).await;
    }
}
