//! The HTML report: one file, no network, nothing that a model or a runtime says is taken for markup.

mod sample;

use halfproof_reports::schema::Point;
use halfproof_reports::{Run, html};

fn page(run: &Run) -> String {
    html(run).expect("the template fits")
}

/// The part that the browser shows, without style and script.
fn body(run: &Run) -> String {
    let page = page(run);
    let start = page.find("<main>").expect("a main part");
    page[start..page.find("</main>").expect("its end")].to_string()
}

/// Coordinates are the business of the libraries that draw.
fn without_pictures(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, from)) = rest.split_once("<svg ") {
        text += before;
        text += "[picture]";
        rest = from.split_once("</svg>").map_or("", |(_, after)| after);
    }
    text + rest
}

#[test]
fn the_page_reads_like_this() {
    insta::assert_snapshot!(without_pictures(&body(&sample::run())));
}

#[test]
fn text_of_models_and_runtimes_is_never_markup() {
    let body = body(&sample::run());
    assert!(!body.contains("<script") && !body.contains("</script") && !body.contains("<b>"), "{body}");
    assert!(body.contains("&lt;script&gt;alert(1)") && body.contains("&lt;script&gt;alert(2)"));
}

#[test]
fn links_lead_to_files_of_the_run_or_to_the_web() {
    let mut run = sample::run();
    for f in &mut run.findings {
        if let Some(known) = &mut f.known_issue {
            known.link = Some("javascript:alert(3)".into());
        }
        f.files.model = Some("javascript:alert(4)\" onclick=\"alert(5)".into());
    }
    let body = body(&run);
    for link in body.split("href=\"").skip(1) {
        assert!(
            link.starts_with("./") || link.starts_with('#') || link.starts_with("https://"),
            "{link:.60}"
        );
    }
    assert!(!body.contains("onclick=\"alert"));
}

#[test]
fn the_page_loads_nothing() {
    let page = page(&sample::run());
    for loads in [" src=", "url(", "@import", "<link", "<iframe", "fetch("] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn a_thousand_findings_stay_under_5_megabytes() {
    let mut run = sample::run();
    let mut worst = run.findings[3].clone();
    worst.points = (0..48)
        .map(|i| Point { element: i, error: 0.5.into(), low: (-1.0).into(), high: 1.0.into() })
        .collect();
    run.findings = vec![worst; 1000];
    for (i, f) in run.findings.iter_mut().enumerate() {
        f.id = format!("SO-{i:06}");
    }
    let page = page(&run);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("class=\"finding ").count(), 1000);
}

#[test]
fn an_empty_run_is_a_page_too() {
    let body = body(&Run::new("cargo xtask fuzz", 0));
    assert!(body.contains("No finding."));
}

#[test]
fn a_page_of_triage_shows_its_finding_and_nothing_empty() {
    let mut run = Run::new("cargo xtask triage model.onnx", 1);
    run.findings.push(sample::run().findings.remove(0));
    let body = body(&run);
    assert_eq!(body.matches("<section").count(), 1, "{body}");
    assert!(body.contains(" open>"), "{body}");
    assert!(!body.contains("<span>tests</span>"), "{body}");
    let several = page(&sample::run());
    assert!(several.contains("<details class=\"finding") && !several.contains(" open>"));
}
