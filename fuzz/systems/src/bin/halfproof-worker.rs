//! The worker process of the runtimes that live in libraries: `halfproof-worker litert --library PATH`. xtask holds the
//! same entry, so that a campaign needs no second executable; this one is for tests.

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    halfproof_systems::worker_main(&args)
}
