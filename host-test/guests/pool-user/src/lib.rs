//! Uses connections of the pool by `pool-client.wasm` as HTTP requests tell it to: the path is what to do, with words between
//! slashes. What comes back is a line for each thing that was done.

#![allow(clippy::panic)]

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/socket-pool", world: "user" });
}

use bindings::mainstay::socket_pool::pool::{self, Condition, Error, Lease};
use futures::future::join_all;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct User;

wasip3::http::service::export!(User);

impl wasip3::exports::http::handler::Guest for User {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let words: Vec<&str> = path.split('/').skip(1).collect();
        let text = act(&words).await.unwrap_or_else(|error| format!("{error:?}\n"));
        let (mut body, to_client) = wit_stream::new();
        let (trailers, to_trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), Some(to_client), to_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            body.write_all(text.into_bytes()).await;
        });
        Ok(response)
    }
}

const SECOND: u64 = 1_000_000_000;

async fn act(words: &[&str]) -> Result<String, Error> {
    match *words {
        // Asks, and gives the connection back.
        ["ask", pool, text] => asked(pool, text, Condition::Clean).await,
        ["break", pool, text] => asked(pool, text, Condition::Broken).await,
        // Many at once in one instance: none gets its answer before all have asked, as the server sees to.
        ["together", pool, count] => {
            let count: usize = count.parse().unwrap_or_default();
            let texts: Vec<String> = (0..count).map(|number| format!("number {number}")).collect();
            let asked = join_all(texts.iter().map(|text| asked(pool, text, Condition::Clean))).await;
            asked.into_iter().collect()
        }
        // Waits so many milliseconds for a connection.
        ["wait", pool, milliseconds] => {
            let milliseconds: u64 = milliseconds.parse().unwrap_or_default();
            let lease = pool::acquire(pool.to_owned(), milliseconds * 1_000_000).await?;
            Ok(format!("{}\n", lease.connection()))
        }
        // Leaves half of an answer unread, and says that all is well.
        ["leave", pool, text] => {
            let lease = said(pool, text).await?;
            let first = lease.read(1).await?;
            let released = lease.release(Condition::Clean).await;
            Ok(format!("{} byte, {released:?}\n", first.len()))
        }
        // Lets go of it without a word.
        ["drop", pool, text] => {
            let lease = said(pool, text).await?;
            Ok(format!("{} {}\n", lease.connection(), line(&lease).await?))
        }
        // Ends with it in its hands.
        ["die", pool, text] => {
            let _lease = said(pool, text).await?;
            panic!("asked to trap")
        }
        // Goes on with what it has given back.
        ["after", pool, text] => {
            let lease = said(pool, text).await?;
            line(&lease).await?;
            lease.release(Condition::Clean).await?;
            let (read, wrote) = (lease.read(1).await, lease.write(b"more\n".to_vec()).await);
            let released = lease.release(Condition::Broken).await;
            Ok(format!("{read:?} {wrote:?} {released:?}\n"))
        }
        // Sends much and reads it back.
        ["much", pool, bytes] => much(pool, bytes.parse().unwrap_or_default()).await,
        ["figures", pool] => {
            let stats = pool::figures(pool.to_owned()).await?;
            Ok(format!(
                "{} active, {} idle, {} connects\n",
                stats.active, stats.idle, stats.connects
            ))
        }
        _ => Ok(format!("{words:?} is nothing to do\n")),
    }
}

async fn said(pool: &str, text: &str) -> Result<Lease, Error> {
    let lease = pool::acquire(pool.to_owned(), 10 * SECOND).await?;
    lease
        .write(format!("{}\n", text.replace("%20", " ")).into_bytes())
        .await?;
    Ok(lease)
}

async fn asked(pool: &str, text: &str, condition: Condition) -> Result<String, Error> {
    let lease = said(pool, text).await?;
    let answer = line(&lease).await?;
    let connection = lease.connection();
    lease.release(condition).await?;
    Ok(format!("{connection} {answer}\n"))
}

/// A line of the upstream without its end, or what there is if it hangs up.
async fn line(lease: &Lease) -> Result<String, Error> {
    let mut line = Vec::new();
    loop {
        let bytes = lease.read(1000).await?;
        line.extend_from_slice(&bytes);
        if bytes.is_empty() || line.ends_with(b"\n") {
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }
}

async fn much(pool: &str, bytes: usize) -> Result<String, Error> {
    let lease = pool::acquire(pool.to_owned(), 10 * SECOND).await?;
    let sent: Vec<u8> = (0..bytes)
        .map(|number| {
            if number + 1 == bytes {
                b'\n'
            } else {
                b'a' + (number % 23) as u8
            }
        })
        .collect();
    let write = lease.write(sent.clone());
    let read = async {
        let mut heard = Vec::new();
        while heard.len() < bytes {
            heard.extend(lease.read(u32::MAX).await?);
        }
        Ok::<_, Error>(heard)
    };
    let (wrote, heard) = futures::join!(write, read);
    wrote?;
    let same = heard? == sent;
    lease.release(Condition::Clean).await?;
    Ok(format!("{bytes} bytes, the same: {same}\n"))
}
