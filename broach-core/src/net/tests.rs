//! What every [`DatagramSocket`] has to do, asked of each of them; and what UDP's does besides.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Transport;
use crate::deadline::{Clock, Time};
use crate::ecn::Ecn;
use crate::net::TokioClock;
use crate::net::memory::{Carried, Carrier, Hub};
use crate::net::socket::{Datagram, DatagramSocket, Datagrams};
use crate::net::udp::UdpSocket;

type Pair = [Arc<dyn DatagramSocket>; 2];

/// Datagrams arrive at once.
struct Straight;

impl Carrier for Straight {
    fn carry(
        &mut self,
        now: Time,
        _: SocketAddr,
        _: SocketAddr,
        datagram: Carried,
    ) -> Vec<(Time, Carried)> {
        vec![(now, datagram)]
    }
}

fn memory() -> Pair {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let hub = Hub::new(clock, Box::new(Straight));
    ["10.0.0.1:1", "10.0.0.2:2"].map(|addr| {
        let socket = hub.bind(addr.parse().unwrap()).unwrap();
        Arc::new(socket) as Arc<dyn DatagramSocket>
    })
}

fn udp(addr: &str) -> Pair {
    [(); 2].map(|()| {
        let socket = UdpSocket::bind(addr.parse().unwrap(), &Transport::default()).unwrap();
        Arc::new(socket) as Arc<dyn DatagramSocket>
    })
}

/// Asks every kind of socket the same.
macro_rules! of_every_socket {
    ($($question:ident)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $question() {
                super::$question(super::memory()).await;
            })*
        }
        mod udp_v4 {
            $(#[tokio::test]
            async fn $question() {
                super::$question(super::udp("127.0.0.1:0")).await;
            })*
        }
        mod udp_v6 {
            $(#[tokio::test]
            async fn $question() {
                super::$question(super::udp("[::1]:0")).await;
            })*
        }
    };
}

of_every_socket! {
    what_is_sent_arrives_as_it_was
    the_last_of_several_may_be_smaller
    an_answer_finds_its_way_back
    what_is_written_for_the_network_arrives
    receiving_waits_until_something_comes
    many_are_received_a_part_at_a_time
    nobody_there_is_no_error_that_lasts
}

async fn what_is_sent_arrives_as_it_was([one, other]: Pair) {
    let to = other.local_addr().unwrap();
    for len in [1, 100, 1_200, 9_000, 65_000] {
        let contents: Vec<u8> = (0..len).map(|at: usize| at as u8).collect();
        send(&*one, to, &contents, len).await;
        let [datagram] = &receive(&*other, 1).await[..] else { panic!("one was sent") };
        assert_eq!(datagram.bytes, contents);
        assert_eq!(datagram.from, one.local_addr().unwrap());
    }
}

async fn the_last_of_several_may_be_smaller([one, other]: Pair) {
    let to = other.local_addr().unwrap();
    let count = one.max_segments().min(10);
    let contents: Vec<u8> = (0..count * 1_000 - 1).map(|at| (at / 1_000) as u8).collect();
    send(&*one, to, &contents, 1_000).await;
    let received = receive(&*other, count).await;
    let sizes: Vec<usize> = received.iter().map(|datagram| datagram.bytes.len()).collect();
    let mut expected = vec![1_000; count];
    expected[count - 1] = 999;
    assert_eq!(sizes, expected);
    for (at, datagram) in received.iter().enumerate() {
        assert!(datagram.bytes.iter().all(|&byte| usize::from(byte) == at));
    }
}

async fn an_answer_finds_its_way_back([one, other]: Pair) {
    send(&*one, other.local_addr().unwrap(), b"question", 8).await;
    let question = receive(&*other, 1).await.remove(0);
    let contents = b"answer";
    let (local_ip, ecn) = (question.local_ip, Ecn::NotCapable);
    let answer = Datagrams { to: question.from, local_ip, ecn, contents, size: contents.len() };
    other.try_send(&answer).unwrap();
    assert_eq!(receive(&*one, 1).await[0].bytes, &contents[..]);
}

async fn what_is_written_for_the_network_arrives([one, other]: Pair) {
    let to = other.local_addr().unwrap();
    for ecn in [Ecn::NotCapable, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        one.try_send(&Datagrams { to, local_ip: None, ecn, contents: b"x", size: 1 }).unwrap();
        assert_eq!(receive(&*other, 1).await[0].ecn, ecn);
    }
}

async fn receiving_waits_until_something_comes([one, other]: Pair) {
    let to = other.local_addr().unwrap();
    let mut received = Vec::new();
    let first = futures::poll!(poll_fn(|cx| other.poll_receive(cx, &mut received)));
    assert!(first.is_pending());
    let waits = tokio::spawn(async move { receive(&*other, 1).await });
    tokio::task::yield_now().await;
    send(&*one, to, b"late", 4).await;
    assert_eq!(waits.await.unwrap()[0].bytes, &b"late"[..]);
}

async fn many_are_received_a_part_at_a_time([one, other]: Pair) {
    let to = other.local_addr().unwrap();
    for number in 0..200_u8 {
        send(&*one, to, &[number], 1).await;
    }
    let mut all = Vec::new();
    while all.len() < 200 {
        let before = all.len();
        poll_fn(|cx| other.poll_receive(cx, &mut all)).await.unwrap();
        assert!((1..=128).contains(&(all.len() - before)), "{} at once", all.len() - before);
    }
    let numbers: Vec<u8> = all.iter().map(|datagram| datagram.bytes[0]).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<u8>>());
}

async fn nobody_there_is_no_error_that_lasts([one, other]: Pair) {
    let gone = other.local_addr().unwrap();
    drop(other);
    // The operating system may well tell of it, on this or on the next operation.
    let _ = one.try_send(&Datagrams {
        to: gone,
        local_ip: None,
        ecn: Ecn::NotCapable,
        contents: b"x",
        size: 1,
    });
    let mut received = Vec::new();
    while let std::task::Poll::Ready(result) =
        futures::poll!(poll_fn(|cx| one.poll_receive(cx, &mut received)))
    {
        assert!(result.is_err(), "nobody has sent anything");
    }
    let itself = one.local_addr().unwrap();
    send(&*one, itself, b"still here", 10).await;
    assert_eq!(receive(&*one, 1).await[0].bytes, &b"still here"[..]);
}

#[tokio::test]
async fn a_socket_for_both_versions_of_ip_shows_ipv4_addresses_as_such() {
    let config = Transport::default();
    let both = UdpSocket::bind("[::]:0".parse().unwrap(), &config).unwrap();
    let four = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
    let port = both.local_addr().unwrap().port();
    send(&four, ([127, 0, 0, 1], port).into(), b"question", 8).await;
    let question = receive(&both, 1).await.remove(0);
    assert_eq!(question.from, four.local_addr().unwrap());
    assert_eq!(question.local_ip, Some([127, 0, 0, 1].into()));
    let (local_ip, ecn) = (question.local_ip, Ecn::NotCapable);
    both.try_send(&Datagrams { to: question.from, local_ip, ecn, contents: b"answer", size: 6 })
        .unwrap();
    let answer = receive(&four, 1).await.remove(0);
    assert_eq!((answer.from, &answer.bytes[..]), (([127, 0, 0, 1], port).into(), &b"answer"[..]));
}

#[tokio::test]
async fn an_answer_comes_from_the_address_that_was_asked() {
    let config = Transport::default();
    let any = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &config).unwrap();
    let asks = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
    let asked = SocketAddr::from(([127, 0, 0, 2], any.local_addr().unwrap().port()));
    send(&asks, asked, b"question", 8).await;
    let question = receive(&any, 1).await.remove(0);
    let (local_ip, ecn) = (question.local_ip, Ecn::NotCapable);
    if local_ip.is_some() {
        any.try_send(&Datagrams { to: question.from, local_ip, ecn, contents: b"a", size: 1 })
            .unwrap();
        assert_eq!(receive(&asks, 1).await[0].from, asked);
    }
}

#[tokio::test]
async fn a_udp_socket_says_what_receive_buffer_it_was_given() {
    let with = |receive_buffer_bytes| {
        let config = Transport { receive_buffer_bytes, ..Transport::default() };
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
        socket.receive_buffer().unwrap()
    };
    assert_eq!(with(64 << 10), 64 << 10);
    // The system gives what it wants to, and that is what is told.
    assert!((64 << 10..1 << 30).contains(&with(1 << 30)));
}

#[tokio::test]
async fn an_address_is_given_once() {
    let config = Transport::default();
    let first = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
    let second = UdpSocket::bind(first.local_addr().unwrap(), &config);
    assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let hub = Hub::new(Arc::new(TokioClock::new()), Box::new(Straight));
    let addr = "10.0.0.1:1".parse().unwrap();
    let first = hub.bind(addr).unwrap();
    assert_eq!(hub.bind(addr).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(first);
    hub.bind(addr).unwrap();
}

async fn send(socket: &dyn DatagramSocket, to: SocketAddr, contents: &[u8], size: usize) {
    let datagrams = Datagrams { to, local_ip: None, ecn: Ecn::NotCapable, contents, size };
    loop {
        match socket.try_send(&datagrams) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll_fn(|cx| socket.poll_writable(cx)).await.unwrap();
            }
            // What was reported may be about an earlier datagram.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            sent => return sent.unwrap(),
        }
    }
}

async fn receive(socket: &dyn DatagramSocket, count: usize) -> Vec<Datagram> {
    let mut received = Vec::new();
    while received.len() < count {
        poll_fn(|cx| socket.poll_receive(cx, &mut received)).await.unwrap();
    }
    assert_eq!(received.len(), count, "no more than was sent");
    received
}
