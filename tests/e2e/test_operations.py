"""Metrics, health and readiness over HTTP, and `telltale status`, of a real installation."""

import json
import os
import re
import signal
import ssl
import urllib.error
import urllib.request

from telltale import ROOT
from waiting import wait_for, wait_for_file

TOKEN = "0123456789abcdef0123456789abcdef"
NAME = r"[a-z_:][a-z0-9_:]*"
LABEL = rf'{NAME}="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (\d+(?:\.\d+)?)")


def installation_of(new_installation, **settings):
    """One whose every port is a free one."""
    return new_installation().init(operations__port=0, lake__cadence_s=1, **settings)


def drive(installation, folder):
    """A few cars, so that there is something to count."""
    installation.run("sim", "--dir", installation.dir, "--vehicles", 3, "--duration", 3,
                     "--cars", folder / "cars", "--quiet")


def get(installation, path, scheme="http", headers=None, context=None):
    """Status, content type and text of an answer."""
    port = wait_for_file(installation.dir / "run" / "operations.port")
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}", headers=headers or {})
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def parse(text):
    """{name: (type, {labels as text: value})}; whatever is not the text format 0.0.4 fails."""
    assert text.endswith("\n")
    families = {}
    name, kind = None, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = re.fullmatch(rf"# HELP ({NAME}) (.+)", line).groups()
            assert name not in families and words.strip(), line
            kind = None
        elif line.startswith("# TYPE "):
            typed, kind = re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line).groups()
            assert typed == name, f"{line!r} does not follow the help of the same name"
            families[name] = (kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            sample, labels, value = match.groups()
            assert sample == name and kind, f"{line!r} is not below its own help and type"
            labels = labels or ""
            names = re.findall(rf'[{{,]({NAME})="', labels)
            assert len(names) == len(set(names)), line
            assert labels not in families[name][1], f"twice: {line!r}"
            families[name][1][labels] = float(value)
            assert (kind == "counter") == name.endswith("_total"), line
    assert all(samples for _, samples in families.values())
    return families


def test_metrics_are_prometheus_text_and_each_is_described(new_installation, tmp_path):
    installation = installation_of(new_installation).start()
    drive(installation, tmp_path)
    wait_for(
        "the lake's lag to be told",
        lambda: 'consumer="lake"' in get(installation, "/metrics")[2],
    )
    installation.counters("committer")  # the last to begin
    status, content_type, text = get(installation, "/metrics")
    assert status == 200
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = parse(text)

    roles = json.loads(installation.run("status", "--dir", installation.dir, "--json").stdout)
    up = families["telltale_up"][1]
    release = roles["roles"]["worker"]["release"]
    labels = {"worker": f'{{role="worker",release="{release}"}}'}
    assert up == {labels.get(role, f'{{role="{role}"}}'): 1.0 for role in roles["roles"]}
    assert families["telltale_ready"] == ("gauge", {"": 1.0})
    ages = families["telltale_role_counters_age_seconds"][1]
    assert len(ages) == len(up) and max(ages.values()) < 30
    streams = families["telltale_log_durable_records_total"][1]
    assert sum(value for labels, value in streams.items() if "safety" in labels) > 0
    assert families["telltale_gateway_reports_accepted_total"][1][""] > 0
    lags = families["telltale_consumer_lag_records"][1]
    assert any(re.search(r'consumer="lake".*shard="\d+"', labels) for labels in lags)

    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    missing = [name for name in families if f"`{name}" not in page
               and f"`{re.sub('_(publisher|operations)_', '_<role>_', name, count=1)}" not in page]
    assert not missing, f"not in docs/metrics.md: {missing}"


def test_no_metric_names_a_vehicle(new_installation, tmp_path):
    installation = installation_of(new_installation).start()
    vin = "WVWZZZ1KZAW000001"
    vehicles = installation.dir / "vehicles.csv"
    vehicles.write_text(
        f"vin,model,class,fuel,ownership_epoch\n{vin},,van,gas,1\n", encoding="utf-8"
    )
    installation.run("vehicles", "import", vehicles, "--dir", installation.dir)
    reference = installation.run(
        "vehicles", "lookup", "--dir", installation.dir, "--vin", vin
    ).stdout.strip()
    drive(installation, tmp_path)
    text = get(installation, "/metrics")[2]
    assert vin not in text and reference not in text
    assert not re.search(r"[A-HJ-NPR-Z0-9]{17}", text)
    assert not re.search(r"[0-9a-f]{32}", text)


def test_a_role_that_stays_dead_makes_it_unready_and_is_named(new_installation):
    installation = installation_of(new_installation).start()
    assert get(installation, "/readyz")[::2] == (200, "ready\n")
    assert get(installation, "/healthz")[::2] == (200, "ok\n")
    assert get(installation, "/nothing")[0] == 404
    lake = installation.process_of("lake")
    os.kill(installation.server.pid, signal.SIGSTOP)  # nobody starts it again
    try:
        os.kill(lake.pid, signal.SIGKILL)
        wait_for("/readyz to turn", lambda: get(installation, "/readyz")[0] == 503)
        assert get(installation, "/readyz")[2] == "lake does not run\n"
        assert get(installation, "/healthz")[0] == 200
        families = parse(get(installation, "/metrics")[2])
        assert families["telltale_up"][1]['{role="lake"}'] == 0
        assert families["telltale_ready"][1][""] == 0
        done = installation.run("status", "--dir", installation.dir, check=False)
        assert done.returncode == 1
        assert "lake does not run" in done.stdout
    finally:
        os.kill(installation.server.pid, signal.SIGCONT)
    wait_for("it to be ready again", lambda: get(installation, "/readyz")[0] == 200)


def test_status_says_ready_not_ready_or_that_it_cannot_tell(new_installation):
    installation = installation_of(new_installation).start()

    def status(*arguments, folder=installation.dir):
        done = installation.run("status", "--dir", folder, *arguments, check=False)
        return done.returncode, done.stdout, done.stderr

    code, text, _ = status()
    assert code == 0 and "serving yes, ready yes" in text
    wait_for("the vault's lag", lambda: "vault" in json.loads(status("--json")[1])["consumers"])
    told = json.loads(status("--json")[1])
    assert told["causes"] == []
    assert told["roles"]["operations"]["port"] == str(installation.port("operations"))
    assert told["consumers"]["vault"]["sealed"]["shards"][0].keys() == {"shard", "lag"}

    installation.stop()
    code, text, _ = status("--json")
    told = json.loads(text)
    assert code == 1 and not told["serving"]
    assert told["causes"] == ["it is not served: no `telltale serve` holds run/supervisor.lock"]
    assert not [role for role, one in told["roles"].items() if "port" in one or "pid" in one]
    assert not list((installation.dir / "run").glob("*.port"))

    for folder in (installation.dir / "data", installation.dir / "nothing"):
        code, text, error = status(folder=folder)
        assert code == 2 and text == ""
        assert "is no installation" in error


def test_another_address_needs_tls_and_a_token(new_installation):
    installation = installation_of(new_installation, operations__listen="0.0.0.0")
    refused = installation.run("serve", installation.dir, check=False)
    assert refused.returncode == 1
    for key in ("tls_certificate", "tls_key", "token_file"):
        assert f"operations.{key}" in refused.stderr

    folder = installation.dir
    token = folder / "operations.token"
    token.write_text(TOKEN + "\n", encoding="utf-8")
    owner = (folder / "certs" / "server.key").stat()
    if os.geteuid() == 0:
        os.chown(token, owner.st_uid, owner.st_gid)
    token.chmod(0o644)
    installation.set(
        operations__tls_certificate="certs/server.crt",
        operations__tls_key="certs/server.key",
        operations__token_file="operations.token",
    )
    refused = installation.run("serve", installation.dir, check=False)
    assert refused.returncode == 1
    assert "open to others" in refused.stderr and TOKEN not in refused.stderr

    token.chmod(0o600)
    installation.start()
    context = ssl.create_default_context(cafile=folder / "ca" / "ca.crt")

    def ask(path, headers):
        return get(installation, path, "https", headers, context)[0]

    assert ask("/metrics", {"Authorization": f"Bearer {TOKEN}"}) == 200
    assert ask("/readyz", {"Authorization": f"Bearer {TOKEN}"}) == 200
    for headers in ({}, {"Authorization": f"Bearer {TOKEN[:-1]}0"}):
        assert ask("/metrics", headers) == 401
        assert ask("/healthz", headers) == 401
    wait_for(
        "the refusals to be counted",
        lambda: installation.counters("operations").get("http_unauthorized_total") == 4,
    )
    assert TOKEN not in installation.log_end(1000)
