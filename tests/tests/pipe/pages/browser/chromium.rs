//! A client of Chromium's DevTools protocol: messages of JSON, each with a zero byte after it, on two pipes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{TestDir, repository};

/// No network traffic of its own, no window, and no sandbox, which root cannot have.
const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                     --disable-component-update --disable-sync --disable-extensions --hide-scrollbars \
                     --force-color-profile=srgb --remote-debugging-pipe --user-data-dir=profile";
/// The longest that a call of the browser may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    events: Vec<Value>,
    /// The folder of its profile and its pipes.
    _dir: TestDir,
}

impl Browser {
    /// Starts one with an empty page of so many pixels.
    pub fn start(width: u32, height: u32) -> Browser {
        let dir = TestDir::new();
        let there = dir.run("command -v chromium > /dev/null").codes == [0];
        assert!(there, "Chromium is missing: apt-get install chromium");
        dir.run("mkdir profile; mkfifo to from").succeeds();
        let mut command = dir.command("sh");
        command.args(["-c", &format!("exec chromium {FLAGS} about:blank 3< to 4> from")]);
        let child = command.env("HOME", dir.path("")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh");
        // In the order in which the shell opens them.
        let to = File::options().write(true).open(dir.path("to")).expect("a pipe");
        let from = BufReader::new(File::open(dir.path("from")).expect("a pipe"));
        let (tell, heard) = channel();
        spawn(move || {
            for message in from.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON of Chromium");
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser { child, to, from: heard, calls: 0, session: None, events: Vec::new(), _dir: dir };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let session = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width, height);
        browser
    }

    /// Calls a method, and gives its result.
    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("Chromium listens");
        loop {
            let mut heard = self.from.recv_timeout(TIMEOUT).unwrap_or_else(|e| panic!("{method}: no answer: {e}"));
            if heard["id"] == id {
                assert!(heard.get("error").is_none(), "{method}: {heard}");
                return heard["result"].take();
            }
            self.events.push(heard);
        }
    }

    /// Opens a page, and waits until it is loaded.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({"url": url}));
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        self.until(&format!("location.href !== 'about:blank' && document.readyState === 'complete' // {url}"));
    }

    /// The value of a JavaScript expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    #[track_caller]
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression}: expected text, got {value}")).to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != true {
            let page = self.value("document.body.innerText");
            assert!(begun.elapsed() < TIMEOUT / 3, "never true: {expression}; the page says {page}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until what has changed is drawn.
    pub fn drawn(&mut self) {
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
    }

    /// The pixels of a canvas, as text to compare.
    #[track_caller]
    pub fn pixels(&mut self, canvas: &str) -> String {
        self.drawn();
        let pixels = self.text(&format!("document.querySelector('{canvas}').toDataURL()"));
        assert!(pixels.len() > 500, "{canvas} is empty");
        pixels
    }

    /// Presses a key: a name such as ArrowLeft, Tab, Enter or Home.
    pub fn press(&mut self, key: &str) {
        const CODES: [(&str, u32); 9] = [
            ("Tab", 9),
            ("Enter", 13),
            ("End", 35),
            ("Home", 36),
            ("ArrowLeft", 37),
            ("ArrowUp", 38),
            ("ArrowRight", 39),
            ("ArrowDown", 40),
            ("Space", 32),
        ];
        let code = CODES.iter().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("no key {key}")).1;
        let text = match key {
            "Enter" => "\r",
            "Space" => " ",
            _ => "",
        };
        let named = if key == "Space" { " " } else { key };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({"type": kind, "key": named, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", params);
        }
        self.drawn();
    }

    /// Presses Tab until this element has the focus, as someone without a mouse.
    #[track_caller]
    pub fn tab_to(&mut self, element: &str) {
        for _ in 0..60 {
            if self.value(&format!("document.activeElement === document.querySelector('{element}')")) == true {
                return;
            }
            self.press("Tab");
        }
        panic!("Tab never leads to {element}");
    }

    /// Drags the mouse over an element, between these fractions of its width and height.
    #[track_caller]
    pub fn drag(&mut self, element: &str, from: [f64; 2], to: [f64; 2]) {
        let corner = format!(
            "(() => {{ const e = document.querySelector('{element}'); e.scrollIntoView({{block: 'center'}}); \
             const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; }})()"
        );
        let corner = self.value(&corner);
        let [left, top, width, height] = [0, 1, 2, 3].map(|i| corner[i].as_f64().expect("a number"));
        for (kind, [x, y]) in [("mousePressed", from), ("mouseMoved", to), ("mouseReleased", to)] {
            let (x, y) = (left + x * width, top + y * height);
            let params = json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", params);
        }
        self.drawn();
    }

    #[track_caller]
    pub fn click(&mut self, element: &str) {
        self.drag(element, [0.5, 0.5], [0.5, 0.5]);
    }

    pub fn resize(&mut self, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    pub fn dark(&mut self) {
        let dark = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": dark}));
    }

    /// Leaves a picture of the page in `target/page/`, for people to look at.
    pub fn picture(&mut self, name: &str) {
        self.drawn();
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}))["data"].take();
        let png = STANDARD.decode(shot.as_str().expect("base64")).expect("base64");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(repository()).join("page");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.png")), png).expect("a file");
    }

    /// Asserts that the page is no wider than the screen.
    #[track_caller]
    pub fn fits(&mut self) {
        self.drawn();
        let [page, screen] = ["document.documentElement.scrollWidth", "innerWidth"].map(|width| self.value(width));
        assert!(page.as_u64() <= screen.as_u64(), "a page of {page} pixels on a screen of {screen}");
    }

    /// The messages in the console, of the page and of the browser.
    pub fn complaints(&mut self) -> Vec<String> {
        self.value("1"); // what is still on its way
        let loud = |event: &&Value| {
            let (method, params) = (event["method"].as_str().unwrap_or_default(), &event["params"]);
            match method {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => ["error", "warning", "assert"].iter().any(|kind| params["type"] == *kind),
                "Log.entryAdded" => ["error", "warning"].iter().any(|level| params["entry"]["level"] == *level),
                _ => false,
            }
        };
        self.events.iter().filter(loud).map(Value::to_string).collect()
    }

    /// Asserts that the console is empty, and that every request went to `home`.
    #[track_caller]
    pub fn is_quiet(&mut self, home: &str) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{complaints:?}");
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        for url in requests.map(|event| event["params"]["request"]["url"].as_str().expect("a URL")) {
            assert!(url.starts_with(home) || url.starts_with("data:"), "the page asked for {url}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill(); // and with it what it started
        let _ = self.child.wait();
    }
}
