//! Connections: who is idle, and who has to go when there is no room for more.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is doing. The first to go are those at the top, the oldest of each first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing; the next request may come in hours.
    Idle,
    /// A request is on its way.
    Receiving,
    /// The request is there: such a one never has to go.
    Answering,
}

/// How a connection is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// After the request that has begun, if there is one.
    Finish,
    /// Now, whatever has begun.
    Drop,
}

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    table: Mutex<Table>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<u64, Entry>,
    /// Those that may have to go, in their order: stage, since when, which.
    order: BTreeSet<(Stage, u64, u64)>,
    steps: u64,
    finishing: bool,
}

#[derive(Debug)]
struct Entry {
    stage: Stage,
    since: u64,
    ending: Arc<Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    end: Mutex<Option<End>>,
    told: Notify,
}

impl Ending {
    fn tell(&self, end: End) {
        *self.end.lock() = Some(end);
        self.told.notify_one();
    }
}

impl Table {
    fn enter(&mut self, id: u64, stage: Stage) {
        self.steps += 1;
        let since = self.steps;
        let Some(entry) = self.open.get_mut(&id) else {
            return;
        };
        self.order.remove(&(entry.stage, entry.since, id));
        (entry.stage, entry.since) = (stage, since);
        if stage != Stage::Answering {
            self.order.insert((stage, since, id));
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.open.remove(&id)?;
        self.order.remove(&(entry.stage, entry.since, id));
        Some(entry)
    }
}

impl Connections {
    pub(crate) fn new(most: usize) -> Arc<Connections> {
        Arc::new(Connections {
            most: most.max(1),
            table: Mutex::default(),
            empty: Notify::new(),
        })
    }

    /// A new connection, for which another may have to go; none where all are at work.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Arc<Connection>> {
        let full = self.table.lock().open.len() >= self.most;
        if full && !self.make_room() {
            return None;
        }
        let mut table = self.table.lock();
        table.steps += 1;
        let id = table.steps;
        let ending = Arc::new(Ending::default());
        if table.finishing {
            ending.tell(End::Finish);
        }
        let entry = Entry {
            stage: Stage::Idle,
            since: id,
            ending: Arc::clone(&ending),
        };
        table.open.insert(id, entry);
        table.order.insert((Stage::Idle, id, id));
        Some(Arc::new(Connection {
            connections: Arc::clone(self),
            id,
            ending,
            now: Mutex::new(Now {
                stage: Stage::Idle,
                head_since: None,
                is_unread: false,
            }),
        }))
    }

    /// Ends the oldest idle connection, or else that which has been sending its request the longest.
    pub(crate) fn make_room(&self) -> bool {
        let mut table = self.table.lock();
        let Some((stage, _, id)) = table.order.first().copied() else {
            return false;
        };
        if let Some(entry) = table.remove(id) {
            let idle = stage == Stage::Idle;
            entry
                .ending
                .tell(if idle { End::Finish } else { End::Drop });
        }
        true
    }

    /// Ends all, after the requests that have begun, and waits for that.
    pub(crate) async fn finish(&self) {
        {
            let mut table = self.table.lock();
            table.finishing = true;
            for entry in table.open.values() {
                entry.ending.tell(End::Finish);
            }
        }
        while !self.table.lock().open.is_empty() {
            self.empty.notified().await;
        }
    }
}

/// One connection; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Connection {
    connections: Arc<Connections>,
    id: u64,
    ending: Arc<Ending>,
    now: Mutex<Now>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    stage: Stage,
    /// When the head began to come that is not whole yet.
    head_since: Option<Instant>,
    /// Whether the last answer came before its request was whole.
    is_unread: bool,
}

impl Connection {
    fn enter(&self, stage: Stage, head_since: Option<Instant>) {
        let mut now = self.now.lock();
        now.head_since = head_since;
        if now.stage != stage {
            now.stage = stage;
            self.connections.table.lock().enter(self.id, stage);
        }
    }

    /// Bytes have come.
    pub(crate) fn bytes_came(&self) {
        if self.now.lock().stage == Stage::Idle {
            self.enter(Stage::Receiving, Some(Instant::now()));
        }
    }

    /// The head of a request is whole.
    pub(crate) fn receiving(&self) {
        self.enter(Stage::Receiving, None);
    }

    /// The request is whole, or its rest does not matter.
    pub(crate) fn answering(&self) {
        self.enter(Stage::Answering, None);
    }

    /// It is set up, and no request has come.
    pub(crate) fn ready(&self) {
        self.enter(Stage::Idle, None);
    }

    /// The answer is on its way.
    pub(crate) fn idle(&self) {
        {
            let mut now = self.now.lock();
            now.is_unread = now.stage == Stage::Receiving;
        }
        self.enter(Stage::Idle, None);
    }

    /// Waits until it is asked to end.
    pub(crate) async fn ended(&self) -> End {
        loop {
            if let Some(end) = *self.ending.end.lock() {
                return end;
            }
            self.ending.told.notified().await;
        }
    }

    /// Whether a request has begun and is not whole.
    pub(crate) fn is_receiving(&self) -> bool {
        self.now.lock().stage == Stage::Receiving
    }

    /// By when the head that has begun must be whole.
    pub(crate) fn head_deadline(&self, time: Duration) -> Option<Instant> {
        self.now.lock().head_since.map(|since| since + time)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        table.remove(self.id);
        if table.open.is_empty() {
            self.connections.empty.notify_one();
        }
    }
}

/// How long, and how much, is still read after the last answer: a client that is refused early goes on
/// sending, and a connection that is closed at once would take the answer away from it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 << 20;

/// A stream that tells its connection when bytes come.
pub(crate) struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
    lingering: Option<Lingering>,
}

struct Lingering {
    end: Pin<Box<tokio::time::Sleep>>,
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    pub(crate) fn new(stream: S, connection: Arc<Connection>) -> Watched<S> {
        Watched {
            stream,
            connection,
            lingering: None,
        }
    }

    /// Reads what still comes, until the client is done or has had its time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = self.lingering.get_or_insert_with(|| Lingering {
            end: Box::pin(tokio::time::sleep(LINGER)),
            left: LINGER_BYTES,
        });
        if lingering.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; 4_096];
        while lingering.left > 0 {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            let came = buffer.filled().len();
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if came > 0 => {
                    lingering.left = lingering.left.saturating_sub(came);
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.bytes_came();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.lingering.is_none() {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) if self.connection.now.lock().is_unread => {}
                other => return other,
            }
        }
        self.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(connection: &Connection) -> Option<End> {
        *connection.ending.end.lock()
    }

    #[test]
    fn the_oldest_idle_goes_first_then_the_longest_on_its_way() {
        let connections = Connections::new(4);
        let all: Vec<_> = (0..4).map(|_| connections.open().unwrap()).collect();
        all[0].bytes_came();
        all[1].receiving();
        all[1].answering();
        all[1].idle();
        all[3].answering();
        // Idle are 2 and, for a shorter time, 1; 0 is sending.
        let expected = [(2, End::Finish), (1, End::Finish), (0, End::Drop)];
        let mut new = Vec::new();
        for (n, how) in expected {
            assert_eq!(end(&all[n]), None);
            let connection = connections.open().unwrap();
            connection.answering();
            new.push(connection);
            assert_eq!(end(&all[n]), Some(how), "{n}");
        }
        assert!(connections.open().is_none(), "all are at work");
        drop(new.pop());
        assert!(connections.open().is_some());
        assert_eq!(end(&all[3]), None);
    }

    #[test]
    fn a_head_has_a_deadline_and_idle_has_none() {
        let connections = Connections::new(4);
        let connection = connections.open().unwrap();
        let time = Duration::from_secs(15);
        assert_eq!(connection.head_deadline(time), None);
        connection.bytes_came();
        let deadline = connection.head_deadline(time).unwrap();
        connection.bytes_came();
        assert_eq!(connection.head_deadline(time), Some(deadline), "not anew");
        connection.receiving();
        assert_eq!(connection.head_deadline(time), None);
        connection.idle();
        assert_eq!(connection.head_deadline(time), None);
    }

    #[test]
    fn at_the_end_all_are_asked_and_waited_for() {
        let connections = Connections::new(4);
        let connection = connections.open().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let ended = async {
                assert_eq!(connection.ended().await, End::Finish);
                let late = connections.open().unwrap();
                assert_eq!(late.ended().await, End::Finish);
                drop((late, connection));
            };
            tokio::join!(connections.finish(), ended);
        });
        assert!(connections.table.lock().order.is_empty());
    }
}
