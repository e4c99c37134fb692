//! The frame as it travels: one file part, whatever is in it.

use crate::http_rig::{KEY, Post, both, reply, transport};
use oe_core::key::ApiKey;
use oe_core::transport::{Exchange, Request, Transport};
use oe_core::wire::multipart::Multipart;
use oe_test_support::fake_jpeg;
use oe_test_support::peer::{Peer, Step, json};

/// Sends a frame as a session does.
fn send(peer: &Peer, jpeg: &[u8]) -> Exchange {
    let post = Post::to(&peer.base_url());
    let multipart = Multipart::new().unwrap();
    transport().exchange(&Request {
        url: &post.url,
        key: Some(&ApiKey::new(KEY).unwrap()),
        content_type: &multipart.content_type,
        body: multipart.body(jpeg),
        timeout: post.timeout,
        connect_timeout: post.connect_timeout,
        cancel: &post.cancel,
    })
}

#[test]
fn up_01_up_02_one_file_part_byte_for_byte() {
    for peer in both(&[vec![Step::Serve(json("200 OK", "{}"))]]) {
        let jpeg = fake_jpeg(2_000, 1);
        assert_eq!(reply(&send(&peer, &jpeg)).status, 200);
        let request = &peer.seen()[0];
        let kind = request.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"print.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let whole = [head.as_bytes(), &jpeg, tail.as_bytes()].concat();
        assert!(request.body == whole, "strict multipart, byte for byte");
        let length = request.header("content-length").unwrap();
        assert_eq!(length, whole.len().to_string());
    }
}

#[test]
fn up_03_payloads_that_look_like_boundaries_arrive_whole() {
    let peer = Peer::plain(vec![vec![Step::Serve(json("200 OK", "{}"))]]);
    send(&peer, &fake_jpeg(2_000, 1));
    let mut jpeg = fake_jpeg(2_000, 2);
    jpeg.extend(peer.seen()[0].body.clone());
    jpeg.extend(b"\r\n--boundary\r\n------WebKitFormBoundary--\r\n");
    assert_eq!(reply(&send(&peer, &jpeg)).status, 200);
    let body = &peer.seen()[1].body;
    assert!(body.windows(jpeg.len()).any(|window| window == jpeg));
}
