//! The report in a real browser: headless Chromium, driven over WebDriver. Where Chromium is absent the test says so
//! loudly and tests nothing; `HALFPROOF_SCREENSHOTS=DIR` keeps pictures of the page.

mod sample;

use base64::Engine;
use halfproof_reports::{Run, html_after};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A chromedriver with one session; both end with it.
struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// `None` when there is no chromedriver or no Chromium.
    fn open(profile: &Path) -> Option<Browser> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = BufReader::new(driver.stdout.take()?).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{}/session", port?) };
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-color-profile=srgb",
            "--window-size=1280,1000",
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        }}});
        let answer = browser.ask("", Some(wanted)).ok()?;
        let id = answer["sessionId"].as_str()?.to_string();
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    fn ask(&self, path: &str, body: Option<Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match body {
            Some(body) => ureq::post(&url).send_json(&body),
            None => ureq::get(&url).call(),
        };
        let mut answer = answer.map_err(|e| e.to_string())?;
        let value: Value = answer.body_mut().read_json().map_err(|e| e.to_string())?;
        Ok(value["value"].clone())
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.ask(path, Some(body)).expect("the browser answers")
    }

    fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The element of a selector.
    fn find(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let object = found.as_object().expect("an element");
        object.values().next().and_then(Value::as_str).expect("its name").to_string()
    }

    fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.run(&format!("document.querySelector({selector:?}).scrollIntoView({{block: 'center'}})"));
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("/element/{element}/value"), json!({ "text": text }));
    }

    /// What the browser complains about.
    fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let bad = |e: &&Value| matches!(e["level"].as_str(), Some("SEVERE" | "WARNING"));
        entries.iter().filter(bad).map(|e| e["message"].as_str().unwrap_or_default().to_string()).collect()
    }

    fn theme(&self, name: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": name }]);
        let params = json!({ "features": features });
        self.post("/goog/cdp/execute", json!({ "cmd": "Emulation.setEmulatedMedia", "params": params }));
    }

    fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("HALFPROOF_SCREENSHOTS") else { return };
        let data = self.ask("/screenshot", None).expect("a picture");
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(data.as_str().expect("text")).expect("base64");
        std::fs::write(Path::new(&folder).join(name), bytes).expect("the folder exists");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Earlier runs, so that the page has trends.
fn history() -> Vec<Run> {
    let run = |findings: usize, speed: f64| {
        let mut run = sample::run();
        run.findings.truncate(findings);
        run.timings.tests_per_second = speed;
        run
    };
    vec![run(1, 2100.0), run(4, 2300.0), run(2, 2250.0)]
}

#[test]
fn the_report_works_in_a_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(browser) = Browser::open(&folder.path().join("profile")) else {
        let text = b"SKIPPED, nothing was tested: there is no chromedriver or Chromium (apt-get install chromium chromium-driver)\n";
        std::io::stderr().write_all(text).expect("stderr");
        return;
    };
    let page = folder.path().join("report.html");
    // A run of this machine instead of the sample, for pictures.
    let run = match std::env::var_os("HALFPROOF_RUN") {
        Some(path) => Run::from_json(&std::fs::read_to_string(path).expect("a file")).expect("a run"),
        None => sample::run(),
    };
    std::fs::write(&page, html_after(&run, &history()).expect("the template fits")).expect("written");
    browser.theme("light");
    browser.post("/url", json!({ "url": format!("file://{}", page.display()) }));
    let count = run.findings.len() as u64;
    assert_eq!(browser.run("return document.querySelectorAll('.finding').length"), json!(count));

    // The filter filters.
    let shown = "return [...document.querySelectorAll('.finding')].filter((f) => !f.hidden).length";
    assert_eq!(browser.run(shown), json!(count));
    browser.type_into("#filter", "softmax kernel");
    let some = browser.run(shown).as_u64().expect("a number");
    if std::env::var_os("HALFPROOF_RUN").is_none() {
        assert!(some > 0 && some < count, "{some} of {count}");
    }
    assert_eq!(
        browser.run("return document.querySelector('#shown').textContent"),
        json!(format!("{some} of {count} shown"))
    );
    browser.type_into("#filter", "\u{e00c}");
    assert_eq!(browser.run(shown), json!(count), "Escape shows all again");

    // A finding expands, by mouse and by keyboard.
    let open = "return document.querySelector('.finding').open";
    browser.run("document.querySelector('.finding').open = false");
    browser.click(".finding > summary");
    assert_eq!(browser.run(open), json!(true));
    browser.picture("report-light.png");
    browser.run("document.querySelector('.finding > summary').focus()");
    browser.type_into(".finding > summary", "\u{e007}");
    assert_eq!(browser.run(open), json!(false), "Enter closes it again");
    browser.run("document.querySelector('.finding').open = true");

    // The copy button copies: what it copied can be pasted.
    let copied = browser.run("return document.querySelector('.finding [data-copy]').dataset.copy");
    browser.click(".finding [data-copy]");
    browser.run("document.querySelector('#filter').focus()");
    browser.type_into("#filter", "\u{e009}v\u{e000}");
    assert_eq!(browser.run("return document.querySelector('#filter').value"), copied);
    browser.type_into("#filter", "\u{e00c}");

    // Dark and light differ, by the system's wish and by the button.
    let background = "return getComputedStyle(document.body).backgroundColor";
    let light = browser.run(background);
    browser.theme("dark");
    let dark = browser.run(background);
    assert_ne!(light, dark);
    browser.run("scrollTo(0, 0)");
    browser.picture("report-dark.png");
    browser.click("#theme");
    assert_eq!(browser.run(background), light);
    browser.click("#theme");

    // What a screen reader needs: a language, one first heading, names for buttons, pictures and fields.
    let unnamed = "return [...document.querySelectorAll('svg, button, input, a')].filter((e) => \
        !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))";
    assert_eq!(browser.run(unnamed), json!([]));
    assert_eq!(browser.run("return document.querySelectorAll('h1').length"), json!(1));
    assert_eq!(browser.run("return document.documentElement.lang"), json!("en"));
    for section in ["trends", "heat", "losses"] {
        if browser.run(&format!("return !!document.querySelector('#h-{section}')")) == json!(true) {
            browser.run(&format!("document.querySelector('#h-{section}').scrollIntoView()"));
            browser.picture(&format!("report-{section}.png"));
        }
    }
    // Nothing leaves the page, and nothing went wrong.
    assert_eq!(browser.run("return performance.getEntriesByType('resource').length"), json!(0));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
