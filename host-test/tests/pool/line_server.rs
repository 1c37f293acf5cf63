//! A server of a line protocol that is made up: it wants a login before it answers, and sends back what it is sent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// What the hook of `test/pool-hooks` has to know.
pub(crate) const SECRET: &str = "s3same";

pub(crate) struct Lines {
    pub port: u16,
    /// What it was told, a line each, the number of the connection in front.
    told: Arc<Mutex<Vec<String>>>,
}

/// How it behaves.
#[derive(Clone)]
pub(crate) struct Manner {
    /// Whether it wants a login, and greets with a line for that.
    pub login: bool,
    /// So many connections are told that it is busy.
    pub busy: usize,
    /// `number N` is answered when so many connections have said it.
    pub together: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            login: false,
            busy: 0,
            together: 1,
        }
    }
}

impl Lines {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (log, barrier) = (Arc::clone(&told), Arc::new(Barrier::new(manner.together)));
        tokio::spawn(async move {
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (manner, log, barrier) = (manner.clone(), Arc::clone(&log), Arc::clone(&barrier));
                tokio::spawn(async move {
                    let tell = |line: &str| log.lock().unwrap().push(format!("{number} {line}"));
                    // An error is a client that is gone.
                    let _ = serve(stream, number, &manner, &barrier, &tell).await;
                    tell("gone");
                });
            }
        });
        Self { port, told }
    }

    /// What it was told so far.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn was_told(&self, line: &str) -> bool {
        self.told().iter().any(|told| told == line)
    }
}

async fn serve(
    mut stream: TcpStream,
    number: usize,
    manner: &Manner,
    barrier: &Barrier,
    tell: &impl Fn(&str),
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    if manner.login {
        writer.write_all(format!("knock{number}\n").as_bytes()).await?;
        reader.read_line(&mut line).await?;
        reader.read_line(&mut line).await?;
        let backwards: String = format!("knock{number}").chars().rev().collect();
        let answer = match line == format!("open lines\n{backwards}{SECRET}\n") {
            true if number <= manner.busy => "busy\n",
            true => "welcome\n",
            false => "go away\n",
        };
        tell(answer.trim());
        writer.write_all(answer.as_bytes()).await?;
        if answer != "welcome\n" {
            return Ok(());
        }
    }
    loop {
        line.clear();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let said = line.trim_end();
        if said.len() < 100 {
            tell(said);
        }
        match said.split_once(' ').unwrap_or((said, "")) {
            ("ping", _) => writer.write_all(b"pong\n").await?,
            ("reset", _) => writer.write_all(b"fresh\n").await?,
            ("bye" | "silence", _) => {}
            ("number", _) => {
                barrier.wait().await;
                writer.write_all(line.as_bytes()).await?;
            }
            ("hang", "up") => return Ok(()),
            _ => writer.write_all(line.as_bytes()).await?,
        }
    }
}
