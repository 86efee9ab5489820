//! A running vae-watch, and an HTTP client of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{TestDir, code};

/// A run with 3 epochs and 8 pictures in each.
pub const RUN: &str =
    "mnist-dump --synthetic=300 | vae-train --hidden 32 --latent 4 -o model.bin --epochs 3 --batch 50 --preview 8";

/// A running vae-watch, on a port of its own.
pub struct WatchServer {
    child: Child,
    pub port: u16,
    stderr: BufReader<ChildStderr>,
}

/// An HTTP response.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl WatchServer {
    /// Starts it with these arguments, its standard input and output as pipes, and waits for the URL of the page.
    pub fn start(dir: &TestDir, args: &str) -> WatchServer {
        WatchServer::start_at(dir, 0, args)
    }

    /// The same on this port.
    pub fn start_at(dir: &TestDir, port: u16, args: &str) -> WatchServer {
        let mut command = dir.command("vae-watch");
        command.args(["--port", &port.to_string()]).args(args.split_whitespace());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vae-watch");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        stderr.read_line(&mut said).expect("a line");
        let port = said.trim_end().strip_suffix('/').and_then(|url| url.rsplit(':').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("expected where the page is, got {said:?}"));
        assert!(said.starts_with("vae-watch: http://"), "{said}");
        WatchServer { child, port, stderr }
    }

    /// The URL of the page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("its input is ours")
    }

    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("its output is ours")
    }

    /// A TCP connection to the server.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        stream
    }

    /// Sends a request and reads the response.
    pub fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("expected an answer, got {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// The whole state that the page would show.
    pub fn news(&self) -> Value {
        let mut news = self.portion("/news");
        while news["more"] == true {
            let next = self.portion(&format!("/news?session={}&since={}", as_text(&news["session"]), news["serial"]));
            let mut pictures = news["pictures"].take();
            let (all, more) = (pictures.as_array_mut().expect("a list"), next["pictures"].as_array().expect("a list"));
            all.extend(more.iter().cloned());
            let curves = news["curves"].take();
            news = next;
            (news["pictures"], news["curves"]) = (pictures, curves);
        }
        news
    }

    /// The JSON of one response.
    pub fn portion(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{}", answer.head);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Polls as a page does, for updates since `news`, up to the end of the run; gives the last answer.
    pub fn follow(&self, mut news: Value) -> Value {
        while news["more"] == true || !["finished", "failed"].contains(&as_text(&news["stage"])) {
            news = self.portion(&format!("/news?session={}&since={}", as_text(&news["session"]), news["serial"]));
        }
        news
    }

    /// Polls until the run has reached this stage, and gives the whole state.
    pub fn until(&self, stage: &str) -> Value {
        let begun = Instant::now();
        loop {
            let news = self.news();
            if news["stage"] == stage {
                return news;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "never {stage}: {}", news["stage"]);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Peak resident memory, in kB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal");
    }

    /// Waits for its end; gives the exit code, and standard error after the first line.
    pub fn end(mut self) -> (i32, String) {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).expect("text");
        (code(self.child.wait().expect("an end")), said)
    }
}

impl Drop for WatchServer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

pub fn as_text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected text, got {value}"))
}
