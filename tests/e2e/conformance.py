"""What MQTT 3.1.1 and 5.0 demand of a server that cars publish to: each statement by its id, in our
words, with the check (mqtt_checks_*.py) that proves it, or the reply where it is not served.

Statements that bind clients alone, and those about delivering messages to subscribers, are left
out where nothing of them can be seen at this server.

usage: conformance.py        writes docs/mqtt-conformance.md
"""

import dataclasses
import pathlib

from mqtt_raw import V4, V5

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "mqtt-conformance.md"
NAMES = {V4: "MQTT 3.1.1", V5: "MQTT 5.0"}

# Where MQTT 5 leaves open which of the two codes it is: malformed or a protocol error.
PACKET_ID_0 = 0x82
QOS_3_ASKED = 0x82
EMPTY_FILTER = 0x81
WILDCARD_IN_TOPIC = 0x81
UNKNOWN_TYPE = 0x82


@dataclasses.dataclass(frozen=True)
class Statement:
    version: int
    id: str
    says: str
    check: str = ""
    reply: str = ""  # what is done where the statement is not served as it stands


def proved(version, *rows):
    return [Statement(version, name, says, check) for name, says, check in rows]


def unsupported(version, *rows):
    """Rows of (id, what it asks, the reply, the check that shows the reply or "")."""
    return [Statement(version, name, says, check, reply) for name, says, reply, check in rows]


V311 = proved(
    V4,
    ("1.5.3-1", "Ill-formed UTF-8 in a string closes it", "strings_must_be_well_formed"),
    ("1.5.3-2", "U+0000 in a string closes the connection", "strings_hold_no_nul"),
    ("1.5.3-3", "EF BB BF is a character like others", "a_byte_order_mark_is_a_character"),
    ("2.2.2-1", "Reserved flag bits have their listed value", "reserved_flags_are_refused"),
    ("2.2.2-2", "Other flags close it", "fixed_header_flags_of_connect_are_refused"),
    ("2.3.1-1", "A packet id is there and not 0 where one is needed", "packet_id_0_is_refused"),
    ("2.3.1-5", "A QoS 0 PUBLISH has no packet id", "qos_0_is_not_answered"),
    ("2.3.1-6", "PUBACK has the id of its PUBLISH", "qos_1_is_acknowledged_with_its_id"),
    ("2.3.1-7", "SUBACK and UNSUBACK have the request's id", "every_unsubscribe_is_answered"),
    ("3.1.0-1", "CONNECT comes first", "first_packet_is_connect"),
    ("3.1.0-2", "A second CONNECT is a violation", "second_connect_ends_it"),
    ("3.1.2-1", "Another protocol name is not served as MQTT", "another_protocol_name_is_closed"),
    ("3.1.2-2", "Another level: CONNACK 1, then the close", "another_level_is_answered"),
    ("3.1.2-3", "The reserved flag of CONNECT is checked", "reserved_connect_flag_is_refused"),
    ("3.1.2-9", "A will flag has its fields", "will_without_its_fields_is_refused"),
    ("3.1.2-13", "No will, no will QoS", "will_qos_without_a_will_is_refused"),
    ("3.1.2-14", "Will QoS is never 3", "will_qos_3_is_refused"),
    ("3.1.2-15", "No will, no will retain", "will_retain_without_a_will_is_refused"),
    ("3.1.2-18", "Without its flag no user name", "user_name_and_password_match_their_flags"),
    ("3.1.2-19", "With its flag a user name", "user_name_and_password_match_their_flags"),
    ("3.1.2-20", "Without its flag no password", "user_name_and_password_match_their_flags"),
    ("3.1.2-21", "With its flag a password", "user_name_and_password_match_their_flags"),
    ("3.1.2-22", "No password without a user name", "password_alone"),
    (
        "3.1.2-24",
        "Silence of 1.5 keep-alives closes it",
        "silence_of_one_and_a_half_keep_alives_ends_it",
    ),
    ("3.1.3-1", "CONNECT's fields come in their order", "will_is_read_and_ignored"),
    ("3.1.3-2", "The client id names the client", "the_same_client_again_ends_the_first"),
    ("3.1.3-3", "A client id is there, first", "connect_without_client_id_is_refused"),
    ("3.1.3-4", "The client id is text", "strings_must_be_well_formed"),
    (
        "3.1.3-5",
        "Client ids of 1 to 23 letters and digits are taken",
        "client_ids_of_23_letters_and_digits_are_taken",
    ),
    ("3.1.3-6", "An empty client id gets one of its own", "an_empty_client_id_is_taken"),
    (
        "3.1.3-7",
        "An empty client id asks for a clean session",
        "an_empty_client_id_needs_a_clean_session",
    ),
    (
        "3.1.3-8",
        "An empty client id without a clean session: CONNACK 2",
        "an_empty_client_id_needs_a_clean_session",
    ),
    ("3.1.3-9", "A refused client id: CONNACK 2", "an_empty_client_id_needs_a_clean_session"),
    ("3.1.3-10", "The will topic is text", "will_topic_must_be_text"),
    ("3.1.3-11", "The user name is text", "user_name_must_be_text"),
    (
        "3.1.4-1",
        "A CONNECT that breaks a rule is closed without CONNACK",
        "reserved_connect_flag_is_refused",
    ),
    (
        "3.1.4-2",
        "The same client again disconnects the first",
        "the_same_client_again_ends_the_first",
    ),
    ("3.1.4-3", "Clean session is carried out", "no_session_is_kept"),
    ("3.1.4-4", "A good CONNECT gets CONNACK 0", "connack_comes_first_and_once"),
    (
        "3.1.4-5",
        "After a refused CONNECT nothing is processed",
        "nothing_after_a_refused_connect_is_processed",
    ),
    ("3.2.0-1", "CONNACK is the first packet of the server", "connack_comes_first_and_once"),
    ("3.2.2-1", "Clean session 1: session present 0", "no_session_is_kept"),
    ("3.2.2-3", "No session kept: session present 0", "no_session_is_kept"),
    ("3.2.2-4", "A refusal has session present 0", "another_level_is_answered"),
    (
        "3.2.2-5",
        "After a CONNACK that refuses comes the close",
        "a_certificate_without_a_vehicle_is_refused",
    ),
    (
        "3.2.2-6",
        "No fitting code: the close without CONNACK",
        "fixed_header_flags_of_connect_are_refused",
    ),
    ("3.3.1-1", "DUP marks a repeat", "a_repeat_with_dup_is_acknowledged"),
    ("3.3.1-2", "DUP is 0 with QoS 0", "dup_with_qos_0_is_refused"),
    ("3.3.1-4", "QoS 3 closes the connection", "qos_3_is_refused"),
    ("3.3.2-1", "The topic is there, first, and text", "a_publish_cut_short_is_refused"),
    ("3.3.2-2", "No wildcard in a topic name", "a_wildcard_in_a_topic_name_is_refused"),
    ("3.3.4-1", "A PUBLISH is answered as its QoS asks", "qos_1_is_acknowledged_with_its_id"),
    (
        "3.3.5-2",
        "A PUBLISH that is not allowed: an acknowledgement or the close",
        "another_topic_is_refused",
    ),
    ("3.8.1-1", "SUBSCRIBE's flags are 0010", "flags_of_subscribe_and_unsubscribe_are_0010"),
    ("3.8.3-1", "Topic filters are text", "filters_must_be_text"),
    (
        "3.8.3-2",
        "A server without wildcards refuses filters that have them",
        "wildcards_are_not_granted",
    ),
    (
        "3.8.3-3",
        "A SUBSCRIBE has at least one filter",
        "a_subscribe_without_filters_is_refused",
    ),
    (
        "3-8.3-4",
        "Reserved option bits, or QoS 3, close it",
        "reserved_option_bits_are_refused",
    ),
    ("3.8.4-1", "SUBSCRIBE gets SUBACK", "every_subscribe_is_answered_in_order"),
    ("3.8.4-2", "SUBACK has SUBSCRIBE's id", "every_subscribe_is_answered_in_order"),
    ("3.8.4-4", "Many filters, one SUBACK", "every_subscribe_is_answered_in_order"),
    ("3.8.4-5", "A code for each filter: granted QoS or failure", "the_granted_qos_is_at_most_1"),
    ("3.9.3-1", "SUBACK's codes are in the order asked", "every_subscribe_is_answered_in_order"),
    ("3.9.3-2", "SUBACK's codes are 0, 1, 2 or 0x80", "others_topics_are_not_granted"),
    ("3.10.1-1", "UNSUBSCRIBE's flags are 0010", "flags_of_subscribe_and_unsubscribe_are_0010"),
    ("3.10.3-1", "UNSUBSCRIBE's filters are text", "filters_must_be_text"),
    (
        "3.10.3-2",
        "An UNSUBSCRIBE has at least one filter",
        "an_unsubscribe_without_filters_is_refused",
    ),
    ("3.10.4-4", "UNSUBSCRIBE gets UNSUBACK with its id", "every_unsubscribe_is_answered"),
    ("3.10.4-5", "Even when nothing was subscribed", "every_unsubscribe_is_answered"),
    ("3.10.4-6", "Many filters, one UNSUBACK", "every_unsubscribe_is_answered"),
    ("3.12.4-1", "PINGREQ gets PINGRESP", "every_ping_is_answered"),
    ("3.14.1-1", "DISCONNECT's reserved bits are checked", "reserved_flags_are_refused"),
    ("3.14.4-3", "DISCONNECT discards the will", "disconnect_ends_it_without_a_word"),
    ("4.3.1-1", "QoS 0: sent once, not answered", "qos_0_is_not_answered"),
    ("4.3.2-2", "After PUBACK the id is free again", "an_id_may_be_used_again_after_its_puback"),
    ("4.6.0-2", "PUBACKs are in the order of the PUBLISHes", "acknowledgements_keep_the_order"),
    ("4.7.1-1", "Wildcards stand in filters only", "a_wildcard_in_a_topic_name_is_refused"),
    ("4.7.1-2", "# stands last and alone in its level", "wildcards_are_not_granted"),
    ("4.7.1-3", "+ fills its level", "wildcards_are_not_granted"),
    ("4.7.3-1", "Topic names and filters are not empty", "an_empty_topic_is_refused"),
    ("4.7.3-2", "They hold no U+0000", "strings_hold_no_nul"),
    ("4.7.3-4", "They are compared as they are", "another_topic_is_refused"),
    ("4.8.0-1", "A protocol violation closes the connection", "packets_of_a_server_are_refused"),
    ("7.1.1-1", "A stream of bytes, in any pieces", "bytes_may_come_in_any_pieces"),
)
V311 += unsupported(
    V4,
    (
        "3.1.2-4",
        "Clean session 0 goes on with the kept session",
        "no session is kept: CONNACK 0, session present 0; a car resends what has no PUBACK",
        "no_session_is_kept",
    ),
    (
        "3.1.2-5",
        "QoS 1 messages are kept for an absent subscriber",
        "none is kept: there are no messages for a car",
        "",
    ),
    (
        "3.1.2-8",
        "A will is stored and published",
        "read, checked and ignored: nobody could receive it",
        "will_is_read_and_ignored",
    ),
    ("3.1.2-17", "A will with retain is retained", "ignored with the will", ""),
    (
        "3.3.1-5",
        "RETAIN 1 stores the message",
        "taken and acknowledged; nothing is retained",
        "retain_is_not_served",
    ),
    (
        "4.3.3-2",
        "QoS 2 is answered with PUBREC and PUBCOMP",
        "the connection is closed: 3.1.1 has no other word for it",
        "qos_2_is_refused",
    ),
    (
        "4.5.0-1",
        "A message goes to those who subscribed",
        "only `telltale/v1/downlink` can be subscribed, and no client may publish there",
        "others_topics_are_not_granted",
    ),
)
V311 += [
    Statement(V4, "2.2.3", "A length has four bytes at most", "a_length_of_five_bytes_is_refused"),
    Statement(V4, "2.2.1", "Unknown packet types", "unknown_packet_types_are_refused"),
    Statement(V4, "4.7.3, filters", "A filter is not empty", "an_empty_filter_is_refused"),
    Statement(V4, "3.8.3", "Asked QoS is 0, 1 or 2", "a_subscription_of_qos_3_is_refused"),
    Statement(
        V4,
        "limit, packet",
        "Over 1 MiB: the close, from its header alone",
        "a_packet_over_the_limit_is_refused",
    ),
    Statement(V4, "limit, at it", "1 MiB is taken", "a_packet_at_the_limit_is_taken"),
]

V5_TABLE = proved(
    V5,
    ("1.5.4-1", "Strings are well-formed UTF-8", "strings_must_be_well_formed"),
    ("1.5.4-2", "Strings hold no U+0000", "strings_hold_no_nul"),
    ("1.5.4-3", "EF BB BF is a character like others", "a_byte_order_mark_is_a_character"),
    (
        "1.5.5-1",
        "A variable integer has as few bytes as can be",
        "variable_integers_are_as_short_as_can_be",
    ),
    ("1.5.7-1", "Both strings of a pair are text", "both_strings_of_a_pair_must_be_text"),
    ("2.1.3-1", "Reserved flag bits have their listed value", "reserved_flags_are_refused"),
    ("2.2.1-2", "A QoS 0 PUBLISH has no packet id", "qos_0_is_not_answered"),
    ("2.2.1-3", "A packet id that is needed is not 0", "packet_id_0_is_refused"),
    ("2.2.1-5", "PUBACK has the id of its PUBLISH", "qos_1_is_acknowledged_with_its_id"),
    ("2.2.1-6", "SUBACK and UNSUBACK have the request's id", "every_unsubscribe_is_answered"),
    ("2.2.2-1", "No properties: their length is there, and 0", "property_length_must_be_there"),
    ("3.1.0-1", "CONNECT comes first", "first_packet_is_connect"),
    ("3.1.0-2", "A second CONNECT is a protocol error", "second_connect_ends_it"),
    ("3.1.2-1", "Another protocol name is not served as MQTT", "another_protocol_name_is_closed"),
    ("3.1.2-2", "Another version: CONNACK 0x84, then the close", "another_level_is_answered"),
    ("3.1.2-3", "The reserved flag of CONNECT is checked", "reserved_connect_flag_is_refused"),
    ("3.1.2-4", "Clean start begins a new session", "no_session_is_kept"),
    ("3.1.2-6", "Without a kept session a new one begins", "no_session_is_kept"),
    ("3.1.2-9", "A will flag has its fields", "will_without_its_fields_is_refused"),
    ("3.1.2-11", "No will, no will QoS", "will_qos_without_a_will_is_refused"),
    ("3.1.2-12", "Will QoS is never 3", "will_qos_3_is_refused"),
    ("3.1.2-13", "No will, no will retain", "will_retain_without_a_will_is_refused"),
    ("3.1.2-16", "Without its flag no user name", "user_name_and_password_match_their_flags"),
    ("3.1.2-17", "With its flag a user name", "user_name_and_password_match_their_flags"),
    ("3.1.2-18", "Without its flag no password", "user_name_and_password_match_their_flags"),
    ("3.1.2-19", "With its flag a password, with or without a user name", "password_alone"),
    (
        "3.1.2-22",
        "Silence of 1.5 keep-alives closes it",
        "silence_of_one_and_a_half_keep_alives_ends_it",
    ),
    (
        "3.1.2-24",
        "Nothing larger than the client takes is sent",
        "nothing_larger_than_the_client_takes_is_sent",
    ),
    ("3.1.2-28", "Response information only when asked for", "no_response_information_is_sent"),
    (
        "3.1.2-29",
        "Reason strings can be switched off",
        "without_problem_information_there_is_none",
    ),
    ("3.1.3-1", "CONNECT's fields come in their order", "will_is_read_and_ignored"),
    ("3.1.3-2", "The client id names the client", "the_same_client_again_ends_the_first"),
    ("3.1.3-3", "A client id is there, first", "connect_without_client_id_is_refused"),
    ("3.1.3-4", "The client id is text", "strings_must_be_well_formed"),
    (
        "3.1.3-5",
        "Client ids of 1 to 23 letters and digits are taken",
        "client_ids_of_23_letters_and_digits_are_taken",
    ),
    ("3.1.3-6", "An empty client id gets one of its own", "an_empty_client_id_is_taken"),
    ("3.1.3-7", "... which the CONNACK tells", "an_empty_client_id_is_taken"),
    ("3.1.3-11", "The will topic is text", "will_topic_must_be_text"),
    ("3.1.3-12", "The user name is text", "user_name_must_be_text"),
    (
        "3.1.4-1",
        "A CONNECT that breaks a rule is refused",
        "fixed_header_flags_of_connect_are_refused",
    ),
    (
        "3.1.4-2",
        "Further checks: who it is",
        "a_certificate_without_a_vehicle_is_refused",
    ),
    (
        "3.1.4-3",
        "The same client again: DISCONNECT 0x8E for the first",
        "the_same_client_again_ends_the_first",
    ),
    ("3.1.4-4", "Clean start is carried out", "no_session_is_kept"),
    ("3.1.4-5", "A good CONNECT gets CONNACK 0", "connack_comes_first_and_once"),
    (
        "3.1.4-6",
        "After a refused CONNECT nothing is processed",
        "nothing_after_a_refused_connect_is_processed",
    ),
    ("3.2.0-1", "CONNACK comes before anything else", "connack_comes_first_and_once"),
    ("3.2.0-2", "There is one CONNACK", "second_connect_ends_it"),
    ("3.2.2-1", "CONNACK's other flags are 0", "no_session_is_kept"),
    ("3.2.2-2", "Clean start 1: session present 0", "no_session_is_kept"),
    ("3.2.2-3", "No session kept: session present 0", "no_session_is_kept"),
    ("3.2.2-6", "A refusal has session present 0", "another_level_is_answered"),
    (
        "3.2.2-7",
        "After a CONNACK of 0x80 or more comes the close",
        "a_certificate_without_a_vehicle_is_refused",
    ),
    ("3.2.2-8", "CONNACK has one of the codes listed", "another_authentication_is_refused"),
    ("3.2.2-9", "A server without QoS 2 says so", "connack_tells_what_is_served"),
    (
        "3.2.2-10",
        "... and still takes a SUBSCRIBE that asks for it",
        "the_granted_qos_is_at_most_1",
    ),
    ("3.2.2-11", "A PUBLISH above the maximum QoS: 0x9B", "qos_2_is_refused"),
    ("3.2.2-12", "A will above the maximum QoS: 0x9B", "will_above_what_is_served_is_refused"),
    ("3.2.2-13", "A will with retain: 0x9A", "will_above_what_is_served_is_refused"),
    ("3.2.2-14", "A PUBLISH with retain: 0x9A", "retain_is_not_served"),
    (
        "3.2.2-15",
        "A packet over the maximum: 0x95, from its header alone",
        "a_packet_over_the_limit_is_refused",
    ),
    ("3.2.2-16", "The name given is nobody else's", "an_empty_client_id_is_taken"),
    ("3.2.2-17", "A topic alias above the maximum: 0x94", "a_topic_alias_is_refused"),
    ("3.2.2-18", "No maximum was told: no topic alias", "a_topic_alias_is_refused"),
    (
        "3.2.2-22",
        "The client's keep-alive counts unless another is told",
        "the_clients_keep_alive_counts_unless_told",
    ),
    ("3.3.1-1", "DUP marks a repeat", "a_repeat_with_dup_is_acknowledged"),
    ("3.3.1-2", "DUP is 0 with QoS 0", "dup_with_qos_0_is_refused"),
    ("3.3.1-4", "QoS 3 is malformed", "qos_3_is_refused"),
    ("3.3.2-1", "The topic is there, first, and text", "a_publish_cut_short_is_refused"),
    ("3.3.2-2", "No wildcard in a topic name", "a_wildcard_in_a_topic_name_is_refused"),
    ("3.3.2-8", "Topic alias 0 is never sent", "a_topic_alias_is_refused"),
    ("3.3.2-9", "No topic alias above the maximum", "a_topic_alias_is_refused"),
    ("3.3.2-13", "The response topic is text", "strings_of_a_publish_must_be_text"),
    (
        "3.3.2-14",
        "The response topic has no wildcard",
        "a_wildcard_in_a_response_topic_is_refused",
    ),
    ("3.3.2-19", "The content type is text", "strings_of_a_publish_must_be_text"),
    ("3.3.4-1", "A PUBLISH is answered as its QoS asks", "qos_1_is_acknowledged_with_its_id"),
    (
        "3.3.4-6",
        "A client's PUBLISH has no subscription id",
        "a_subscription_id_in_a_publish_is_refused",
    ),
    (
        "3.3.4-7",
        "More under way than the receive maximum: 0x93",
        "more_than_the_receive_maximum_is_refused",
    ),
    ("3.4.2-1", "PUBACK has one of its codes", "acknowledgements_keep_the_order"),
    ("3.8.1-1", "SUBSCRIBE's flags are 0010", "flags_of_subscribe_and_unsubscribe_are_0010"),
    ("3.8.3-1", "Topic filters are text", "filters_must_be_text"),
    ("3.8.3-2", "A SUBSCRIBE has at least one filter", "a_subscribe_without_filters_is_refused"),
    (
        "3.8.3-4",
        "No local on a shared subscription is a protocol error",
        "no_local_on_a_shared_subscription_is_refused",
    ),
    ("3.8.3-5", "Reserved option bits are malformed", "reserved_option_bits_are_refused"),
    ("3.8.4-1", "SUBSCRIBE gets SUBACK", "every_subscribe_is_answered_in_order"),
    ("3.8.4-2", "SUBACK has SUBSCRIBE's id", "every_subscribe_is_answered_in_order"),
    ("3.8.4-5", "Many filters, one SUBACK", "every_subscribe_is_answered_in_order"),
    ("3.8.4-6", "A code for each filter", "every_subscribe_is_answered_in_order"),
    ("3.8.4-7", "... granted QoS or failure", "the_granted_qos_is_at_most_1"),
    ("3.9.3-1", "SUBACK's codes are in the order asked", "every_subscribe_is_answered_in_order"),
    ("3.9.3-2", "SUBACK has one of its codes", "others_topics_are_not_granted"),
    ("3.10.1-1", "UNSUBSCRIBE's flags are 0010", "flags_of_subscribe_and_unsubscribe_are_0010"),
    ("3.10.3-1", "UNSUBSCRIBE's filters are text", "filters_must_be_text"),
    (
        "3.10.3-2",
        "An UNSUBSCRIBE has at least one filter",
        "an_unsubscribe_without_filters_is_refused",
    ),
    (
        "3.10.4-1",
        "Filters are compared as they are, and the subscription ends",
        "every_unsubscribe_is_answered",
    ),
    ("3.10.4-4", "UNSUBSCRIBE gets UNSUBACK", "every_unsubscribe_is_answered"),
    ("3.10.4-5", "... with its id, even when nothing ended", "every_unsubscribe_is_answered"),
    ("3.10.4-6", "Many filters, one UNSUBACK", "every_unsubscribe_is_answered"),
    ("3.11.3-1", "UNSUBACK's codes are in the order asked", "every_unsubscribe_is_answered"),
    ("3.11.3-2", "UNSUBACK has one of its codes", "every_unsubscribe_is_answered"),
    ("3.12.4-1", "PINGREQ gets PINGRESP", "every_ping_is_answered"),
    ("3.14.0-1", "No DISCONNECT before CONNACK", "a_refusal_before_connack_is_no_disconnect"),
    ("3.14.1-1", "DISCONNECT's reserved bits are checked", "reserved_flags_are_refused"),
    ("3.14.2-1", "DISCONNECT has one of its codes", "disconnect_reason_codes_are_checked"),
    ("3.14.2-2", "The server's has no session expiry", "qos_2_is_refused"),
    ("3.14.4-1", "Nothing follows a DISCONNECT", "packets_of_a_server_are_refused"),
    ("3.14.4-2", "Who sends DISCONNECT closes", "packets_of_a_server_are_refused"),
    ("3.14.4-3", "DISCONNECT discards the will", "disconnect_ends_it_without_a_word"),
    ("4.2.0-1", "A stream of bytes, in any pieces", "bytes_may_come_in_any_pieces"),
    ("4.3.1-1", "QoS 0: sent once, not answered", "qos_0_is_not_answered"),
    ("4.3.2-4", "QoS 1: PUBACK once it is owned", "qos_1_is_acknowledged_with_its_id"),
    ("4.3.2-5", "After PUBACK the id is free again", "an_id_may_be_used_again_after_its_puback"),
    ("4.7.0-1", "Wildcards stand in filters only", "a_wildcard_in_a_topic_name_is_refused"),
    ("4.7.3-1", "Topic names and filters are not empty", "an_empty_topic_is_refused"),
    ("4.7.3-2", "They hold no U+0000", "strings_hold_no_nul"),
    ("4.7.3-4", "They are compared as they are", "another_topic_is_refused"),
    ("4.12.0-1", "Another authentication: CONNACK 0x8C", "another_authentication_is_refused"),
    ("4.12.0-6", "Without a method no AUTH comes", "no_authentication_exchange_is_begun"),
    ("4.12.0-7", "... and none is taken", "no_authentication_exchange_is_begun"),
    (
        "4.13.1-1",
        "Malformed packets and protocol errors close it",
        "properties_stand_where_they_may_and_once",
    ),
    ("4.13.2-1", "So does any code of 0x80 or more", "packets_of_a_server_are_refused"),
)
V5_TABLE += unsupported(
    V5,
    (
        "3.1.2-5",
        "Clean start 0 goes on with the kept session",
        "no session is kept: session present 0; a car resends what has no PUBACK",
        "no_session_is_kept",
    ),
    (
        "3.1.2-7",
        "A will is stored",
        "read, checked and ignored: nobody could receive it",
        "will_is_read_and_ignored",
    ),
    ("3.1.2-8", "A will is published", "ignored with the will", ""),
    (
        "3.1.2-23",
        "The session lasts as long as was asked",
        "the CONNACK answers session expiry 0",
        "session_expiry_is_answered_with_0",
    ),
    (
        "3.3.1-5",
        "RETAIN 1 stores the message",
        "retain available 0; DISCONNECT 0x9A",
        "retain_is_not_served",
    ),
    (
        "4.3.3-8",
        "QoS 2 is answered with PUBREC",
        "maximum QoS 1; DISCONNECT 0x9B",
        "qos_2_is_refused",
    ),
    (
        "4.5.0-1",
        "A message goes to those who subscribed",
        "only `telltale/v1/downlink` can be subscribed (others: SUBACK 0x87), and no client may"
        " publish there",
        "others_topics_are_not_granted",
    ),
    (
        "3.2.2.3.11",
        "A wildcard filter where there are none: DISCONNECT 0xA2",
        "SUBACK 0xA2 for that filter, as 3.9.3 has it; the connection goes on",
        "wildcards_are_not_granted",
    ),
    (
        "3.2.2.3.12",
        "A subscription id where there are none: DISCONNECT 0xA1",
        "SUBACK 0xA1 for its filters, as 3.9.3 has it; the connection goes on",
        "subscription_ids_are_not_granted",
    ),
    (
        "3.2.2.3.13",
        "A shared subscription where there are none: DISCONNECT 0x9E",
        "SUBACK 0x9E for that filter, as 3.9.3 has it; the connection goes on",
        "shared_subscriptions_are_not_granted",
    ),
)
V5_TABLE += [
    Statement(
        V5, "2.1.4", "A length has four bytes at most", "a_length_of_five_bytes_is_refused"
    ),
    Statement(V5, "2.1.2", "Packet type 0 is forbidden", "unknown_packet_types_are_refused"),
    Statement(V5, "3.8.3.1", "QoS 3 asked: protocol error", "a_subscription_of_qos_3_is_refused"),
    Statement(V5, "4.7.3, filters", "A filter is not empty", "an_empty_filter_is_refused"),
    Statement(V5, "4.6.0", "PUBACKs are in order", "acknowledgements_keep_the_order"),
    Statement(V5, "limit, at it", "1 MiB is taken", "a_packet_at_the_limit_is_taken"),
    Statement(
        V5,
        "3.14.2.2.2",
        "DISCONNECT asks for no session that CONNECT did not",
        "disconnect_cannot_ask_for_a_session",
    ),
]

STATEMENTS = V311 + V5_TABLE


def shown(name):
    """MQTT-3.1.0-1 of a numbered statement; a section's number, or our limit, as it is."""
    head, _, tail = name.rpartition("-")
    return f"MQTT-{name}" if head and tail.isdigit() else name


def page():
    lines = [
        "# MQTT conformance",
        "",
        "*Generated from the table in `tests/e2e/conformance.py` by running it; a test compares.*",
        "",
        "The numbered statements of the standards that a server can be held to which cars publish"
        " to, in our words; read",
        "the standards for theirs. Each is proved by the check named, with a raw client, against a"
        " served gateway",
        "(`make shows AREA=door SHOW=01`). Ids without `MQTT-` are sections or limits of our own.",
        "Statements that bind clients alone, and those about delivering messages to subscribers,"
        " are left out where",
        "nothing of them can be seen here. What is served: [mqtt.md](mqtt.md).",
    ]
    for version, name in NAMES.items():
        mine = [one for one in STATEMENTS if one.version == version]
        served = [one for one in mine if not one.reply]
        lines += ["", f"## {name}: {len(served)} held", ""]
        lines += ["| statement | what it asks | check |", "| --- | --- | --- |"]
        lines += [f"| {shown(one.id)} | {one.says} | `{one.check}` |" for one in served]
        other = [one for one in mine if one.reply]
        lines += ["", f"## {name}: {len(other)} not served, and the reply given", ""]
        lines += ["| statement | what it asks | the reply | check |", "| --- | --- | --- | --- |"]
        for one in other:
            check = f"`{one.check}`" if one.check else "–"
            lines.append(f"| {shown(one.id)} | {one.says} | {one.reply} | {check} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
