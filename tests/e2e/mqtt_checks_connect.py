"""Checks of CONNECT and CONNACK: functions (door, version) that conformance.py names."""

import time

import mqtt_raw as raw
from mqtt_door import (
    ILL_FORMED, IN_FLIGHT_MAX, NUL, PACKET_MAX, SURROGATE, accepted, acked, alive, each, refused,
    refused_at_connect,
)  # fmt: skip
from mqtt_raw import V4, V5, packet, properties, text


def first_packet_is_connect(door, version):
    for first in (packet(raw.PINGREQ), raw.publish(version), raw.subscribe(version, ("a", 0))):
        assert door.raw().send(first).next() is None


def second_connect_ends_it(door, version):
    client = door.connected(version)
    refused(client.send(raw.connect(version)), version, 0x82)


def another_protocol_name_is_closed(door, version):
    client = door.raw().send(raw.connect(version, name="MQTX"))
    answer = client.next()
    assert answer is None or (answer.kind, answer.body[1]) == (raw.CONNACK, 0x84)
    assert answer is None or client.next() is None


def another_level_is_answered(door, version):
    """Level 3 gets the answer of its time; a later one the answer of MQTT 5."""
    level = 3 if version == V4 else 6
    client = door.raw().send(raw.connect(version, level=level), raw.publish(version))
    answer = client.next()
    assert answer is not None and answer.kind == raw.CONNACK, answer
    assert answer.body[:2] == (b"\0\x01" if version == V4 else b"\0\x84"), answer
    assert client.next() is None


def reserved_connect_flag_is_refused(door, version):
    refused_at_connect(door.raw().send(raw.connect(version, flags=0x03)), version, 0x81)


def fixed_header_flags_of_connect_are_refused(door, version):
    # The packet cannot be read, so its version is not known: the close alone, as MQTT 5 allows.
    assert door.raw().send(raw.connect(version, header_flags=1)).next() is None


def will_fields(version, topic="t", message="m"):
    return (properties() if version == V5 else b"") + text(topic) + text(message)


def will_qos_without_a_will_is_refused(door, version):
    refused_at_connect(door.raw().send(raw.connect(version, flags=0x0A)), version, 0x81)


def will_retain_without_a_will_is_refused(door, version):
    refused_at_connect(door.raw().send(raw.connect(version, flags=0x22)), version, 0x81)


def will_qos_3_is_refused(door, version):
    odd = raw.connect(version, flags=0x1E, payload=will_fields(version))
    refused_at_connect(door.raw().send(odd), version, 0x81)


def will_without_its_fields_is_refused(door, version):
    refused_at_connect(door.raw().send(raw.connect(version, flags=0x06)), version, 0x81)


def will_topic_must_be_text(door, version):
    for topic in (ILL_FORMED, NUL):
        odd = raw.connect(version, flags=0x06, payload=will_fields(version, topic))
        refused_at_connect(door.raw().send(odd), version, 0x81)


def will_is_read_and_ignored(door, version):
    """Accepted; nobody could receive it, at a DISCONNECT or without one."""
    client = door.connected(version, flags=0x0E, payload=will_fields(version))
    alive(client)
    client.send(packet(raw.DISCONNECT))
    assert client.next() is None


def will_above_what_is_served_is_refused(door, version):
    each(
        ("QoS 2", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, flags=0x16, payload=will_fields(V5))), V5, 0x9B)),
        ("retain", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, flags=0x26, payload=will_fields(V5))), V5, 0x9A)),
    )  # fmt: skip


def user_name_and_password_match_their_flags(door, version):
    given = text("u") + text("p")
    for flags, payload in ((0x82, b""), (0xC2, text("u")), (0x02, text("u")), (0x82, given)):
        odd = raw.connect(version, flags=flags, payload=payload)
        refused_at_connect(door.raw().send(odd), version, 0x81)
    door.connected(version, flags=0xC2, payload=given)


def user_name_must_be_text(door, version):
    for name in (ILL_FORMED, NUL):
        odd = raw.connect(version, flags=0x82, payload=text(name))
        refused_at_connect(door.raw().send(odd), version, 0x81)


def password_alone(door, version):
    """Refused by 3.1.1, allowed by MQTT 5."""
    client = door.raw().send(raw.connect(version, flags=0x42, payload=text("p")))
    if version == V4:
        refused_at_connect(client, version, 0x81)
    else:
        accepted(client, version)


def silence_of_one_and_a_half_keep_alives_ends_it(door, version):
    began = time.monotonic()
    client = door.connected(version, keep_alive=1)
    refused(client, version, 0x8D)
    assert 1.5 <= time.monotonic() - began < 5


def strings_must_be_well_formed(door, version):
    for odd in (ILL_FORMED, SURROGATE, b"\xc0\xaf"):
        refused_at_connect(door.raw().send(raw.connect(version, client_id=odd)), version, 0x81)
        client = door.connected(version)
        refused(client.send(raw.publish(version, topic=odd)), version, 0x81)


def strings_hold_no_nul(door, version):
    refused_at_connect(door.raw().send(raw.connect(version, client_id=NUL)), version, 0x81)
    refused(door.connected(version).send(raw.publish(version, topic=NUL)), version, 0x81)


def a_byte_order_mark_is_a_character(door, version):
    """It is kept: a topic with one in front is another topic."""
    door.connected(version, client_id="\ufeffraw")
    client = door.connected(version)
    refused(client.send(raw.publish(version, topic="\ufeff" + raw.TOPIC)), version, 0x90)


def client_ids_of_23_letters_and_digits_are_taken(door, version):
    for name in ("0", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"):
        alive(door.connected(version, client_id=name))


def connect_without_client_id_is_refused(door, version):
    head = text("MQTT") + bytes([version, 2, 0, 0]) + (properties() if version == V5 else b"")
    refused_at_connect(door.raw().send(packet(raw.CONNECT, head)), version, 0x81)


def an_empty_client_id_is_taken(door, version):
    """Each gets a name of its own (MQTT 5: and is told), so neither takes over the other."""
    clients = [door.raw().send(raw.connect(version, client_id="")) for _ in range(2)]
    told = [dict(accepted(client, version)[1]) for client in clients]
    if version == V5:
        names = {one[raw.ASSIGNED_CLIENT_ID] for one in told}
        assert len(names) == 2 and all(names)
    for client in clients:
        alive(client)


def an_empty_client_id_needs_a_clean_session(door, version):
    client = door.raw().send(raw.connect(version, client_id="", flags=0))
    refused_at_connect(client, version, 0x85, 2)


def the_same_client_again_ends_the_first(door, version):
    first = door.connected(version, client_id="twice")
    second = door.connected(version, client_id="twice")
    refused(first, version, 0x8E)
    alive(second)


def no_session_is_kept(door, version):
    """Session present is 0 whatever the CONNECT asks and whatever was before."""
    for flags in (0x02, 0x00, 0x00, 0x02):
        client = door.connected(version, client_id="kept", flags=flags)
        client.send(packet(raw.DISCONNECT))
        assert client.next() is None


def connack_comes_first_and_once(door, version):
    client = door.raw().send(raw.connect(version), raw.publish(version), packet(raw.PINGREQ))
    accepted(client, version)
    kinds = sorted(client.next().kind for _ in range(2))
    assert kinds == [raw.PUBACK, raw.PINGRESP]


def nothing_after_a_refused_connect_is_processed(door, version):
    client = door.raw().send(raw.connect(version, flags=0x03), raw.publish(version))
    refused_at_connect(client, version, 0x81)


def a_certificate_without_a_vehicle_is_refused(door, version):
    client = door.raw(door.nameless_pair()).send(raw.connect(version))
    refused_at_connect(client, version, 0x87, 5)


def bytes_may_come_in_any_pieces(door, version):
    stream = raw.connect(version) + raw.publish(version, b"x") + packet(raw.PINGREQ)
    client = door.raw()
    for at in range(len(stream)):
        client.send(stream[at : at + 1])
    accepted(client, version)
    assert sorted(client.next().kind for _ in range(2)) == [raw.PUBACK, raw.PINGRESP]


# What MQTT 5 adds to CONNECT


def connack_tells_what_is_served(door, version):
    told = dict(accepted(door.raw().send(raw.connect(V5, keep_alive=60)), V5)[1])
    expected = {
        raw.RECEIVE_MAXIMUM: IN_FLIGHT_MAX, raw.MAXIMUM_QOS: 1, raw.RETAIN_AVAILABLE: 0,
        raw.MAXIMUM_PACKET_SIZE: PACKET_MAX, raw.WILDCARD_AVAILABLE: 0,
        raw.SUBSCRIPTION_IDS_AVAILABLE: 0, raw.SHARED_AVAILABLE: 0,
    }  # fmt: skip
    assert {name: told.get(name) for name in expected} == expected
    assert told.get(raw.TOPIC_ALIAS_MAXIMUM, 0) == 0
    assert raw.ASSIGNED_CLIENT_ID not in told, "the client has a name"


def the_clients_keep_alive_counts_unless_told(door, version):
    told = dict(accepted(door.raw().send(raw.connect(V5, keep_alive=60)), V5)[1])
    assert raw.SERVER_KEEP_ALIVE not in told
    told = dict(accepted(door.raw().send(raw.connect(V5, keep_alive=0)), V5)[1])
    assert told[raw.SERVER_KEEP_ALIVE] > 0, "nobody is held for ever"


def no_response_information_is_sent(door, version):
    for held in (properties(), properties((0x19, 0)), properties((0x19, 1))):
        told = dict(accepted(door.raw().send(raw.connect(V5, held=held)), V5)[1])
        assert raw.RESPONSE_INFORMATION not in told


def session_expiry_is_answered_with_0(door, version):
    asked = raw.connect(V5, held=properties((raw.SESSION_EXPIRY, 3600)))
    told = dict(accepted(door.raw().send(asked), V5)[1])
    assert told[raw.SESSION_EXPIRY] == 0


def without_problem_information_there_is_none(door, version):
    client = door.connected(V5, held=properties((raw.REQUEST_PROBLEM, 0)))
    client.send(raw.subscribe(V5, ("a", 0)))
    answer = raw.Reader(client.next().body)
    answer.take(2)
    assert not dict(answer.properties()).keys() & {raw.REASON_STRING, raw.USER_PROPERTY}


def nothing_larger_than_the_client_takes_is_sent(door, version):
    for size in (4, 5):  # with no room for the CONNACK that accepts
        client = door.raw().send(raw.connect(V5, held=properties((raw.MAXIMUM_PACKET_SIZE, size))))
        answer = client.next()
        assert answer is None or (len(answer.body) + 2 <= size and answer.body[1] >= 0x80)
        assert answer is None or client.next() is None
    client = door.connected(V5, held=properties((raw.MAXIMUM_PACKET_SIZE, 60)))
    client.send(raw.subscribe(V5, *[("a", 0)] * 100), packet(raw.PINGREQ))
    answer = client.next()
    while answer is not None and answer.kind != raw.PINGRESP:
        assert len(answer.body) + 2 <= 60
        answer = client.next()


def properties_stand_where_they_may_and_once(door, version):
    twice = properties((raw.RECEIVE_MAXIMUM, 5), (raw.RECEIVE_MAXIMUM, 5))
    zero = properties((raw.RECEIVE_MAXIMUM, 0))
    elsewhere = properties((raw.TOPIC_ALIAS, 1))
    unknown = variable_properties(b"\x7f\x00")
    each(
        ("twice", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, held=twice)), V5, 0x82)),
        ("receive maximum 0", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, held=zero)), V5, 0x82)),
        ("of another packet", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, held=elsewhere)), V5, 0x81)),
        ("unknown", lambda: refused_at_connect(
            door.raw().send(raw.connect(V5, held=unknown)), V5, 0x81)),
        ("unknown in PUBLISH", lambda: refused(
            door.connected(V5).send(raw.publish(V5, held=unknown)), V5, 0x81)),
    )  # fmt: skip


def variable_properties(data):
    return raw.variable(len(data)) + data


def property_length_must_be_there(door, version):
    client = door.connected(V5)
    short = packet(raw.PUBLISH, text(raw.TOPIC) + b"\0\x01", 0x02)
    refused(client.send(short), V5, 0x81)


def variable_integers_are_as_short_as_can_be(door, version):
    client = door.connected(V5)
    refused(client.send(raw.publish(V5, held=b"\x80\x00")), V5, 0x81)


def both_strings_of_a_pair_must_be_text(door, version):
    for pair in ((ILL_FORMED, "v"), ("k", ILL_FORMED)):
        client = door.connected(V5)
        held = properties((raw.USER_PROPERTY, pair))
        refused(client.send(raw.publish(V5, held=held)), V5, 0x81)
    client = door.connected(V5)
    pairs = properties((raw.USER_PROPERTY, ("k", "v")), (raw.USER_PROPERTY, ("k", "v")))
    acked(client.send(raw.publish(V5, held=pairs)))


def another_authentication_is_refused(door, version):
    client = door.raw().send(raw.connect(V5, held=properties((raw.AUTH_METHOD, "SCRAM"))))
    refused_at_connect(client, V5, 0x8C)


def no_authentication_exchange_is_begun(door, version):
    client = door.raw().send(raw.connect(V5))
    assert raw.AUTH_METHOD not in dict(accepted(client, V5)[1])
    refused(client.send(packet(raw.AUTH, b"\x18\x00")), V5, 0x82)
