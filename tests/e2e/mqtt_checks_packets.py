"""Checks of every packet after CONNECT: functions (door, version) that conformance.py names."""

import conformance
import mqtt_raw as raw
from mqtt_door import (
    DOWNLINK, ILL_FORMED, IN_FLIGHT_MAX, NUL, PACKET_MAX, acked, alive, refused
)  # fmt: skip
from mqtt_raw import V4, V5, packet, properties, text


# PUBLISH


def qos_1_is_acknowledged_with_its_id(door, version):
    client = door.connected(version)
    for packet_id in (1, 7, 65535):
        client.send(raw.publish(version, b"x", packet_id=packet_id))
        acked(client, packet_id)


def acknowledgements_keep_the_order(door, version):
    client = door.connected(version)
    ids = [9, 3, 200, 1, 65535]
    client.send(*[raw.publish(version, b"x", packet_id=one) for one in ids])
    for one in ids:
        acked(client, one)


def an_id_may_be_used_again_after_its_puback(door, version):
    client = door.connected(version)
    for flags in (0x02, 0x02, 0x0A):
        acked(client.send(raw.publish(version, b"x", flags=flags)))


def a_repeat_with_dup_is_acknowledged(door, version):
    acked(door.connected(version).send(raw.publish(version, b"x", flags=0x0A)))


def qos_0_is_not_answered(door, version):
    client = door.connected(version)
    client.send(raw.publish(version, b"x", flags=0))
    alive(client)


def qos_3_is_refused(door, version):
    refused(door.connected(version).send(raw.publish(version, flags=0x06)), version, 0x81)


def dup_with_qos_0_is_refused(door, version):
    refused(door.connected(version).send(raw.publish(version, flags=0x08)), version, 0x81)


def packet_id_0_is_refused(door, version):
    for odd in (
        raw.publish(version, packet_id=0),
        raw.subscribe(version, ("a", 0), packet_id=0),
        raw.unsubscribe(version, "a", packet_id=0),
    ):
        refused(door.connected(version).send(odd), version, conformance.PACKET_ID_0)


def qos_2_is_refused(door, version):
    refused(door.connected(version).send(raw.publish(version, flags=0x04)), version, 0x9B)


def retain_is_not_served(door, version):
    """3.1.1 has no word for it: taken, and nothing is retained. MQTT 5 was told so."""
    client = door.connected(version).send(raw.publish(version, b"x", flags=0x03))
    if version == V4:
        acked(client)
    else:
        refused(client, version, 0x9A)


def a_wildcard_in_a_topic_name_is_refused(door, version):
    for topic in ("telltale/v1/#", "telltale/+/reports"):
        client = door.connected(version)
        refused(
            client.send(raw.publish(version, topic=topic)), version, conformance.WILDCARD_IN_TOPIC
        )


def another_topic_is_refused(door, version):
    for topic in ("telltale/v1/Reports", "telltale/v1/reports/", "$SYS/x"):
        client = door.connected(version)
        refused(client.send(raw.publish(version, topic=topic)), version, 0x90)


def an_empty_topic_is_refused(door, version):
    refused(door.connected(version).send(raw.publish(version, topic="")), version, 0x82)


def a_publish_cut_short_is_refused(door, version):
    for body in (b"", b"\0", text(raw.TOPIC), b"\0\x20short"):
        odd = packet(raw.PUBLISH, body, 0x02)
        refused(door.connected(version).send(odd), version, 0x81)


def a_packet_over_the_limit_is_refused(door, version):
    """Seen from its header: the body is not waited for."""
    client = door.connected(version)
    client.send(bytes([raw.PUBLISH << 4 | 2]) + raw.variable(PACKET_MAX))
    refused(client, version, 0x95)


def a_packet_at_the_limit_is_taken(door, version):
    body = text(raw.TOPIC) + b"\0\x01" + (properties() if version == V5 else b"")
    size = PACKET_MAX - len(body) - 4  # first byte and three of the length
    acked(door.connected(version).send(packet(raw.PUBLISH, body + bytes(size), 0x02)))


def a_topic_alias_is_refused(door, version):
    for alias, topic in ((1, raw.TOPIC), (0, raw.TOPIC), (1, "")):
        held = properties((raw.TOPIC_ALIAS, alias))
        client = door.connected(V5)
        refused(client.send(raw.publish(V5, topic=topic, held=held)), V5, 0x94)


def a_subscription_id_in_a_publish_is_refused(door, version):
    held = properties((raw.SUBSCRIPTION_ID, 1))
    refused(door.connected(V5).send(raw.publish(V5, held=held)), V5, 0x82)


def strings_of_a_publish_must_be_text(door, version):
    for name in (raw.RESPONSE_TOPIC, raw.CONTENT_TYPE):
        held = properties((name, ILL_FORMED))
        refused(door.connected(V5).send(raw.publish(V5, held=held)), V5, 0x81)


def a_wildcard_in_a_response_topic_is_refused(door, version):
    held = properties((raw.RESPONSE_TOPIC, "a/#"))
    refused(door.connected(V5).send(raw.publish(V5, held=held)), V5, 0x82)


def more_than_the_receive_maximum_is_refused(door, version):
    """All in one TLS record, so that none can be acknowledged in between."""
    burst = b"".join(
        raw.publish(V5, packet_id=one, topic=raw.TOPIC) for one in range(1, 2 * IN_FLIGHT_MAX)
    )
    client = door.connected(V5).send(burst)
    answer = client.next()
    while answer is not None and answer.kind == raw.PUBACK:
        answer = client.next()
    assert answer is not None and raw.disconnect_code(answer) == 0x93, answer
    assert client.next() is None


# SUBSCRIBE, UNSUBSCRIBE


def suback_codes(client, version, packet_id=7):
    answer = client.next()
    assert answer is not None and (answer.kind, answer.flags) == (raw.SUBACK, 0), answer
    reader = raw.Reader(answer.body)
    assert reader.take(2) == packet_id.to_bytes(2, "big")
    if version == V5:
        reader.properties()
    return list(reader.rest)


def every_subscribe_is_answered_in_order(door, version):
    client = door.connected(version)
    client.send(raw.subscribe(version, ("a", 0), (DOWNLINK, 1), ("b", 2), packet_id=513))
    first, own, last = suback_codes(client, version, 513)
    assert own == 1, "the QoS that is granted"
    assert first == last and (first == 0x80 if version == V4 else first in (0x80, 0x87))


def the_granted_qos_is_at_most_1(door, version):
    client = door.connected(version)
    for asked, granted in ((0, 0), (1, 1), (2, 1)):
        client.send(raw.subscribe(version, (DOWNLINK, asked)))
        assert suback_codes(client, version) == [granted]


def others_topics_are_not_granted(door, version):
    client = door.connected(version)
    client.send(raw.subscribe(version, (raw.TOPIC, 0), ("telltale/v1/Downlink", 1)))
    assert all(code >= 0x80 for code in suback_codes(client, version))


def wildcards_are_not_granted(door, version):
    client = door.connected(version)
    for name in ("#", "telltale/v1/+", "a/#/b", "a+"):
        client.send(raw.subscribe(version, (name, 0)))
        assert suback_codes(client, version) == [0x80 if version == V4 else 0xA2]


def subscription_ids_are_not_granted(door, version):
    client = door.connected(V5)
    client.send(raw.subscribe(V5, (DOWNLINK, 1), held=properties((raw.SUBSCRIPTION_ID, 1))))
    assert suback_codes(client, V5) == [0xA1]


def shared_subscriptions_are_not_granted(door, version):
    client = door.connected(V5)
    client.send(raw.subscribe(V5, (f"$share/g/{DOWNLINK}", 1)))
    assert suback_codes(client, V5) == [0x9E]


def no_local_on_a_shared_subscription_is_refused(door, version):
    client = door.connected(V5).send(raw.subscribe(V5, (f"$share/g/{DOWNLINK}", 0x05)))
    refused(client, V5, 0x82)


def a_subscribe_without_filters_is_refused(door, version):
    refused(door.connected(version).send(raw.subscribe(version)), version, 0x82)


def reserved_option_bits_are_refused(door, version):
    for options in (0x04, 0x80) if version == V4 else (0x40, 0x80):
        odd = raw.subscribe(version, ("a", options))
        refused(door.connected(version).send(odd), version, 0x81)


def a_subscription_of_qos_3_is_refused(door, version):
    odd = raw.subscribe(version, ("a", 3))
    refused(door.connected(version).send(odd), version, conformance.QOS_3_ASKED)


def flags_of_subscribe_and_unsubscribe_are_0010(door, version):
    for odd in (
        raw.subscribe(version, ("a", 0), flags=0),
        raw.subscribe(version, ("a", 0), flags=3),
        raw.unsubscribe(version, "a", flags=0),
    ):
        refused(door.connected(version).send(odd), version, 0x81)


def filters_must_be_text(door, version):
    for name in (ILL_FORMED, NUL):
        for odd in (raw.subscribe(version, (name, 0)), raw.unsubscribe(version, name)):
            refused(door.connected(version).send(odd), version, 0x81)


def an_empty_filter_is_refused(door, version):
    for odd in (raw.subscribe(version, ("", 0)), raw.unsubscribe(version, "")):
        client = door.connected(version).send(odd)
        refused(client, version, conformance.EMPTY_FILTER)


def every_unsubscribe_is_answered(door, version):
    client = door.connected(version)
    client.send(raw.subscribe(version, (DOWNLINK, 1)))
    suback_codes(client, version)
    client.send(raw.unsubscribe(version, "a", DOWNLINK, packet_id=258))
    answer = client.next()
    assert (answer.kind, answer.flags, answer.packet_id) == (raw.UNSUBACK, 0, 258)
    if version == V4:
        assert len(answer.body) == 2
    else:
        reader = raw.Reader(answer.body[2:])
        reader.properties()
        assert list(reader.rest) == [0x11, 0x00]


def an_unsubscribe_without_filters_is_refused(door, version):
    refused(door.connected(version).send(raw.unsubscribe(version)), version, 0x82)


# The rest


def every_ping_is_answered(door, version):
    client = door.connected(version)
    client.send(packet(raw.PINGREQ) * 3)
    assert [client.next().kind for _ in range(3)] == [raw.PINGRESP] * 3


def reserved_flags_are_refused(door, version):
    for odd in (packet(raw.PINGREQ, flags=1), packet(raw.DISCONNECT, flags=2)):
        refused(door.connected(version).send(odd), version, 0x81)


def disconnect_ends_it_without_a_word(door, version):
    client = door.connected(version).send(packet(raw.DISCONNECT), packet(raw.PINGREQ))
    assert client.next() is None


def packets_of_a_server_are_refused(door, version):
    for kind in (raw.CONNACK, raw.SUBACK, raw.UNSUBACK, raw.PINGRESP):
        client = door.connected(version).send(packet(kind, b"\0\x01"))
        refused(client, version, 0x82)


def unknown_packet_types_are_refused(door, version):
    kinds = (0, 15) if version == V4 else (0,)
    for kind in kinds:
        client = door.connected(version).send(packet(kind, b"\0"))
        refused(client, version, conformance.UNKNOWN_TYPE)


def a_length_of_five_bytes_is_refused(door, version):
    client = door.connected(version).send(b"\x32\x80\x80\x80\x80\x01")
    refused(client, version, 0x81)


def a_refusal_before_connack_is_no_disconnect(door, version):
    for first in (packet(raw.PINGREQ), raw.connect(V5, flags=0x03)):
        answer = door.raw().send(first).next()
        assert answer is None or answer.kind == raw.CONNACK


def disconnect_reason_codes_are_checked(door, version):
    client = door.connected(V5).send(packet(raw.DISCONNECT, b"\x03"))
    refused(client, V5, 0x82)
    client = door.connected(V5).send(packet(raw.DISCONNECT, b"\x04"))
    assert client.next() is None


def disconnect_cannot_ask_for_a_session(door, version):
    ask = packet(raw.DISCONNECT, b"\0" + properties((raw.SESSION_EXPIRY, 5)))
    refused(door.connected(V5).send(ask), V5, 0x82)
    client = door.connected(V5, held=properties((raw.SESSION_EXPIRY, 5))).send(ask)
    assert client.next() is None
