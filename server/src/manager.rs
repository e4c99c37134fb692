//! What the service manager, systemd as a rule, is told: `sd_notify(3)`. Without one nothing happens.

#[cfg(unix)]
use sd_notify::NotifyState;

/// It listens; `status` is what `systemctl status` shows.
pub(crate) fn ready(status: &str) {
    #[cfg(unix)]
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
    #[cfg(not(unix))]
    let _ = status;
}

/// It reads its files again; [`ready`] follows.
pub(crate) fn reloading() {
    #[cfg(unix)]
    {
        let mut state = vec![NotifyState::Reloading];
        // Later versions of systemd want to know when.
        state.extend(NotifyState::monotonic_usec_now().ok());
        send(&state);
    }
}

/// It ends.
pub(crate) fn stopping() {
    #[cfg(unix)]
    send(&[NotifyState::Stopping, NotifyState::Status("ends")]);
}

/// A manager that cannot be told must not stop a service.
#[cfg(unix)]
fn send(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
