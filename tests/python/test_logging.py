"""The committer logs as every other process does."""

import json
import logging

import pytest

from telltale_lake.cli import _Format

RECORD = logging.LogRecord("committer", logging.WARNING, "", 0, 'a "b"\nlevel=error', (), None)


def test_json_is_one_line_that_parses_back():
    line = _Format("json").format(RECORD)
    event = json.loads(line)
    assert "\n" not in line
    assert event["msg"] == RECORD.msg
    assert (event["level"], event["role"]) == ("warn", "committer")
    assert event["ts"].endswith("Z")


def test_logfmt_keeps_a_message_on_its_line_and_between_quotes():
    line = _Format("logfmt").format(RECORD)
    assert "\n" not in line
    assert line.endswith(r'level=warn role=committer msg="a \"b\"\nlevel=error"')


@pytest.mark.parametrize("form", ["json", "logfmt"])
def test_an_exception_stays_in_its_event(form):
    try:
        raise ValueError("no")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("committer", logging.ERROR, "", 0, "failed", (), info)
    line = _Format(form).format(record)
    assert "ValueError: no" in line and "\n" not in line
