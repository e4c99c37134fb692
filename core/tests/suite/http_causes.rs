//! What is told of a failure: in which phase, and why. One row a cause.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex};

use crate::http_rig::{KEY, MORE_THAN_BUFFERS, Post, authority, config, ms, tls_peer, transport};
use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::error::cause::{Cause, Phase};
use oe_core::error::{Error, Status};
use oe_core::http::{HttpConfig, HttpTransport, Proxy};
use oe_core::platform::clock::World;
use oe_core::platform::log::{Level, Log, LogSink};
use oe_core::rules::confidence::Confidence;
use oe_core::transport::{Exchange, Failure, ReplyBody};
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::peer::{Nobody, Peer, Step, Swamp, json};

/// A fatal alert as it goes over the wire.
fn alert(code: u8) -> Step {
    Step::Send(vec![21, 3, 3, 0, 2, 2, code])
}

fn with_certificate(fault: Fault) -> Peer {
    let script = vec![vec![Step::Serve(json("200 OK", "{}"))]];
    Peer::tls(authority().server(fault).config(&[]), script)
}

/// The peer's address, as one that speaks TLS.
fn as_tls(peer: &Peer) -> String {
    peer.base_url()
        .replace("http://127.0.0.1", "https://localhost")
}

fn through(proxy: &str) -> HttpTransport {
    let proxy = Some(Proxy::parse(proxy).unwrap());
    HttpTransport::new(HttpConfig { proxy, ..config() }).unwrap()
}

/// What a failed exchange says, and the failure itself.
fn told(exchange: &Exchange) -> (Failure, &Cause) {
    let failure = match &exchange.outcome {
        Err(failure) => *failure,
        Ok(reply) => match &reply.body {
            ReplyBody::Broken(_, failure) => *failure,
            other => panic!("no failure: {other:?}"),
        },
    };
    let cause = exchange.cause.as_ref();
    (failure, cause.unwrap_or_else(|| panic!("{exchange:?}")))
}

#[track_caller]
fn says(exchange: &Exchange, failure: Failure, words: &str) {
    let (found, cause) = told(exchange);
    let cause = cause.to_string();
    assert_eq!(found, failure, "{cause}");
    assert!(cause.starts_with(words), "{cause:?} is not {words:?}");
    assert!(!cause.contains(char::is_control), "{cause:?}");
    assert!(cause.len() <= 140, "{cause:?}");
    for secret in [KEY, "CTX1", "/p/"] {
        assert!(!cause.contains(secret), "{cause:?}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate() {
    for (fault, failure, words) in [
        (
            Fault::UnknownIssuer,
            Failure::Tls,
            "the certificate is not from an issuer that is trusted (UnknownIssuer)",
        ),
        (
            Fault::WrongName,
            Failure::Tls,
            "the certificate is for another name (NotValidForName)",
        ),
        (
            Fault::Expired,
            Failure::Tls,
            "the certificate has expired, or this device's clock is ahead (Expired)",
        ),
        (
            Fault::NotYetValid,
            Failure::Clock,
            "the certificate is not valid yet, by this device's clock (NotValidYet)",
        ),
    ] {
        let exchange = Post::to(&with_certificate(fault).base_url()).send(&transport());
        let words = format!("While starting TLS: {words}");
        says(&exchange, failure, &words);
        let cause = exchange.cause.unwrap();
        let tls = cause.source().unwrap().downcast_ref::<rustls::Error>();
        assert!(
            matches!(tls, Some(rustls::Error::InvalidCertificate(_))),
            "{tls:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_handshake() {
    let broken_hello = Step::Send(vec![22, 3, 1, 0, 4, 2, 0, 0, 0]);
    // TLS 1.0: a random number, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let mut old_hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    old_hello.extend([7; 32]);
    old_hello.extend([0, 0, 0x2F, 0]);
    let no_version = "no TLS version in common, this side speaks 1.2 and 1.3";
    for (script, failure, words) in [
        // protocol_version, handshake_failure, unrecognized_name, no_application_protocol
        (vec![Step::Read(1), alert(70)], Failure::Tls, no_version),
        (
            vec![Step::Read(1), alert(40)],
            Failure::Tls,
            "received fatal alert: HandshakeFailure",
        ),
        (
            vec![Step::Read(1), alert(112)],
            Failure::Tls,
            "received fatal alert: Unrecogni",
        ),
        (
            vec![Step::Read(1), alert(120)],
            Failure::Tls,
            "the peer speaks another protocol than HTTP/1.1",
        ),
        (
            vec![Step::Read(1), Step::Send(old_hello)],
            Failure::Tls,
            no_version,
        ),
        (
            vec![Step::Read(1), broken_hello],
            Failure::Tls,
            "the peer does not speak TLS",
        ),
        (
            vec![Step::Send(b"SSH-2.0-OpenSSH_9\r\n".to_vec())],
            Failure::Tls,
            "the peer does not speak TLS",
        ),
        (
            vec![Step::Read(1), Step::Close],
            Failure::Io,
            "the peer closed the connection",
        ),
        (
            vec![Step::Read(1), Step::Reset],
            Failure::Io,
            "connection reset by the peer (os error",
        ),
    ] {
        let peer = Peer::plain(vec![[script, vec![Step::Hang]].concat()]);
        let exchange = Post::to(&as_tls(&peer)).send(&transport());
        says(&exchange, failure, &format!("While starting TLS: {words}"));
    }
    let h2 = Peer::tls(authority().server(Fault::None).config(&["h2"]), vec![]);
    let exchange = Post::to(&h2.base_url()).send(&transport());
    let words = "While starting TLS: the peer speaks another protocol than HTTP/1.1";
    says(&exchange, Failure::Tls, words);
}

#[test]
fn why_there_is_no_connection() {
    let nobody = Nobody::new();
    let refused = Post::to(&format!("http://{}", nobody.addr())).send(&transport());
    let words = "While connecting: connection refused (os error ";
    says(&refused, Failure::Connect, words);
    let (_, cause) = told(&refused);
    assert_eq!((cause.phase, cause.to_proxy), (Phase::Connect, false));
    let system = cause.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(system.kind(), io::ErrorKind::ConnectionRefused);
    // One cause for all addresses of a name is said once.
    let localhost = format!("http://localhost:{}", nobody.addr().port());
    let refused = Post::to(&localhost).send(&transport());
    let (_, cause) = told(&refused);
    assert_eq!(cause.to_string().matches("refused").count(), 1, "{cause}");
    let swamp = Swamp::new();
    let mut post = Post::to(&format!("http://{}", swamp.addr()));
    post.connect_timeout = ms(300);
    let silent = post.send(&transport());
    let words = "While connecting: no answer within ";
    says(&silent, Failure::Connect, words);
}

#[test]
fn in_which_phase_the_deadline_passed() {
    let swamp = Swamp::new();
    let silent = Peer::plain(vec![vec![Step::Drain]]);
    let peer = |script: &[Step]| tls_peer(vec![script.to_vec()]);
    let unread = peer(&[Step::Head, Step::Sleep(ms(5_000))]);
    let unanswered = peer(&[Step::Request, Step::Hang]);
    let begun = peer(&[
        Step::Request,
        Step::Send(b"HTTP/1.1 200".to_vec()),
        Step::Hang,
    ]);
    let no_body = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec();
    let cut = peer(&[Step::Request, Step::Send(no_body), Step::Hang]);
    for (base, size, phase, words) in [
        (
            format!("http://{}", swamp.addr()),
            100,
            Phase::Connect,
            "connecting",
        ),
        (as_tls(&silent), 100, Phase::Tls, "starting TLS"),
        (
            unread.base_url(),
            MORE_THAN_BUFFERS,
            Phase::Send,
            "sending the request",
        ),
        (
            unanswered.base_url(),
            100,
            Phase::Wait,
            "waiting for the answer",
        ),
        (
            begun.base_url(),
            100,
            Phase::Receive,
            "receiving the answer",
        ),
        (cut.base_url(), 100, Phase::Receive, "receiving the answer"),
    ] {
        // Enough for the steps before, also where much else goes on.
        let post = Post::to(&base).image(size).timeout(ms(1_500));
        let exchange = post.send(&transport());
        let words = format!("While {words}: the deadline of 1500 ms has passed");
        says(&exchange, Failure::Timeout, &words);
        assert_eq!(exchange.cause.unwrap().phase, phase);
    }
}

#[test]
fn what_is_wrong_with_an_answer() {
    let head = |text: &str| Step::Send(text.into());
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n", "x".repeat(70_000));
    for (script, words) in [
        (
            vec![Step::Request, Step::Close],
            "While waiting for the answer: the peer closed the connection",
        ),
        (
            vec![Step::Request, Step::Reset],
            "While waiting for the answer: connection reset by the peer (os error ",
        ),
        (
            vec![Step::Request, head("<html>\r\n\r\n"), Step::Hang],
            "While receiving the answer: the answer is not HTTP",
        ),
        (
            vec![Step::Request, head("HTTP/1.1 101 Go\r\n\r\n"), Step::Hang],
            "While receiving the answer: the peer left HTTP",
        ),
        (
            vec![Step::Request, head(&long), Step::Hang],
            "While receiving the answer: the head of the answer is longer than 64 KiB",
        ),
        (
            vec![Step::Request, head("HTTP/1.1 200"), Step::End],
            "While receiving the answer: the peer closed the connection",
        ),
        (
            vec![
                Step::Request,
                head("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
                Step::End,
            ],
            "While receiving the answer: the peer closed the connection",
        ),
        (
            vec![
                Step::Request,
                head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
                Step::Hang,
            ],
            "While receiving the answer: the body is not as HTTP has it",
        ),
        (
            vec![
                Step::Request,
                Step::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
            ],
            "While receiving the answer: the peer sends without end",
        ),
    ] {
        let peer = Peer::plain(vec![script]);
        let exchange = Post::to(&peer.base_url())
            .timeout(ms(60_000))
            .send(&transport());
        says(&exchange, Failure::Io, words);
    }
    let script = vec![Step::Head, Step::Read(1 << 20), Step::Reset];
    let peer = tls_peer(vec![script]);
    let post = Post::to(&peer.base_url()).image(MORE_THAN_BUFFERS);
    let words = "While sending the request: ";
    says(&post.send(&transport()), Failure::Io, words);
}

#[test]
fn what_is_wrong_with_a_proxy() {
    let proxy = |script: &[Step]| Peer::plain(vec![script.to_vec()]);
    let send = |text: &str| Step::Send(text.into());
    let asking = "While asking the proxy: ";
    for (script, words) in [
        (
            vec![
                Step::Head,
                send("HTTP/1.1 407 Auth\r\nX: y\r\n\r\n"),
                Step::Hang,
            ],
            "it answered HTTP 407",
        ),
        (
            vec![Step::Head, send("SSH-2.0\r\n\r\n"), Step::Hang],
            "its answer is not HTTP",
        ),
        (
            vec![Step::Head, Step::Flood(b"x".to_vec())],
            "its answer has no end",
        ),
        (
            vec![Step::Head, Step::Close],
            "the peer closed the connection",
        ),
    ] {
        let peer = proxy(&script);
        let exchange = Post::to("https://localhost:9").send(&through(&peer.base_url()));
        says(&exchange, Failure::Proxy, &format!("{asking}{words}"));
        assert!(exchange.cause.unwrap().to_proxy);
    }
    let hangs = proxy(&[Step::Head, Step::Hang]);
    let post = Post::to("https://localhost:9").timeout(ms(700));
    let exchange = post.send(&through(&hangs.base_url()));
    let words = format!("{asking}the deadline of 700 ms has passed");
    says(&exchange, Failure::Timeout, &words);
    let nobody = Nobody::new();
    let gone = format!("http://us:s3cr3t@{}", nobody.addr());
    let exchange = Post::to("https://localhost:9").send(&through(&gone));
    let words = "While connecting to the proxy: connection refused (os error ";
    says(&exchange, Failure::Proxy, words);
    assert!(!format!("{:?}", exchange.cause).contains("s3cr3t"));
    // What fails behind the proxy is not the proxy's.
    let service = with_certificate(Fault::Expired);
    let way = proxy(&[
        Step::Head,
        send("HTTP/1.1 200 OK\r\n\r\n"),
        Step::Relay(service.addr()),
    ]);
    let exchange = Post::to(&service.base_url()).send(&through(&way.base_url()));
    let words = "While starting TLS: the certificate has expired";
    says(&exchange, Failure::Tls, words);
    assert!(!exchange.cause.unwrap().to_proxy);
}

#[derive(Default)]
struct Lines(Mutex<Vec<(Level, String)>>);

impl LogSink for Lines {
    fn line(&self, level: Level, text: &str) {
        self.0.lock().unwrap().push((level, text.to_owned()));
    }
}

/// A client of this service, and what it logs.
fn client(base: &str, trusted: &str) -> (Arc<Client>, Arc<Lines>) {
    let lines = Arc::new(Lines::default());
    let mut options = Options::default();
    options.set_api_key(Some(KEY)).unwrap();
    options.set_endpoint(Some(base)).unwrap();
    options.set_allow_http(1).unwrap();
    options.set_ca_pem(Some(trusted.as_bytes())).unwrap();
    options.set_log(Log::new(Level::Trace, lines.clone()));
    (Client::new(&options, World::default()).unwrap(), lines)
}

fn create(client: &Arc<Client>) -> Result<Arc<oe_core::session::Session>, Error> {
    client.create_context(Confidence::default(), Confidence::default())
}

#[test]
fn the_cause_is_in_the_error_and_in_the_log() {
    let peer = with_certificate(Fault::None);
    let stranger = Authority::new("Another").pem;
    let (client, lines) = client(&peer.base_url(), &stranger);
    let error = create(&client).unwrap_err();
    assert_eq!(error.status, Status::Tls);
    let expected = "The TLS certificate or handshake was refused. While starting TLS: the certificate is not from an issuer that is trusted (UnknownIssuer) (host localhost)";
    assert_eq!(error.text, expected);
    // What an `oe_error` holds, with a host of 35 characters as the service's.
    assert!(error.text.len() + 35 - "localhost".len() < 256);
    let cause = error.source().unwrap();
    assert_eq!(cause.downcast_ref::<Cause>().unwrap().phase, Phase::Tls);
    assert!(cause.source().unwrap().is::<rustls::Error>());
    let lines = lines.0.lock().unwrap();
    for level in [Level::Debug, Level::Warn] {
        let told = |(at, text): &(Level, String)| *at == level && text.contains("UnknownIssuer");
        assert!(lines.iter().any(told), "{level:?}: {lines:?}");
    }
}

#[test]
fn the_cause_of_a_process_call_is_told_with_its_http_status() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{";
    let peer = Peer::plain(vec![vec![
        Step::Json(oe_test_support::CONTEXT_AND_VERDICT.into()),
        Step::Request,
        Step::Send(cut.into()),
        Step::End,
    ]]);
    let (client, lines) = client(&peer.base_url(), &authority().pem);
    let session = create(&client).unwrap();
    let jpeg = oe_test_support::fake_jpeg(2_000, 1);
    let error = session.process(&jpeg, None).unwrap_err();
    assert_eq!((error.status, error.http_status), (Status::Io, 200));
    let words = "While receiving the answer: the peer closed the connection (HTTP 200)";
    assert!(error.text.ends_with(words), "{}", error.text);
    assert_eq!(session.last_error().unwrap().text, error.text);
    let lines = lines.0.lock().unwrap();
    let log = format!("{lines:?}");
    assert!(log.contains(words), "{log}");
    for secret in [KEY, "/p", "ContextId"] {
        assert!(
            !log.contains(secret) && !error.text.contains(secret),
            "{log}"
        );
    }
}
