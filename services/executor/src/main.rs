//! The agent of one host.

fn main() {
    // Before anything else: the same executable also supervises commands, and that must start fast.
    executor::attempt::main_if_supervisor();
    eprintln!("usage: decklog-executor <command>; there is no command yet in this build");
    std::process::exit(2);
}
