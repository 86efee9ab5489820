//! vae-watch as a server: which requests it answers, and how soon.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::harness::TestDir;
use crate::pages::watch::with_run;
use crate::pages::watch_client::WatchServer;

#[test]
fn connections_without_a_request_keep_no_page_waiting() {
    let dir = with_run();
    let watching = WatchServer::start(&dir, "--stay run.vae");
    let half = |k: usize| {
        let mut idle = watching.connect();
        idle.write_all(["", "GET / HTTP/1.1\r\nHo"][k % 2].as_bytes()).expect("it listens");
        idle
    };
    let idle: Vec<_> = (0..120).map(half).collect();
    let begun = Instant::now();
    assert_eq!(watching.get("/").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(idle);
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_read() {
    let dir = TestDir::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    // An input that neither sends a byte nor ends.
    dir.run("mkfifo silent").succeeds();
    dir.run(&format!("timeout 60 vae-watch --port {port} 0<> silent -o out")).fails(
        69,
        "vae-watch",
        &[&port.to_string(), "in use", "try another --port"],
    );
    assert_eq!(dir.files(), ["silent"]);
}

#[test]
fn a_host_that_is_not_this_machine_is_refused() {
    let dir = TestDir::new();
    dir.run("vae-watch --host no.such.name.invalid < /dev/null").fails(2, "vae-watch", &["--host", "no.such.name"]);
    dir.run("vae-watch --host 192.0.2.1 < /dev/null").fails(69, "vae-watch", &["192.0.2.1:8097", "--host"]);
    assert_eq!(dir.run("vae-watch --port 70000 < /dev/null").codes, [2]);
}

#[test]
fn only_this_machine_is_answered_and_only_what_there_is() {
    let dir = with_run();
    let watching = WatchServer::start(&dir, "--stay run.vae");
    let ask = |method: &str, target: &str, host: &str| {
        watching.ask(&format!("{method} {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n"))
    };
    let port = watching.url().trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    for host in ["localhost".to_owned(), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(ask("GET", "/", &format!("Host: {host}\r\n")).status, 200, "{host}");
    }
    for host in ["Host: example.org\r\n", "Host: 192.0.2.1\r\n", "Host:\r\n", ""] {
        let answer = ask("GET", "/news", host);
        assert!(answer.status == 403 && !answer.body.contains("stage"), "{host} {}", answer.head);
    }
    assert_eq!(ask("GET", "http://example.org/", "Host: localhost\r\n").status, 403);
    for second in ["localhost", "example.org"] {
        assert_eq!(ask("GET", "/", &format!("Host: localhost\r\nHost: {second}\r\n")).status, 400, "{second}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(method, "/", "Host: localhost\r\n");
        assert!(answer.status == 405 && answer.head.contains("allow: get, head"), "{method} {}", answer.head);
    }
    for target in ["/etc/passwd", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/news/", "//", "/favicon.ico"] {
        assert_eq!(ask("GET", target, "Host: localhost\r\n").status, 404, "{target}");
    }
    let head = ask("HEAD", "/", "Host: localhost\r\n");
    assert!(head.status == 200 && head.body.is_empty());
    let long = format!("Host: localhost\r\nX: {}\r\n", "x".repeat(100_000));
    assert!([400, 414, 431].contains(&ask("GET", "/", &long).status));
}

#[test]
fn the_page_stands_alone() {
    let dir = with_run();
    let page = WatchServer::start(&dir, "--stay run.vae").get("/");
    assert!(page.body.starts_with("<!doctype html>") && page.body.ends_with("</html>\n"));
    for outside in ["https:", "src=", "url(", "import ", "@import", "XMLHttp", "WebSocket", "{{"] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    let web = page.body.matches("http:").count();
    assert_eq!(web, page.body.matches("http://www.w3.org/2000/svg").count(), "only the name of SVG");
    for header in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "nosniff", "no-store"] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
}
