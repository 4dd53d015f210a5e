//! Ending with the process that started this one.

#[cfg(target_os = "linux")]
use nightshard_deploy::controller::PARENT_VARIABLE;

/// Has the system end this process when the one that [`PARENT_VARIABLE`] names ends, if it names
/// one: a controller that dies takes its build with it.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent() -> anyhow::Result<()> {
    let Ok(parent) = std::env::var(PARENT_VARIABLE) else {
        return Ok(());
    };
    let kill = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(kill)?;
    // It may have ended before the system was told.
    let is_alive = rustix::process::getppid()
        .is_some_and(|found| found.as_raw_nonzero().to_string() == parent);
    anyhow::ensure!(is_alive, "{PARENT_VARIABLE}: process {parent} has ended");
    Ok(())
}

/// Elsewhere a build goes on without whoever started it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent() -> anyhow::Result<()> {
    Ok(())
}
