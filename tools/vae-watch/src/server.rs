//! The HTTP server of the page and of its polls, on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use vae_cli::{Error, Result, html};

use crate::address::Address;
use crate::poll;
use crate::state::Shared;

/// Most connections at a time. A further one takes the place of the oldest that has no request under way.
const MAX_CONNECTIONS: usize = 64;
/// Most bytes of a request's header.
const MAX_HEADER: usize = 16 << 10;
/// The timeout of a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of a connection, after which its last request is answered within as much time again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout of a shutdown, in which open pages poll for the last changes.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Without a poll for this long, no page is open.
const IDLE: Duration = Duration::from_millis(300);

/// The page may connect to this server only, and no other origin may embed or read it.
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

/// A bound port.
pub struct Server {
    listener: TcpListener,
    address: Address,
}

/// A running server.
pub struct Running {
    address: SocketAddr,
    service: Arc<Service>,
}

/// What requests are answered from.
struct Service {
    address: Address,
    shared: Arc<Shared>,
    page: Bytes,
    polls: Mutex<Polls>,
}

/// The polls of open pages.
#[derive(Default)]
struct Polls {
    waiting: usize,
    last: Option<Instant>,
}

impl Server {
    /// Binds the port, before any input is read.
    pub fn bind(address: Address) -> Result<Server> {
        let listener = TcpListener::bind(&*address.sockets).map_err(|e| {
            let socket = address.sockets[0];
            Error::Unavailable(match e.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "cannot serve on {socket}: expected a free port, got one in use; try another --port, or --port 0 \
                     for any that is free"
                ),
                io::ErrorKind::AddrNotAvailable => {
                    format!("cannot serve on {socket}: expected an address of this machine as --host; {e}")
                }
                _ => format!("cannot serve on {socket}: {e}; try another --port"),
            })
        })?;
        Ok(Server { listener, address })
    }

    /// Starts the thread.
    pub fn start(self, shared: Arc<Shared>) -> Result<Running> {
        let failed = |e| Error::io("cannot serve", e);
        let address = self.listener.local_addr().map_err(failed)?;
        self.listener.set_nonblocking(true).map_err(failed)?;
        let service = Service { address: self.address, shared, page: page().into(), polls: Mutex::default() };
        let service = Arc::new(service);
        let (runtime, own) =
            (runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?, service.clone());
        let serve = move || runtime.block_on(serve(self.listener, own));
        thread::Builder::new().name("server".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Running { address, service })
    }
}

impl Running {
    /// Prints the URL of the page on standard error, after some words.
    pub fn print_url(&self, words: &str) {
        vae_cli::tell(&format!("{words}http://{}/", self.address));
    }

    /// Waits until open pages have the last changes.
    pub fn shut_down(&self) {
        let end = Instant::now() + SHUTDOWN_TIMEOUT;
        while self.service.polls().are_open() && Instant::now() < end {
            sleep(Duration::from_millis(10));
        }
    }
}

impl Polls {
    /// Whether a page is open.
    fn are_open(&self) -> bool {
        self.waiting > 0 || self.last.is_some_and(|last| last.elapsed() < IDLE)
    }
}

impl Service {
    fn polls(&self) -> MutexGuard<'_, Polls> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if hosts.next().is_some() {
            return text(StatusCode::BAD_REQUEST, "expected one Host, got several\n");
        }
        let host = request.uri().authority().map(|authority| authority.as_str()).or(host);
        let is_head = request.method() == Method::HEAD;
        if !host.is_some_and(|host| self.address.allows(host)) {
            return text(StatusCode::FORBIDDEN, "expected the name or an address of this machine as Host\n");
        }
        if !is_head && request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "expected GET or HEAD\n");
        }
        match request.uri().path() {
            "/" => respond(StatusCode::OK, "text/html; charset=utf-8", self.page.clone()),
            "/news" => {
                let query = request.uri().query().unwrap_or_default();
                let since = value(query, "since").and_then(|since| since.parse().ok()).unwrap_or(0);
                let changes = match is_head {
                    true => poll::changes(&self.shared, since),
                    false => self.poll(value(query, "session").unwrap_or_default(), since).await,
                };
                respond(StatusCode::OK, "application/json", changes.into())
            }
            _ => text(StatusCode::NOT_FOUND, "no such page: expected /\n"),
        }
    }

    async fn poll(&self, session: &str, since: u64) -> String {
        let _poll = Poll::new(self);
        poll::wait(&self.shared, session, since).await
    }
}

/// A poll under way; dropped also if its connection closes first.
struct Poll<'a>(&'a Service);

impl<'a> Poll<'a> {
    fn new(service: &'a Service) -> Poll<'a> {
        service.polls().waiting += 1;
        Poll(service)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let mut polls = self.0.polls();
        polls.waiting -= 1;
        polls.last = Some(Instant::now());
    }
}

async fn serve(listener: TcpListener, service: Arc<Service>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let accepted = listener.accept().await;
        connections.retain(|connection| !connection.task.is_finished());
        if !connections.is_empty() && (connections.len() >= MAX_CONNECTIONS || accepted.is_err()) {
            let idle = connections.iter().position(|connection| !connection.is_asked.load(Ordering::Relaxed));
            connections.remove(idle.unwrap_or(0)).task.abort();
        }
        match accepted {
            Ok((stream, _)) => connections.push(Connection::new(stream, service.clone())),
            Err(_) => tokio::time::sleep(IDLE).await, // for example too many open files
        }
    }
}

/// A connection, in the order of their beginning.
struct Connection {
    task: AbortHandle,
    /// Whether a request is under way.
    is_asked: Arc<AtomicBool>,
}

impl Connection {
    fn new(stream: TcpStream, service: Arc<Service>) -> Connection {
        let is_asked = Arc::new(AtomicBool::new(false));
        let asked = is_asked.clone();
        let answer = move |request| {
            let (service, asked) = (service.clone(), asked.clone());
            async move {
                asked.store(true, Ordering::Relaxed);
                let response = service.answer(request).await;
                asked.store(false, Ordering::Relaxed);
                Ok::<_, Infallible>(response)
            }
        };
        let task = runtime::Handle::current().spawn(async move {
            let mut protocol = http1::Builder::new();
            protocol.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER);
            let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service_fn(answer)));
            // A closed connection is no error; a stalled one is dropped.
            if timeout(CONNECTION_TIMEOUT, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(CONNECTION_TIMEOUT, connection).await;
            }
        });
        Connection { task: task.abort_handle(), is_asked }
    }
}

/// The page, with its style and scripts inline.
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
