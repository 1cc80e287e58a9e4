"""The corked socket: whatever the pieces in which bytes come, messages and paho's packets come out whole."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.corked import CorkedSocket, Publication

topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def packet(header: int, content: bytes) -> bytes:
    length, encoded = len(content), bytearray()
    while True:
        byte = length % 128
        length //= 128
        encoded.append(byte | (128 if length else 0))
        if not length:
            return bytes([header]) + bytes(encoded) + content


def counted(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def publish(one: Publication, *others: bytes) -> bytes:
    """The packet of a message, at QoS 0 where it has no number; `others` are properties of no interest."""
    properties = b"".join(others[::2])
    if one.response_topic is not None:
        properties += b"\x08" + counted(one.response_topic.encode())
    properties += b"".join(others[1::2])
    if one.correlation is not None:
        properties += b"\x09" + counted(one.correlation)
    head = counted(one.topic.encode()) + (one.mid.to_bytes(2, "big") if one.mid else b"")
    header = (0x32 if one.mid else 0x30) | one.retained
    return packet(header, head + packet(0, properties)[1:] + one.payload)


plain = st.builds(Publication, topics, st.binary(max_size=300), st.integers(0, 65_535), st.booleans())
asking = st.builds(
    Publication,
    topics,
    st.binary(max_size=300),
    st.integers(0, 65_535),
    st.booleans(),
    topics,
    st.binary(max_size=40),
)
foreign = st.builds(packet, st.sampled_from([0x20, 0x34, 0x40, 0x90, 0xD0, 0xE0]), st.binary(max_size=300))
uninteresting = st.one_of(
    st.just(b"\x01\x01"),
    st.just(b"\x02\x00\x00\x0e\x10"),
    st.just(b"\x0b\x81\x01"),
    st.binary(max_size=20).map(lambda text: b"\x03" + counted(text)),
    st.tuples(st.binary(max_size=20), st.binary(max_size=20)).map(
        lambda pair: b"\x26" + counted(pair[0]) + counted(pair[1])
    ),
)


def pair() -> tuple[CorkedSocket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return CorkedSocket(ours), theirs


def everything(corked: CorkedSocket) -> Iterator[Publication | bytes]:
    """All that can be read now: messages, and packets as paho reads them, a byte and then the rest."""
    while True:
        publication = corked.take()
        if publication is not None:
            yield publication
        elif corked.for_paho:
            read = corked.recv(1)
            try:
                while piece := corked.recv(7):
                    read += piece
            except BlockingIOError:
                yield read
        else:
            return


@given(said=st.lists(plain | asking | foreign, max_size=12), cuts=st.lists(st.integers(1, 400)))
def test_what_was_sent_is_read_whole_and_in_order(said: list[Publication | bytes], cuts: list[int]) -> None:
    corked, theirs = pair()
    sent = b"".join(one if isinstance(one, bytes) else publish(one) for one in said)
    got: list[Publication | bytes] = []
    for cut in [*cuts, len(sent)]:
        theirs.sendall(sent[:cut])
        sent = sent[cut:]
        got += everything(corked)
        assert not corked.has_taken()
    assert got == said
    theirs.close()
    assert corked.take() is None
    assert corked.for_paho
    with pytest.raises(ConnectionError):
        corked.recv(1)
    corked.close()


def test_what_is_written_goes_out_at_the_flush_or_at_the_end() -> None:
    corked, theirs = pair()
    theirs.setblocking(False)
    assert corked.send(b"\xc0\x00") == 2
    corked.acknowledge(258)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert corked.has_unsent()
    assert corked.flush()
    assert theirs.recv(10) == b"\xc0\x00\x40\x02\x01\x02"
    corked.publish("a/b", b"x" * 200)
    corked.close()
    assert theirs.recv(1000) == packet(0x30, b"\x00\x03a/b\x00" + b"x" * 200)
    theirs.close()


def test_a_reader_that_does_not_read_bounds_what_waits() -> None:
    corked, theirs = pair()
    with pytest.raises(BlockingIOError):
        while True:
            corked.send(b"x" * 65_536)
    assert not corked.flush()
    theirs.close()
    assert corked.flush(), "nobody will ever take it"
    assert corked.for_paho, "paho is to hear of the end"
    corked.close()


def test_an_impossible_length_is_left_to_paho() -> None:
    corked, theirs = pair()
    theirs.sendall(b"\x32\xff\xff\xff\xff\x01rest")
    assert list(everything(corked)) == [b"\x32\xff\xff\xff\xff\x01rest"]
    theirs.close()
    corked.close()


@given(one=asking, others=st.lists(uninteresting, max_size=8))
def test_other_properties_hide_neither_response_topic_nor_correlation(
    one: Publication, others: list[bytes]
) -> None:
    corked, theirs = pair()
    theirs.sendall(publish(one, *others))
    assert list(everything(corked)) == [one]
    theirs.close()
    corked.close()


@given(one=plain, properties=st.binary(max_size=300))
def test_whatever_the_properties_are_the_message_comes_out(one: Publication, properties: bytes) -> None:
    corked, theirs = pair()
    theirs.sendall(publish(one, properties))
    (got,) = everything(corked)
    assert isinstance(got, Publication)
    assert got[:4] == one[:4]
    theirs.close()
    corked.close()


def test_a_mass_of_properties_is_passed_over_unread() -> None:
    one = Publication("a/b", b"x", 7, False, "c/d", b"e")
    many = publish(one, b"\x26\x00\x00\x00\x00" * 3_000)
    corked, theirs = pair()
    theirs.sendall(many)
    assert list(everything(corked)) == [one._replace(response_topic=None, correlation=None)]
    theirs.close()
    corked.close()
