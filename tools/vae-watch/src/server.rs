//! The page and its news over HTTP, on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use vae_cli::{Error, Result, html};

use crate::address::Address;
use crate::news;
use crate::shown::Shown;

/// Connections at a time.
const CONNECTIONS: usize = 32;
/// Bytes of a request's head at most.
const HEAD: usize = 16 << 10;
/// How long a request's head may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection is kept; then its last request is answered, in as much time again.
const CONNECTED: Duration = Duration::from_secs(60);
/// How long pages may fetch what they lack when the stream has ended, and how long none asks when all have it.
const FAREWELL: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(300);

/// What nobody else may do with the page, and what it may do itself: ask this server for news, and nothing else.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// A port that is ours.
pub struct Server {
    listener: TcpListener,
    address: Address,
}

/// A server that answers.
pub struct Serving {
    at: SocketAddr,
    desk: Arc<Desk>,
}

/// What every answer is made from.
struct Desk {
    address: Address,
    shown: Arc<Shown>,
    page: Bytes,
    pages: Mutex<Pages>,
}

/// Pages that ask for news.
#[derive(Default)]
struct Pages {
    waiting: usize,
    last: Option<Instant>,
}

impl Server {
    /// Takes the port, before anything else is done.
    pub fn bind(address: Address) -> Result<Server> {
        let listener = TcpListener::bind(&*address.sockets).map_err(|e| {
            let socket = address.sockets[0];
            Error::Unavailable(match e.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "cannot serve on {socket}: expected a free port, got one in use; try another --port, or --port 0 for \
                     any that is free"
                ),
                io::ErrorKind::AddrNotAvailable => {
                    format!("cannot serve on {socket}: expected an address of this machine as --host; {e}")
                }
                _ => format!("cannot serve on {socket}: {e}; try another --port"),
            })
        })?;
        Ok(Server { listener, address })
    }

    /// Begins to answer.
    pub fn start(self, shown: Arc<Shown>) -> Result<Serving> {
        let failed = |e| Error::io("cannot serve", e);
        let at = self.listener.local_addr().map_err(failed)?;
        self.listener.set_nonblocking(true).map_err(failed)?;
        let desk = Desk { address: self.address, shown, page: page().into(), pages: Mutex::default() };
        let desk = Arc::new(desk);
        let (runtime, shared) =
            (runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?, desk.clone());
        let serve = move || runtime.block_on(serve(self.listener, shared));
        thread::Builder::new().name("server".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Serving { at, desk })
    }
}

impl Serving {
    /// Says on standard error where the page is.
    pub fn say(&self, words: &str) {
        vae_cli::tell(&format!("{words}http://{}/", self.at));
    }

    /// Lets pages that are open fetch the end, for a moment.
    pub fn farewell(&self) {
        let end = Instant::now() + FAREWELL;
        while self.desk.pages().are_open() && Instant::now() < end {
            sleep(Duration::from_millis(10));
        }
    }
}

impl Pages {
    fn are_open(&self) -> bool {
        self.waiting > 0 || self.last.is_some_and(|last| last.elapsed() < QUIET)
    }
}

impl Desk {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(|authority| authority.as_str()).or(host);
        let is_head = request.method() == Method::HEAD;
        if !host.is_some_and(|host| self.address.allows(host)) {
            return text(StatusCode::FORBIDDEN, "this page is served to this machine only, by its own name\n");
        }
        if !is_head && request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "expected GET or HEAD\n");
        }
        match request.uri().path() {
            "/" => respond(StatusCode::OK, "text/html; charset=utf-8", self.page.clone()),
            "/news" => {
                let query = request.uri().query().unwrap_or_default();
                let since = value(query, "since").and_then(|since| since.parse().ok()).unwrap_or(0);
                let news = match is_head {
                    true => news::now(&self.shown, since),
                    false => self.news(value(query, "session").unwrap_or_default(), since).await,
                };
                respond(StatusCode::OK, "application/json", news.into())
            }
            _ => text(StatusCode::NOT_FOUND, "there is only one page here, at /\n"),
        }
    }

    async fn news(&self, session: &str, since: u64) -> String {
        let _asking = Asking::new(self);
        news::wait(&self.shown, session, since).await
    }
}

/// A page that asks, also if it goes away before it is answered.
struct Asking<'a>(&'a Desk);

impl<'a> Asking<'a> {
    fn new(desk: &'a Desk) -> Asking<'a> {
        desk.pages().waiting += 1;
        Asking(desk)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut pages = self.0.pages();
        pages.waiting -= 1;
        pages.last = Some(Instant::now());
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(QUIET).await; // too many open files, say
            continue;
        };
        let desk = desk.clone();
        let answer = move |request| {
            let desk = desk.clone();
            async move { Ok::<_, Infallible>(desk.answer(request).await) }
        };
        runtime::Handle::current().spawn(async move {
            let mut protocol = http1::Builder::new();
            protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD);
            let mut connection = pin!(protocol.serve_connection(TokioIo::new(connection), service_fn(answer)));
            // A page that goes away is no fault, and one that takes nothing must not keep its place for ever.
            if timeout(CONNECTED, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(CONNECTED, connection).await;
            }
            drop(place);
        });
    }
}

/// The one page, which needs nothing else.
fn page() -> String {
    html::fill(include_str!("page/page.html"), |part| match part {
        "style" => html::STYLE.to_owned() + include_str!("page/style.css"),
        "chart" => include_str!("page/chart.js").to_owned(),
        "watch" => include_str!("page/watch.js").to_owned(),
        _ => unreachable!("the template has no {part}"),
    })
}

fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == key)).map(|(_, value)| value)
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", text.into())
}

fn respond(status: StatusCode, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status).header("content-type", kind);
    for (name, value) in HEADERS {
        response = response.header(name, value);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response = response.header(ALLOW, "GET, HEAD");
    }
    response.body(Full::new(body)).expect("headers that are known to be good")
}
